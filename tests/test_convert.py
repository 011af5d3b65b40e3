from __future__ import annotations

import errno
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pianogan_bgm import convert, files
from pianogan_bgm.convert import img2midi, join, midi2img, slabs
from pianogan_bgm.errors import InvalidNote, InvalidRoll
from pianogan_bgm.images import Slab, read_png, write_png
from pianogan_bgm.midi import parse_midi, piece_to_midi, read_midi, write_midi
from pianogan_bgm.notes import Note, on_grid
from pianogan_bgm.piece import Piece
from pianogan_bgm.roll import RollSpec, encode_cells

SONG = Piece(
    on_grid([Note(0, 60, 4), Note(4, 60, 4, 41), Note(298, 64, 6), Note(905, 67, 3)]), steps=910, tempo=90.0
)
"""Three slabs and ten columns; a note crosses the first border, the third slab is silent."""


def band(path: Path) -> None:
    """Two tracks named alike, an unnamed bass, and drums."""
    file = mido.MidiFile(ticks_per_beat=480)
    for name, channel, pitch in (("Violin I", 0, 72), ("Violin I", 1, 69), ("", 2, 40), ("", 9, 36)):
        on, off = (mido.Message(kind, note=pitch, channel=channel) for kind in ("note_on", "note_off"))
        program = mido.Message("program_change", channel=channel, program=33 if channel == 2 else 40)
        title = mido.MetaMessage("track_name", name=name)
        file.tracks.append(mido.MidiTrack([title, program, on, off.copy(time=480)]))
    file.save(path)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_midi_file_becomes_a_picture_per_slab_and_comes_back_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_midi(SONG, tmp_path / "song.mid", title="Grand Piano")
    assert midi2img([tmp_path / "song.mid"], tmp_path / "out") == 0
    assert names(tmp_path / "out") == [f"song_grand-piano_{n}.png" for n in (0, 1, 3)]
    assert capsys.readouterr().out == "files: 1; pictures written: 3; silent pictures left out: 1\n"
    assert img2midi([tmp_path / "out"], tmp_path / "back") == 0
    score = read_midi(tmp_path / "back" / "song_grand-piano.mid")
    assert (score.parts[0].notes, score.steps, score.piece().tempo) == (SONG.notes, 1200, 90.0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.data(), st.integers(1, 30), st.sampled_from(["struck", "edges"]))
def test_slabs_of_any_length_join_to_the_whole_roll(
    data: st.DataObject, length: int, convention: str
) -> None:
    note = st.builds(Note, st.integers(0, 60), st.integers(60, 62), st.integers(1, 40))
    notes = on_grid(data.draw(st.lists(note, max_size=10)))
    score = parse_midi(piece_to_midi(Piece(notes, steps=100)))
    spec = RollSpec(60, 3, length, convention)  # type: ignore[arg-type]
    for part in score.parts:
        cut = list(slabs(part, score, spec))
        assert len(cut) == -(-100 // length)
        whole = RollSpec(60, 3, len(cut) * length, convention)  # type: ignore[arg-type]
        assert (join(cut).cells == encode_cells(notes, whole)).all()
        heard = [slab for slab in cut if (slab.cells > 127).any()]
        end = heard[-1].start or 0
        assert (join(heard).cells == encode_cells(notes, whole)[:, : end + length]).all()


def test_silent_pictures_are_kept_on_request(tmp_path: Path) -> None:
    write_midi(SONG, tmp_path / "song.mid")
    assert midi2img([tmp_path / "song.mid"], skip_silent=False) == 0
    assert names(tmp_path) == ["song.mid", *(f"song_piano_{n}.png" for n in range(4))]


def test_a_file_without_a_note_is_counted_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mido.MidiFile(tracks=[mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500000)])]).save(
        tmp_path / "empty.mid"
    )
    assert midi2img([tmp_path / "empty.mid"]) == 0
    assert capsys.readouterr().out == "files: 1; without a note to draw: 1\n"
    assert names(tmp_path) == ["empty.mid"]


def test_the_end_of_the_file_is_never_dropped(tmp_path: Path) -> None:
    last = Note(3000, 60, 1)
    write_midi(Piece((Note(0, 60, 1), last), steps=3001), tmp_path / "song.mid")
    midi2img([tmp_path / "song.mid"])
    assert read_png(tmp_path / "song_piano_10.png").notes == (Note(0, 60, 1),)


def test_instruments_get_pictures_of_their_own_and_drums_too(tmp_path: Path) -> None:
    band(tmp_path / "band.mid")
    assert midi2img([tmp_path / "band.mid"], tmp_path / "out", length=8) == 0
    parts = ("bass", "drums", "violin-i-2", "violin-i")
    assert names(tmp_path / "out") == [f"band_{part}_0.png" for part in parts]


def test_resolution_length_and_edges_shape_the_pictures(tmp_path: Path) -> None:
    write_midi(Piece((Note(2, 60, 4), Note(6, 60, 2)), steps=8), tmp_path / "a.mid")
    midi2img([tmp_path / "a.mid"], resolution=Fraction(1, 2), length=3, convention="edges")
    slab = read_png(tmp_path / "a_piano_0.png")
    assert np.array(Image.open(tmp_path / "a_piano_0.png"))[39].tolist() == [0, 255, 255]
    assert (slab.resolution, slab.spec.steps) == (Fraction(1, 2), 3)
    assert img2midi([tmp_path / "a_piano_0.png", tmp_path / "a_piano_1.png"]) == 0
    assert [(n.start, n.length) for n in read_midi(tmp_path / "a_piano.mid").piece().notes] == [(2, 6)]


def test_notes_outside_the_range_are_counted_and_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_midi(Piece((Note(0, 20, 1), Note(0, 60, 1), Note(0, 127, 1))), tmp_path / "a.mid")
    assert midi2img([tmp_path / "a.mid"]) == 0
    assert "notes outside pitches 21 to 126 left out: 2" in capsys.readouterr().out
    assert [note.pitch for note in read_png(tmp_path / "a_piano_0.png").notes] == [60]


def test_a_folder_converts_with_its_inner_folders_and_a_broken_file_does_not_end_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name in ("a.mid", "c.MIDI", "deep/a.mid"):
        write_midi(SONG, tmp_path / "in" / name)
    (tmp_path / "in" / "b.mid").write_bytes(b"MThd, or not")
    (tmp_path / "in" / "notes.txt").write_text("no MIDI")
    assert midi2img([tmp_path / "in"], tmp_path / "out", length=910) == 1
    assert names(tmp_path / "out") == ["a_piano_0.png", "c_piano_0.png", "deep/a_piano_0.png"]
    said = capsys.readouterr()
    assert f"{tmp_path / 'in' / 'b.mid'}: not a MIDI file" in said.err
    assert said.out == "files: 4; pictures written: 3; could not be read: 1\n"


def test_two_files_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    for path in ("x/a.mid", "y/a.mid", "y/a.midi"):
        write_midi(Piece((Note(0, 60, 1),)), tmp_path / path)
    midi2img([tmp_path / "x" / "a.mid", tmp_path / "y"], tmp_path / "out")
    assert names(tmp_path / "out") == ["a.mid_piano_0.png", "a.midi_piano_0.png", "a_piano_0.png"]


def test_a_missing_file_is_named_and_counts_as_broken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert midi2img([tmp_path / "none.mid"]) == 1
    assert capsys.readouterr().err == f"{tmp_path / 'none.mid'}: No such file or directory\n"


def test_a_folder_without_a_fitting_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no \.mid or \.midi file"):
        midi2img([tmp_path])


@pytest.mark.parametrize("length", [0, 262145])
def test_an_impossible_length_is_refused(length: int) -> None:
    with pytest.raises(InvalidRoll, match="length must be 1 to 262144"):
        midi2img([], length=length)


# Pictures to MIDI.


def picture(
    path: Path, *notes: Note, start: int | None = None, foreign: bool = False, steps: int = 8
) -> None:
    spec = RollSpec(steps=steps, convention="edges" if foreign else "struck")
    cells = encode_cells(notes, spec)
    path.parent.mkdir(parents=True, exist_ok=True)
    if foreign:
        Image.fromarray(cells).save(path)
    else:
        write_png(Slab(cells, spec, start=start), path)


def starts(path: Path) -> list[int]:
    return [note.start for note in read_midi(path).piece().notes]


def test_a_picture_becomes_a_midi_file_beside_it_at_the_tempo_asked_for(tmp_path: Path) -> None:
    picture(tmp_path / "a_3.png", Note(2, 60, 3, 41), start=24)
    assert img2midi([tmp_path / "a_3.png"], tempo=77.0) == 0
    piece = read_midi(tmp_path / "a_3.mid").piece()
    assert (piece.notes, piece.tempo, piece.steps) == ((Note(2, 60, 3, 41),), 77.0, 8)


def test_beside_its_picture_no_file_with_markers_is_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "a.png", Note(2, 60, 3))
    write_midi(replace(SONG, steps=912), tmp_path / "a.mid", markers=[(0, "loopStart")])
    before = (tmp_path / "a.mid").read_bytes()
    assert img2midi([tmp_path / "a.png"]) == 1
    said = capsys.readouterr()
    assert said.out == "files: 1; could not be read: 1\n"
    assert f"{tmp_path / 'a.mid'}: a MIDI file with markers" in said.err
    assert (tmp_path / "a.mid").read_bytes() == before
    assert img2midi([tmp_path / "a.png"], tmp_path / "a.mid") == 0
    assert img2midi([tmp_path / "a.png"]) == 0  # what it wrote itself


def test_pictures_of_an_earlier_run_that_would_be_joined_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_midi(SONG, tmp_path / "song.mid", title="Piano")
    assert midi2img([tmp_path / "song.mid"], tmp_path / "out") == 0
    assert midi2img([tmp_path / "song.mid"], tmp_path / "out") == 0
    write_midi(replace(SONG, notes=SONG.notes[:2], steps=8), tmp_path / "song.mid", title="Piano")
    assert capsys.readouterr().err == ""
    assert midi2img([tmp_path / "song.mid"], tmp_path / "out") == 0
    assert "not of this music: song_piano_1.png, song_piano_3.png;" in capsys.readouterr().err


def test_a_picture_without_a_tempo_plays_at_120(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", Note(2, 60, 3), foreign=True)
    img2midi([tmp_path / "a.png"], tmp_path / "b.mid")
    assert read_midi(tmp_path / "b.mid").piece().tempo == 120.0


def test_numbered_foreign_pictures_join_in_the_order_of_their_numbers_with_gaps(tmp_path: Path) -> None:
    for number in (10, 9, 12):
        picture(tmp_path / f"x_{number}.png", Note(1, 60, 2), foreign=True)
    picture(tmp_path / "x.png", Note(5, 60, 2), foreign=True)
    assert img2midi([tmp_path]) == 0
    assert starts(tmp_path / "x.mid") == [5]
    assert starts(tmp_path / "x_10.png.mid") == [1, 9, 25]


def test_numbered_pictures_stay_separate_on_request(tmp_path: Path) -> None:
    for number in (0, 1):
        picture(tmp_path / f"x_{number}.png", Note(1, 60, 2), foreign=True)
    img2midi([tmp_path], separate=True)
    assert names(tmp_path) == ["x_0.mid", "x_0.png", "x_1.mid", "x_1.png"]


def test_parts_of_one_song_stay_in_step_though_one_sounds_in_one_picture_only(tmp_path: Path) -> None:
    early, late = Piece((Note(0, 60, 1), Note(12, 60, 1)), steps=16), Piece((Note(13, 64, 1),), steps=16)
    for name, piece in (("early", early), ("late", late)):
        write_midi(piece, tmp_path / f"{name}.mid", title="p0")
        midi2img([tmp_path / f"{name}.mid"], tmp_path / "pictures", length=8)
    assert names(tmp_path / "pictures") == ["early_p0_0.png", "early_p0_1.png", "late_p0_1.png"]
    img2midi([tmp_path / "pictures"], tmp_path / "back")
    assert starts(tmp_path / "back" / "early_p0.mid") == [0, 12]
    assert starts(tmp_path / "back" / "late_p0.mid") == [13]
    (tmp_path / "pictures" / "early_p0_0.png").unlink()
    img2midi([tmp_path / "pictures"], tmp_path / "apart", separate=True)
    assert starts(tmp_path / "apart" / "late_p0_1.mid") == [5]
    img2midi([tmp_path / "pictures" / "late_p0_1.png"], tmp_path / "one")
    assert starts(tmp_path / "one" / "late_p0_1.mid") == [5]


def test_a_folder_of_one_picture_gives_the_name_that_a_folder_of_several_gives(tmp_path: Path) -> None:
    picture(tmp_path / "in" / "a_p0_1.png", Note(1, 60, 2), start=8)
    img2midi([tmp_path / "in"], tmp_path / "out")
    assert names(tmp_path / "out") == ["a_p0.mid"]
    assert starts(tmp_path / "out" / "a_p0.mid") == [9]


def test_a_note_held_across_the_border_of_two_pictures_is_one_note(tmp_path: Path) -> None:
    write_midi(Piece((Note(4, 60, 8, 41),), steps=16), tmp_path / "a.mid")
    midi2img([tmp_path / "a.mid"], length=8)
    img2midi([tmp_path / "a_piano_0.png", tmp_path / "a_piano_1.png"], tmp_path / "b.mid")
    assert read_midi(tmp_path / "b.mid").piece().notes == (Note(4, 60, 8, 41),)


def test_one_broken_picture_leaves_its_instrument_out_and_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture(tmp_path / "a_0.png", Note(0, 60, 1), start=0)
    (tmp_path / "a_1.png").write_bytes(b"no picture")
    picture(tmp_path / "b_0.png", Note(0, 60, 1), start=0)
    assert img2midi([tmp_path], tmp_path / "out") == 1
    assert names(tmp_path / "out") == ["b.mid"]
    assert "a_1.png: not a PNG picture" in capsys.readouterr().err


def test_pictures_that_cannot_belong_together_are_refused(tmp_path: Path) -> None:
    one = Slab(encode_cells([], RollSpec(steps=8)), RollSpec(steps=8), start=0)
    with pytest.raises(InvalidRoll, match=r"one ends at column 8, the next begins at 0; .*--separate makes"):
        join([one, one])
    edges = RollSpec(steps=8, convention="edges")
    with pytest.raises(InvalidRoll, match="differ"):
        join([one, Slab(encode_cells([], edges), edges)])
    with pytest.raises(InvalidRoll, match="reach to column 262152"):
        join([one, Slab(one.cells, one.spec, start=262144)])


def test_one_output_file_for_several_instruments_is_refused(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        picture(tmp_path / name, Note(0, 60, 1))
    with pytest.raises(InvalidRoll, match="2 would be written; give a folder"):
        img2midi([tmp_path], tmp_path / "one.mid")
    assert names(tmp_path) == ["a.png", "b.png"]


@pytest.mark.parametrize("tempo", [0.0, 19.0, 1000.0, float("nan")])
def test_a_tempo_out_of_range_is_refused_before_any_work(tempo: float) -> None:
    with pytest.raises(InvalidNote, match="tempo must be 20 to 400"):
        img2midi([], tempo=tempo)


def test_a_picture_with_an_odd_tempo_of_its_own_plays_at_the_nearest_possible_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = RollSpec(steps=8)
    write_png(Slab(encode_cells([Note(0, 60, 1)], spec), spec, facts={"tempo": 10**400}), tmp_path / "a.png")
    assert img2midi([tmp_path / "a.png"]) == 0
    assert read_midi(tmp_path / "a.mid").piece().tempo == 400.0
    assert "tempos held to 20 to 400 beats a minute: 1" in capsys.readouterr().out
    assert img2midi([tmp_path / "a.png"], tempo=90) == 0
    assert "tempos held" not in capsys.readouterr().out


def test_the_metre_comes_back_from_the_picture(tmp_path: Path) -> None:
    waltz = Piece(tuple(Note(4 * beat, 60, 4) for beat in range(24)), steps=96, beats_per_bar=3)
    write_midi(waltz, tmp_path / "waltz.mid")
    assert midi2img([tmp_path / "waltz.mid"], tmp_path / "png", length=40) == 0
    assert img2midi([tmp_path / "png"], tmp_path / "back.mid") == 0
    assert read_midi(tmp_path / "back.mid").meters == ((0, 3, 4),)


@pytest.mark.parametrize("beats", [None, 0, 65, "three"])
def test_a_picture_that_does_not_say_its_metre_has_four_beats_a_bar(
    tmp_path: Path, beats: int | str | None
) -> None:
    spec = RollSpec(steps=8)
    facts = {"tempo": 100} if beats is None else {"beats_per_bar": beats}
    write_png(Slab(encode_cells([Note(0, 60, 1)], spec), spec, facts=facts), tmp_path / "a.png")
    assert img2midi([tmp_path / "a.png"]) == 0
    assert read_midi(tmp_path / "a.mid").meters == ((0, 4, 4),)


# Writing.


def test_a_full_disk_ends_the_run_and_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_midi(SONG, tmp_path / "song.mid")
    (tmp_path / "song_piano_0.png").write_bytes(b"from yesterday")

    def full(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        midi2img([tmp_path / "song.mid"])
    assert names(tmp_path) == ["song.mid", "song_piano_0.png"]
    assert (tmp_path / "song_piano_0.png").read_bytes() == b"from yesterday"


def test_what_is_no_regular_file_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(FileExistsError, match="not a regular file"):
        files.write_atomically(tmp_path / "taken", b"")


def test_the_named_parts_never_share_a_file_name() -> None:
    file = parse_midi(piece_to_midi(Piece((Note(0, 60, 1),)), title="a"))
    parts = [replace(file.parts[0], name=name) for name in ("Ä/ö", "ao", "a-o", "", "日本", "x" * 300)]
    given_names = [name for name, _ in convert._named(parts)]
    assert given_names == ["a-o", "ao", "a-o-2", "part", "part-2", "x" * 40]
