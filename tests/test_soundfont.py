import itertools
import struct

import numpy as np
import pytest

from pianogan_bgm import Stream
from pianogan_bgm.errors import InvalidSetting, PianoganError, SoundError
from pianogan_bgm.instruments import Tone, check_instrument, load, mix
from pianogan_bgm.instruments.cache import PcmCache
from pianogan_bgm.instruments.resample import MAX_STEP
from pianogan_bgm.instruments.sf2 import read_soundfont
from pianogan_bgm.instruments.soundfont import SoundFont
from pianogan_bgm.notes import Note
from pianogan_bgm.piece import Piece

RATE = 22050
PERIOD = 50
SAMPLES = 2000
SOUND = np.round(12000 * np.sin(2 * np.pi * np.arange(SAMPLES) / PERIOD)).astype("<i2")
"""441 Hz at 22050 Hz, very nearly A4."""


def chunk(name, data):
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def listed(kind, *chunks):
    return chunk(b"LIST", kind + b"".join(chunks))


def both(low, high):
    return struct.unpack("<h", bytes((low, high)))[0]


def gens(*pairs):
    return b"".join(struct.pack("<Hh", *pair) for pair in pairs)


def soundfont(inner, outer=(), *, presets=((0, 0),), kind=1, loop=(1000, 1500), root=69):
    """A file of one sample; every preset plays the one instrument, whose zone ``inner`` describes."""
    preset = [*outer, (41, 0)]
    tables = {
        b"phdr": b"".join(
            struct.pack("<20sHHHIII", b"p", program, bank, n, 0, 0, 0)
            for n, (bank, program) in enumerate([*presets, (0, 0)])
        ),
        b"pbag": b"".join(struct.pack("<HH", n * len(preset), 0) for n in range(len(presets) + 1)),
        b"pmod": bytes(10),
        b"pgen": gens(*preset) * len(presets) + gens((0, 0)),
        b"inst": struct.pack("<20sH", b"i", 0) + struct.pack("<20sH", b"EOI", 1),
        b"ibag": struct.pack("<HH", 0, 0) + struct.pack("<HH", len(inner) + 1, 0),
        b"imod": bytes(10),
        b"igen": gens(*inner, (53, 0), (0, 0)),
        b"shdr": struct.pack("<20sIIIIIBbHH", b"s", 0, SAMPLES, *loop, RATE, root, 0, 0, kind) + bytes(46),
    }
    body = (
        b"sfbk"
        + listed(b"INFO", chunk(b"ifil", bytes(4)))
        + listed(b"sdta", chunk(b"smpl", SOUND.tobytes()))
        + listed(b"pdta", *(chunk(name, data) for name, data in tables.items()))
    )
    return chunk(b"RIFF", body)


def written(place, *arguments, **settings):
    path = place / f"{len(list(place.iterdir()))}.sf2"
    path.write_bytes(soundfont(*arguments, **settings))
    return path


def played(path, tone=None, frames=RATE):
    return mix(load(str(path), RATE), [tone or Tone(0, 69, RATE // 2, 127)], 0, frames)


def peak_hz(sound):
    mono = sound.sum(axis=1) * np.hanning(len(sound))
    return float(np.argmax(np.abs(np.fft.rfft(mono, 1 << 17)))) * RATE / (1 << 17)


@pytest.mark.parametrize(("pitch", "hertz"), [(69, 441.0), (81, 882.0), (57, 220.5), (76, 660.75)])
def test_a_key_sounds_at_its_pitch(tmp_path, pitch, hertz):
    sound = played(written(tmp_path, [(54, 1)]), Tone(0, pitch, RATE, 100))
    assert peak_hz(sound) == pytest.approx(hertz, rel=0.001)


def test_a_looped_sample_goes_on_and_one_without_loop_ends(tmp_path):
    looped, once = played(written(tmp_path, [(54, 1)])), played(written(tmp_path, []))
    assert np.abs(looped[8000:10000]).max() > 0.05
    assert not once[SAMPLES:].any()
    np.testing.assert_array_equal(looped[:1000], once[:1000])


def test_a_key_let_go_falls_silent_by_the_files_release(tmp_path):
    quick, slow = (played(written(tmp_path, [(54, 1), (38, cents)])) for cents in (-3000, 1200))
    after = RATE // 2 + RATE // 10
    assert not quick[after + RATE // 10 :].any()
    assert np.abs(slow[after : after + 500]).max() > 0.02


def test_a_zone_with_a_delay_begins_later_and_not_at_all_where_the_key_is_let_go_before(tmp_path):
    half = -1200  # a second is 0 timecents
    late, usual = written(tmp_path, [(33, half), (54, 1)]), written(tmp_path, [(54, 1)])
    wait, tone = RATE // 2, Tone(0, 69, RATE, 100)
    sound = played(late, tone)
    assert not sound[:wait].any()
    np.testing.assert_array_equal(sound[wait:], played(usual, Tone(0, 69, RATE - wait, 100), RATE - wait))
    assert (
        load(str(late), RATE).ring(tone) == load(str(usual), RATE).ring(Tone(0, 69, RATE - wait, 100)) + wait
    )
    assert not played(late, Tone(0, 69, wait, 100)).any()
    assert load(str(late), RATE).ring(Tone(0, 69, wait, 100)) <= wait
    np.testing.assert_array_equal(played(written(tmp_path, [(33, -32768), (54, 1)])), played(usual))


def test_hold_and_decay_are_longer_for_lower_keys_where_the_file_says_so(tmp_path):
    decay = [(36, 2400), (37, 1000), (54, 1)]  # four seconds for 100 dB

    def fallen(path, pitch):
        """Decibels from a twentieth of a second to a quarter."""
        sound = np.square(played(path, Tone(0, pitch, RATE, 127))).sum(axis=1)
        return 10 * np.log10(sound[1100:2200].mean() / sound[5500:6600].mean())

    plain, by_key = written(tmp_path, decay), written(tmp_path, [(40, 100), *decay])
    assert fallen(plain, 48) == pytest.approx(5.0, abs=0.2)
    assert fallen(by_key, 60) == pytest.approx(fallen(plain, 60), abs=0.01)
    assert fallen(by_key, 48) == pytest.approx(2.5, abs=0.2)
    assert fallen(by_key, 72) == pytest.approx(10.0, abs=0.2)
    held = written(tmp_path, [(39, 100), (35, -2400), *decay])  # a quarter of a second, half of one at 48
    assert fallen(held, 48) == pytest.approx(0.0, abs=0.2)


def test_loudness_follows_velocity_attenuation_and_sustain(tmp_path):
    def level(path, velocity=127, late=False):
        part = played(path, Tone(0, 69, RATE, velocity))[9000:11000] if late else None
        return float(np.abs(played(path, Tone(0, 69, RATE, velocity))[:2000] if part is None else part).max())

    plain = written(tmp_path, [(54, 1)])
    assert level(plain, 40) < 0.3 * level(plain, 127)
    assert level(written(tmp_path, [(48, 500), (54, 1)])) == pytest.approx(level(plain) / 10, rel=0.02)
    faded = written(tmp_path, [(36, -1200), (37, 200), (54, 1)])
    assert level(faded, late=True) == pytest.approx(level(plain, late=True) / 10, rel=0.05)


def test_pan_and_tuning_and_the_presets_own_changes(tmp_path):
    left = played(written(tmp_path, [(17, -500), (54, 1)]))
    assert left[:, 0].any()
    assert not np.abs(left[:, 1]).max() > 1e-6
    assert peak_hz(played(written(tmp_path, [(51, 7), (54, 1)]))) == pytest.approx(660.75, rel=0.002)
    assert peak_hz(played(written(tmp_path, [(54, 1)], [(51, 12)]))) == pytest.approx(882, rel=0.002)
    assert peak_hz(played(written(tmp_path, [(58, 57), (54, 1)]))) == pytest.approx(882, rel=0.002)


def test_zones_answer_for_their_keys_and_velocities_alone(tmp_path):
    path = written(tmp_path, [(43, both(60, 72)), (44, both(0, 90))], [(43, both(65, 127))])
    assert played(path, Tone(0, 65, 4000, 90)).any()
    for pitch, velocity in ((64, 90), (73, 90), (65, 91)):
        tone = Tone(0, pitch, 4000, velocity)
        assert not played(path, tone).any()
        assert load(str(path), RATE).ring(tone) == 0


def test_a_preset_is_chosen_by_bank_and_program(tmp_path):
    path = written(tmp_path, [(54, 1)], presets=((1, 5), (0, 3)))
    assert len(read_soundfont(path).zones) == 1
    assert played(f"{path}#1:5").any()
    with pytest.raises(SoundError, match=r"no preset 0:5 among \['0:3', '1:5'\]"):
        load(f"{path}#0:5", RATE)


def test_any_partition_into_blocks_gives_the_same_samples(tmp_path):
    instrument = load(str(written(tmp_path, [(34, -4000), (36, -2000), (37, 100), (54, 1)])), RATE)
    tones = [Tone(n * 900 - 500, 50 + 5 * n, 1500 * n + 1, 20 + 10 * n) for n in range(8)]
    whole = mix(instrument, tones, 0, 12000)
    edges = [0, 1, 777, 5000, 5001, 11000, 12000]
    parts = [mix(instrument, tones, a, b - a) for a, b in itertools.pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert whole.any()


def test_music_is_played_on_a_soundfont_named_by_its_path(tmp_path):
    path = written(tmp_path, [(54, 1)])
    piece = Piece((Note(0, 69, 8, 100),), steps=32)
    stream = Stream(piece, rate=RATE, instrument={"melody": path, "inner": "chip_square"})
    assert stream.instrument["melody"] == str(path)
    stream.play()
    assert peak_hz(stream.fill(RATE)) == pytest.approx(441, rel=0.002)
    with pytest.raises(InvalidSetting, match="no SoundFont is there"):
        stream.instrument = "gone.sf2"
    (tmp_path / "bad.sf2").write_bytes(b"RIFF")
    with pytest.raises(SoundError, match="not a SoundFont"):
        stream.instrument = tmp_path / "bad.sf2"
    assert stream.instrument["melody"] == str(path)
    with pytest.raises(InvalidSetting, match="path of a SoundFont"):
        check_instrument("violin")


def test_a_soundfont_by_a_relative_path_is_that_file_wherever_the_game_goes(tmp_path, monkeypatch):
    path = written(tmp_path, [(54, 1)])
    monkeypatch.chdir(tmp_path)
    stream = Stream(Piece((Note(0, 69, 8, 100),), steps=32), rate=RATE, instrument=f"{path.name}#0:0")
    monkeypatch.chdir(tmp_path.parent)
    assert stream.instrument["melody"] == f"{path}#0:0"
    stream.play()
    assert peak_hz(stream.fill(RATE)) == pytest.approx(441, rel=0.002)


def test_what_is_no_soundfont_is_one_named_error(tmp_path):
    good = soundfont([(54, 1)])
    wrong = [
        b"",
        b"RIFF",
        good[:200],
        good[:-60],
        good.replace(b"sfbk", b"WAVE"),
        good.replace(b"shdr", b"what"),
    ]
    wrong += [soundfont([], kind=0x11), soundfont([(43, both(9, 3))])]
    for number, data in enumerate(wrong):
        path = tmp_path / f"bad{number}.sf2"
        path.write_bytes(data)
        with pytest.raises(SoundError, match="not a SoundFont"):
            read_soundfont(path)


def test_damaged_bytes_never_raise_anything_else(tmp_path):
    good, chance = soundfont([(17, 100), (54, 1)]), np.random.default_rng(1)
    path, refused = tmp_path / "x.sf2", 0
    for _ in range(300):
        data = np.frombuffer(good, np.uint8).copy()
        for place in chance.integers(len(good) - SAMPLES // 8, len(good), 3):
            data[place] = chance.integers(256)
        path.write_bytes(data.tobytes())
        try:
            bank = read_soundfont(path)
        except PianoganError:
            refused += 1
        else:
            assert all(0 <= zone.start < zone.end <= SAMPLES for zone in bank.zones)
    assert 0 < refused < 300


def test_a_soundfont_with_a_tiny_cache_sounds_the_same_though_its_tones_grow_longer(tmp_path):
    bank = read_soundfont(written(tmp_path, [(54, 1)]))
    small, roomy = SoundFont(bank, RATE, cache_bytes=100_000), SoundFont(bank, RATE)
    # the first key comes back, longer, when it is the one not heard for longest
    tones = [Tone(0, 60, 2000, 80), Tone(3000, 69, 2000, 80), Tone(6000, 60, 15000, 80)]
    parts = [mix(small, tones, at, 3000) for at in range(0, 24000, 3000)]
    np.testing.assert_array_equal(np.concatenate(parts), mix(roomy, tones, 0, 24000))


def test_a_cache_drops_what_was_not_heard_for_longest_and_never_the_newest():
    cache, decoded = PcmCache(100), []

    def get(key, frames):
        def more(begin):
            decoded.append((key, begin, frames))
            return np.arange(begin, frames, dtype=np.int16)[:, None] * np.array([1, key], dtype=np.int16)

        return cache.get((key, 0), frames, more)

    for key, frames in ((1, 10), (2, 10), (1, 10), (1, 20), (2, 10), (3, 99), (3, 50)):
        pcm = get(key, frames)
        assert pcm.shape[0] >= frames
        assert (pcm[:, 0] == np.arange(len(pcm))).all()
        assert (pcm[:, 1] == key * pcm[:, 0]).all()
    assert decoded == [(1, 0, 10), (2, 0, 10), (1, 10, 20), (2, 0, 10), (3, 0, 99)]
    assert cache.size == 99 * 4


def test_a_font_that_asks_for_absurd_pitches_is_held_to_five_octaves(tmp_path):
    font = load(str(written(tmp_path, [(51, 120), (54, 1)])), RATE)
    zone = font._matching(Tone(0, 127, 1, 1))[0][1]
    assert font._step(zone, 127) == MAX_STEP == 32.0
    assert np.isfinite(mix(font, [Tone(0, 127, 2000, 100)], 0, 2000)).all()
