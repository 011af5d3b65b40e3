"""Saved states in the corners: right after a call, chosen otherwise since."""

from dataclasses import replace

import numpy as np
import pytest
from music_fakes import FakeGenerator, make_piece

from pianogan_bgm import Scene, Stream
from pianogan_bgm.composer import Composer
from pianogan_bgm.midi import write_midi

RATE = 8000
BAR = 16000


def piece(number, **shape):
    return replace(make_piece(number, **shape), title=f"p{number}")


def made(source=None, **settings):
    settings.setdefault("model", Composer(FakeGenerator(), 7))
    return Stream(source, rate=RATE, instrument="chip_triangle", **settings)


def saved_of(stream, frames=BAR + 100):
    stream.fill(frames)
    return stream.state()


def restored(saved, **settings):
    settings.setdefault("model", Composer(FakeGenerator(), 8))
    return Stream.restore(saved, rate=RATE, **settings)


def looping(number=1, **settings):
    stream = made(piece(number), **settings)
    stream.play(loops=-1)
    return stream


def test_what_is_chosen_after_restoring_goes_before_the_saved_place():
    saved = saved_of(looping())
    loaded, unloaded, gone_over = (restored(saved) for _ in range(3))
    loaded.load(piece(2))
    unloaded.unload()
    gone_over.transition(piece(3))
    gone_over.fill(BAR)
    gone_over.stop()
    gone_over.fill(BAR)
    names = []
    for stream in (loaded, unloaded, gone_over):
        stream.play()
        stream.fill(1)
        names.append(stream.now_playing.name)
        assert stream.position < 0.1
    assert names[0] == "p2"
    assert names[1].startswith("fake")
    assert names[2] == "p3"


def test_a_restored_scene_plays_its_piece_again_after_a_stop():
    scenes = {"title": Scene(piece=piece(1))}
    stream = made(scenes=scenes)
    stream.transition("title")
    again = restored(saved_of(stream), scenes=scenes)
    again.play()
    again.fill(100)
    again.stop()
    again.fill(BAR)
    again.play()
    again.fill(1)
    assert (again.now_playing.name, again.now_playing.scene) == ("p1", "title")


def test_a_transition_at_once_is_saved_whole_or_not_at_all():
    stream = looping(scenes={"boss": Scene(piece=piece(2), tempo=2.0)})
    stream.fill(BAR)
    stream.transition("boss", at="now")
    saved = stream.state()
    assert saved["scene"] == saved["scene_asked"] == "boss"
    assert saved["settings"]["tempo"] == 2.0


@pytest.mark.parametrize("seed", range(12))
def test_a_restored_playlist_plays_no_track_twice_running(tmp_path, seed):
    for number in range(3):
        write_midi(make_piece(number + 1), tmp_path / f"t{number}.mid")
    stream = Stream(playlist=tmp_path, seed=seed, rate=RATE, instrument="chip_triangle")
    stream.play()
    saved = saved_of(stream)
    again = Stream.restore(saved, playlist=tmp_path, seed=seed + 100, rate=RATE)
    again._composer.think()  # as a player does at once, to have something ready
    again.play()
    again.fill(10 * BAR)
    names = [event.piece for event in again.events() if event.kind == "piece"]
    assert len(names) == 3
    assert names[0] != names[1] != names[2]


def test_a_ducked_save_is_ducked_by_whatever_begins_it():
    stream = looping()
    stream.duck(0.1)
    saved = saved_of(stream)
    played, gone_over = restored(saved), restored(saved)
    played.play()
    gone_over.transition(piece(1), at="now")
    for again in (played, gone_over):
        again.fill(10)
        assert again._here().state.mix.duck.high == 0.1


def test_a_save_knows_how_often_a_loop_came_round_for_its_laps_are_on_the_beat():
    stream = made(piece(1))
    stream.play(loops=1)
    again = restored(saved_of(stream, 5 * BAR))
    again.play()
    again.fill(10)
    deck = again._here().state.deck
    assert (deck.loops, deck.lap) == (0, 1)


def test_a_place_that_could_not_be_composed_is_kept_for_another_try():
    class Refusing(FakeGenerator):
        refuses = True

        def compose(self, seed=None, *, latent=None):
            if self.refuses:
                raise RuntimeError("not now")
            return super().compose(seed, latent=latent)

    stream = made()
    stream.play()
    saved, generator = saved_of(stream), Refusing()
    again = restored(saved, model=Composer(generator, 8))
    with pytest.raises(RuntimeError, match="not now"):
        again.play()
    assert again.state()["step"] == saved["step"]
    generator.refuses = False
    again.play()
    again.fill(10)
    assert again.position == pytest.approx(stream.position, abs=0.01)


def test_the_order_of_pieces_does_not_depend_on_what_was_made_ready():
    thoughtful, other = Composer(FakeGenerator(), 5), Composer(FakeGenerator(), 5)
    thoughtful.think(None)
    moods = ("calm", "battle", None, "calm")
    seeds = [[one.following(mood).piece.seed for mood in moods] for one in (thoughtful, other)]
    assert seeds[0] == seeds[1]
    assert list(thoughtful.recent) == list(other.recent)
    assert np.unique(seeds[0]).size == len(moods)


def test_what_is_queued_after_restoring_comes_before_what_was_drawn():
    stream = made()
    stream.play()
    again = restored(saved_of(stream))
    again.play()
    again.queue(piece(2))
    again.fill(8 * BAR)
    assert [event.piece for event in again.events() if event.kind == "piece"][1] == "p2"


def test_a_scene_held_in_a_save_keeps_the_piece_that_was_to_follow():
    scenes = {"village": Scene(hold=True), "battle": Scene(piece=piece(2))}
    stream = made(scenes=scenes)
    stream.transition("village")
    stream.fill(BAR)
    stream.transition("battle", at="now")
    saved = saved_of(stream)
    (held,) = saved["held"]
    follows = held["queue"][0]["piece"]["seed"]
    again = restored(saved, scenes=scenes)
    again.play()
    again.fill(10)
    again.transition("village", at="now")
    again.fill(5 * BAR)
    assert again.now_playing.seed == follows
