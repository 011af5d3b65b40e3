"""From MIDI folders and archives to a corpus: grids, bars, licences, splits, and what goes wrong."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import json
import os
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training import build as build_module
from training import licences, maestro, prepare, smf, sources
from training.bars import Signature, bars_of
from training.corpus import MANIFEST_FILE, Corpus, DataError
from training.download import Archive, download
from training.grid import beat_aligned, to_grid
from training.similar import same_music
from training.works import catalogue_numbers, groups, side, split_by_work, surname, work_keys

TICKS = 480
SIXTEENTH = TICKS // 4
CC0 = "CC0 1.0 Universal"
Notes = list[tuple[int, int, int, int]]


def midi_bytes(
    notes: Notes,
    metre: tuple[int, int] = (4, 4),
    changes: tuple[tuple[int, int, int], ...] = (),
    channel: int = 0,
) -> bytes:
    """Notes (start tick, end tick, pitch, velocity) as a MIDI file; ``changes`` are (tick, n, d)."""
    events: list[tuple[int, Any]] = []
    for tick, upper, lower in ((0, *metre), *changes):
        events.append((tick, mido.MetaMessage("time_signature", numerator=upper, denominator=lower)))
    for start, end, pitch, velocity in notes:
        events.append((start, mido.Message("note_on", note=pitch, velocity=velocity, channel=channel)))
        events.append((end, mido.Message("note_off", note=pitch, channel=channel)))
    track = mido.MidiTrack()
    now = 0
    for tick, message in sorted(events, key=lambda event: (event[0], event[1].type == "note_on")):
        track.append(message.copy(time=tick - now))
        now = tick
    file = mido.MidiFile(ticks_per_beat=TICKS)
    file.tracks.append(track)
    buffer = io.BytesIO()
    file.save(file=buffer)
    return buffer.getvalue()


@functools.cache
def tune(seed: int, steps: int = 200, velocity: int | None = 80) -> Notes:
    """A melody of its own on the grid, one note a step; without ``velocity``, loudness varies."""
    rng = np.random.default_rng(seed)
    pitches = rng.integers(40, 90, steps).tolist()
    loud = rng.integers(1, 128, steps).tolist() if velocity is None else [velocity] * steps
    return [
        (step * SIXTEENTH, (step + 1) * SIXTEENTH, pitch, loud[step]) for step, pitch in enumerate(pitches)
    ]


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """A folder of twelve tunes, free of rights."""
    folder = tmp_path / "tunes"
    folder.mkdir()
    (folder / "LICENSE.txt").write_text(CC0)
    for seed in range(12):
        (folder / f"tune {seed}.mid").write_bytes(midi_bytes(tune(seed)))
    return folder


def prepared(source: Path, output: Path, *more: str) -> Corpus:
    assert prepare.main(["beats", str(source), "-o", str(output), *more]) == 0
    return Corpus.load(output)


def manifest_of(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / MANIFEST_FILE).read_text("utf-8")))


# --- the whole way


def test_a_folder_becomes_a_corpus_with_its_notes_bars_and_facts(collection: Path, tmp_path: Path) -> None:
    corpus = prepared(collection, tmp_path / "out", "--name", "mine")
    assert (len(corpus), corpus.manifest["name"]) == (12, "mine")
    first = corpus.manifest["pieces"][0]
    data = (collection / "tune 0.mid").read_bytes()
    assert first["file"] == "tune 0.mid"
    assert first["sha256"] == hashlib.sha256(data).hexdigest()
    assert (first["licence"], first["notes"], first["quantisation_error"]) == ("CC0 1.0", 200, 0.0)
    expected = [[start // SIXTEENTH, pitch] for start, _, pitch, _ in tune(0)]
    assert corpus.notes(0)[:, :2].tolist() == expected
    assert set(corpus.notes(0)[:, 2].tolist()) == {1}
    assert (np.diff(corpus.downbeats(0)) == 16).all()


@pytest.mark.parametrize("kind", ["tar.xz", "zip"])
def test_an_archive_gives_the_same_arrays_as_its_folder(collection: Path, tmp_path: Path, kind: str) -> None:
    archive = tmp_path / f"tunes.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as packed:
            for path in collection.iterdir():
                packed.write(path, f"tunes/{path.name}")
    else:
        with tarfile.open(archive, "w:xz") as packed_tar:
            packed_tar.add(collection, "tunes")
    one, other = prepared(collection, tmp_path / "a"), prepared(archive, tmp_path / "b")
    assert one.manifest == other.manifest
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == ["corpus.npz", "manifest.json"]


def test_velocities_are_kept_where_the_music_has_them(tmp_path: Path) -> None:
    for name, velocity in (("loud", None), ("flat", 80)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "LICENSE").write_text(CC0)
        for seed in range(3):
            (folder / f"{seed}.mid").write_bytes(midi_bytes(tune(seed, 200, velocity)))
    loud, flat = prepared(tmp_path / "loud", tmp_path / "1"), prepared(tmp_path / "flat", tmp_path / "2")
    assert (loud.has_velocity, flat.has_velocity) == (True, False)
    assert loud.notes(0)[:, 3].tolist() == [note[3] for note in tune(0, 200, None)]
    assert set(flat.arrays["notes"][:, 3].tolist()) == {81}


def test_a_broken_file_is_reported_and_skipped(collection: Path, tmp_path: Path) -> None:
    (collection / "broken.mid").write_bytes(b"MThd\x00\x00\x00\x06\x00\x01")
    (collection / "empty.mid").write_bytes(b"")
    corpus = prepared(collection, tmp_path / "out")
    assert len(corpus) == 12
    skipped = {entry["file"]: entry["reason"] for entry in corpus.manifest["skipped"]}
    assert set(skipped) == {"broken.mid", "empty.mid"}
    assert all("not a readable MIDI file" in reason for reason in skipped.values())


@pytest.mark.parametrize(
    ("notes", "reason"),
    [
        (tune(1)[:49], "fewer than 50 notes"),
        (tune(1, steps=100), "shorter than 150 steps"),
        ([*tune(1), (61_000 * SIXTEENTH, 61_001 * SIXTEENTH, 60, 80)], "longer than 60000 steps"),
        ([(start + SIXTEENTH // 3, end, pitch, 80) for start, end, pitch, _ in tune(1)], "not on the grid"),
    ],
)
def test_unusable_music_is_refused_with_its_reason(notes: Notes, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        beat_aligned(smf.read(midi_bytes(notes))).check()


def test_the_same_input_again_is_left_as_it_is(collection: Path, tmp_path: Path, capsys: Any) -> None:
    prepared(collection, tmp_path / "out")
    written = (tmp_path / "out" / "corpus.npz").stat().st_mtime_ns
    prepared(collection, tmp_path / "out")
    assert "already prepared" in capsys.readouterr().out
    assert (tmp_path / "out" / "corpus.npz").stat().st_mtime_ns == written
    (collection / "tune 0.mid").write_bytes(midi_bytes(tune(99)))
    assert prepared(collection, tmp_path / "out").notes(0)[0, 1] == tune(99)[0][2]


def test_interrupted_work_goes_on_where_it_stopped(
    collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = prepared(collection, tmp_path / "whole")
    monkeypatch.setattr(build_module, "SHARD", 4)
    converted: list[str] = []
    real = build_module._convert

    def breaking(job: build_module.Job) -> Any:
        if len(converted) == 6:
            raise KeyboardInterrupt
        converted.append(job.record["file"])
        return real(job)

    monkeypatch.setattr(build_module, "_convert", breaking)
    assert prepare.main(["beats", str(collection), "-o", str(tmp_path / "out")]) == 130
    assert not (tmp_path / "out" / MANIFEST_FILE).exists()
    again: list[str] = []
    monkeypatch.setattr(
        build_module, "_convert", lambda job: [again.append(job.record["file"]), real(job)][1]
    )
    resumed = prepared(collection, tmp_path / "out")
    assert len(again) == 8  # of twelve files one shard of four was finished
    assert resumed.manifest == whole.manifest


def interrupted(collection: Path, output: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Prepare with shards of four until the writing of the corpus; the folder of the shards."""
    with monkeypatch.context() as patched:
        patched.setattr(build_module, "SHARD", 4)

        def breaking(*_: Any) -> Any:
            raise KeyboardInterrupt

        patched.setattr(build_module, "write", breaking)
        assert prepare.main(["beats", str(collection), "-o", str(output)]) == 130
    (work,) = output.glob(".work-*")
    return work


def test_shards_of_another_size_are_made_anew(
    collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = prepared(collection, tmp_path / "whole")
    assert len(list(interrupted(collection, tmp_path / "out", monkeypatch).iterdir())) == 3
    monkeypatch.setattr(build_module, "SHARD", 5)
    assert prepared(collection, tmp_path / "out").manifest == whole.manifest


@pytest.mark.parametrize("damage", ["cut off", "another shard's"])
def test_a_shard_that_an_earlier_run_did_not_write_is_refused_by_name(
    collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    first = min(interrupted(collection, tmp_path / "out", monkeypatch).iterdir())
    jobs = [build_module.Job({}, lambda: None, frozenset())] * 5  # type: ignore[arg-type,return-value]
    if damage == "cut off":
        first.write_bytes(first.read_bytes()[:100])
        jobs = jobs[:4]
    with pytest.raises(DataError, match=first.name):
        build_module._shard(jobs, first)


# --- sources


def test_licences_that_are_not_free_are_refused_unless_asked_for(tmp_path: Path, capsys: Any) -> None:
    texts = {
        "zero": CC0,
        "by": "Copyright 2020 Someone\nhttps://creativecommons.org/licenses/by/4.0",
        "sharealike": "Creative Commons Attribution-ShareAlike 4.0",
        "none": "All rights reserved",
    }
    for seed, (name, text) in enumerate(texts.items()):
        (tmp_path / "src" / name).mkdir(parents=True)
        (tmp_path / "src" / name / "LICENSE").write_text(text)
        (tmp_path / "src" / name / "a.mid").write_bytes(midi_bytes(tune(seed)))
    free = prepared(tmp_path / "src", tmp_path / "free")
    assert free.manifest["licence"] == {"CC BY 4.0": 1, "CC0 1.0": 1}
    assert {"text": "Copyright 2020 Someone", "licence": "CC BY 4.0", "pieces": 1}.items() <= (
        free.manifest["attribution"][0].items()
    )
    assert {entry["file"] for entry in free.manifest["skipped"]} == {"none/a.mid", "sharealike/a.mid"}
    assert "refused 1 files of sharealike: licence CC BY-SA 4.0" in capsys.readouterr().err
    wide = prepared(
        tmp_path / "src", tmp_path / "wide", "--allow-licence", "cc by-sa", "--allow-licence", "unknown"
    )
    assert len(wide) == 4


def test_a_file_without_any_licence_ends_in_an_error_not_in_a_corpus(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.mid").write_bytes(midi_bytes(tune(1)))
    assert prepare.main(["beats", str(tmp_path / "src"), "-o", str(tmp_path / "out")]) == 1
    assert "--allow-licence" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("Public Domain", "Public Domain"),
        ("Creative Commons Attribution 2.5", "CC BY 2.5"),
        ("Creative Commons Attribution-ShareAlike 4.0 International", "CC BY-SA 4.0"),
        ("Attribution: https://creativecommons.org/licenses/by-nc-sa/4.0/", "CC BY-NC-SA 4.0"),
        ("Creative Commons Attribution-NonCommercial-ShareAlike 3.0", "CC BY-NC-SA 3.0"),
        ("CC BY-NC 4.0", "CC BY-NC 4.0"),
        ("Creative Commons Attribution-NoDerivs 3.0", "CC BY-ND 3.0"),
        ("Creative Commons Legal Code\n\nCC0 1.0 Universal", "CC0 1.0"),
        ("cc0", "CC0 1.0"),
        ("license: CC-0", "CC0 1.0"),
        ("2 cc 0.5", "unknown"),
        ("Copyright me, do what you like", "unknown"),
        ("CC BY-NC-SA 4.0. The cover image is CC0.", "CC BY-NC-SA 4.0"),
        ("CC BY-NC 4.0 (not CC0)", "CC BY-NC 4.0"),
        ("The cover is CC BY 4.0, the music https://creativecommons.org/licenses/by-sa/3.0/", "CC BY-SA 3.0"),
        ("https://creativecommons.org/licenses/by-nd-nc/1.0/, the cover CC0", "CC BY-ND-NC 1.0"),
        ("Public domain works. This edition (c) 2010, all rights reserved.", "unknown"),
        ("Public domain works. This edition © 2010 Somebody.", "unknown"),
        ("All rights reserved. The cover image is CC0.", "unknown"),
        ("Creative Commons Attribution Share Alike 4.0 International", "CC BY-SA 4.0"),
        ("Creative Commons Attribution Non Commercial 4.0", "CC BY-NC 4.0"),
        ("Creative Commons Attribution No Derivatives 4.0", "CC BY-ND 4.0"),
        ("CC BY-NC4.0", "CC BY-NC 4.0"),
        ("CC BY\u2013NC 4.0", "CC BY-NC 4.0"),
        ("CC BY, NC", "CC BY-NC"),
        ("Works are in the public domain. Copyright 2010 John Smith.", "unknown"),
        ("This edition is not in the public domain.", "unknown"),
        ("Public domain; for non-commercial use only.", "unknown"),
        ("Public domain works. © 2010 Somebody, CC BY 2.5", "CC BY 2.5"),
        ("Copyright (c) 2020 Somebody, who gives it to the public domain by CC0", "CC0 1.0"),
        ("Creative Commons Attribution 2.5: https://creativecommons.org/licenses/by", "CC BY 2.5"),
    ],
)
def test_licences_are_told_by_their_names_and_addresses(text: str, licence: str) -> None:
    assert licences.identify(text) == licence
    assert licences.is_allowed(licence) == (licence in {"Public Domain", "CC BY 2.5", "CC0 1.0"})


def test_a_manifest_states_licence_title_and_composer_of_each_file(tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(midi_bytes(tune(1)))
    row = {
        "file": "a.mid",
        "title": "Prelude, Op. 28 No. 4",
        "composer": "ChopinFF",
        "license": "Creative Commons Attribution 3.0",
        "maintainer": "A. Setter",
        "footer": "Mutopia-1",
    }
    (tmp_path / "the-manifest.json").write_text(json.dumps([row]))
    (found,) = sources.midi_files(tmp_path)
    assert (found.licence, found.title, found.composer) == ("CC BY 3.0", row["title"], "ChopinFF")
    assert found.attribution == "Prelude, Op. 28 No. 4 (Chopin), typeset by A. Setter (Mutopia-1)"
    assert found.keys == {"chopin op28"}


def test_files_called_alike_have_each_the_licence_of_their_own_folder(
    tmp_path: Path,
) -> None:
    for folder, licence in (("free", "CC BY 4.0"), ("kept", "CC BY-NC 4.0"), ("silent", "")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.mid").write_bytes(midi_bytes(tune(1)))
        rows = {"1.mid": {"license": licence, "title": folder}} if licence else {}
        (tmp_path / folder / "manifest.json").write_text(json.dumps(rows))
    found = {file.name: (file.licence, file.title) for file in sources.midi_files(tmp_path)}
    assert found == {
        "free/1.mid": ("CC BY 4.0", "free"),
        "kept/1.mid": ("CC BY-NC 4.0", "kept"),
        "silent/1.mid": (licences.UNKNOWN, "1"),
    }


def test_one_manifest_tells_files_called_alike_apart_by_their_folders(tmp_path: Path) -> None:
    for folder in ("free", "kept", "else"):
        (tmp_path / folder).mkdir()
        for name in ("1.mid", "2.mid"):
            (tmp_path / folder / name).write_bytes(midi_bytes(tune(1)))
    licence = {"free/1.mid": "CC BY 4.0", "kept/1.mid": "CC BY-NC 4.0", "2.mid": "CC0 1.0"}
    rows = [{"file": name, "license": said} for name, said in licence.items()]
    (tmp_path / "manifest.json").write_text(json.dumps(rows))
    found = {file.name: file.licence for file in sources.midi_files(tmp_path)}
    assert [found[f"{folder}/1.mid"] for folder in ("free", "kept", "else")] == [
        "CC BY 4.0",
        "CC BY-NC 4.0",
        licences.UNKNOWN,
    ]
    assert {found[f"{folder}/2.mid"] for folder in ("free", "kept", "else")} == {"CC0 1.0"}


def test_a_folder_of_licences_is_no_licence_file(tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(midi_bytes(tune(1)))
    (tmp_path / "LICENSES").mkdir()
    (tmp_path / "LICENSES" / "CC0-1.0.txt").write_text(CC0)
    (found,) = sources.midi_files(tmp_path)
    assert found.licence == licences.UNKNOWN


def test_a_folder_given_as_a_dot_is_credited_by_its_name(
    collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(collection)
    manifest = prepared(Path("."), tmp_path / "out").manifest
    assert [credit["text"] for credit in manifest["attribution"]] == ["tunes"]


@pytest.mark.parametrize(
    "what",
    [
        pytest.param("lost file", marks=pytest.mark.skipif(os.name == "nt", reason="few may link there")),
        "manifest",
        "output",
    ],
)
def test_what_cannot_be_read_or_written_is_named_in_one_line(
    collection: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    output = tmp_path / "out"
    if what == "lost file":
        (collection / "lost.mid").symlink_to(tmp_path / "nowhere.mid")
    elif what == "manifest":
        (collection / "manifest.json").write_text("5")
    else:
        output.write_text("a file")
    assert prepare.main(["beats", str(collection), "-o", str(output)]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert {"lost file": "lost.mid", "manifest": "manifest.json", "output": "out"}[what] in said


def test_an_interrupt_says_how_to_go_on(
    collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(build_module, "_convert", interrupted)
    assert prepare.main(["beats", str(collection), "-o", str(tmp_path / "out")]) == 130
    assert capsys.readouterr().err.endswith("interrupted; the same command goes on from here\n")


def test_what_a_killed_run_had_unpacked_is_removed(collection: Path, tmp_path: Path) -> None:
    left = tmp_path / "out" / ".unpacked-by-a-killed-run"
    left.mkdir(parents=True)
    (left / "tune.mid").write_bytes(b"")
    archive = tmp_path / "tunes.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in collection.iterdir():
            packed.write(path, path.name)
    prepared(archive, tmp_path / "out")
    assert not left.exists()


def test_archives_that_point_outside_are_refused_and_write_nothing(tmp_path: Path) -> None:
    evil_tar, evil_zip = tmp_path / "evil.tar", tmp_path / "evil.zip"
    with tarfile.open(evil_tar, "w") as packed_tar:
        packed_tar.addfile(tarfile.TarInfo("../escaped.mid"), io.BytesIO())
    with zipfile.ZipFile(evil_zip, "w") as packed:
        packed.writestr("../escaped.mid", b"x")
    for archive in (evil_tar, evil_zip):
        scratch = tmp_path / "inner" / "scratch"
        with pytest.raises(DataError), sources.opened(archive, scratch):
            pass
        assert not list(tmp_path.rglob("escaped.mid"))
        assert not list(scratch.iterdir())


def test_a_source_that_is_neither_folder_nor_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    for source in (tmp_path / "text", tmp_path / "nothing"):
        with pytest.raises(DataError), sources.opened(source, tmp_path / "scratch"):
            pass


# --- notes and bars


def test_triplets_and_loose_notes_go_to_the_nearest_step_and_the_error_says_how_far() -> None:
    starts = np.array([0.0, 1 / 3, 2.75, 4.5])
    rounded = to_grid(starts, starts + 0.2, np.array([60, 61, 62, 63]), np.full(4, 80))
    assert rounded.notes[:, [0, 2]].tolist() == [[0, 1], [0, 1], [3, 1], [5, 1]]
    assert rounded.error == pytest.approx((0 + 1 / 3 + 0.25 + 0.5) / 4)


def test_what_one_key_cannot_play_is_merged_or_cut_and_counted() -> None:
    starts, ends = np.array([0.0, 0.1, 4.0, 6.0]), np.array([2.0, 8.0, 5.0, 7.0])
    rounded = to_grid(starts, ends, np.array([60, 60, 60, 20]), np.array([50, 90, 70, 80]))
    assert rounded.notes.tolist() == [[0, 60, 4, 90], [4, 60, 1, 70]]
    assert rounded.dropped == {"out of range": 1, "same key and step": 1}


def test_drums_are_left_out_and_counted() -> None:
    piece = beat_aligned(smf.read(midi_bytes(tune(1), channel=9)))
    assert (len(piece.notes), piece.dropped["drums"]) == (0, 200)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.tuples(st.floats(0, 60), st.floats(0.1, 20), st.integers(58, 62), st.integers(1, 127)), min_size=1
    )
)
def test_notes_on_the_grid_never_overlap_on_a_key(notes: list[tuple[float, float, int, int]]) -> None:
    start, length, pitch, velocity = (np.array(column) for column in zip(*notes, strict=True))
    made = to_grid(start, start + length, pitch, velocity).notes
    assert (made[:, 2] >= 1).all()
    assert made.tolist() == sorted(made.tolist())
    for key in set(made[:, 1].tolist()):
        own = made[made[:, 1] == key]
        assert (own[:-1, 0] + own[:-1, 2] <= own[1:, 0]).all()


def test_a_change_of_time_signature_begins_a_bar() -> None:
    notes = np.zeros((0, 4), dtype=np.int64)
    bars = bars_of(notes, [Signature(0, 16), Signature(40, 12)], 70)
    assert bars.downbeats.tolist() == [0, 16, 32, 40, 52, 64]
    assert bars.beats.tolist() == [4, 4, 4, 3, 3, 3]


def waltz(pickup: int) -> Notes:
    """A bass note on every downbeat, chords after it, a melody above, after ``pickup`` steps of melody."""
    harmonies = [(36, (52, 55)), (43, (53, 59)), (41, (57, 60)), (36, (55, 60))]
    notes = [(0, pickup * SIXTEENTH, 79, 80)] if pickup else []
    for bar in range(24):
        at = (pickup + 12 * bar) * SIXTEENTH
        bass, chord = harmonies[bar % 4]
        notes.append((at, at + 4 * SIXTEENTH, bass, 80))
        for beat in (4, 8):
            notes += [(at + beat * SIXTEENTH, at + (beat + 3) * SIXTEENTH, pitch, 80) for pitch in chord]
        notes.append((at, at + 8 * SIXTEENTH, 72 + bar % 5, 80))
        notes.append((at + 8 * SIXTEENTH, at + 12 * SIXTEENTH, 74, 80))
    return notes


@pytest.mark.parametrize("pickup", [0, 2, 4])
def test_bars_of_a_waltz_begin_on_its_bass_notes_after_any_pickup(pickup: int) -> None:
    piece = beat_aligned(smf.read(midi_bytes(waltz(pickup), metre=(3, 4))))
    assert piece.downbeats.tolist() == list(range(pickup, piece.steps, 12))


# --- works and splits


def test_composers_and_catalogue_numbers_are_told_however_they_are_written() -> None:
    assert {surname(name) for name in ("Chopin, Fryderyk", "Frédéric Chopin", "ChopinFF")} == {"chopin"}
    assert surname("BeethovenLv") == "beethoven"
    assert catalogue_numbers("Nocturnes Op. 9, No. 2") == {"op9"}
    assert catalogue_numbers("3 Sonatas, oeuvre 010") == {"op10"}
    assert catalogue_numbers("Fuga BWV-846") == catalogue_numbers("bwv846") == {"bwv846"}
    assert catalogue_numbers("Winterreise, D.911") == {"d911"}
    assert catalogue_numbers("Sonate KV331") == {"k331"}
    assert catalogue_numbers("Adagio, Hob. XVI:28") == catalogue_numbers("HobXVI/28") != set()
    assert catalogue_numbers("WoO 59") == {"woo59"}
    assert catalogue_numbers("Top 40 hits of the 1890s") == set()


def test_editions_of_one_work_share_a_key() -> None:
    mutopia = work_keys("ChopinFF", "Nocturne", "ChopinFF/Op. 9/n2")
    institute = work_keys("Chopin, Fryderyk", "Nocturne in E-flat major op.  9, no. 2")
    assert mutopia & institute
    assert not work_keys("ChopinFF", "Op. 9") & work_keys("SchumannR", "Op. 9")


def test_sharing_keys_joins_groups_through_others() -> None:
    assert groups([{"a"}, {"b"}, {"c"}, {"a", "c"}]) == [0, 1, 0, 0]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.frozensets(st.sampled_from("abcdefghijkl"), min_size=1), min_size=1), st.randoms())
def test_no_work_stands_on_two_sides_in_whatever_order(keys: list[frozenset[str]], random: Any) -> None:
    sides = split_by_work(keys)
    on: dict[str, set[int]] = {}
    for own, (one, _) in zip(keys, sides, strict=True):
        for key in own:
            on.setdefault(key, set()).add(one)
    assert all(len(found) == 1 for found in on.values())
    order = list(range(len(keys)))
    random.shuffle(order)
    assert split_by_work([keys[index] for index in order]) == [sides[index] for index in order]


@pytest.mark.parametrize(("composer", "title"), [("", "月光"), ("久石", "..."), ("", ""), ("", " ")])
def test_a_title_in_any_letters_or_none_finds_a_side(composer: str, title: str) -> None:
    ((_, name),) = split_by_work([work_keys(composer, title)])
    assert name


def test_titles_in_other_letters_are_told_apart() -> None:
    assert not work_keys("", "月光") & work_keys("", "荒城の月")
    assert not work_keys("", "", entry="月光") & work_keys("", "", entry="荒城の月")
    assert work_keys("", "Соната ") == work_keys("", "соната")


def test_about_eight_in_ten_works_are_for_training() -> None:
    drawn = np.bincount([side(f"work {index}") for index in range(5000)]) / 5000
    assert drawn.tolist() == pytest.approx([0.8, 0.1, 0.1], abs=0.02)


def test_the_same_music_under_other_names_and_in_another_key_is_one_work() -> None:
    def array(notes: Notes, up: int = 0) -> Any:
        return np.array([(s // SIXTEENTH, p + up, 1, 80) for s, _, p, _ in notes], dtype=np.int32)

    assert same_music([array(tune(1)), array(tune(2)), array(tune(1), 3), array(tune(3))]) == [(0, 2)]


# --- MAESTRO


def note_times(seed: int) -> list[float]:
    """Seconds of 200 notes, two a beat, played with much freedom; the first at 2.0."""
    rng = np.random.default_rng(seed + 100)
    beats = 2.0 + np.cumsum([0.0, *rng.uniform(0.4, 0.9, 100)])
    return [float(time) for left, right in pairwise(beats) for time in (left, (left + right) / 2)]


@pytest.fixture
def maestro_folder(tmp_path: Path) -> Path:
    """Three performances with velocities, one for each split."""
    folder = tmp_path / "maestro-v3"
    folder.mkdir()
    lines = ["canonical_composer,canonical_title,split,year,midi_filename,audio_filename,duration"]
    for seed, split in enumerate(("train", "validation", "test")):
        rng = np.random.default_rng(seed)
        ticks = [round(960 * time) for time in note_times(seed)]  # at the default tempo
        notes = [(at, at + 150, int(rng.integers(40, 90)), int(rng.integers(20, 110))) for at in ticks]
        (folder / f"p{seed}.midi").write_bytes(midi_bytes(notes))
        lines.append(f"Composer,Piece {seed},{split},2004,p{seed}.midi,p{seed}.wav,60.0")
    (folder / "maestro-v3.0.0.csv").write_text("\n".join(lines) + "\n")
    return folder


def asap_folder(tmp_path: Path, seeds: tuple[int, ...], start: str, shift: float) -> Path:
    """Annotations, in 3/4, of the performances ``seeds``, moved by ``shift`` seconds."""
    folder = tmp_path / "asap"
    folder.mkdir()
    table = ["composer,title,midi_performance,performance_annotations,maestro_midi_performance,start,end"]
    for seed in seeds:
        times = [time + shift for time in note_times(seed)[::2]]
        labels = ["db,3/4,0", *("db" if beat % 3 == 0 else "b" for beat in range(1, len(times)))]
        lines = [f"{time}\t{time}\t{label}" for time, label in zip(times, labels, strict=True)]
        (folder / f"p{seed}.txt").write_text("\n".join(lines) + "\n")
        table.append(f"Composer,Title {seed},p{seed}.mid,p{seed}.txt,{{maestro}}/p{seed}.midi,{start},")
    (folder / "metadata.csv").write_text("\n".join(table) + "\n")
    return folder


def test_maestro_on_the_fixed_grid_has_8_steps_a_second_and_the_official_split(
    maestro_folder: Path, tmp_path: Path
) -> None:
    assert prepare.main(["maestro", str(maestro_folder), "-o", str(tmp_path / "out")]) == 0
    corpus = Corpus.load(tmp_path / "out")
    splits = [(piece["file"], piece["split"]) for piece in corpus.manifest["pieces"]]
    assert splits == [("p0.midi", "train"), ("p1.midi", "validation"), ("p2.midi", "test")]
    assert corpus.notes(0)[:, 0].tolist() == [int(round(960 * time) / 120 + 0.5) for time in note_times(0)]
    assert corpus.downbeats(0)[:3].tolist() == [0, 16, 32]


@pytest.mark.parametrize(("start", "shift"), [("", 0.0), ("1.0", -1.0), ("1.0", -1.5), ("", -2.4)])
def test_asaps_beats_put_maestro_on_its_bars_wherever_the_excerpt_was_moved(
    maestro_folder: Path, tmp_path: Path, start: str, shift: float
) -> None:
    asap = asap_folder(tmp_path, (0, 2), start, shift)
    arguments = ["maestro", str(maestro_folder), "--asap", str(asap), "-o", str(tmp_path / "out")]
    assert prepare.main(arguments) == 0
    corpus = Corpus.load(tmp_path / "out")
    assert [piece["split"] for piece in corpus.manifest["pieces"]] == ["train", "test"]
    assert corpus.has_velocity
    # two notes a beat: every second step, however freely they are played; bars of three beats
    assert (np.diff(corpus.notes(0)[:-1, 0]) == 2).all()
    assert set(np.diff(corpus.downbeats(0)).tolist()) == {12}
    assert int(corpus.downbeats(0)[0]) == int(corpus.notes(0)[0, 0])
    assert corpus.manifest["skipped"] == [{"file": "p1.midi", "reason": "no beat annotation"}]
    assert corpus.manifest["licence"] == {"CC BY-NC-SA 4.0": 2}


@pytest.mark.parametrize(
    "which",
    [
        ("maestro", ",p2.midi,p2.wav,60.0", "", "row 3 has no midi_filename"),
        ("maestro", "canonical_title", "title", "row 1 has no canonical_title"),
        ("maestro", ",test,", ",tset,", "split must be one of"),
        ("asap", ",0.5,", ",half,", "start and end must be seconds; got 'half'"),
        ("asap", "performance_annotations", "annotations", "row 1 has no performance_annotations"),
    ],
)
def test_a_table_that_is_damaged_is_named(
    maestro_folder: Path, tmp_path: Path, capsys: Any, which: tuple[str, str, str, str]
) -> None:
    table, old, new, said = which
    asap = asap_folder(tmp_path, (0,), "0.5", 0.0)
    path = {"maestro": maestro_folder / "maestro-v3.0.0.csv", "asap": asap / "metadata.csv"}[table]
    path.write_text(path.read_text().replace(old, new))
    given = ["maestro", str(maestro_folder), "--asap", str(asap), "-o", str(tmp_path / "out")]
    assert prepare.main(given) == 1
    assert f"{path}: {said}" in capsys.readouterr().err


def test_an_annotation_of_other_music_is_refused(maestro_folder: Path) -> None:
    score = smf.read((maestro_folder / "p0.midi").read_bytes())
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.31, 1.7, 90))
    text = "\n".join(f"{time}\t{time}\tb" for time in times)
    with pytest.raises(DataError, match="does not fit"):
        maestro.annotated(score, text, 0.0, float("inf"))


@pytest.mark.parametrize(
    ("signature", "beats", "bar"),
    [
        ("4/4", 4, 16),
        ("6/8", 2, 12),
        ("3/8", 3, 6),
        ("12/16", 4, 12),
        ("9/8", 3, 18),
        ("2/2", 2, 16),
        ("5/8", 5, 10),
    ],
)
def test_a_bar_has_the_steps_its_time_signature_says(signature: str, beats: int, bar: int) -> None:
    labels = [f"db,{signature}" if n == 0 else "db" if n % beats == 0 else "b" for n in range(beats * 3)]
    text = "\n".join(f"{n}\t{n}\t{label}" for n, label in enumerate(labels))
    found = maestro.read_beats(text)
    assert found.steps[found.down].tolist() == [0, bar, 2 * bar]


@pytest.mark.parametrize("text", ["", "1.0\tb", "2\t2\tb\n1\t1\tb", "1\t1\tdb,4/0\n2\t2\tb", "x\tx\tb"])
def test_a_damaged_annotation_is_refused(text: str) -> None:
    with pytest.raises(DataError):
        maestro.read_beats(text)


def test_the_asap_grid_and_its_annotations_come_together(maestro_folder: Path, capsys: Any) -> None:
    assert prepare.main(["maestro", str(maestro_folder), "--grid", "asap", "-o", "unused"]) == 1
    assert "--asap" in capsys.readouterr().err


# --- the downloader


class Server(http.server.ThreadingHTTPServer):
    """Serves ``content``; drops the connection after ``limit`` bytes; may ignore Range."""

    content = b""
    limit: int | None = None
    ranges = True
    asked: list[str | None]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        start = int(asked.split("=")[1].rstrip("-")) if asked and self.server.ranges else 0
        if start >= len(self.server.content):
            self.send_error(416)
            return
        rest = self.server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: self.server.limit])

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        running.content, running.asked = os.urandom(200_000), []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def archive_of(server: Server, sha256: str = "") -> Archive:
    digest = sha256 or hashlib.sha256(server.content).hexdigest()
    return Archive(f"http://127.0.0.1:{server.server_port}/music.zip", digest)


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_goes_on_where_it_stopped(server: Server, tmp_path: Path, ranges: bool) -> None:
    server.limit, server.ranges = 70_000, ranges
    with pytest.raises(DataError, match="run again"):
        download(tmp_path, archive_of(server))
    assert [path.name for path in tmp_path.iterdir()] == ["music.zip.part"]
    server.limit = None
    path = download(tmp_path, archive_of(server))
    assert path.read_bytes() == server.content
    assert server.asked == [None, "bytes=70000-"]
    assert [path.name for path in tmp_path.iterdir()] == ["music.zip"]


def test_a_finished_download_is_not_repeated(server: Server, tmp_path: Path) -> None:
    download(tmp_path, archive_of(server))
    download(tmp_path, archive_of(server))
    assert len(server.asked) == 1


def test_a_part_that_is_already_whole_only_needs_its_check(server: Server, tmp_path: Path) -> None:
    (tmp_path / "music.zip.part").write_bytes(server.content)
    assert download(tmp_path, archive_of(server)).read_bytes() == server.content


def test_a_wrong_sha256_is_an_error_and_leaves_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="sha256"):
        download(tmp_path, archive_of(server, sha256="0" * 64))
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_does_not_answer_is_a_named_error(server: Server, tmp_path: Path) -> None:
    gone = archive_of(server)
    server.content = b""
    with pytest.raises(DataError):
        download(tmp_path, gone)


# --- the real thing


@pytest.mark.real_data
@pytest.mark.skipif("PIANOGAN_DATA" not in os.environ, reason="PIANOGAN_DATA names no folder of real data")
def test_the_real_permissive_archive_is_as_large_and_as_clean_as_measured(tmp_path: Path) -> None:
    archive = Path(os.environ["PIANOGAN_DATA"]) / "permissive-by-sa-free.tar.xz"
    if not archive.exists():
        pytest.skip(f"{archive.name} is not in PIANOGAN_DATA")
    totals = prepared(archive, tmp_path).manifest["totals"]
    assert totals["steps"] / 300 == pytest.approx(7641, rel=0.02)
    assert totals["quantisation_error"] < 0.035
