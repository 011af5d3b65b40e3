"""Piano background music for pygame, composed on the spot."""

from pianogan_bgm.errors import PianoganError
from pianogan_bgm.notes import Note
from pianogan_bgm.piece import Piece

__version__ = "0.1.0"

__all__ = ["Note", "PianoganError", "Piece", "__version__"]
