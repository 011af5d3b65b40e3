"""What is asked for and what has come of it, in any order."""

from dataclasses import replace

from pianogan_bgm.asked import Agenda, Asked
from pianogan_bgm.scenes import Feel

CALM = Asked("calm", "calm", None, 0.8, 0.4, 0, ("piano",) * 4)


def agenda():
    return Agenda(replace(CALM))


def ask(agenda, scene, waits=True, **feel):
    """A transition to ``scene``, as music asks for it."""
    coming = agenda.on_its_way(0)
    before = agenda.latest if coming is None or not coming.waits else coming.before
    return agenda.ask(
        replace(before, scene=scene, **feel), before, Feel(**{**dict.fromkeys(Feel._fields), **feel}), waits
    )


def test_what_is_asked_for_holds_at_once_and_is_on_its_way_until_it_has_come():
    it = agenda()
    number = ask(it, "battle", tempo=1.3)
    assert (it.latest.scene, it.latest.tempo) == ("battle", 1.3)
    assert it.on_its_way(number - 1).asked is it.latest
    assert it.on_its_way(number) is None
    assert it.latest.scene == "battle"


def test_what_could_not_be_made_leaves_what_was_and_is_refused():
    it = agenda()
    it.failed.append(ask(it, "boss", tempo=2.0))
    assert it.on_its_way(0) is None
    assert it.latest == CALM
    assert it.refused == "boss"
    ask(it, "shop")
    assert it.refused is None


def test_what_is_set_meanwhile_stays_set_whatever_fails():
    it = agenda()
    number = ask(it, "boss", tempo=2.0)
    for asked in it.standing:
        asked.intensity = 0.9
    it.failed.append(number)
    it.on_its_way(0)
    assert it.latest == replace(CALM, intensity=0.9)


def test_of_two_that_fail_neither_leaves_a_trace():
    it = agenda()
    first = ask(it, "boss", waits=False, tempo=2.0, transpose=7)
    second = ask(it, "shop")
    assert it.latest.tempo == 2.0
    it.failed.extend((first, second))
    assert it.on_its_way(0) is None
    assert it.latest == CALM


def test_what_follows_one_that_failed_follows_what_was_before_it():
    it = agenda()
    first = ask(it, "boss", waits=False, tempo=2.0, transpose=7)
    second = ask(it, "shop", intensity=0.6)
    it.failed.append(first)
    assert it.on_its_way(0).serial == second
    assert it.latest == replace(CALM, scene="shop", intensity=0.6)
    it.take_back(it.on_its_way(0))
    assert it.latest == CALM


def test_one_that_waits_comes_after_all_where_what_replaced_it_failed():
    it = agenda()
    first = ask(it, "battle", tempo=1.5)
    second = ask(it, "boss")
    assert it.latest.tempo == 0.8
    it.failed.append(second)
    assert it.on_its_way(0).serial == first
    assert (it.latest.scene, it.latest.tempo) == ("battle", 1.5)
    assert it.on_its_way(first) is None
    assert (it.latest.scene, it.latest.tempo) == ("battle", 1.5)


def test_what_is_taken_back_takes_with_it_what_it_replaced():
    it = agenda()
    ask(it, "battle")
    ask(it, "boss")
    it.take_back(it.on_its_way(0))
    assert it.on_its_way(0) is None
    assert it.latest == CALM


def test_what_comes_though_it_was_taken_back_is_the_scene_that_plays():
    it = agenda()
    number = ask(it, "battle", tempo=1.5)
    it.take_back(it.on_its_way(0))
    assert it.latest == CALM
    assert it.on_its_way(number) is None
    assert (it.latest.scene, it.latest.tempo) == ("battle", 1.5)


def test_what_comes_before_it_was_replaced_is_what_the_next_one_follows():
    it = agenda()
    first = ask(it, "battle", tempo=1.5)
    second = ask(it, "shop")
    assert it.on_its_way(first).serial == second
    assert (it.latest.scene, it.latest.tempo) == ("shop", 1.5)
    it.take_back(it.on_its_way(first))
    assert (it.latest.scene, it.latest.tempo) == ("battle", 1.5)


def test_asking_and_taking_back_for_ever_keeps_nothing():
    it = agenda()
    for _ in range(100):
        ask(it, "battle")
        it.take_back(it.on_its_way(0))
    assert len(it.standing) < 5
    for _ in range(100):
        ask(it, "battle")
    assert len(it.standing) < 20


def test_a_place_that_could_not_be_gone_on_at_is_kept():
    it = agenda()
    saved = {"version": 1}
    it.saved = saved
    number = it.ask(replace(CALM), it.latest, saved=it.saved)
    assert it.saved is None
    it.failed.append(number)
    assert it.on_its_way(0) is None
    assert it.saved is saved
