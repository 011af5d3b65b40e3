from __future__ import annotations

import io
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pianogan_bgm import midi
from pianogan_bgm.errors import InvalidMidi, InvalidNote
from pianogan_bgm.midi import grid_of, parse_midi, piece_to_midi, read_midi, read_piece, write_midi
from pianogan_bgm.notes import Note, untangle
from pianogan_bgm.piece import Piece


@st.composite
def pieces(draw: st.DrawFn) -> Piece:
    note = st.builds(Note, st.integers(0, 50), st.integers(60, 64), st.integers(1, 30), st.integers(1, 127))
    notes = untangle(draw(st.lists(note, max_size=25)))
    steps = max([1, *(note.end for note in notes)]) + draw(st.integers(0, 20))
    tempo = draw(st.integers(2000, 40000)) / 100
    velocities = {note.velocity for note in notes}
    return Piece(notes, steps, tempo, draw(st.integers(1, 16)), has_dynamics=len(velocities) > 1)


def smf(*tracks: list[Any], kind: int = 1, division: int = 480) -> bytes:
    """A file of mido messages; their times are pauses in ticks."""
    buffer = io.BytesIO()
    file = mido.MidiFile(type=kind, ticks_per_beat=division, tracks=[mido.MidiTrack(t) for t in tracks])
    file.save(file=buffer)
    return buffer.getvalue()


def raw(events: bytes, kind: int = 0, division: int = 4, tracks: int = 1) -> bytes:
    """A file of one track, byte by byte; at 4 ticks a beat a tick is a sixteenth."""
    header = struct.pack(">4sLHHH", b"MThd", 6, kind, tracks, division)
    return header + b"MTrk" + struct.pack(">L", len(events)) + events


END = bytes([0, 0xFF, 0x2F, 0])


def on(pitch: int, time: int = 0, velocity: int = 80, channel: int = 0) -> Any:
    return mido.Message("note_on", note=pitch, velocity=velocity, time=time, channel=channel)


def off(pitch: int, time: int = 0, channel: int = 0) -> Any:
    return mido.Message("note_off", note=pitch, time=time, channel=channel)


@given(pieces())
def test_a_piece_comes_back_from_its_midi_file_unchanged(piece: Piece) -> None:
    assert parse_midi(piece_to_midi(piece)).piece() == piece


@given(pieces(), st.fractions(Fraction(1, 64), 4, max_denominator=64))
def test_notes_come_back_on_any_grid(piece: Piece, resolution: Fraction) -> None:
    score = parse_midi(piece_to_midi(piece, resolution=resolution), resolution)
    assert [part.notes for part in score.parts] == ([piece.notes] if piece.notes else [])
    assert (score.steps, score.report.moved, score.report.merged) == (piece.steps, 0, 0)


def test_the_same_piece_gives_the_same_bytes() -> None:
    piece = Piece((Note(0, 60, 4), Note(0, 64, 4), Note(4, 60, 4)), seed=7, model="open", licence="CC0")
    assert piece_to_midi(piece, pedal=[(0, 4), (4, 8)]) == piece_to_midi(piece, pedal=[(0, 4), (4, 8)])


def test_the_file_says_tempo_meter_title_model_seed_licence_and_program() -> None:
    piece = Piece((Note(0, 60, 4),), tempo=90.0, beats_per_bar=3, seed=7, model="open", licence="CC0 ©")
    file = mido.MidiFile(file=io.BytesIO(piece_to_midi(piece, title="Ω")), charset="utf-8")
    (track,) = file.tracks
    said = {message.type: message for message in track}
    assert said["track_name"].name == "Ω"
    assert said["copyright"].text == "CC0 ©"
    assert [message.text for message in track if message.type == "text"] == ["model: open", "seed: 7"]
    assert mido.tempo2bpm(said["set_tempo"].tempo) == pytest.approx(90, abs=1e-3)
    assert (said["time_signature"].numerator, said["time_signature"].denominator) == (3, 4)
    assert said["program_change"].program == 0
    assert file.length == pytest.approx(piece.seconds, abs=1e-3)


def test_half_a_character_in_a_title_does_not_break_the_file() -> None:
    assert parse_midi(piece_to_midi(Piece((Note(0, 60, 1),)), title="a\udcff")).parts[0].name == "a?"


def test_within_a_step_keys_rise_before_the_pedal_moves_and_keys_are_struck_last() -> None:
    piece = Piece((Note(0, 60, 4), Note(4, 60, 4)), steps=8)
    (track,) = mido.MidiFile(file=io.BytesIO(piece_to_midi(piece, pedal=[(0, 4), (4, 8)]))).tracks
    played = [
        (message.time, message.type, getattr(message, "value", None))
        for message in track
        if message.type in ("note_on", "note_off", "control_change")
    ]
    assert played == [
        (0, "control_change", 127),
        (0, "note_on", None),
        (480, "note_off", None),
        (0, "control_change", 0),
        (0, "control_change", 127),
        (0, "note_on", None),
        (480, "note_off", None),
        (0, "control_change", 0),
    ]


def test_tempos_are_written_where_they_change() -> None:
    piece = Piece((Note(0, 60, 4),), steps=8, tempo=120.0)
    score = parse_midi(piece_to_midi(piece, tempos=[(4, 60.0), (6, 40.0)]))
    assert score.tempos == ((0, 120.0), (4, 60.0), (6, 40.0))
    with pytest.raises(InvalidNote, match="step 9 is not within 8"):
        piece_to_midi(piece, tempos=[(9, 60.0)])
    for tempo in (0.0, -60.0, 3.5, 1e9, float("nan")):
        with pytest.raises(InvalidNote, match=r"3\.576 to 60000000 beats a minute; got .* at step 4"):
            piece_to_midi(piece, tempos=[(4, tempo)])


def test_markers_stand_before_the_keys_struck_in_their_step() -> None:
    piece = Piece((Note(0, 60, 4), Note(4, 62, 4)), steps=8)
    data = piece_to_midi(piece, markers=[(8, "loopEnd"), (4, "loopStart")])
    (track,) = mido.MidiFile(file=io.BytesIO(data)).tracks
    now, found = 0, []
    for message in track:
        now += message.time
        if message.type in ("marker", "note_on"):
            found.append((now // 120, getattr(message, "text", "")))
    assert found == [(0, ""), (4, "loopStart"), (4, ""), (8, "loopEnd")]
    assert parse_midi(data).piece().notes == piece.notes
    for step in (-1, 9):
        with pytest.raises(InvalidNote, match=f"at step {step} is not within 8 steps"):
            piece_to_midi(piece, markers=[(step, "loopEnd")])


@pytest.mark.parametrize("pedal", [[(4, 4)], [(0, 9)], [(-1, 4)], [(4, 8), (0, 2)], [(0, 4), (3, 8)]])
def test_a_pedal_out_of_order_or_outside_the_piece_is_refused(pedal: list[tuple[int, int]]) -> None:
    with pytest.raises(InvalidNote, match="pedal"):
        piece_to_midi(Piece((), steps=8), pedal=pedal)


def test_a_piece_too_long_for_a_file_is_refused() -> None:
    with pytest.raises(InvalidNote, match="262144 steps"):
        piece_to_midi(Piece((), steps=262145))
    with pytest.raises(InvalidNote, match="longer than a file can say"):
        piece_to_midi(Piece((), steps=262144), resolution=4)


def test_a_written_file_is_the_same_bytes_and_leaves_nothing_else(tmp_path: Path) -> None:
    piece = Piece((Note(0, 60, 4),))
    write_midi(piece, tmp_path / "new" / "a.mid", title="a")
    assert (tmp_path / "new" / "a.mid").read_bytes() == piece_to_midi(piece, title="a")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.mid"]
    assert read_midi(tmp_path / "new" / "a.mid").piece().notes == piece.notes


# Reading what others wrote.


def test_tracks_channels_and_programs_are_parts_of_their_own() -> None:
    melody = [
        mido.MetaMessage("track_name", name="Flöte"),
        mido.Message("program_change", program=73),
        *(on(72), off(72, 480)),
    ]
    two = [on(40, channel=1), off(40, 240, channel=1), on(45, channel=2), off(45, 240, channel=2)]
    setup = [mido.Message("program_change", program=32, channel=1)]
    score = parse_midi(smf(setup, melody, two))
    assert [(p.name, p.track, p.channel, p.program, p.drums) for p in score.parts] == [
        ("Flöte", 1, 0, 73, False),
        ("bass", 2, 1, 32, False),
        ("piano", 2, 2, 0, False),
    ]
    assert [p.notes for p in score.parts] == [
        (Note(0, 72, 4, 80),),
        (Note(0, 40, 2, 80),),
        (Note(2, 45, 2, 80),),
    ]


def test_drums_alone_are_no_piece_and_the_file_is_named(tmp_path: Path) -> None:
    drums = smf([on(36, channel=9), off(36, 120, channel=9)])
    (tmp_path / "beat.mid").write_bytes(drums)
    with pytest.raises(InvalidMidi, match=r"beat\.mid: expected notes of an instrument; got drums alone"):
        read_piece(tmp_path / "beat.mid")
    assert parse_midi(drums).report.drums == 1
    assert parse_midi(smf([])).piece().notes == ()  # silence is what it is


def test_drums_are_kept_apart_and_stay_out_of_the_piece() -> None:
    score = parse_midi(smf([on(36, channel=9), off(36, 120, channel=9), on(60), off(60, 120)]))
    assert [(part.name, part.drums) for part in score.parts] == [("piano", False), ("drums", True)]
    assert (score.report.notes, score.report.drums) == (2, 1)
    assert score.piece().notes == (Note(1, 60, 1, 80),)


def test_a_type_0_file_reads_like_a_type_1_file() -> None:
    track = [on(60), off(60, 480)]
    assert parse_midi(smf(track, kind=0)).parts == parse_midi(smf(track, kind=1)).parts


def test_running_status_and_note_on_with_velocity_0_are_understood() -> None:
    score = parse_midi(raw(bytes([0, 0x90, 60, 80, 4, 60, 0, 0, 62, 70, 4, 62, 0]) + END))
    assert score.parts[0].notes == (Note(0, 60, 4, 80), Note(4, 62, 4, 70))


def test_overlapping_repeats_end_in_the_order_they_began() -> None:
    score = parse_midi(smf([on(60), on(60, 240, 70), off(60, 120), off(60, 480)]))
    assert score.parts[0].notes == (Note(0, 60, 2, 80), Note(2, 60, 5, 70))
    assert score.report.hanging == 0


def test_a_note_never_released_ends_with_its_track() -> None:
    score = parse_midi(smf([on(60), on(64), off(64, 960), mido.MetaMessage("end_of_track", time=480)]))
    assert score.parts[0].notes == (Note(0, 60, 12, 80), Note(0, 64, 8, 80))
    assert score.report.hanging == 1


def test_one_release_after_two_strikes_ends_both() -> None:
    score = parse_midi(smf([on(60), on(60, 480), off(60, 480), on(72, 480), off(72, 480)]))
    assert [n for n in score.parts[0].notes if n.pitch == 60] == [Note(0, 60, 4, 80), Note(4, 60, 4, 80)]
    assert score.report.hanging == 1


def test_a_release_without_a_strike_is_ignored() -> None:
    assert parse_midi(smf([off(60, 480), on(62), off(62, 480)])).parts[0].notes == (Note(4, 62, 4, 80),)


def test_the_sustain_pedal_does_not_lengthen_notes() -> None:
    down = mido.Message("control_change", control=64, value=127)
    assert (
        parse_midi(smf([down, on(60), off(60, 120), on(62, 960), off(62, 120)])).parts[0].notes[0].length == 1
    )


def test_several_tempos_and_meters_stand_at_their_steps() -> None:
    def tempo(bpm: float, time: int = 0) -> Any:
        return mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm), time=time)

    waltz = mido.MetaMessage("time_signature", numerator=3, denominator=4)
    end = mido.MetaMessage("end_of_track", time=1920)
    score = parse_midi(smf([tempo(60), waltz, tempo(120, 1920), end], [on(60), off(60, 480)]))
    assert score.tempos == ((0, 60.0), (16, 120.0))
    assert score.meters == ((0, 3, 4),)
    assert [score.seconds(step) for step in (0, 8, 16, 32)] == [0.0, 2.0, 4.0, 6.0]
    assert score.piece().seconds == pytest.approx(6.0)
    assert score.piece().beats_per_bar == 3


def test_six_eight_has_three_quarter_beats_a_bar_and_five_eight_counts_as_unknown() -> None:
    def beats(upper: int, lower: int) -> int:
        meter = mido.MetaMessage("time_signature", numerator=upper, denominator=lower)
        return parse_midi(smf([meter, on(60), off(60, 480)])).piece().beats_per_bar

    assert (beats(6, 8), beats(5, 8), beats(2, 2)) == (3, 4, 4)


def test_a_file_without_tempo_or_meter_has_the_standard_120_and_four_four() -> None:
    score = parse_midi(smf([on(60), off(60, 480)]))
    assert (score.tempos, score.meters) == (((0, 120.0),), ((0, 4, 4),))


def test_of_several_tempos_or_meters_at_one_tick_the_last_in_the_file_counts() -> None:
    tempos = [mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm)) for bpm in (120, 60)]
    meters = [
        mido.MetaMessage("time_signature", numerator=upper, denominator=lower)
        for upper, lower in ((6, 8), (3, 4))
    ]
    score = parse_midi(smf([*tempos, *meters, on(60), off(60, 480)]))
    assert (score.tempos, score.meters) == (((0, 60.0),), ((0, 3, 4),))
    later = [on(60), off(60, 480), tempos[0].copy(time=480)]
    assert parse_midi(smf(later, [tempos[1].copy(time=960)])).tempos == ((0, 120.0), (8, 60.0))


@pytest.mark.parametrize(
    "event",
    [
        *((0xFF, 0x59, 2, *key) for key in [(8, 0), (0, 2), (0xF8, 1)]),  # of no key
        (0xFF, 0x59, 1, 0),  # a key of one byte
        (0xFF, 0x54, 5, 0xE1, 0, 0, 0, 0),  # an SMPTE offset at a rate that mido does not know
        (0xFF, 0x00, 1, 1),  # half a sequence number
        (0xFF, 0x20, 0),  # a channel prefix without a channel
        (0xFF, 0x51, 2, 1, 1),  # a tempo of two bytes
        (0xFF, 0x58, 2, 3, 2),  # a metre of two bytes
        (0xF7, 2, 0xF3, 0x90),  # an escape: any bytes
    ],
)
def test_an_event_that_nothing_asks_for_is_ignored_however_it_is_malformed(event: tuple[int, ...]) -> None:
    name, tempo = b"\x00\xff\x03\x04left", bytes([0, 0xFF, 0x51, 3, 7, 0xA1, 0x20])
    before = name + tempo + bytes([0, 0xC0, 4, 0, 0x90, 60, 80, 4, 60, 0])
    after = bytes([4, 62, 80, 4, 0x80, 62, 0]) + END
    odd = parse_midi(raw(before + bytes([0, *event]) + after))
    assert odd == parse_midi(raw(before + after))
    assert odd.parts[0].name == "left"
    assert [note.pitch for note in odd.parts[0].notes] == [60, 62]


def test_what_is_no_event_is_refused_beside_events_that_are_ignored() -> None:
    odd_key = bytes([0, 0xFF, 0x59, 2, 8, 0])
    for broken in (bytes([0, 60, 80]), bytes([0, 0xF4, 1]), bytes([0, 0x90, 60]), bytes([0, 0xFF, 0x01, 9])):
        with pytest.raises(InvalidMidi):
            parse_midi(raw(odd_key + broken))


def test_the_first_copyright_that_says_something_is_the_licence() -> None:
    piece = Piece((Note(0, 60, 4),), steps=8, licence="CC BY-NC-SA 4.0 © Ω", seed=7, model="maestro")
    assert parse_midi(piece_to_midi(piece)).piece().licence == piece.licence
    texts = [mido.MetaMessage("copyright", text=text) for text in (" ", "\xa9 one", "two")]
    score = parse_midi(smf([on(60), off(60, 480)], texts))
    assert score.licence == "© one"
    assert parse_midi(smf([on(60), off(60, 480)])).piece().licence is None


def test_a_tempo_of_zero_microseconds_counts_as_absent() -> None:
    score = parse_midi(raw(bytes([0, 0xFF, 0x51, 3, 0, 0, 0, 0, 0x90, 60, 80, 4, 60, 0]) + END))
    assert score.tempos == ((0, 120.0),)


def test_what_the_grid_did_is_reported() -> None:
    # a sixteenth has 120 ticks: 30 late is a quarter of a step; 50 and 59 later both round to one step
    score = parse_midi(smf([on(60, 30), off(60, 40), on(60, 40), off(60, 5), on(60, 4), off(60, 1)]))
    assert score.parts[0].notes == (Note(0, 60, 1, 80), Note(1, 60, 1, 80))
    assert (score.report.notes, score.report.moved, score.report.merged) == (3, 3, 1)
    assert score.report.mean_shift == pytest.approx((30 / 120 + 10 / 120 + 1 / 120) / 3)


def test_halves_of_a_step_round_upwards_everywhere() -> None:
    for step in range(4):
        score = parse_midi(smf([on(60, 120 * step + 60), off(60, 120)]))
        assert score.parts[0].notes == (Note(step + 1, 60, 1, 80),)


def test_notes_without_a_row_are_kept_in_the_score_and_counted() -> None:
    score = parse_midi(smf([on(20), off(20, 120), on(127), off(127, 120), on(126), off(126, 120)]))
    assert [note.pitch for note in score.parts[0].notes] == [20, 127, 126]
    assert score.report.outside == 2


def test_trailing_silence_belongs_to_the_length() -> None:
    assert parse_midi(smf([on(60), off(60, 480), mido.MetaMessage("end_of_track", time=1440)])).steps == 16


def test_triplets_fall_on_a_grid_of_thirds() -> None:
    score = parse_midi(smf([on(60), off(60, 160), on(62), off(62, 160), on(64), off(64, 160)]), 1 / 3)
    assert [note.start for note in score.parts[0].notes] == [0, 1, 2]
    assert (score.resolution, score.report.moved) == (Fraction(1, 3), 0)
    with pytest.raises(InvalidMidi, match="1/3"):
        score.piece()


def test_unknown_chunks_and_bytes_after_the_end_are_ignored() -> None:
    track = bytes([0, 0x90, 60, 80, 4, 60, 0]) + END
    data = raw(track, tracks=9)
    alien = b"XFIH" + struct.pack(">L", 3) + b"abc"
    plain = parse_midi(data)
    assert parse_midi(data[:14] + alien + data[14:] + b"\0\0\0") == plain


# Refusals.


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a MIDI file"),
        (b"RIFF" + bytes(40), "not a MIDI file"),
        (raw(END, kind=2), "type 2; types 0 and 1"),
        (raw(END, division=0xE728), "SMPTE"),
        (raw(END, division=0), "0 ticks per beat"),
        (struct.pack(">4sLHHH", b"MThd", 6, 1, 1, 480), "0 tracks"),
        (raw(END)[:-2], "cut short: a chunk ends at byte 26, the file at 24"),
        (raw(bytes([0, 60, 60]) + END), "damaged MIDI file .running status"),
        (raw(bytes([0, 0x90, 60, 200]) + END), "damaged MIDI file .data byte"),
        (raw(bytes([0, 0x90])), "damaged MIDI file"),
        (raw(bytes([0, 0xF0]) + b"\xff\xff\xff\x7f"), "damaged MIDI file .Message length"),
        (raw(b"\xff" * 20 + b"\x7f" + bytes([0x90, 60, 80]) + END), "a pause of more than"),
        (raw(b"\xff" * 9000 + b"\x7f" + bytes([0x90, 60, 80]) + END), "a number of more than 8192 bytes"),
        (raw(b"\xff\xff\xff\x7f" + bytes([0x90, 60, 80]) + END), "longer than 262144 steps"),
        (raw(END) + bytes(2 * 2**20), "larger than 2 MiB"),
        (b"RIFF" + bytes(2 * 2**20), "not a MIDI file"),
        (raw(END)[:14] + b"MTrk\0\0\0\0" * 40000, "40000 tracks"),
    ],
)
def test_a_damaged_or_absurd_file_is_refused_and_named(data: bytes, says: str) -> None:
    with pytest.raises(InvalidMidi, match=f"^song.mid: .*{says}"):
        parse_midi(data, name="song.mid")


@given(st.binary(max_size=200))
def test_random_bytes_never_raise_anything_else(junk: bytes) -> None:
    for data in (junk, raw(junk), raw(junk + END)):
        try:
            parse_midi(data)
        except InvalidMidi:
            continue


@given(st.data())
def test_a_file_with_one_byte_changed_or_cut_never_raises_anything_else(data: st.DataObject) -> None:
    whole = smf([on(60), off(60, 480), on(62, 30), off(62, 480)], [on(40), off(40, 240)])
    at = data.draw(st.integers(0, len(whole) - 1))
    changed = whole[:at] + bytes([data.draw(st.integers(0, 255))]) + whole[at + 1 :]
    for damaged in (changed, whole[:at]):
        try:
            parse_midi(damaged)
        except InvalidMidi:
            continue


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_midi(tmp_path / "none.mid")


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf"), 0.001, Fraction(1, 65), 65, 1e300])
def test_a_resolution_that_is_no_fraction_of_a_beat_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidNote, match="resolution"):
        grid_of(wrong)


def test_more_than_would_be_read_again_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    piece = Piece(tuple(Note(step, 60, 1) for step in range(300)))
    size = len(piece_to_midi(piece))
    monkeypatch.setattr(midi, "MAX_BYTES", size)
    assert len(piece_to_midi(piece)) == size
    monkeypatch.setattr(midi, "MAX_BYTES", size - 1)
    with pytest.raises(InvalidNote, match=f"300 notes take {size} bytes"):
        piece_to_midi(piece)
