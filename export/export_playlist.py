"""``python -m export.export_playlist``: the command ``pianogan-bgm playlist``, from a checkout."""

from __future__ import annotations

import sys

from pianogan_bgm.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["playlist", *sys.argv[1:]]))
