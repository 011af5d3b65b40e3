"""BackgroundMusic with the real pygame on SDL's dummy device: that the wiring holds, not how fast it is."""

import os
import threading
import time

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
os.environ["SDL_AUDIODRIVER"] = "dummy"
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")

import pygame
import pytest
from music_fakes import FakeGenerator, make_piece

from pianogan_bgm import BackgroundMusic, Scene, Stream, player, turns
from pianogan_bgm.composer import Composer
from pianogan_bgm.errors import InvalidSetting, ModelNotFound
from pianogan_bgm.player import _Bell

PATIENCE = 20.0


@pytest.fixture
def mixer():
    pygame.mixer.init(8000, -16, 2, 256, allowedchanges=0)
    yield pygame.mixer
    pygame.quit()


@pytest.fixture
def music(mixer):
    with BackgroundMusic(make_piece(1), instrument="chip_triangle") as player:
        yield player


def wait_for(condition):
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.005)


def our_threads():
    return [thread for thread in threading.enumerate() if thread.name == "pianogan-bgm"]


def test_play_sounds_on_a_channel_above_the_games(music, mixer):
    music.play(loops=-1)
    wait_for(lambda: music.now_playing is not None)
    assert mixer.get_num_channels() == 9
    assert mixer.Channel(8).get_busy()
    assert not any(mixer.Channel(n).get_busy() for n in range(8))
    assert music.get_busy()
    assert not music.silent


def test_players_that_were_closed_leave_their_channel_to_the_next(mixer):
    for _ in range(3):  # as a game that makes one for each level
        with BackgroundMusic(make_piece(1), instrument="chip_triangle") as music:
            music.play(loops=-1)
            wait_for(lambda: mixer.get_num_channels() == 9 and mixer.Channel(8).get_busy())
    assert mixer.get_num_channels() == 9
    assert not mixer.Channel(8).get_busy()


def test_a_new_player_takes_no_channel_that_the_game_uses_or_one_of_another_mixer(mixer):
    with BackgroundMusic(make_piece(1), instrument="chip_triangle") as music:
        music.play(loops=-1)
        wait_for(lambda: mixer.get_num_channels() == 9 and mixer.Channel(8).get_busy())
    game_sound = mixer.Sound(buffer=bytes(400000))
    mixer.Channel(8).play(game_sound)
    with BackgroundMusic(make_piece(1), instrument="chip_triangle") as music:
        music.play(loops=-1)
        wait_for(lambda: mixer.get_num_channels() == 10 and mixer.Channel(9).get_busy())
        assert mixer.Channel(8).get_sound() is game_sound
    mixer.quit()
    mixer.init()
    mixer.set_num_channels(12)  # 8 and 9 are the game's own now
    with BackgroundMusic(make_piece(1), instrument="chip_triangle") as music:
        music.play(loops=-1)
        wait_for(lambda: mixer.get_num_channels() == 13 and mixer.Channel(12).get_busy())


def test_calls_before_play_and_after_close_are_harmless(mixer):
    music = BackgroundMusic(make_piece(1))
    for _ in range(2):
        music.stop()
        music.pause()
        music.unpause()
        music.duck()
        music.fadeout(10)
        music.seek(1.0)
        assert not music.now_playing
        assert music.beat_phase == 0.0
        music.close()
    assert our_threads() == []


def test_a_stinger_alone_has_no_beat(mixer):
    with BackgroundMusic(make_piece(1), instrument="chip_triangle") as music:
        music.stinger("game over")
        wait_for(lambda: music._engine.pulse is not None)
        phases = []
        for _ in range(10):
            time.sleep(0.02)
            phases.append(music.beat_phase)
        assert music._engine.pulse is not None
    assert phases == [0.0] * 10


def test_the_thread_ends_with_the_player(mixer):
    before = our_threads()
    music = BackgroundMusic(make_piece(1), instrument="chip_triangle")
    music.play(loops=-1)
    wait_for(music.get_busy)
    assert len(our_threads()) == len(before) + 1
    del music
    wait_for(lambda: our_threads() == before)


def test_stop_gives_the_channel_back(music, mixer):
    music.play(loops=-1)
    wait_for(lambda: music.now_playing is not None)
    music.stop()
    wait_for(lambda: not music.get_busy())
    assert not mixer.Channel(8).get_busy()
    music.play()
    wait_for(lambda: music.now_playing is not None)


def test_pause_holds_the_place(music):
    music.play(loops=-1)
    wait_for(lambda: music.position > 0.1)
    music.pause()
    wait_for(lambda: not music.get_busy())
    held = music.position
    time.sleep(0.15)
    assert music.position == held
    music.unpause()
    wait_for(lambda: music.position > held + 0.05)


def test_events_are_posted_to_pygames_queue(music):
    pygame.display.init()
    pygame.display.set_mode((10, 10))
    kind = music.event_type
    assert kind >= pygame.USEREVENT
    music.play(loops=-1)
    found = []

    def enough():
        found.extend(event for event in pygame.event.get() if event.type == kind)
        return len([event for event in found if event.kind == "beat"]) >= 3

    wait_for(enough)
    beats = [(event.bar, event.beat) for event in found if event.kind == "beat"]
    assert beats[:3] == [(1, 1), (1, 2), (1, 3)]
    assert found[0].kind == "piece"


def test_the_verbs_of_pygames_music_are_all_there(music):
    pygame.display.init()
    pygame.display.set_mode((10, 10))
    missing = {name for name in dir(pygame.mixer.music) if not name.startswith("_")} - set(dir(music))
    # what a module holds beside its verbs differs between pygame and pygame-ce
    assert missing <= {"get_metadata", "UNKNOWN"}
    assert music.get_pos() == -1
    assert music.get_endevent() == pygame.NOEVENT
    music.set_volume(0.5)
    assert music.get_volume() == 0.5
    kind = pygame.event.custom_type()
    music.set_endevent(kind)
    music.load(make_piece(3, steps=8))
    music.play()
    wait_for(lambda: music.get_pos() > 100)
    wait_for(lambda: any(event.type == kind for event in pygame.event.get()))


def test_listeners_hear_and_one_that_fails_harms_nothing(music):
    beats = []
    music.on("beat", beats.append)

    def broken(event):
        raise KeyError("a bug in the game")

    music.on("bar", broken)
    music.play(loops=-1)
    wait_for(lambda: len(beats) >= 3)
    assert any("a bug in the game" in message for message in music.stats.errors)
    with pytest.raises(InvalidSetting):
        music.on("drum", beats.append)
    with pytest.raises(InvalidSetting, match="a listener must be callable; got None"):
        music.on("beat", None)


def test_the_music_thread_is_polite_and_the_games_is_not(music):
    polite = []
    music.on("beat", lambda event: polite.append(turns._own.since))
    music.play(loops=-1)
    wait_for(lambda: polite)
    assert polite[0] is not None
    assert turns._own.since is None


def test_endless_play_and_transitions_with_scenes(mixer):
    scenes = {"battle": Scene(piece=make_piece(2), tempo=1.5)}
    model = Composer(FakeGenerator(), 3)
    with BackgroundMusic(mood="calm", model=model, instrument="chip_triangle", scenes=scenes) as music:
        switches = []
        music.on("transition", switches.append)
        music.play(fade_ms=50)
        wait_for(lambda: music.now_playing is not None)
        assert music.now_playing.seed == 3
        music.transition("battle", at="beat", fade_beats=0)
        wait_for(lambda: switches)
        assert switches[0].scene == "battle"
        assert music.tempo == 1.5
        assert music.stats.errors == []


def test_a_state_can_be_saved_while_playing_and_restored(mixer):
    model = Composer(FakeGenerator(), 3)
    with BackgroundMusic(model=model, instrument="chip_triangle") as music:
        music.play(start=3.0)
        wait_for(lambda: music.position > 3.0)
        saved = music.state()
    with BackgroundMusic.restore(saved, model=Composer(FakeGenerator(), 9)) as again:
        again.play()
        wait_for(lambda: again.now_playing is not None)
        assert again.now_playing.seed == 3
        assert 3.0 < again.position < 3.0 + PATIENCE


def test_a_missing_model_is_raised_from_the_constructor(mixer):
    with pytest.raises(ModelNotFound, match="no-such-model"):
        BackgroundMusic(model="no-such-model")


def test_two_players_sound_at_once(mixer):
    first = BackgroundMusic(make_piece(1), instrument="chip_triangle")
    second = BackgroundMusic(make_piece(2), instrument="chip_square")
    with first, second:
        for music in (first, second):
            music.play(loops=-1)
        wait_for(lambda: first.position > 0.3 and second.position > 0.3)
        assert mixer.Channel(8).get_busy()
        assert mixer.Channel(9).get_busy()
        first.stop()
        wait_for(lambda: not first.get_busy())
        assert second.get_busy()
    assert our_threads() == []


def test_many_calls_in_a_frame_wake_the_thread_once():
    bell = _Bell()
    woken = []
    bell._quiet = type(
        "Lock", (), {"release": lambda self: woken.append(1), "acquire": lambda self, timeout: 1}
    )()
    for _ in range(5):
        bell.ring()
    assert len(woken) == 1
    bell.wait(None)
    bell.ring()
    assert len(woken) == 2


def test_a_player_closed_while_it_composes_does_not_begin_afterwards(mixer, monkeypatch):
    monkeypatch.setattr(player, "CLOSE_SECONDS", 0.05)
    composing, go_on = threading.Event(), threading.Event()

    class Slow(FakeGenerator):
        def compose(self, seed=None, *, latent=None):
            composing.set()
            go_on.wait(PATIENCE)
            return super().compose(seed, latent=latent)

    music = BackgroundMusic(model=Slow(), instrument="chip_triangle")
    music.play()
    assert composing.wait(PATIENCE)
    music.close()
    go_on.set()
    wait_for(lambda: our_threads() == [])
    assert not music.get_busy()
    assert not mixer.get_busy()


def test_the_position_is_never_before_the_beginning(music):
    music.play(loops=-1)
    found = []
    wait_for(lambda: found.append(music.get_pos()) or found[-1] > 200)
    playing = found[found.index(next(one for one in found if one >= 0)) :]
    assert min(playing) >= 0
    assert set(found) - set(playing) <= {-1}


def test_an_end_event_that_is_no_event_type_is_refused_where_it_is_set(music):
    with pytest.raises(InvalidSetting, match="event_type must be a whole number"):
        music.set_endevent("boo")
    with pytest.raises(InvalidSetting, match="event_type must be a whole number"):
        music.set_endevent(70000)
    music.set_endevent(pygame.USEREVENT)
    music.set_endevent()
    assert music.get_endevent() == pygame.NOEVENT


def test_saying_every_frame_which_scene_it_is_composes_nothing_while_the_music_is_held(mixer):
    generator = FakeGenerator()
    with BackgroundMusic(model=generator, instrument="chip_triangle") as music:
        music.transition("calm")
        wait_for(lambda: music.now_playing is not None)
        music.pause()
        wait_for(lambda: not music.get_busy())
        asked = len(generator.asked)
        for _ in range(20):
            music.transition("calm")
            time.sleep(0.01)
        assert len(generator.asked) == asked


def test_a_transition_cancelled_at_once_leaves_player_and_engine_agreed(mixer):
    with BackgroundMusic(model=FakeGenerator(), mood="calm", instrument="chip_triangle") as music:
        music.play()
        music.transition("battle", at="bar")
        music.cancel_transition()
        wait_for(lambda: music.now_playing is not None and music.stats.commands >= 9)
        wait_for(lambda: music._here().state.tempo == pytest.approx(music.tempo))
        assert music.scene == "calm" == music.now_playing.scene
        assert music._here().state.intensity == music.intensity == 0.4


def test_a_place_that_is_restored_is_saved_from_the_first_moment_on(mixer):
    go_on, composing = threading.Event(), threading.Event()

    class Waiting(FakeGenerator):
        def compose(self, seed=None, *, latent=None):
            composing.set()
            assert go_on.wait(PATIENCE)
            return super().compose(seed, latent=latent)

    with BackgroundMusic(model=FakeGenerator(), seed=7, instrument="chip_triangle") as music:
        music.play()
        wait_for(lambda: music.position > 0.2)
        saved = music.state()
    with BackgroundMusic.restore(saved, model=Waiting()) as again:
        again.play()
        saves = [again.state()]
        assert composing.wait(PATIENCE)
        saves.append(again.state())
        assert again.get_busy()
        go_on.set()
        wait_for(lambda: again.now_playing is not None)
        assert [save["step"] for save in saves] == [saved["step"]] * 2


def test_a_request_that_is_taken_between_two_looks_is_seen_by_one_of_them(mixer, monkeypatch):
    class Taking:
        serving = False
        pulse = None

        def expects_sound(self):
            self.serving = True
            return False

    with (
        BackgroundMusic(model=FakeGenerator(), instrument="chip_triangle") as music,
        monkeypatch.context() as m,
    ):
        m.setattr(music, "_engine", Taking())
        assert music.get_busy()


def test_a_transition_cancelled_too_late_is_the_scene_that_plays(mixer):
    scenes = {"a": Scene(piece=make_piece(1)), "b": Scene(piece=make_piece(2))}
    with BackgroundMusic(model=FakeGenerator(), scenes=scenes, instrument="chip_triangle") as music:
        music.transition("a")
        wait_for(lambda: music.now_playing is not None)
        music.transition("b", at="beat", fade_beats=0)
        wait_for(lambda: music.beat_phase > 0.95)
        music.cancel_transition()
        time.sleep(0.5)
        assert music.scene == music.now_playing.scene


def test_a_transition_at_once_is_saved_only_when_it_is_heard(mixer):
    with BackgroundMusic(make_piece(1), model=FakeGenerator(), instrument="chip_triangle") as music:
        music.play(loops=-1)
        wait_for(lambda: music.position > 0.1)
        music.pause()
        wait_for(lambda: not music.get_busy())
        music.transition(Scene(piece=make_piece(2), tempo=2.0), at="now")
        assert music.tempo == 2.0
        assert music.state()["settings"]["tempo"] == 1.0
        music.unpause()
        wait_for(lambda: music.state()["settings"]["tempo"] == 2.0)


def test_a_seed_gives_a_player_the_pieces_that_it_gives_a_stream(mixer):
    stream = Stream(model=FakeGenerator(), seed=1, instrument="chip_triangle")
    stream.transition("battle")
    stream.fill(10)
    generator = FakeGenerator()
    with BackgroundMusic(model=generator, seed=1, instrument="chip_triangle") as music:
        wait_for(lambda: generator.asked)  # it gets ready for what it will probably play
        music.transition("battle")
        wait_for(lambda: music.now_playing is not None)
        assert music.now_playing.seed == stream.now_playing.seed


def test_what_came_is_taken_back_by_nothing_once_the_music_has_stopped(mixer):
    with BackgroundMusic(model=FakeGenerator(), mood="calm", instrument="chip_triangle") as music:
        music.play()
        wait_for(lambda: music.now_playing is not None)
        music.transition("battle", at="now")
        wait_for(lambda: music.now_playing.scene == "battle")
        music.stop()
        wait_for(lambda: not music.get_busy())
        music.cancel_transition()
        assert music.state()["scene_asked"] == "battle"
        assert music.tempo == 1.3
