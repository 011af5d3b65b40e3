"""Instruments: tones in, PCM blocks out, pulled.

Rules, on which exact streaming rests: an instrument is a pure function of its tones. ``add`` may be asked
for any part of a tone, in any order, in blocks of any size, and gives the same samples as one whole render
would; it keeps no playing state. :func:`mix` adds tones in sorted order, so that float rounding does not
depend on how the stream is cut.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pianogan_bgm.errors import InvalidSetting, SoundError
from pianogan_bgm.instruments.tones import Block, Instrument, Tone, mix

NAMES: Final = ("piano", "music_box", "electric_piano", "chip_square", "chip_triangle")
"""What :func:`load` knows; beside them the path of a SoundFont."""
CREDITS: Final = {
    "piano": "Piano: Salamander Grand Piano by Alexander Holm, "
    "CC BY 3.0 (creativecommons.org/licenses/by/3.0), edited"
}
"""What has to be said where an instrument is heard; the others need nothing."""
RATES: Final = (8000, 192000)

if TYPE_CHECKING:
    from pianogan_bgm.instruments.sf2 import Bank

_loading = threading.Lock()

__all__ = ["CREDITS", "NAMES", "Block", "Instrument", "Tone", "check_instrument", "credited", "load", "mix"]


def credited(attribution: Iterable[str], instrument: str) -> tuple[str, ...]:
    """The lines to show where music is heard: those of its model and, if there is one, the instrument's."""
    return (*attribution, *([CREDITS[instrument]] if instrument in CREDITS else []))


def check_instrument(name: Any) -> str:
    """``name``, if :func:`load` will know it; a SoundFont is read now, so that a bad one is refused here.

    Its path comes back absolute, for a game may change its folder before the instrument is loaded. Raises
    :class:`InvalidSetting`, and :class:`SoundError` for a file that is no SoundFont.
    """
    if isinstance(name, str) and name in NAMES:
        return name
    path = str(Path(name).absolute()) if isinstance(name, str | Path) else ""
    font = _font(path)
    if font is None:
        raise InvalidSetting(
            f"an instrument is one of {', '.join(NAMES)} or the path of a SoundFont (*.sf2); got {name!r}"
        )
    if not font[0].is_file():
        raise InvalidSetting(f"no SoundFont is there: {font[0]}")
    _read(*font)
    return path


@lru_cache(maxsize=8)
def _read(file: Path, bank: int | None, program: int | None) -> Bank:
    from pianogan_bgm.instruments.sf2 import read_soundfont

    return read_soundfont(file, bank, program)


def _font(name: str) -> tuple[Path, int | None, int | None] | None:
    """File, bank and program of ``FILE.sf2`` or ``FILE.sf2#BANK:PROGRAM``; None for another name."""
    match = re.fullmatch(r"(.+\.sf2)(?:#(\d{1,5}):(\d{1,5}))?", name, re.IGNORECASE | re.DOTALL)
    if match is None:
        return None
    file, bank, program = match.groups()
    return Path(file), None if bank is None else int(bank), None if program is None else int(program)


def load(name: str, rate: int) -> Instrument:
    """The instrument ``name`` (one of :data:`NAMES`, or a SoundFont) at ``rate`` Hz, 8000 to 192000.

    ``FILE.sf2`` is the first preset of a SoundFont, ``FILE.sf2#BANK:PROGRAM`` another one.

    The same two give the same object, so that players share decoded samples. Raises :class:`SoundError`.
    """
    if name not in NAMES and _font(name) is None:
        raise SoundError(f"no instrument is called {name!r}; there are {', '.join(NAMES)} and *.sf2 files")
    if not isinstance(rate, int) or not RATES[0] <= rate <= RATES[1]:
        raise SoundError(f"the sample rate must be a whole number, {RATES[0]} to {RATES[1]}; got {rate!r}")
    with _loading:
        return _make(name, rate)


@lru_cache(maxsize=16)
def _make(name: str, rate: int) -> Instrument:
    font = _font(name)
    if font is not None:
        from pianogan_bgm.instruments.soundfont import SoundFont

        return SoundFont(_read(*font), rate)
    if name == "piano":
        from pianogan_bgm.instruments.piano import Piano

        return Piano(rate)
    from pianogan_bgm.instruments.synth import VOICES, Synth

    return Synth(VOICES[name], rate)
