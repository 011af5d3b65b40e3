import itertools
import json
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pianogan_bgm.errors import SoundError
from pianogan_bgm.generator import Generator
from pianogan_bgm.instruments import NAMES, Tone, cleaning, load, mix
from pianogan_bgm.instruments.cleaning import placed, reach, rumble_cells, without_rumble
from pianogan_bgm.instruments.piano import LAYER_TOPS, SAMPLES, Piano, _clean, recordings
from pianogan_bgm.instruments.resample import resample, source_begin
from pianogan_bgm.instruments.tones import release_curve, velocity_gain
from pianogan_bgm.playlist.loudness import loudness
from pianogan_bgm.render import render
from pianogan_bgm.turns import hurried

RATE = 22050


def level_db(sound):
    return 20 * np.log10(np.sqrt((sound.astype(np.float64) ** 2).mean()))


def cents_off(sound, rate, pitch):
    """How far the strongest partial within a semitone of ``pitch`` lies from it, in cents."""
    mono = sound.mean(axis=1) * np.hanning(len(sound))
    size = 2**18
    expected = 440.0 * 2 ** ((pitch - 69) / 12) * size / rate
    low, high = int(expected * 2 ** (-1 / 12)), int(expected * 2 ** (1 / 12)) + 1
    found = low + int(np.argmax(np.abs(np.fft.rfft(mono, size))[low:high]))
    return 1200 * np.log2(found / expected)


tone_lists = st.lists(
    st.builds(
        Tone,
        start=st.integers(-3000, 6000),
        pitch=st.integers(0, 127),
        frames=st.integers(1, 9000),
        velocity=st.integers(1, 127),
        gain=st.sampled_from([0.25, 1.0, 1.3]),
    ),
    max_size=4,
)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=12, deadline=None)
@given(tones=tone_lists, cuts=st.lists(st.integers(1, 11999), max_size=5, unique=True))
def test_any_partition_into_blocks_gives_the_same_samples(name, tones, cuts):
    instrument = load(name, RATE)
    whole = mix(instrument, tones, 0, 12000)
    edges = [0, *sorted(cuts), 12000]
    parts = [mix(instrument, tones, a, b - a) for a, b in itertools.pairwise(edges)]
    assert np.array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_tones_and_the_order_of_blocks_do_not_matter(name):
    instrument = load(name, RATE)
    tones = [Tone(i * 500, 40 + 7 * i, 4000, 30 + 9 * i) for i in range(10)]
    whole = mix(instrument, tones, 0, 9000)
    last = mix(instrument, tones[::-1], 4321, 9000 - 4321)
    first = mix(instrument, tones[::-1], 0, 4321)
    assert np.array_equal(np.concatenate([first, last]), whole)


@pytest.mark.parametrize("name", NAMES)
def test_a_tone_is_silent_before_its_start_and_after_its_ring(name):
    instrument = load(name, RATE)
    tone = Tone(100, 60, 5000, 100)
    ring = instrument.ring(tone)
    block = mix(instrument, [tone], 0, 100 + ring + 500)
    assert ring > 5000
    assert not block[:100].any()
    assert not block[100 + ring :].any()
    assert np.abs(block[100 + ring - 200 : 100 + ring]).max() < 1e-4
    assert np.abs(block[100 : 100 + ring]).max() > 0.01


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("pitch", [45, 60, 61, 62, 76, 93])
def test_keys_sound_at_their_pitch(name, pitch):
    instrument = load(name, 44100)
    sound = mix(instrument, [Tone(0, pitch, 44100, 90)], 0, 44100)
    # a grand is tuned a little wide on purpose
    assert abs(cents_off(sound, 44100, pitch)) < (16 if name == "piano" else 3)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000, 96000, 192000])
def test_the_piano_is_in_tune_and_equally_loud_at_every_rate(rate):
    sound = mix(load("piano", rate), [Tone(0, 69, rate, 90)], 0, rate)
    assert abs(cents_off(sound, rate, 69)) < 5
    assert level_db(sound) == pytest.approx(
        level_db(mix(load("piano", 44100), [Tone(0, 69, 44100, 90)], 0, 44100)), abs=0.5
    )


def test_keys_that_were_not_recorded_are_tuned_between_their_neighbours():
    piano = load("piano", 44100)
    found = [cents_off(mix(piano, [Tone(0, p, 30000, 90)], 0, 30000), 44100, p) for p in range(102, 111)]
    assert max(abs(b - a) for a, b in itertools.pairwise(found)) < 15
    assert max(np.abs(found)) < 35


@pytest.mark.parametrize("pitch", [36, 55, 60, 61, 84, 100])
def test_loudness_grows_smoothly_with_velocity_across_the_layers(pitch):
    piano = load("piano", RATE)
    levels = np.array([level_db(mix(piano, [Tone(0, pitch, RATE, v)], 0, RATE // 2)) for v in range(1, 128)])
    steps = np.diff(levels)
    assert steps.min() > -1.0
    assert steps.max() < 1.5
    assert 30 < levels[-1] - levels[0] < 50
    for top in list(LAYER_TOPS.values())[:-1]:
        assert abs(levels[top] - levels[top - 1]) < 1.0


def test_neighbouring_keys_are_about_equally_loud():
    piano = load("piano", RATE)
    levels = [level_db(mix(piano, [Tone(0, p, RATE, 80)], 0, RATE // 2)) for p in range(28, 100, 2)]
    assert max(abs(b - a) for a, b in itertools.pairwise(levels)) < 4.0


def sides(pitch, velocity):
    """Left over right in dB, and mono over stereo in dB, of one key."""
    sound = mix(load("piano", RATE), [Tone(0, pitch, RATE, velocity)], 0, RATE // 2).astype(np.float64)
    left, right = np.square(sound).mean(axis=0)
    return 10 * np.log10(left / right), 10 * np.log10(
        np.square(sound.mean(axis=1)).mean() / ((left + right) / 2)
    )


@pytest.mark.parametrize("velocity", [50, 80, 110])
def test_keys_stand_from_left_to_right_and_are_not_lost_in_mono(velocity):
    places = np.array([sides(pitch, velocity) for pitch in range(21, 109)])
    assert np.abs(np.diff(places[:, 0])).max() < 2.0
    assert places[:10, 0].min() > 2.0
    assert places[-20:, 0].max() < -1.5
    assert places[:, 1].min() > -2.0


@pytest.mark.parametrize(("pitch", "quiet"), [(36, -30), (60, -40), (76, -45), (93, -40)])
def test_recordings_have_no_rumble(pitch, quiet):
    sound = mix(load("piano", 44100), [Tone(0, pitch, 44100, 60)], 0, 44100).mean(axis=1)[15000:]
    power = np.square(np.abs(np.fft.rfft(sound * np.blackman(len(sound)))))
    below = np.fft.rfftfreq(len(sound), 1 / 44100) < 20
    assert 10 * np.log10(power[below].sum() / power.sum()) < quiet


def cleaned(pcm, cells, frames):
    return np.concatenate([np.empty((0, 2), np.float32), *without_rumble(pcm, cells, frames)])


@given(frames=st.integers(0, 3000), more=st.integers(0, 3000), key=st.integers(21, 108))
@settings(max_examples=30, deadline=None)
def test_a_longer_recording_is_cleaned_to_the_same_beginning(frames, more, key):
    pcm = (np.random.default_rng(4).standard_normal((12000, 2)) * 9000).astype(np.int16)
    cells = rumble_cells(key, 44100)
    short = cleaned(pcm[: frames + reach(cells)], cells, frames)
    long = cleaned(pcm[: frames + more + reach(cells)], cells, frames + more)
    assert np.array_equal(long[:frames], short)


@pytest.mark.parametrize("frames", [1, 15, 16, 255, 256, 257, 3333, 11999, 12000, 13000])
def test_a_recording_is_cleaned_the_same_in_parts_of_any_size(frames, monkeypatch):
    pcm = (np.random.default_rng(4).standard_normal((12000, 2)) * 9000).astype(np.int16)
    whole = cleaned(pcm, 9, frames)
    assert len(whole) == min(frames, 12000)
    for cells in (16, 17, 100):
        monkeypatch.setattr(cleaning, "PART", cells * cleaning.CELL)
        assert np.array_equal(cleaned(pcm, 9, frames), whole)


@given(cells=st.integers(0, 600), frames=st.integers(1, 3000), key=st.integers(21, 108))
@settings(max_examples=30, deadline=None)
def test_the_middle_of_a_recording_is_cleaned_the_same_without_its_beginning(cells, frames, key):
    pcm = (np.random.default_rng(4).standard_normal((16000, 2)) * 9000).astype(np.int16)
    begin, width = cells * cleaning.CELL, rumble_cells(key, 44100)
    assert reach(width) > cleaning.RISE
    first = max(0, begin - reach(width))
    parts = without_rumble(pcm[first:], width, begin + frames - first, begin - first)
    whole = cleaned(pcm, width, begin + frames)
    assert np.array_equal(np.concatenate(list(parts)), whole[begin:])


@pytest.mark.parametrize("key", [21, 40, 60, 80, 108])
def test_the_filter_of_rumble_takes_what_is_slow_and_leaves_the_note(key):
    cells = rumble_cells(key, 44100)
    time = np.arange(44100)
    left = []
    for pitch in (8.0, 440.0 * 2 ** ((key - 69) / 12)):
        wave = np.rint(20000 * np.sin(2 * np.pi * pitch / 44100 * time)).astype(np.int16)[:, None]
        quiet = cleaned(wave.repeat(2, axis=1), cells, 44100)[8000:-8000]
        left.append(level_db(quiet) - level_db(wave))
    assert left[0] < -12.0
    assert left[1] == pytest.approx(0.0, abs=0.6)


def test_a_side_of_opposite_phase_is_turned_round():
    wave = np.array([[1000, -1000], [-800, 800]], dtype=np.float32)
    assert placed(wave, 1.0, -1.0).tolist() == [[938, 938], [-750, -750]]


def test_no_recording_is_cut_off():
    for row in recordings()[1].values():
        pcm = _clean(row, 0, row.frames)
        assert len(pcm) == row.frames
        assert np.abs(pcm.astype(np.int32)).max() < 32000, row


def test_a_recording_goes_on_just_where_it_stopped():
    for row in recordings()[1].values():
        whole = _clean(row, 0, row.frames)
        for begin in (16, 22048, 22064, row.frames // 32 * 16):
            assert np.array_equal(_clean(row, begin, begin + 22050), whole[begin : begin + 22050]), row
        assert len(_clean(row, row.frames + 16, row.frames + 32)) == 0


@pytest.mark.parametrize("rate", [22050, 44100, 48000])
@pytest.mark.parametrize("pitch", [21, 60, 61, 62, 108])
def test_a_tone_sounds_the_same_however_far_its_recording_is_decoded(rate, pitch):
    tone = Tone(0, pitch, 3 * rate, 80)
    bit_by_bit, at_once = Piano(rate), Piano(rate)
    with hurried(0.0, pressed=True):
        parts = [mix(bit_by_bit, [tone], at, rate // 5) for at in range(0, 3 * rate, rate // 5)]
    assert np.array_equal(np.concatenate(parts), mix(at_once, [tone], 0, 3 * rate))


@pytest.mark.parametrize("name", NAMES)
def test_tones_start_and_end_without_a_click(name):
    instrument = load(name, 44100)
    sound = mix(instrument, [Tone(0, 48, 20000, 127)], 0, 60000).astype(np.float64)
    ring = instrument.ring(Tone(0, 48, 20000, 127))
    assert np.abs(sound[:4]).max() < 0.02
    # a click is a jump much larger than those of the sound itself just before
    jumps = np.abs(np.diff(sound, axis=0)).max(axis=1)
    assert jumps[19990:ring].max() < 1.2 * jumps[15000:19990].max()
    assert np.abs(sound.mean(axis=0)).max() < 2e-3


def test_undamped_top_keys_ring_on_and_others_stop():
    piano = load("piano", 44100)
    assert piano.ring(Tone(0, 60, 4410, 90)) < 4410 + 0.5 * 44100
    assert piano.ring(Tone(0, 95, 4410, 90)) > 4410 + 44100


def test_a_piano_with_a_tiny_cache_sounds_the_same_and_stays_small():
    small, roomy = Piano(RATE, cache_bytes=200_000), load("piano", RATE)
    # the first key comes back, longer, when it is the one not heard for longest
    tones = [Tone(0, 60, 2000, 80), *(Tone(3000 * i, 60 + 3 * i, 2000, 80) for i in (1, 2, 3))]
    tones.append(Tone(12000, 60, 15000, 80))
    parts = [mix(small, tones, at, 3000) for at in range(0, 30000, 3000)]
    assert np.array_equal(np.concatenate(parts), mix(roomy, tones, 0, 30000))
    assert small.cached_bytes <= 200_000


def test_a_full_cache_forgets_what_was_not_heard_for_longest(monkeypatch):
    decoded = []

    def decode(recording, begin, end):
        decoded.append(recording.key)
        return np.zeros((end - begin, 2), dtype=np.int16)

    monkeypatch.setattr("pianogan_bgm.instruments.piano._decode", decode)
    room_for_two = 2 * 44100 * 4
    piano = Piano(44100, cache_bytes=room_for_two)
    for key in (60, 63, 60, 66, 60, 63):
        mix(piano, [Tone(0, key, 20000, 80)], 0, 1000)
    assert decoded == [60, 63, 66, 63]


def test_only_what_is_heard_is_decoded_and_none_of_it_twice(monkeypatch):
    decoded = []

    def decode(recording, begin, end):
        decoded.append((begin, end))
        return np.zeros((min(end, recording.frames) - begin, 2), dtype=np.int16)

    monkeypatch.setattr("pianogan_bgm.instruments.piano._decode", decode)
    piano = Piano(44100)
    mix(piano, [Tone(0, 60, 4410, 90)], 0, 44100)
    assert 0 < piano.cached_bytes <= 44100 * 4
    decoded.clear()
    with hurried(0.0, pressed=True):  # what is wanted now, for the rest may wait
        for at in range(0, 24000, 8000):
            mix(piano, [Tone(0, 63, 60000, 90)], at, 8000)
    assert [end // 22050 for _, end in decoded] == [1, 2]
    for at in range(24000, 80000, 8000):
        mix(piano, [Tone(0, 63, 60000, 90)], at, 8000)
    assert [end // 22050 for _, end in decoded] == [1, 2, 4]
    around = 2 * reach(rumble_cells(63, 44100)) + 16
    assert sum(end - begin for begin, end in decoded) <= 4 * 22050 + 3 * around
    decoded.clear()
    mix(piano, [Tone(0, 63, 100000, 90)], 0, 110000)  # a longer one takes what is kept
    assert [begin // 22050 for begin, _ in decoded] == [3]


def test_two_threads_may_share_a_piano():
    tones = [Tone(i * 700, 40 + i, 2000, 60 + i) for i in range(9)]
    expected = mix(Piano(RATE), tones, 0, 9000)
    shared, found = Piano(RATE, cache_bytes=300_000), []
    threads = [threading.Thread(target=lambda: found.append(mix(shared, tones, 0, 9000))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert all(np.array_equal(block, expected) for block in found)


def test_instruments_are_shared_by_name_and_rate():
    assert load("piano", 44100) is load("piano", 44100)
    assert load("piano", 44100) is not load("piano", 48000)
    assert load("music_box", 48000).rate == 48000


def test_an_unknown_instrument_is_refused_with_the_names_there_are():
    with pytest.raises(SoundError, match=r"kazoo.*piano.*chip_triangle"):
        load("kazoo", 44100)


@pytest.mark.parametrize("rate", [0, 7999, 192001, 44100.0, "44100"])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(SoundError, match="8000 to 192000"):
        load("piano", rate)


def test_a_missing_recording_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr("pianogan_bgm.instruments.piano.SAMPLES", tmp_path)
    with pytest.raises(SoundError, match=r"piano-060-10\.ogg"):
        mix(Piano(44100), [Tone(0, 60, 4410, 80)], 0, 100)


def test_a_soundfile_without_its_library_is_an_error_of_sound(monkeypatch, tmp_path):
    (tmp_path / "soundfile.py").write_text("raise OSError('no libsndfile')\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "soundfile", raising=False)
    with pytest.raises(SoundError, match="no libsndfile"):
        mix(Piano(44100), [Tone(0, 60, 4410, 80)], 0, 100)


def test_the_table_lists_the_files_that_ship_and_their_licence_is_there():
    rows = json.loads((SAMPLES / "piano.json").read_text(encoding="utf-8"))["samples"]
    assert {row["file"] for row in rows} == {path.name for path in SAMPLES.glob("*.ogg")}
    assert {row["key"] for row in rows} == set(range(21, 109, 3))
    assert sum((SAMPLES / row["file"]).stat().st_size for row in rows) < 6_500_000
    licence = (SAMPLES / "LICENSE.txt").read_text(encoding="utf-8")
    assert "Alexander Holm" in licence
    assert "creativecommons.org/licenses/by/3.0" in licence


@given(step=st.floats(0.2, 4.0), frames=st.integers(1, 2000), more=st.integers(0, 2000))
@settings(max_examples=25, deadline=None)
def test_a_longer_resampling_begins_with_the_shorter_one(step, frames, more):
    source = (np.random.default_rng(3).standard_normal((20000, 2)) * 5000).astype(np.int16)
    assert np.array_equal(resample(source, step, frames + more)[:frames], resample(source, step, frames))


@given(step=st.one_of(st.just(1.0), st.floats(0.2, 4.0)), begin=st.integers(0, 3000), skip=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_a_resampling_may_begin_in_the_middle_of_its_source(step, begin, skip):
    source = (np.random.default_rng(3).standard_normal((20000, 2)) * 5000).astype(np.int16)
    origin = max(0, source_begin(begin, step) - skip)
    whole = resample(source, step, begin + 1000)
    assert np.array_equal(resample(source[origin:], step, begin + 1000, begin, origin), whole[begin:])


@pytest.mark.parametrize("step", [0.5, 2 ** (-1 / 12), 2 ** (1 / 12), 44100 / 48000])
def test_resampling_a_sine_leaves_nothing_else_above_minus_70_db(step):
    time = np.arange(40000)
    source = np.rint(20000 * np.sin(2 * np.pi * 0.05 * time)).astype(np.int16)[:, None].repeat(2, axis=1)
    sound = resample(source, step, 16384)[200:16200, 0].astype(np.float64)
    turn = 2 * np.pi * 0.05 * step * np.arange(200, 16200)
    basis = np.stack([np.sin(turn), np.cos(turn)], axis=1)
    fit, *_ = np.linalg.lstsq(basis, sound, rcond=None)
    assert np.hypot(*fit) == pytest.approx(20000, rel=0.01)
    assert level_db(sound - basis @ fit) < level_db(sound) - 70


def test_velocity_gain_spans_40_db_and_rises():
    gains = [velocity_gain(v) for v in range(1, 128)]
    assert gains == sorted(gains)
    assert gains[-1] == 1.0
    assert gains[0] == pytest.approx(0.01)


def test_the_release_falls_40_db_in_its_time_and_ends_in_silence():
    curve = release_curve(44100, 0.25)
    assert curve[11024, 0] == pytest.approx(0.01, rel=0.05)
    assert curve[-1, 0] == 0.0
    assert np.all(np.diff(curve[:, 0]) <= 0)


def test_the_same_music_is_about_equally_loud_on_all_instruments():
    generator = Generator("open")
    pieces = [generator.compose(seed) for seed in (100, 101, 102, 103)]
    loud = {name: np.mean([loudness(render(one, RATE, name), RATE) for one in pieces]) for name in NAMES}
    assert loud == pytest.approx(dict.fromkeys(NAMES, loud["piano"]), abs=1.0)
