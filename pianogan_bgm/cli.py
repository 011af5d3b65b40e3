"""The command line, ``pianogan-bgm``.

A command is one row of :data:`COMMANDS`. Its ``arguments`` function describes the options, its ``run``
function does the work and gives the exit status; modules are imported inside them, so that ``--help`` stays
quick and a missing package stops only what needs it. Errors of this package and of the file system become one
line on stderr and status 1; Ctrl-C gives 130 and SIGTERM 143, both after clearing away what is half done; a
wrong usage gives 2.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from errno import EINVAL
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from pianogan_bgm import PianoganError, __version__
from pianogan_bgm.errors import one_line
from pianogan_bgm.interrupts import INTERRUPTED, TERMINATED, terminable
from pianogan_bgm.json_rules import short

PROGRAM: Final = "pianogan-bgm"


@dataclass(frozen=True, slots=True)
class Command:
    """One subcommand: its name, one line of help, its options and its work."""

    name: str
    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


def main(argv: list[str] | None = None) -> int:
    """Run the command line on ``argv`` (``sys.argv`` without it) and return the exit status."""
    with terminable() as terminated:
        status = _run(argv)
        return TERMINATED if terminated else status


def _run(argv: list[str] | None) -> int:
    try:
        _mend_streams()
        options = build_parser().parse_args(argv)
        status: int = options.run(options)
        sys.stdout.flush()
        return status
    except ModuleNotFoundError as error:
        print(f"{PROGRAM}: {one_line(error)}; `{PROGRAM} doctor` tells whether that is all", file=sys.stderr)
        return 1
    except (PianoganError, OSError) as error:
        if _reader_has_gone(error):  # keep Python's exit from flushing into the closed pipe again
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        else:
            print(f"{PROGRAM}: {one_line(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted", file=sys.stderr)
        return INTERRUPTED


def _reader_has_gone(error: Exception) -> bool:
    """Whether stdout is a pipe that nobody reads any more (`| head`), which Windows calls EINVAL."""
    if isinstance(error, BrokenPipeError):
        return True
    return os.name == "nt" and isinstance(error, OSError) and (error.errno, error.filename) == (EINVAL, None)


def _mend_streams() -> None:
    """Where there is no terminal (pythonw, a frozen program without a window) what is said goes nowhere."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or stream.closed:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  # until the end
        # a terminal without a letter of some file's name shows its number; the work is done all the same
        elif isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")


class _Parser(argparse.ArgumentParser):
    """Its options are described when they are needed: describing them may need packages that are missing."""

    describe: Callable[[argparse.ArgumentParser], None] | None = None

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        describe, self.describe = self.describe, None
        if describe is not None:
            describe(self)
        return super().parse_known_args(args, namespace)


def build_parser() -> argparse.ArgumentParser:
    """The parser with every row of :data:`COMMANDS`."""
    parser = _Parser(prog=PROGRAM, description="Piano background music for pygame, composed on the spot.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        child = commands.add_parser(command.name, help=command.help, description=command.help)
        child.describe = command.arguments
        child.set_defaults(run=command.run)
    return parser


def beats(text: str) -> Fraction:
    """Option value: beats such as ``0.25`` or ``1/3``, 1/64 to 64."""
    from pianogan_bgm.json_rules import short
    from pianogan_bgm.piece import RESOLUTION_RANGE

    low, high = RESOLUTION_RANGE
    try:
        # a fraction of 1e999999999 would take hours to make
        value = Fraction(text) if len(text) <= 20 and "e" not in text.lower() else Fraction(0)
    except (ValueError, ZeroDivisionError):
        value = Fraction(0)
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(
            f"expected beats, {low} to {high}, such as 0.25 or 1/3; got {short(text)}"
        )
    return value


def whole(text: str) -> int:
    """Option value: a whole number; whoever takes it knows its range."""
    # Python makes no number of more than 4300 digits; a seed has 20
    if not re.fullmatch(r"-?\d{1,20}", text):
        raise argparse.ArgumentTypeError(f"expected a whole number; got {short(text)}")
    return int(text)


def whole_within(text: str, low: int, high: int, what: str) -> int:
    """Option value: a whole number of ``low`` to ``high``. ``what`` it is, in words for the error."""
    if not re.fullmatch(r"\d{1,20}", text) or not low <= int(text) <= high:
        raise argparse.ArgumentTypeError(f"expected {what}; got {short(text)}")
    return int(text)


def real(text: str) -> float:
    """Option value: a number; whoever takes it knows its range."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number; got {short(text)}") from None


def real_within(text: str, low: float, high: float) -> float:
    """Option value: a number of ``low`` to ``high``."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"expected a number, {low:g} to {high:g}; got {short(text)}")
    return value


def place(text: str) -> Path:
    """Option value: a file or folder. The empty one would be the folder one stands in, as few have meant."""
    if not text:
        raise argparse.ArgumentTypeError("expected a file or folder; got ''")
    return Path(text)


def columns(text: str) -> int:
    """Option value: a whole number of columns, 1 or more."""
    from pianogan_bgm.notes import MAX_STEPS

    return whole_within(text, 1, MAX_STEPS, f"a whole number of columns, 1 to {MAX_STEPS}")


def seconds(text: str) -> float:
    """Option value: seconds, 0 or more."""
    value = real(text)
    if not 0.0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected seconds, 0 or more; got {text!r}")
    return value


def _midi2img_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("sources", nargs="+", type=place, metavar="FILE.mid|FOLDER", help="MIDI files, or folders of them")
    add("-o", "--output", type=place, metavar="DIR", help="where to write (beside each source)")
    add("--resolution", type=beats, default=Fraction(1, 4), metavar="BEATS", help="beats a column (0.25)")
    add("--length", type=columns, default=300, metavar="COLUMNS", help="columns of a picture (300)")
    silent = parser.add_mutually_exclusive_group()
    silent.add_argument(
        "--skip-silent", action="store_true", default=True, help="leave silent pictures out (the default)"
    )
    silent.add_argument(
        "--keep-silent", dest="skip_silent", action="store_false", help="write silent pictures too"
    )
    add("--edges", action="store_true", help="plain black and white, without strikes and loudness")


def _midi2img(options: argparse.Namespace) -> int:
    from pianogan_bgm import convert

    return convert.midi2img(
        options.sources,
        options.output,
        resolution=options.resolution,
        length=options.length,
        convention="edges" if options.edges else "struck",
        skip_silent=options.skip_silent,
    )


def _img2midi_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("sources", nargs="+", type=place, metavar="FILE.png|FOLDER", help="pictures, or folders of them")
    add("-o", "--output", type=place, metavar="FILE.mid|DIR", help="where to write (beside each source)")
    add("--tempo", type=real, metavar="BPM", help="beats a minute (the picture's own, or 120)")
    add(
        "--separate",
        action="store_true",
        help="a file for each picture, even where NAME_0.png, NAME_1.png ... look like one instrument",
    )


def _img2midi(options: argparse.Namespace) -> int:
    from pianogan_bgm import convert

    return convert.img2midi(options.sources, options.output, tempo=options.tempo, separate=options.separate)


def pieces(text: str) -> int:
    """Option value: how many pieces, 1 to a million."""
    return whole_within(text, 1, 1_000_000, "how many pieces, 1 to 1000000")


def formats(text: str) -> tuple[str, ...]:
    """Option value: file endings with commas between, such as ``mid,png``; each once."""
    from pianogan_bgm.generate import WRITERS

    return some_of(text, WRITERS)


def some_of(text: str, known: Collection[str]) -> tuple[str, ...]:
    """Words with commas between, each once and in small letters, all of them ``known``."""
    wanted = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",")))
    if unknown := [part for part in wanted if part not in known]:
        raise argparse.ArgumentTypeError(f"expected some of {','.join(known)}; got {short(unknown[0])}")
    return wanted


def _generate_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("-o", "--output", type=place, default=Path(), metavar="DIR", help="where to write (here)")
    add("--seed", type=whole, metavar="N", help="which piece, 0 to 2**64 - 1 (a fresh one)")
    add("--count", type=pieces, default=1, metavar="K", help="this many pieces, from that seed on (1)")
    add("--model", default="open", metavar="NAME|FILE.onnx", help="which model composes (open)")
    add("--formats", type=formats, default="mid,png,wav", metavar="LIST", help="of mid,png,wav,ogg,flac")
    add("--tempo", type=real, metavar="BPM", help="beats a minute (the model's own)")
    add(
        "--ending", action="store_true", help="slow down and close on a cadence, for music that does not loop"
    )


def _generate(options: argparse.Namespace) -> int:
    from pianogan_bgm.generate import generate

    return generate(
        options.output,
        options.seed,
        options.count,
        model=options.model,
        formats=options.formats,
        tempo=options.tempo,
        ending=options.ending,
    )


def _render_arguments(parser: argparse.ArgumentParser) -> None:
    from pianogan_bgm.instruments import NAMES

    add = parser.add_argument
    add("source", type=place, metavar="FILE.mid", help="the music")
    add("-o", "--output", type=place, required=True, metavar="FILE.wav|ogg|flac", help="the sound")
    add("--rate", type=whole, default=44100, metavar="HZ", help="sample rate (44100)")
    add("--instrument", choices=NAMES, default="piano", help="what plays it (piano)")
    add(
        "--ending", action="store_true", help="slow down and close on a cadence, for music that does not loop"
    )


def _render(options: argparse.Namespace) -> int:
    from pianogan_bgm.render import render_file

    seconds = render_file(
        options.source, options.output, options.rate, options.instrument, ending=options.ending
    )
    print(f"{options.output}: {seconds:.1f} s")
    return 0


def _play_arguments(parser: argparse.ArgumentParser) -> None:
    from pianogan_bgm.scenes import MOODS

    add = parser.add_argument
    add("source", nargs="?", type=place, metavar="FILE.mid", help="loop this file instead of composing")
    add("--seed", type=whole, metavar="N", help="the first piece, and with it all that follow")
    add("--seconds", type=seconds, metavar="S", help="stop after so long (never)")
    add("--mood", choices=sorted(MOODS), help="what the music should be like")
    add("--model", metavar="NAME", help="which model composes (open)")


def _play(options: argparse.Namespace) -> int:
    from pianogan_bgm.errors import InvalidSetting
    from pianogan_bgm.play import play

    if options.source is not None:
        for name in ("model", "seed"):
            if getattr(options, name) is not None:
                raise InvalidSetting(f"{options.source} is looped, nothing is composed: leave out --{name}")
    return play(options.source, options.seed, options.seconds, options.mood, options.model or "open")


def _playlist_arguments(parser: argparse.ArgumentParser) -> None:
    from pianogan_bgm.playlist.command import arguments

    arguments(parser)


def _playlist(options: argparse.Namespace) -> int:
    from pianogan_bgm.playlist.command import run

    return run(options)


def _doctor_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for a program rather than a reader")


def _doctor(options: argparse.Namespace) -> int:
    from pianogan_bgm import doctor

    return doctor.run(as_json=options.json)


COMMANDS: Final[tuple[Command, ...]] = (
    Command("midi2img", "MIDI files to piano-roll pictures", _midi2img_arguments, _midi2img),
    Command("img2midi", "Piano-roll pictures to MIDI files", _img2midi_arguments, _img2midi),
    Command("generate", "Compose pieces by seed: MIDI, picture and sound", _generate_arguments, _generate),
    Command("playlist", "Bake music to files, for any engine", _playlist_arguments, _playlist),
    Command("render", "MIDI file to sound: wav, ogg or flac", _render_arguments, _render),
    Command("play", "Endless music through pygame, with a live line", _play_arguments, _play),
    Command("doctor", "Say what is installed and what works, for a bug report", _doctor_arguments, _doctor),
)

if __name__ == "__main__":
    sys.exit(main())
