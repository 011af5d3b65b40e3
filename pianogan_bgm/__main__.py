"""``python -m pianogan_bgm``: the command line, where the program ``pianogan-bgm`` is not on PATH."""

from __future__ import annotations

import sys

from pianogan_bgm.cli import main

if __name__ == "__main__":
    sys.exit(main())
