"""Instruments: tones in, PCM blocks out, pulled.

Rules, on which exact streaming rests: an instrument is a pure function of its tones. ``add`` may be asked
for any part of a tone, in any order, in blocks of any size, and gives the same samples as one whole render
would; it keeps no playing state. :func:`mix` adds tones in sorted order, so that float rounding does not
depend on how the stream is cut.
"""

from pianogan_bgm.instruments.tones import Block, Instrument, Tone, mix

__all__ = ["Block", "Instrument", "Tone", "mix"]
