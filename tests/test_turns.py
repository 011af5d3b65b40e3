import os
import sys
import threading

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


def test_work_is_pressed_where_that_is_said_and_only_there():
    assert not turns.is_pressed()
    with turns.hurried(1.0, pressed=True):
        assert turns.is_pressed()
        with turns.hurried(0.0):
            assert not turns.is_pressed()
        assert turns.is_pressed()
    assert not turns.is_pressed()


def test_preparing_a_piece_and_mixing_let_others_have_their_turn(pauses):
    turns.be_polite()
    tune = prepare(make_piece(1))
    assert len(pauses) > 10
    pauses.clear()
    tones = [Tone(0, 60 + n, 100, 80) for n in range(20)]
    mix(Synth(VOICES["chip_square"], 8000), tones, 0, 200)
    assert len(pauses) > 5
    assert tune.by_step == prepare(make_piece(1)).by_step


@pytest.fixture
def interval():
    """A switch interval that is nobody's usual one, put back afterwards."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.004)
    yield pytest.approx(0.004)
    sys.setswitchinterval(before)


def test_while_work_is_behind_threads_are_switched_often(interval, pauses):
    turns.be_polite()
    with turns.hurried(0.001):
        turns.breathe()
        assert sys.getswitchinterval() == interval
        list(turns.in_turns(range(9)))
        assert sys.getswitchinterval() == pytest.approx(turns.SWITCH_SECONDS, abs=2e-6)
    assert sys.getswitchinterval() == interval


def test_work_that_is_on_time_changes_no_switch_interval(interval, pauses):
    turns.be_polite()
    with turns.hurried(1.0):
        list(turns.in_turns(range(9)))
        assert sys.getswitchinterval() == interval


def test_work_that_something_waits_for_hurries(interval, pauses):
    turns.be_polite()
    waiting = []
    with turns.hurried(60.0, lambda: waiting):
        list(turns.in_turns(range(9)))
        assert sys.getswitchinterval() == interval
        waiting.append("a request")
        list(turns.in_turns(range(9)))
        assert sys.getswitchinterval() == pytest.approx(turns.SWITCH_SECONDS, abs=2e-6)
    assert sys.getswitchinterval() == interval
    list(turns.in_turns(range(9)))
    assert sys.getswitchinterval() == interval


def _failing():
    yield 1
    raise OSError("gone")


def test_the_interval_comes_back_after_an_error(interval, pauses):
    turns.be_polite()
    with pytest.raises(OSError, match="gone"), turns.hurried(0.0):
        list(turns.in_turns(_failing()))
    assert sys.getswitchinterval() == interval


def test_the_interval_comes_back_when_the_last_of_two_threads_is_done(interval):
    first, second = threading.Event(), threading.Event()
    seen = []

    def work(enter, leave):
        turns.be_polite()
        with turns.hurried(0.0):
            while not turns._own.behind:
                turns.breathe()
            enter.set()
            leave.wait(5.0)
        seen.append(sys.getswitchinterval())

    done = [threading.Event(), threading.Event()]
    threads = [threading.Thread(target=work, args=pair) for pair in zip((first, second), done, strict=True)]
    for thread, entered in zip(threads, (first, second), strict=True):
        thread.start()
        entered.wait(5.0)
    for thread, leave in zip(threads, done, strict=True):
        leave.set()
        thread.join(5.0)
    assert seen == [pytest.approx(turns.SWITCH_SECONDS, abs=2e-6), interval]


def test_an_interval_that_the_game_set_meanwhile_stays(interval, pauses):
    turns.be_polite()
    with turns.hurried(0.0):
        list(turns.in_turns(range(9)))
        sys.setswitchinterval(0.003)
    assert sys.getswitchinterval() == pytest.approx(0.003)


def test_a_shorter_interval_of_the_game_s_stays(interval, pauses):
    sys.setswitchinterval(0.00005)
    short = sys.getswitchinterval()
    turns.be_polite()
    for _ in range(3):
        with turns.hurried(0.0):
            turns.breathe()
            assert sys.getswitchinterval() == short
        assert sys.getswitchinterval() == short


@pytest.mark.parametrize("odd", [0.0041, 0.00333, 0.0049999])
def test_an_odd_interval_does_not_shrink_by_being_put_back(interval, pauses, odd):
    sys.setswitchinterval(odd)
    found = sys.getswitchinterval()
    turns.be_polite()
    for _ in range(20):
        with turns.hurried(0.0):
            turns.breathe()
    assert sys.getswitchinterval() == found


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_forked_while_work_is_behind_has_the_interval_back(interval, pauses):
    turns.be_polite()
    with turns.hurried(0.0):
        list(turns.in_turns(range(9)))
        child = os.fork()
        if not child:
            os._exit(0 if sys.getswitchinterval() == interval else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert sys.getswitchinterval() == pytest.approx(turns.SWITCH_SECONDS, abs=2e-6)
