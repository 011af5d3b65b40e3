"""The command ``pianogan-bgm playlist``: its options, and what they mean."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any, Final

from pianogan_bgm.cli import place, real_within, some_of, whole, whole_within
from pianogan_bgm.errors import PlaylistError
from pianogan_bgm.instruments import NAMES, RATES
from pianogan_bgm.json_rules import A_TEXT, is_text, short
from pianogan_bgm.manifest import FORMATS, LOUDNESS_RANGE, MAX_MINUTES, Settings
from pianogan_bgm.piece import TEMPO_RANGE
from pianogan_bgm.playlist.choice import MOST_SEEDS
from pianogan_bgm.scenes import MOODS

FOLDER: Final = Path("music")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options. What is not given stays None, so that ``--from`` can tell."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "The same command again makes only what is missing, after Ctrl-C too."
    parser.add_argument("-o", "--output", type=place, metavar="DIR", help=f"the playlist's folder ({FOLDER})")
    choice = parser.add_argument_group("which pieces")
    choice.add_argument("--model", metavar="NAME|FILE.onnx", help="which model composes (open)")
    which = choice.add_mutually_exclusive_group()
    which.add_argument("--count", type=_count, metavar="N", help="this many, no two alike (10)")
    which.add_argument("--seeds", type=_seeds, metavar="LIST", help="these, such as 1,2,5-9")
    choice.add_argument(
        "--first", type=whole, metavar="SEED", help="choose from this seed on (the best ones)"
    )
    choice.add_argument("--mood", choices=sorted(MOODS), help="choose those that suit it, best first")
    choice.add_argument(
        "--distance", type=_distance, metavar="D", help="least distance between two, 0 to 1 (0.5)"
    )
    music = parser.add_argument_group("what becomes of them")
    music.add_argument("--tempo", type=_tempo, metavar="BPM", help="(the model's own)")
    music.add_argument(
        "--key", type=_key, metavar="KEY", help="tonic or key to bring them to: Eb, 'F# minor' (their own)"
    )
    music.add_argument("--instrument", choices=NAMES, help="what plays (piano)")
    music.add_argument(
        "--length", type=_length, metavar="piece|MIN", help="a piece, or a medley of so many minutes (piece)"
    )
    form = music.add_mutually_exclusive_group()
    form.add_argument("--loop", action="store_true", default=None, help="seamless loops (the default)")
    form.add_argument("--one-shot", dest="loop", action="store_false", help="once, to the last note's end")
    files = parser.add_argument_group("files")
    files.add_argument(
        "--formats", type=_formats, metavar="LIST", help="of mid,ogg,wav,flac,png (mid,ogg,png)"
    )
    files.add_argument(
        "--stems", action="store_true", default=None, help="also melody, inner voices, bass alone"
    )
    files.add_argument("--loudness", type=_loudness, metavar="LUFS|none", help="as measured by BS.1770 (-16)")
    files.add_argument("--rate", type=_rate, metavar="HZ", help="samples a second (44100)")
    files.add_argument(
        "--title",
        type=_title,
        metavar="TEXT",
        help="of the playlist, also the album in the sound files' tags",
    )
    work = parser.add_argument_group("work").add_mutually_exclusive_group()
    work.add_argument("--jobs", type=_jobs, default=1, metavar="N", help="processes, -1 for one a core (1)")
    work.add_argument("--dask", metavar="ADDRESS", help="work on the Dask cluster whose scheduler is there")
    again = parser.add_argument_group("a playlist that exists")
    again.add_argument(
        "--from", dest="source", type=place, metavar="playlist.json", help="make the same files again"
    )
    again.add_argument("--verify", action="store_true", help="check the files against the manifest")


_MAKING: Final = ("count", "seeds", "first", "mood", "distance", "tempo", "key", "instrument", "length")
_MAKING_FILES: Final = ("loop", "formats", "stems", "loudness", "rate", "title")
_WORKING: Final = ("model", "dask")


def run(options: argparse.Namespace) -> int:
    """Do what was asked; returns the exit status. Raises the errors of the package."""
    making = (*_MAKING, *_MAKING_FILES, *(_WORKING if options.verify else ()))
    given = [name for name in making if getattr(options, name) is not None]
    if (options.source or options.verify) and given:
        what = "--verify makes nothing" if options.verify else "--from makes what its manifest says"
        option = "one-shot" if given[0] == "loop" and not options.loop else given[0]
        raise PlaylistError(f"{what}: leave out --{option}")
    if options.verify:
        if options.source and options.output:
            raise PlaylistError("--verify checks one folder: leave out --from or --output")
        return _verify(options.source or options.output or FOLDER)
    if options.source:
        return _remake(options)
    _check_choice(options)
    return _make(options)


def _check_choice(options: argparse.Namespace) -> None:
    """Raise :class:`PlaylistError` for an option that the way of choosing would ignore."""
    way, ignored = "--seeds takes just those", ["first", "mood", "distance"]
    if options.seeds is None:
        way, ignored = "--mood chooses from the atlas", ["first"] if options.mood else []
    for name in ignored:
        if getattr(options, name) is not None:
            raise PlaylistError(f"{way}: leave out --{name}")


def _verify(folder: Path) -> int:
    from pianogan_bgm.playlist.folder import verify

    faults = verify(folder)
    print(*faults, f"{folder}: {_counted(len(faults), 'fault')}", sep="\n")
    return 1 if faults else 0


def _remake(options: argparse.Namespace) -> int:
    from pianogan_bgm.manifest import read_manifest
    from pianogan_bgm.playlist.folder import made_with, remake

    source: Path = options.source
    folder = options.output or (source if source.is_dir() else source.parent)
    before = read_manifest(source).made_with
    manifest, others = remake(source, folder, options.model, jobs=options.jobs, cluster=options.dask)
    for name in others:
        print(f"{name}: not the bytes that the manifest says")
    if others and before != made_with():
        print(f"made with {before}; this is {made_with()}")
    print(
        f"{folder}: {_counted(len(manifest.tracks), 'track')}, {_counted(len(others), 'file')} not the same"
    )
    return 1 if others else 0


def _make(options: argparse.Namespace) -> int:
    from pianogan_bgm.playlist.folder import Wish, make

    folder = options.output or FOLDER
    wish = _given(Wish, options, ("title", "model", "count", "first", "seeds"))
    manifest = make(
        folder, Wish(**wish, settings=settings_of(options)), jobs=options.jobs, cluster=options.dask
    )
    size = sum(file.bytes for track in manifest.tracks for file in track.files)
    print(f"{folder}: {_counted(len(manifest.tracks), 'track')}, {size / 1e6:.1f} MB")
    print(manifest.licence)
    return 0


def settings_of(options: argparse.Namespace) -> Settings:
    """The settings asked for, defaults for the rest."""
    names = ("formats", "instrument", "rate", "loop", "stems", "tempo", "key", "mood")
    values = _given(Settings, options, names)
    if options.loudness is not None:
        values["loudness"] = None if options.loudness == "none" else options.loudness
    if options.length is not None and options.length != "piece":
        values["minutes"] = options.length
    if options.seeds is None:
        from pianogan_bgm.playlist.choice import LEAST_DISTANCE

        values["distance"] = LEAST_DISTANCE if options.distance is None else options.distance
    return Settings(**values)


def _counted(count: int, what: str) -> str:
    """``1 track``, ``2 tracks``."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _given(kind: Any, options: argparse.Namespace, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(options, name)) is not None}


# ----------------------------------------------------------------------------------------- option values


def _count(text: str) -> int:
    return whole_within(text, 1, MOST_SEEDS, f"how many tracks, 1 to {MOST_SEEDS}")


def _seeds(text: str) -> tuple[int, ...]:
    """``1,2,5-9`` as seeds, each once."""
    seeds: dict[int, None] = {}
    for part in text.split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        if not all(re.fullmatch(r"\d{1,20}", word) for word in ((first, last) if dash else (first,))):
            raise argparse.ArgumentTypeError(f"expected seeds such as 1,2,5-9; got {short(part)}")
        low, high = int(first), int(last or first)
        if not low <= high < 2**64 or high - low >= MOST_SEEDS or len(seeds) >= MOST_SEEDS:
            raise argparse.ArgumentTypeError(
                f"expected at most {MOST_SEEDS} seeds, 0 to 2**64 - 1, lower before higher; got {part!r}"
            )
        seeds.update(dict.fromkeys(range(low, high + 1)))
    return tuple(seeds)


def _distance(text: str) -> float:
    return real_within(text, 0.0, 1.0)


def _tempo(text: str) -> float:
    return real_within(text, *TEMPO_RANGE)


def _key(text: str) -> str:
    """A note or a key, its letter in upper case."""
    if re.fullmatch(r"[A-Ga-g][b#]?( (major|minor))?", text) is None:
        raise argparse.ArgumentTypeError(
            f"expected a key such as Eb, 'F# minor' or 'C major'; got {short(text)}"
        )
    return text[0].upper() + text[1:]


def _title(text: str) -> str:
    if not is_text(text):
        raise argparse.ArgumentTypeError(f"expected {A_TEXT[0]}; got {short(text)}")
    return text


def _loudness(text: str) -> float | str:
    number: float | str = "none" if text == "none" else real_within(text, *LOUDNESS_RANGE)
    return number


def _length(text: str) -> float | str:
    length: float | str = "piece" if text == "piece" else real_within(text, 0.1, MAX_MINUTES)
    return length


def _rate(text: str) -> int:
    return whole_within(text, *RATES, f"a rate in Hz, {RATES[0]} to {RATES[1]}")


def _jobs(text: str) -> int:
    return -1 if text == "-1" else whole_within(text, 1, 1024, "how many processes, 1 to 1024, or -1")


def _formats(text: str) -> tuple[str, ...]:
    return ("mid", *(kind for kind in some_of(text, FORMATS) if kind != "mid"))
