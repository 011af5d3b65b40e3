"""Music baked to files: chosen, rendered, tagged, described; for games without a model and other engines.

``command`` is the command line, ``choice`` picks the seeds, ``tracks`` makes music of them, ``sound`` makes
it heard (``loudness``, ``tags``), ``bake`` makes one track's files, ``folder`` makes a whole playlist,
``page`` its web page. The manifest, which playback needs too, is :mod:`pianogan_bgm.manifest`.
"""
