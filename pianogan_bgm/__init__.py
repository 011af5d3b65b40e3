"""Piano background music for pygame, composed on the spot."""

from typing import TYPE_CHECKING, Any

from pianogan_bgm.errors import PianoganError

__version__ = "0.1.0"

if TYPE_CHECKING:
    from pianogan_bgm.notes import Note
    from pianogan_bgm.piece import Piece
    from pianogan_bgm.player import BackgroundMusic
    from pianogan_bgm.scenes import Rule, Scene
    from pianogan_bgm.stingers import Figure
    from pianogan_bgm.stream import Stream

__all__ = [
    "BackgroundMusic",
    "Figure",
    "Note",
    "PianoganError",
    "Piece",
    "Rule",
    "Scene",
    "Stream",
    "__version__",
]

# looked up when asked for, so that the import stays light: no pygame, no onnxruntime, no numpy, which the
# command line has to do without to say that it is missing
_LATER = {
    "BackgroundMusic": "player",
    "Figure": "stingers",
    "Note": "notes",
    "Piece": "piece",
    "Rule": "scenes",
    "Scene": "scenes",
    "Stream": "stream",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
