"""What a game can do to its mixer, each in a process of its own: nothing crashes, hangs or is left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HEAD = """
import os, sys, time, threading, traceback
sys.path.insert(0, {tests!r})
import pygame
from music_fakes import make_piece
from pianogan_bgm import BackgroundMusic

def wait_for(condition, seconds=20.0):
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            print("WAITED IN VAIN"); traceback.print_stack(); os._exit(3)
        time.sleep(0.005)

def busy(n):
    return pygame.mixer.get_num_channels() > n and pygame.mixer.Channel(n).get_busy()

def player(seed=1):
    return BackgroundMusic(make_piece(seed), instrument="chip_triangle")

def wait_for_beats(music):
    # only the music's thread tells them, while the place is reckoned by the clock
    beats = []
    music.on("beat", beats.append)
    wait_for(lambda: len(beats) > 1)

def ready(rate=8000, size=-16, channels=2):
    pygame.mixer.init(rate, size, channels, 256, allowedchanges=0)
"""


def run(script, driver="dummy", **environment):
    """Run ``script`` after the common head; what it printed."""
    code = HEAD.format(tests=str(Path(__file__).parent)) + script
    settings = {
        **os.environ,
        "SDL_AUDIODRIVER": driver,
        "SDL_VIDEODRIVER": "dummy",
        "PYGAME_HIDE_SUPPORT_PROMPT": "1",
        **environment,
    }
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", code],
        capture_output=True,
        text=True,
        env=settings,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout.split()


def test_without_a_device_time_is_kept_silently():
    out = run(
        """
music = player(); beats = []
music.on("beat", beats.append)
music.play(loops=-1)
wait_for(lambda: len(beats) >= 3)
print(music.silent, pygame.mixer.get_init(), music.now_playing is not None)
music.transition(make_piece(2), at="beat")
switches = []; music.on("transition", switches.append)
wait_for(lambda: switches)
""",
        driver="no_such_driver",
    )
    assert out == ["True", "None", "True"]


def test_where_pygame_cannot_load_its_mixer_time_is_kept_silently_and_the_reason_is_told():
    out = run("""
import logging, warnings
from music_fakes import MissingModule
warnings.simplefilter("error")
logging.basicConfig(format="%(message)s", stream=sys.stdout)
pygame.mixer = MissingModule()
music = player()
music.play(loops=-1)
wait_for(lambda: music.position > 0.2)
print(music.silent, len(music.stats.errors))
music.close()
""")
    assert out[-2:] == ["True", "0"]
    assert any("libgthread" in word for word in out)


def test_the_mixer_can_be_quit_and_opened_in_another_format_while_music_plays():
    out = run(
        """
ready(); music = player(); music.play(loops=-1)
for rate, size, channels in ((22050, -16, 1), (48000, 32, 2), (11025, 8, 1), (44100, -16, 6), (8000, -16, 2)):
    wait_for(lambda: music.position > 0.1)
    pygame.mixer.quit()
    wait_for(lambda: music.silent)
    ready(rate, size, channels)
    wait_for(lambda: not music.silent and music.now_playing is not None)
    wait_for(lambda: busy(8))
    print(music._engine.sink.rate)
print(music.stats.errors)
"""
    )
    assert out == ["22050", "48000", "11025", "44100", "8000", "[]"]


def test_quitting_the_mixer_over_and_over_in_any_state_never_crashes():
    out = run(
        """
import random
chance = random.Random(1)
ready(); players = [player(1), player(2)]
for music in players: music.play(loops=-1)
for turn in range(40):
    time.sleep(chance.uniform(0, 0.03))
    (pygame.mixer.quit if turn % 3 else pygame.quit)()
    for music in players:
        chance.choice([music.play, music.stop, music.pause, music.unpause, lambda: music.stinger("coin")])()
    time.sleep(chance.uniform(0, 0.03))
    ready()
for music in players:
    music.play(loops=-1); music.unpause()
    wait_for_beats(music)
    print(music.silent, music.stats.errors)
"""
    )
    assert out == ["False", "[]", "False", "[]"]


def test_mixer_stop_and_fadeout_leave_the_music_on():
    out = run(
        """
ready(); music = player(); music.play(loops=-1)
for disturb in (pygame.mixer.stop, lambda: pygame.mixer.fadeout(20)):
    wait_for(lambda: busy(8) and music.now_playing is not None)
    time.sleep(0.2)  # a channel that is being started anew cannot be stopped
    before = music.stats.recoveries
    disturb()
    wait_for(lambda: music.stats.recoveries > before)
    wait_for_beats(music)
    wait_for(lambda: music.get_busy() and busy(8))
print(music.stats.errors)
"""
    )
    assert out == ["[]"]


def test_a_stolen_channel_is_left_and_another_one_taken():
    run(
        """
ready(); music = player(); music.play(loops=-1)
wait_for(lambda: busy(8))
effect = pygame.mixer.Sound(buffer=bytes(8000 * 4 * 5))
before = music.stats.recoveries  # a machine that is too busy for the music loses it the channel, too
stolen = pygame.mixer.Channel(8); stolen.play(effect)
wait_for(lambda: music.stats.recoveries > before)
assert stolen.get_sound() is effect
wait_for(lambda: busy(9))
for n in range(10): pygame.mixer.find_channel(force=True).play(effect)
time.sleep(0.3)
wait_for(lambda: music.get_busy() and music.now_playing is not None)
"""
    )


def test_fewer_channels_than_ours_are_survived():
    run(
        """
ready(); music = player(); music.play(loops=-1)
wait_for(lambda: busy(8))
for count in (4, 2, 0):
    before = music.stats.recoveries
    pygame.mixer.set_num_channels(count)
    wait_for(lambda: music.stats.recoveries > before)
    wait_for(lambda: busy(count))
"""
    )


@pytest.mark.parametrize(
    "how", ["", "pygame.quit()", "sys.exit(0)", "del music", "music.close(); music.close()"]
)
def test_the_interpreter_ends_cleanly_while_music_plays(how):
    run(
        f"""
ready(); music = player(); music.play(loops=-1)
wait_for(lambda: music.now_playing is not None)
{how}
"""
    )


def test_an_exception_in_the_game_ends_the_process_all_the_same():
    with pytest.raises(AssertionError, match=r"exit 1\n(.|\n)*ZeroDivisionError"):
        run("ready(); music = player(); music.play(loops=-1); time.sleep(0.2); 1 / 0")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_after_a_fork_the_child_is_mute_and_the_parent_plays_on():
    out = run(
        """
import warnings; warnings.simplefilter("ignore")
ready(); music = player(); music.play(loops=-1)
wait_for(lambda: music.now_playing is not None)
sys.stdout.flush()
child = os.fork()
if child == 0:
    music.intensity = 0.9; music.play(); music.stop(); music.close()
    print("child", music.now_playing, len(threading.enumerate())); sys.stdout.flush()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
wait_for_beats(music)
print("parent", music.stats.errors)
"""
    )
    assert out == ["child", "None", "1", "parent", "[]"]


def plain_pygame_ends_after_a_fork():
    """Without us: some builds of pygame wait in a child for an audio thread that only its parent has."""
    code = "import os, sys, pygame; pygame.mixer.init(); sys.exit(0 if os.fork() == 0 else os.wait()[1])"
    quiet = {**os.environ, "SDL_AUDIODRIVER": "dummy"}
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code], env=quiet, start_new_session=True
    ) as it:
        try:
            return it.wait(timeout=20) == 0
        except subprocess.TimeoutExpired:
            os.killpg(it.pid, signal.SIGKILL)
            return False


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_ends_as_a_process_should():
    if not plain_pygame_ends_after_a_fork():
        pytest.skip("here a forked child of any pygame program with an open mixer waits for ever at its end")
    run(
        """
import warnings; warnings.simplefilter("ignore")
ready(); music = player(); music.play(loops=-1)
wait_for(lambda: music.now_playing is not None)
if os.fork() == 0: sys.exit(0)
assert os.wait()[1] == 0
"""
    )


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no process can be stopped on this system")
def test_a_stopped_process_goes_on_where_it_was():
    out = run(
        """
import signal
ready(); music = player(); music.play(loops=-1)
wait_for(lambda: music.position > 1.5)
pid = os.getpid()
import subprocess
wake = f"import os, time, signal; time.sleep(1.5); os.kill({pid}, signal.SIGCONT)"
subprocess.Popen([sys.executable, "-c", wake])
place, stopped = music.position, time.monotonic()
os.kill(pid, signal.SIGSTOP)
assert time.monotonic() > stopped + 1.0
wait_for_beats(music)  # those that are overdue
wait_for_beats(music)
assert place < music.position < place + time.monotonic() - stopped + 0.1
print(music.stats.recoveries, music.stats.errors)
"""
    )
    assert out == ["0", "[]"]


def test_what_the_device_gets_equals_the_offline_render(tmp_path):
    """The whole way, through SDL's disk driver; silence is allowed only where the player counted it."""
    script = """
import ctypes
from pianogan_bgm.bus import to_format
from pianogan_bgm.conductor import Conductor
from pianogan_bgm.engine import Band
import numpy as np
ready(8000); music = player(); engine = music._engine; engine.journal = []
music.play(loops=-1)
libc = ctypes.PyDLL(None)
for turn in range(6):
    time.sleep(0.3)
    if turn == 1: music.transition(make_piece(2), at="beat", fade_beats=1)
    if turn == 2: music.tempo = 1.3
    if turn == 3: music.intensity = 0.9
    if turn == 4: music.stinger("coin")
    if turn % 2: libc.usleep(300000)
wait_for(lambda: music.stats.pages >= 1)
music.stop(); wait_for(lambda: not music.get_busy())
stats, journal = music.stats, list(engine.journal)
music.close(); pygame.mixer.quit()
offline = Conductor(8000, Band(8000))
for frame, command in journal: offline.send(command, frame)
np.save(os.environ["OFFLINE"], to_format(offline.render(0, max(f for f, _ in journal) + 4000), -16, 2))
print(stats.underruns + stats.late, stats.silent_frames)
"""
    raw, offline = tmp_path / "out.raw", tmp_path / "offline.npy"
    bad, silent = map(int, run(script, driver="disk", SDL_DISKAUDIOFILE=str(raw), OFFLINE=str(offline)))
    heard, exact = np.fromfile(raw, np.int16).reshape(-1, 2), np.load(offline)
    heard = heard[np.nonzero(heard.any(axis=1))[0][0] :]
    exact = exact[np.nonzero(exact.any(axis=1))[0][0] :]
    count = np.nonzero(exact.any(axis=1))[0][-1] + 1
    assert count > 8000 * 3
    wrong = np.nonzero((heard[:count] != exact[:count]).any(axis=1))[0]
    assert len(wrong) <= silent
    assert bad or not len(wrong)
    assert not heard[count:].any()
