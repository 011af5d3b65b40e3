"""Write the page that lets one hear and see the model: ``docs/listening.md`` with its sounds and pictures.

``python -m export.listening [--model open] [--seeds 1-8] [-o docs]``

The pieces are those of the seeds 1 to 8, chosen by number and not by taste. Of each there are the first
fifteen seconds as a game hears them (OGG Vorbis), the whole piano roll, and a spectrogram of the sound; of
the first one also how it ends where it is to end. The same model and the same versions of the libraries give
the same bytes. All files together must stay under two megabytes: with more the status is 1.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from PIL import Image
from tqdm import tqdm

from export.spectrogram import spectrogram
from pianogan_bgm import __version__
from pianogan_bgm.arrange import estimate_key, perform
from pianogan_bgm.drawing import picture
from pianogan_bgm.endings import with_ending
from pianogan_bgm.errors import PianoganError, one_line
from pianogan_bgm.expression import ONE_SHOT
from pianogan_bgm.files import write_atomically
from pianogan_bgm.generator import Generator
from pianogan_bgm.images import piece_slab
from pianogan_bgm.instruments import Block, credited
from pianogan_bgm.piece import Piece
from pianogan_bgm.playlist.loudness import loudness
from pianogan_bgm.playlist.tags import Tags, tagged_ogg
from pianogan_bgm.render import WRITE_BLOCK, render, render_blocks

RATE: Final = 32000
SECONDS: Final = 15.0
FADE: Final = 1.5
COMPRESSION: Final = 0.85
"""Of the Vorbis encoder, 0 (best) to 1."""
COLOURS: Final = 32
MOST_BYTES: Final = 2_000_000
FOLDER: Final = "listening"
PAGE: Final = "listening.md"
PICTURES: Final = {"roll.png": "Piano roll", "spectrum.png": "Spectrogram"}


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page says of one piece, and its files by ending."""

    name: str
    text: str
    files: dict[str, bytes]


def main(argv: list[str] | None = None) -> int:
    """Run from the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default="open", help="name or path of the model (open)")
    parser.add_argument("--seeds", type=seeds, default=range(1, 9), metavar="A-B", help="which pieces (1-8)")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs"), metavar="DIR", help="where (docs)")
    options = parser.parse_args(argv)
    try:
        size = write(options)
    except (PianoganError, OSError) as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 1
    return 0 if size <= MOST_BYTES else 1


def write(options: argparse.Namespace) -> int:
    """Write the page and its files; how many bytes the latter have."""
    generator = Generator(options.model)
    shown = [show(generator, seed) for seed in tqdm(options.seeds, unit="piece", disable=None)]
    shown.append(show_ending(generator, options.seeds[0]))
    size = 0
    for one in shown:
        for ending, data in one.files.items():
            write_atomically(options.output / FOLDER / f"{one.name}.{ending}", data)
            size += len(data)
    write_atomically(options.output / PAGE, page(generator, shown, options).encode("utf-8"))
    print(f"{options.output / PAGE}: {len(shown)} pieces, {size / 1e6:.2f} MB")
    return size


def seeds(text: str) -> range:
    """Option value: the first and the last seed, such as ``1-8``."""
    first, _, last = text.partition("-")
    if not (first.isdecimal() and last.isdecimal()) or int(first) > int(last):
        raise argparse.ArgumentTypeError(f"expected two seeds such as 1-8; got {text!r}")
    return range(int(first), int(last) + 1)


def show(generator: Generator, seed: int) -> Shown:
    """Everything about the piece of ``seed``."""
    piece = perform(generator.compose(seed))
    name, key = f"{generator.card.name}-{seed}", estimate_key(piece.notes).name
    sound = excerpt(piece)
    heard = loudness(sound, RATE)
    loud = "silent" if heard is None else f"{heard:.1f} LUFS".replace("-", "\N{MINUS SIGN}")
    files = {
        "ogg": ogg(sound, tags_of(generator, f"{generator.card.name} {seed}")),
        "roll.png": roll(piece, f"seed {seed}"),
        "spectrum.png": png(spectrogram(sound, RATE)),
    }
    text = f"{key}, {len(piece.notes)} notes in {piece.seconds:.1f} s; the excerpt has {loud}"
    return Shown(name, text, files)


def show_ending(generator: Generator, seed: int) -> Shown:
    """How the piece of ``seed`` ends as a one-shot, on a cadence: its last seconds, sound alone."""
    piece = perform(with_ending(generator.compose(seed)))
    sound = render(piece, RATE, expression=ONE_SHOT)[-round(SECONDS * RATE) :]
    fade = round(FADE * RATE)
    sound[:fade] *= np.linspace(0.0, 1.0, fade, dtype=np.float32)[:, None]
    name = f"{generator.card.name}-{seed}-ending"
    text = f"the piece of seed {seed} brought to an end (`--ending`)"
    return Shown(name, text, {"ogg": ogg(sound, tags_of(generator, name.replace("-", " ")))})


def tags_of(generator: Generator, title: str) -> Tags:
    """What a sound file says of itself."""
    return Tags(
        title=title,
        album="pianogan_bgm",
        licence=generator.card.output_licence,
        credits="; ".join(credited(generator.card.attribution, "piano")),
        software=f"pianogan-bgm {__version__}",
    )


def excerpt(piece: Piece) -> Block:
    """The beginning as it is heard, faded out; float32 (frames, 2)."""
    most, frames, blocks = round(SECONDS * RATE), 0, []
    for block in render_blocks(piece, RATE):
        blocks.append(block)
        frames += len(block)
        if frames >= most:
            break
    sound = np.concatenate(blocks)[:most]
    fade = min(len(sound), round(FADE * RATE))
    sound[len(sound) - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)[:, None]
    return sound


def ogg(sound: Block, tags: Tags) -> bytes:
    """A small Vorbis file, the same bytes each time."""
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", RATE, 2, format="OGG", subtype="VORBIS", compression_level=COMPRESSION
    ) as file:
        # libsndfile's Vorbis encoder wants a stack as large as what it is given at once
        for at in range(0, len(sound), WRITE_BLOCK):
            file.write(sound[at : at + WRITE_BLOCK])
    serial = int.from_bytes(hashlib.sha256(tags.title.encode("utf-8")).digest()[:4], "little")
    return tagged_ogg(buffer.getvalue(), tags, serial)


def roll(piece: Piece, title: str) -> bytes:
    """The piano roll of the whole piece as PNG."""
    drawn = picture(piece_slab(piece), [title], beats_per_bar=piece.beats_per_bar, scale=3)
    return png(drawn.quantize(COLOURS, dither=Image.Dither.NONE))


def png(image: Image.Image) -> bytes:
    """A picture as PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def page(generator: Generator, shown: Sequence[Shown], options: argparse.Namespace) -> str:
    """The page, Markdown."""
    card, first, last = generator.card, options.seeds[0], options.seeds[-1]
    model = "" if options.model == "open" else f" --model {options.model}"
    lines = [
        "# Listening",
        "",
        f"The pieces of `{card.name}` {card.version} of the seeds {first} to {last}, chosen by number and",
        f"not by taste. Of each the first {SECONDS:.0f} seconds, as a game hears them, the piano roll of the",
        "whole, and a spectrogram of what is heard. Made by",
        "",
        "```sh",
        f"python -m export.listening{model} --seeds {first}-{last}",
        "```",
        "",
    ]
    for one in shown:
        place = f"{FOLDER}/{one.name}"
        lines += [f"## {one.name}", "", f"[{one.name}.ogg]({place}.ogg): {one.text}", ""]
        for ending, what in PICTURES.items():
            if ending in one.files:
                lines += [f"![{what} of {one.name}]({place}.{ending})", ""]
    credits = (card.output_licence, *credited(card.attribution, "piano"))
    return "\n".join([*lines, "## Credits", "", *(f"- {line}" for line in credits), ""])


if __name__ == "__main__":
    raise SystemExit(main())
