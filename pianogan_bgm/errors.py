"""The errors this package raises, all under one root.

::

    PianoganError
    ├── InvalidNote        a note, piece or step outside the grid or the MIDI ranges
    ├── InvalidRoll        a piano-roll array or picture of the wrong shape, type or range
    ├── InvalidMidi        a MIDI file that cannot be read
    ├── InvalidLatent      a latent or seed of the wrong shape, type or value
    ├── ModelError         a generator that cannot be used
    │   ├── ModelNotFound  no model of that name is installed
    │   └── ModelDamaged   card and weights disagree, or the file is not a generator
    ├── InvalidSetting   a setting of the music outside its range, or a name nobody knows
    ├── SoundError         samples or instruments that cannot be loaded or rendered
    └── PlaylistError      a playlist or manifest that cannot be read, written or verified

Each is also the matching built-in (``ValueError``, ``LookupError``, ``RuntimeError``), so that
code which knows nothing of this package still catches what it expects.
"""


class PianoganError(Exception):
    """Root of everything this package raises on purpose."""


class InvalidNote(PianoganError, ValueError):
    """A note, piece or step outside the grid or the MIDI ranges."""


class InvalidRoll(PianoganError, ValueError):
    """A piano-roll array or picture of the wrong shape, type or range."""


class InvalidMidi(PianoganError, ValueError):
    """A MIDI file that cannot be read."""


class InvalidLatent(PianoganError, ValueError):
    """A latent or seed of the wrong shape, type or value."""


class InvalidSetting(PianoganError, ValueError):
    """A setting of the music outside its range, or a name nobody knows."""


class ModelError(PianoganError, RuntimeError):
    """A generator that cannot be used."""


class ModelNotFound(ModelError, LookupError):
    """No model of that name is installed; the message says how to get it."""


class ModelDamaged(ModelError):
    """Card and weights disagree, or the file is not a generator."""


class SoundError(PianoganError, RuntimeError):
    """Samples or instruments that cannot be loaded or rendered."""


class PlaylistError(PianoganError, RuntimeError):
    """A playlist or manifest that cannot be read, written or verified."""


def one_line(error: BaseException) -> str:
    """What went wrong without line breaks, for a terminal; a file system error names its file first.

    A module that is missing is named by its package.

    Of two, as of a file that could not be renamed, it names the second: where it was to be.
    """
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"the package {error.name} is not installed"
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        name = error.filename if error.filename2 is None else error.filename2
        return f"{name}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__
