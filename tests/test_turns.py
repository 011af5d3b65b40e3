import pytest
from music_fakes import make_piece

from pianogan_bgm import turns
from pianogan_bgm.instruments.synth import VOICES, Synth
from pianogan_bgm.instruments.tones import Tone, mix
from pianogan_bgm.tune import prepare


@pytest.fixture
def pauses(monkeypatch):
    """Pauses taken; a fifth of a millisecond passes at each look at the clock."""
    taken, now = [], [0.0]

    def clock():
        now[0] += 0.0002
        return now[0]

    monkeypatch.setattr(turns, "perf_counter", clock)
    monkeypatch.setattr(turns, "sleep", taken.append)
    yield taken
    turns._own.since = None


def test_work_pauses_only_on_a_thread_that_asked_for_it(pauses):
    assert list(turns.in_turns(range(9))) == list(range(9))
    assert pauses == []
    turns.be_polite()
    assert list(turns.in_turns(range(9))) == list(range(9))
    assert pauses == [turns.PAUSE_SECONDS] * 4


def test_work_that_is_behind_pauses_less_often_and_then_as_before(pauses):
    turns.be_polite()
    with turns.hurried(0.004):
        list(turns.in_turns(range(20)))
        early = len(pauses)
        list(turns.in_turns(range(40)))
        late = len(pauses) - early
    list(turns.in_turns(range(40)))
    assert early >= 5
    assert late <= 6
    assert len(pauses) - early - late >= 19


def test_preparing_a_piece_and_mixing_let_others_have_their_turn(pauses):
    turns.be_polite()
    tune = prepare(make_piece(1))
    assert len(pauses) > 10
    pauses.clear()
    tones = [Tone(0, 60 + n, 100, 80) for n in range(20)]
    mix(Synth(VOICES["chip_square"], 8000), tones, 0, 200)
    assert len(pauses) > 5
    assert tune.by_step == prepare(make_piece(1)).by_step
