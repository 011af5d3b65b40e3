"""The platformer: its physics and levels, and a scripted player who must reach victory."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import time
import wave
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from music_fakes import FakeGenerator

PLATFORMER = Path(__file__).parents[1] / "examples" / "platformer"
LEVELS = PLATFORMER / "levels"
sys.path.insert(0, str(PLATFORMER))

import demo  # noqa: E402  the game's modules stand side by side in its folder
import main  # noqa: E402
import music as game_music  # noqa: E402
from danger import danger  # noqa: E402
from game import LIVES, Game  # noqa: E402
from hero import BUFFER, COYOTE, Buttons, hero_at, steer, travel  # noqa: E402
from level import ROWS, TILE, LevelError, load, load_folder, parse  # noqa: E402
from world import World  # noqa: E402

SCORE = 19980
HEAD = "title: Test\ntheme: meadow\nseconds: 60\nnext: test\n\n"
PURE = ("level", "physics", "actors", "hero", "world", "danger", "game", "demo", "record_demo")


def picture(*rows):
    """The rows given as a level's picture, air above them."""
    wide = max(map(len, rows))
    return "\n".join(["." * wide] * (ROWS - len(rows)) + [row.ljust(wide, ".") for row in rows]) + "\n"


def room(*rows):
    return parse(HEAD + picture(*rows), "test", "test.txt")


def world(*rows):
    return World(room(*rows))


def steps(place, count, **held):
    """Kinds of events of ``count`` steps with those buttons held."""
    return [event.kind for _ in range(count) for event in place.step(Buttons(**held))]


@pytest.fixture
def silent(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("SDL_AUDIODRIVER", "none at all")
    import pygame

    pygame.init()
    yield pygame
    pygame.quit()


# --- the scripted player --------------------------------------------------------------------------------


def replay(game, follow=None):
    """Levels finished, in order, and how often each event came."""
    seen, counts = [], Counter()
    for buttons in demo.read():
        here = game.world.level.name
        events = game.step(buttons)
        counts.update(event.kind for event in events)
        if any(event.kind in ("door", "flag", "victory") for event in events):
            seen.append(here)
        if follow is not None:
            follow(game, events)
    return seen, counts


def test_the_scripted_player_finishes_every_area_and_the_boss():
    game = Game(load_folder(LEVELS))
    seen, counts = replay(game)
    assert seen == ["1-meadow", "2-cave", "1-meadow", "3-castle"]
    assert game.screen == "victory"
    assert counts["boss hit"] + counts["boss beaten"] == 3
    assert counts["power-up"] >= 1
    assert counts["die"] == 0
    assert counts["checkpoint"] == 5


def test_the_score_of_the_scripted_player_is_always_the_same():
    scores = []
    for _ in range(2):
        game = Game(load_folder(LEVELS))
        replay(game)
        scores.append((game.score, game.coins, game.lives))
    assert scores == [(SCORE, 50, LIVES + 1)] * 2


def test_the_scripted_player_fails_where_a_level_blocks_the_way(tmp_path):
    for file in LEVELS.glob("*.txt"):
        (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    cave = tmp_path / "2-cave.txt"
    lines = cave.read_text(encoding="utf-8").splitlines()
    pictures = [number for number, line in enumerate(lines) if not line]
    for row in range(ROWS):  # a wall from top to bottom in the third picture
        number = pictures[2] + 1 + row
        lines[number] = lines[number][:20] + "#" + lines[number][21:]
    cave.write_text("\n".join(lines) + "\n", encoding="utf-8")
    game = Game(load_folder(tmp_path))
    replay(game)
    assert game.screen != "victory"


def test_the_scripted_player_fails_where_jumps_are_lower(monkeypatch):
    monkeypatch.setattr("hero.JUMP", 7.0)
    game = Game(load_folder(LEVELS))
    replay(game)
    assert game.screen != "victory"


def test_the_scripted_player_wins_with_music_on_the_silent_sink(silent):
    soundtrack = game_music.Soundtrack(3, model=FakeGenerator())
    scenes = []

    def follow(game, events):
        soundtrack.follow(game, events)
        if soundtrack.music.scene not in scenes:
            scenes.append(soundtrack.music.scene)

    game = Game(load_folder(LEVELS))
    replay(game, follow)
    assert soundtrack.music.silent
    assert (game.screen, game.score) == ("victory", SCORE)
    assert scenes == ["title", "meadow", "cave", "castle", "boss", "victory"]
    deadline = time.monotonic() + 10.0
    while soundtrack.music.now_playing is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert soundtrack.music.now_playing is not None
    soundtrack.close()
    assert soundtrack.music.stats.errors == []


def test_the_recording_of_the_buttons_is_read_as_it_was_written(tmp_path):
    played = [Buttons(), Buttons(right=True, run=True), Buttons(right=True, run=True), Buttons(left=True)]
    demo.write(played, tmp_path / "demo.txt")
    assert (tmp_path / "demo.txt").read_text(encoding="utf-8") == "-*1 RX*2 L*1\n"
    assert list(demo.read(tmp_path / "demo.txt")) == played


@pytest.mark.parametrize("token", ["RX", "Q*3", "R*x", "R*-1"])
def test_a_recording_nobody_understands_is_refused(tmp_path, token):
    (tmp_path / "demo.txt").write_text(f"R*2 {token}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="expected something like RX"):
        list(demo.read(tmp_path / "demo.txt"))


# --- running and jumping --------------------------------------------------------------------------------

FLOOR = ("P" + "." * 38 + "F", "#" * 40)


def highest(hold):
    place = world(*FLOOR)
    steps(place, 5)
    tops = []
    for step in range(60):
        steps(place, 1, jump=step < hold)
        tops.append(place.hero.y)
    return min(tops)


def test_holding_the_button_longer_jumps_higher():
    heights = [highest(hold) for hold in (1, 6, 12, 30)]
    assert heights == sorted(heights, reverse=True)
    assert heights[0] - heights[-1] > TILE


def test_running_is_faster_than_walking():
    walker, runner = world(*FLOOR), world(*FLOOR)
    steps(walker, 90, right=True)
    steps(runner, 90, right=True, run=True)
    assert runner.hero.x > walker.hero.x + 2 * TILE


@pytest.mark.parametrize(("late", "jumps"), [(1, True), (COYOTE - 1, True), (COYOTE, False)])
def test_a_jump_shortly_after_the_edge_still_counts(late, jumps):
    grid = [list("." * 20) for _ in range(ROWS)]
    hero = hero_at(100, 200)
    hero.grounded = True
    steer(hero, Buttons())
    hero.grounded = False
    for _ in range(late - 1):
        steer(hero, Buttons())
        travel(hero, grid)
    assert steer(hero, Buttons(jump=True)) is jumps


@pytest.mark.parametrize(("early", "jumps"), [(1, True), (BUFFER - 1, True), (BUFFER + 1, False)])
def test_a_jump_pressed_shortly_before_landing_happens_on_landing(early, jumps):
    hero = hero_at(100, 200)
    hero.coyote = 0
    steer(hero, Buttons(jump=True))
    for _ in range(early - 1):
        assert not steer(hero, Buttons(jump=True))
    hero.grounded = True
    assert steer(hero, Buttons(jump=True)) is jumps


def test_holding_the_button_does_not_jump_again():
    place = world(*FLOOR)
    assert steps(place, 200, jump=True).count("jump") == 1


def test_walls_stop_and_ledges_hold_from_above_alone():
    place = world("P.#.F", "#####")
    steps(place, 60, right=True)
    assert place.hero.x + place.hero.w == 2 * TILE
    place = world("==...", ".....", "P...F", "#####")
    steps(place, 5)
    kinds = steps(place, 60, jump=True)
    assert "bump" not in kinds
    assert place.hero.grounded
    assert place.hero.bottom == (ROWS - 4) * TILE


def test_a_platform_carries_who_stands_on_it():
    place = world("P.....F", ".......", "h......", "......#")
    steps(place, 40)
    start, board = place.hero.x, place.platforms[0]
    assert place.hero.grounded
    before = board.x
    steps(place, 60)
    assert board.x - before > TILE
    assert place.hero.x - start == pytest.approx(board.x - before)


def test_a_platform_does_not_carry_through_a_wall():
    place = world("P.......F", "....#....", "h...#....", ".........")
    steps(place, 130)
    assert place.platforms[0].x == 4 * TILE
    assert place.hero.x + place.hero.w == 4 * TILE


def test_a_platform_does_not_carry_off_the_level():
    place = world("F...P...", "........", "..h.....", "........")
    steps(place, 129)
    assert place.hero.x + place.hero.w == 8 * TILE
    steps(place, 400)
    assert place.outcome == "playing"


@pytest.mark.parametrize("above", range(20, 32))
def test_who_falls_on_a_rising_platform_lands_on_it(above):
    place = world("F.P.", "....", "..v.", "....", "#...")
    place.tick = 40
    board = place.platforms[0]
    board.x, board.y = board.at(place.tick)
    place.hero.y, place.hero.vy = board.y - place.hero.h - above, 3.0
    steps(place, 20)
    assert place.hero.bottom == board.y


# --- what one meets -------------------------------------------------------------------------------------


def test_coins_blocks_and_bricks_give_what_they_hold():
    place = world("?", ".", ".", "P.o....F", "########")
    assert steps(place, 40, jump=True).count("coin") == 1
    assert place.grid[ROWS - 5][0] == "U"
    assert steps(place, 40, jump=False) == []
    assert "coin" in steps(place, 40, right=True)
    place = world("B", ".", ".", "P......F", "########")
    assert "bump" in steps(place, 40, jump=True)
    steps(place, 30)
    place.hero.powered = True
    assert "brick" in steps(place, 40, jump=True)
    assert place.grid[ROWS - 5][0] == "."


def test_a_block_sprouts_a_sunflower_that_saves_from_one_blow():
    place = world("!......", ".......", ".......", "P.....F", "#######")
    assert "sprout" in steps(place, 40, jump=True)
    place.hero.x, place.hero.y = place.items[0].x, place.items[0].y
    assert "power-up" in [kind for _ in range(40) for kind in steps(place, 1)] or place.hero.powered
    foe = world("P.s...F", "#######")
    foe.hero.powered = True
    kinds = steps(foe, 90, right=True)
    assert kinds.count("hurt") == 1
    assert "die" not in kinds
    assert not foe.hero.powered


@pytest.mark.parametrize(("kind", "expected"), [("g", "stomp"), ("b", "stomp"), ("s", "die"), ("e", "die")])
def test_some_enemies_can_be_stomped_and_some_cannot(kind, expected):
    place = world("P", ".", ".", "." * 3 + kind + "....F", "#" * 9)
    steps(place, 1)
    foe = place.enemies[0]
    place.hero.x, place.hero.y, place.hero.vy = foe.x, foe.y - 40, 4.0
    kinds = steps(place, 12)
    assert expected in kinds
    assert (place.outcome == "dead") is (expected == "die")


def test_two_enemies_side_by_side_are_stomped_together():
    place = world("P", ".", ".", "...gg...F", "#########")
    steps(place, 1)
    left, right = place.enemies
    place.hero.x, place.hero.y, place.hero.vy = (left.x + right.x) / 2, left.y - 40, 4.0
    assert steps(place, 12) == ["stomp", "stomp"]


def test_walkers_turn_back_at_edges_and_walls():
    place = world("P", ".", "#", ".", "...g..#..F", "..########")
    xs = [place.enemies[0].x for _ in range(600) if steps(place, 1) is not None]
    assert min(xs) >= 2 * TILE - 24
    assert max(xs) + 24 <= 6 * TILE
    assert max(xs) - min(xs) > 2 * TILE


@pytest.mark.parametrize("below", [("...F", "#..."), ("...F", "#~~~"), (".^.F", "####")])
def test_pits_lava_and_spikes_kill(below):
    place = world("P", *below) if below[1] == "####" else world("P..F", "#" + below[1][1:])
    kinds = steps(place, 200, right=True)
    assert kinds.count("die") == 1
    assert place.outcome == "dead"
    assert steps(place, 5, right=True) == []


def test_time_runs_out():
    place = World(parse(HEAD.replace("60", "1") + picture("P..F", "####"), "test", "test.txt"))
    kinds = steps(place, 61)
    assert kinds == ["die"]
    assert place.tick == 60


def test_the_clock_stands_still_once_the_boss_is_beaten():
    place = world("P.....K", "#######")
    place.boss.become("beaten")
    place.steps_left = 10
    assert "die" not in steps(place, 200)
    assert (place.outcome, place.steps_left) == ("won", 10)


def test_one_comes_back_at_the_checkpoint_and_gathered_coins_stay_gathered():
    place = world("Po.C....F", "####....#")
    steps(place, 300, right=True)
    assert place.outcome == "dead"
    place.again()
    assert place.outcome == "playing"
    assert place.hero.cx == 3.5 * TILE
    assert place.grid[ROWS - 2][1] == "."
    assert place.steps_left == 60 * 60


def test_danger_grows_as_an_enemy_comes_nearer():
    place = world("P" + "." * 12 + "s" + "." * 6 + "F", "#" * 21)
    far = danger(place)
    steps(place, 90, right=True)
    assert 0.0 <= far < danger(place) <= 1.0


# --- the game around the levels -------------------------------------------------------------------------


def begun():
    game = Game({"1-meadow": room("P.s..F", "######"), "test": room("P....F", "######")})
    for number in range(200):
        game.step(Buttons(start=number == 40))
    assert game.screen == "play"
    return game


def test_pause_holds_the_world():
    game = begun()
    tick = game.world.tick
    assert [event.kind for event in game.step(Buttons(start=True))] == ["pause"]
    for _ in range(50):
        game.step(Buttons(right=True))
    assert game.world.tick == tick
    assert [event.kind for event in game.step(Buttons(start=True))] == ["unpause"]
    game.step(Buttons())
    assert game.world.tick == tick + 1


def test_three_deaths_are_game_over_and_lead_back_to_the_title():
    game = begun()
    kinds = Counter()
    for _ in range(3000):
        kinds.update(event.kind for event in game.step(Buttons(right=True)))
    assert kinds["die"] == LIVES
    assert game.screen == "game over"
    game.step(Buttons(start=True))
    assert game.screen == "title"


def test_copies_of_a_game_do_not_touch_each_other():
    game = begun()
    twin = game.copied()
    before = (game.world.hero.x, game.world.enemies[0].x, game.world.tick)
    for _ in range(40):
        twin.step(Buttons(right=True))
    assert (game.world.hero.x, game.world.enemies[0].x, game.world.tick) == before


# --- levels ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + picture("P.q", "###"), r"bad.txt:16:3: no tile is written 'q'"),
        (HEAD + picture("P.F", "###").replace("###", "####"), "4 tiles wide, but the line above has 3"),
        (HEAD + picture("..F", "###"), "exactly one start P; has 0"),
        (HEAD + picture("PPF", "###"), "exactly one start P; has 2"),
        (HEAD + picture("P..", "###"), "no way out"),
        (HEAD.replace("next: test\n", "") + picture("P.F", "###"), "where it leads"),
        (HEAD.replace("meadow", "moon") + picture("P.F", "###"), "theme must be one of"),
        (HEAD.replace("60", "soon") + picture("P.F", "###"), "seconds must be a whole number, 1 to 999"),
        (HEAD.replace("60", "0") + picture("P.F", "###"), "seconds must be"),
        (HEAD.replace("60", "1000") + picture("P.F", "###"), "seconds must be"),
        (HEAD.replace("60", "9" * 5000) + picture("P.F", "###"), r"bad\.txt: seconds must be"),
        (HEAD.replace("Test", "A" * 25) + picture("P.F", "###"), "a title has at most 24 letters"),
        (HEAD.replace("title: Test\n", "") + picture("P.F", "###"), "the header lacks title"),
        ("colour: red\n" + HEAD + picture("P.F", "###"), "bad.txt:1: expected one of title"),
        (HEAD + "P.F\n###\n", "a picture has 12 lines; this one 2"),
        (HEAD, "no picture of 12 lines"),
    ],
)
def test_a_bad_level_is_refused_and_the_message_says_where(text, message):
    with pytest.raises(LevelError, match=message):
        parse(text, "bad", "bad.txt")


def test_a_file_with_a_mark_of_utf_8_is_read_and_one_in_another_encoding_named(tmp_path):
    text = HEAD.replace("Test", "Höhle") + picture("P.F", "###")
    file = tmp_path / "cave.txt"
    file.write_text(text, encoding="utf-8-sig")
    assert load(file).title == "Höhle"
    for encoding in ("latin-1", "utf-16"):
        file.write_text(text, encoding=encoding)
        with pytest.raises(LevelError, match=r"cave\.txt: save it as UTF-8 text"):
            load(file)


def test_pictures_stand_side_by_side():
    level = parse(HEAD + picture("P.", "##") + "\n" + picture("?.F", "###"), "test", "test.txt")
    assert level.columns == 5
    assert level.rows[-2] == "..?.."
    assert level.rows[-1] == "#####"
    assert [(thing.kind, thing.column) for thing in level.things] == [("P", 0), ("F", 4)]


def test_a_level_must_lead_to_one_that_exists(tmp_path):
    (tmp_path / "one.txt").write_text(HEAD + picture("P.F", "###"), encoding="utf-8")
    with pytest.raises(LevelError, match="next: no level is called 'test'; there are one"):
        load_folder(tmp_path)


def test_the_game_needs_its_first_level(tmp_path):
    (tmp_path / "test.txt").write_text(HEAD + picture("P.F", "###"), encoding="utf-8")
    with pytest.raises(LevelError, match=r"there is no level 1-meadow\.txt in"):
        load_folder(tmp_path)


def test_the_rules_of_the_game_need_neither_pygame_nor_the_package():
    for name in PURE:
        tree = ast.parse((PLATFORMER / f"{name}.py").read_text(encoding="utf-8"))
        names = {
            alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
        }
        names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not any(name.split(".")[0] in ("pygame", "pianogan_bgm", "music") for name in names)


# --- music and the program ------------------------------------------------------------------------------


def test_the_recorded_soundtrack_lasts_as_long_as_the_game_and_sounds(silent, tmp_path):
    path = tmp_path / "out.wav"
    soundtrack = game_music.Soundtrack(3, record=path, model=FakeGenerator())
    game = Game(load_folder(LEVELS))
    for number in range(180):
        soundtrack.follow(game, game.step(Buttons(start=number == 60)))
    assert not path.exists()
    soundtrack.close()
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 44100)
        assert file.getnframes() == 180 * 735
        sound = np.frombuffer(file.readframes(180 * 735), dtype="<i2")
    assert np.abs(sound).max() > 300


def test_a_recording_that_cannot_take_its_place_stays_beside_it(silent, tmp_path, monkeypatch, capsys):
    def refused(path, target):
        raise PermissionError(13, "Access is denied", str(path), None, str(target))

    path = tmp_path / "out.wav"
    soundtrack = game_music.Soundtrack(3, record=path, model=FakeGenerator())
    soundtrack.follow(Game(load_folder(LEVELS)), [])
    monkeypatch.setattr(Path, "replace", refused)
    soundtrack.close()
    with wave.open(str(tmp_path / "out.wav.part"), "rb") as file:
        assert file.getnframes() == 735
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"the recording is in {path}.part: ")


def test_coming_out_of_the_cave_goes_on_where_the_meadow_was_left(silent, tmp_path):
    soundtrack = game_music.Soundtrack(3, record=tmp_path / "out.wav", model=FakeGenerator(256))
    heard = []

    def follow(game, events):
        soundtrack.follow(game, events)
        now = soundtrack.music.now_playing
        if not heard or heard[-1][0] != now.scene:
            heard.append([now.scene, now.seed, soundtrack.music.bar, 0])
        heard[-1][3] = soundtrack.music.bar

    replay(Game(load_folder(LEVELS)), follow)
    soundtrack.close()
    (_, seed, first, left), cave, (_, back_seed, back, _) = heard[1:4]
    assert [entry[0] for entry in heard] == ["title", "meadow", "cave", "meadow", "castle", "boss", "victory"]
    assert (seed, first) == (back_seed, 1)
    assert back in (left, left + 1)
    assert cave[1] != seed


def test_the_last_seconds_hurry_and_a_sunflower_lifts_the_key(silent, tmp_path):
    soundtrack = game_music.Soundtrack(3, record=tmp_path / "out.wav", model=FakeGenerator())
    game = begun()
    soundtrack.follow(game, [])
    tempo, key = soundtrack.music.tempo, soundtrack.music.transpose
    game.world.steps_left = 60 * 20
    game.world.hero.powered = True
    soundtrack.follow(game, [])
    assert soundtrack.music.tempo == pytest.approx(tempo * game_music.HURRY)
    assert soundtrack.music.transpose == key + game_music.SUNNY
    assert soundtrack.music.instrument["melody"] == "music_box"
    soundtrack.follow(game, game.step(Buttons(start=True)))
    assert game.screen == "paused"
    assert soundtrack.music.tempo == pytest.approx(tempo * game_music.HURRY)
    soundtrack.close()


class NamedGenerator(FakeGenerator):
    """A fake that goes by the name of a model."""

    def __init__(self, name="open"):
        super().__init__()
        self.name = name

    def __str__(self):
        return self.name


def test_a_kept_seed_is_what_the_next_game_begins_with(silent, tmp_path):
    file = tmp_path / "kept.json"
    first = game_music.Soundtrack(11, record=tmp_path / "a.wav", model=NamedGenerator(), favourites=file)
    first.follow(Game(load_folder(LEVELS)), [])
    seed = first.keep()
    first.close()
    assert json.loads(file.read_text(encoding="utf-8")) == {"open": {"title": seed}}
    again = game_music.Soundtrack(99, record=tmp_path / "b.wav", model=NamedGenerator(), favourites=file)
    again.follow(Game(load_folder(LEVELS)), [])
    assert again.music.now_playing.seed == seed
    again.another()
    assert again.music.scenes["title"].piece is None
    again.close()


def test_a_kept_seed_comes_again_in_this_run_too(silent, tmp_path):
    file = tmp_path / "kept.json"
    generator = FakeGenerator(256)
    soundtrack = game_music.Soundtrack(3, record=tmp_path / "a.wav", model=generator, favourites=file)
    game = Game(load_folder(LEVELS))
    soundtrack.follow(game, [])
    seed = soundtrack.keep()
    for game.screen in ("play", "title"):
        for _ in range(200):
            soundtrack.follow(game, [])
    assert (soundtrack.music.now_playing.scene, soundtrack.music.now_playing.seed) == ("title", seed)
    soundtrack.close()


def test_a_kept_seed_is_not_asked_of_another_model(silent, tmp_path):
    file = tmp_path / "kept.json"
    file.write_text('{"open": {"title": 5}}', encoding="utf-8")
    other = NamedGenerator("maestro")
    soundtrack = game_music.Soundtrack(11, record=tmp_path / "a.wav", model=other, favourites=file)
    soundtrack.follow(Game(load_folder(LEVELS)), [])
    assert soundtrack.music.scenes["title"].piece is None
    seed = soundtrack.keep()
    soundtrack.close()
    assert game_music.read_favourites(file) == {"open": {"title": 5}, "maestro": {"title": seed}}


def test_a_seed_that_cannot_be_written_is_not_kept_and_the_game_goes_on(silent, tmp_path, capsys):
    file = tmp_path / "none" / "kept.json"
    soundtrack = game_music.Soundtrack(3, record=tmp_path / "a.wav", model=FakeGenerator(), favourites=file)
    soundtrack.follow(Game(load_folder(LEVELS)), [])
    assert soundtrack.keep() is None
    assert capsys.readouterr().err.startswith("this piece could not be kept: ")
    assert soundtrack.heard().line.endswith("could not be kept")
    file.parent.mkdir()
    assert soundtrack.keep() is not None
    assert soundtrack.heard().line.endswith("·  kept")
    soundtrack.close()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1]",
        '{"title": 3}',
        '{"open": {"title": "x", "attic": 3, "cave": -1}}',
        '{"open": {"title": true}}',
        f'{{"open": {{"title": {2**64}}}}}',
    ],
)
def test_a_damaged_file_of_kept_seeds_is_no_obstacle(tmp_path, text):
    (tmp_path / "kept.json").write_text(text, encoding="utf-8")
    kept = game_music.read_favourites(tmp_path / "kept.json")
    assert kept.get("open", {}) == {}


def run_main(*arguments, **environment):
    """The program in a process of its own, without screen and sound."""
    import os

    settings = {"SDL_VIDEODRIVER": "dummy", "SDL_AUDIODRIVER": "dummy", **environment}
    return subprocess.run(
        [sys.executable, str(PLATFORMER / "main.py"), *map(str, arguments)],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_program_runs_with_music_for_as_many_frames_as_asked(tmp_path):
    tiny = pytest.importorskip("tiny_model").write_tiny(tmp_path)
    kept = tmp_path / "kept.json"
    done = run_main("--frames", 40, "--model", tiny, "--seed", 5, "--favourites", kept)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_program_plays_itself_to_victory_even_without_a_model(tmp_path):
    done = run_main("--demo", "--fast", "--mute", "--model", tmp_path / "none.onnx")
    assert done.returncode == 0
    assert "playing without music" in done.stderr


def test_the_program_says_in_one_line_what_is_wrong_with_a_level(tmp_path):
    (tmp_path / "1-meadow.txt").write_text("title: x\n", encoding="utf-8")
    done = run_main("--levels", tmp_path, "--frames", 3)
    assert done.returncode == 1
    assert done.stderr == "main.py: 1-meadow.txt: the header lacks theme, seconds\n"


def test_the_program_says_in_one_line_that_there_are_no_levels(tmp_path):
    done = run_main("--levels", tmp_path / "none", "--frames", 3)
    assert done.returncode == 1
    assert done.stderr == f"main.py: there is no level 1-meadow.txt in {tmp_path / 'none'}\n"


def test_the_program_says_in_one_line_that_it_cannot_record(tmp_path):
    tiny = pytest.importorskip("tiny_model").write_tiny(tmp_path)
    done = run_main("--record", tmp_path / "none" / "out.wav", "--model", tiny, "--frames", 3)
    assert done.returncode == 1
    assert done.stderr.startswith("main.py: ")
    assert done.stderr.count("\n") == 1


def test_the_program_says_in_one_line_that_nothing_can_be_recorded_without_a_model(tmp_path):
    done = run_main("--record", tmp_path / "out.wav", "--model", tmp_path / "none.onnx", "--frames", 3)
    assert done.returncode == 1
    assert done.stderr.startswith("main.py: ")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_program_says_in_one_line_that_there_is_no_screen():
    done = run_main("--frames", 3, SDL_VIDEODRIVER="none at all")
    assert (done.returncode, done.stderr) == (1, "main.py: none at all not available\n")


@pytest.mark.parametrize(("arguments", "fast"), [((), False), (("--demo",), True)])
def test_who_plays_while_recording_has_time_to(silent, tmp_path, monkeypatch, arguments, fast):
    clocks = []

    class Noted(main.Clock):
        def __init__(self, fast):
            clocks.append(fast)
            super().__init__(fast)

    monkeypatch.setattr(main, "Clock", Noted)
    model = pytest.importorskip("tiny_model").write_tiny(tmp_path)
    record = ("--record", str(tmp_path / "out.wav"), "--model", str(model))
    assert main.main([*record, "--frames", "2", *arguments]) == 0
    assert clocks == [fast]


def played(silent, monkeypatch, game, frames, *events):
    """Play ``game`` with ``events``, one a frame (None: none); where it has come to then."""
    canvas, soundtrack = silent.display.set_mode((640, 360)), game_music.Soundtrack(model="none")
    coming = iter(events)

    def get(*_):
        event = next(coming, None)
        return [] if event is None else [event]

    monkeypatch.setattr(silent.event, "get", get)
    main.play(game, canvas, soundtrack, None, main.parse(["--fast", "--frames", str(frames)]))
    return game.screen


def test_the_game_pauses_when_its_window_is_left(silent, monkeypatch):
    left = silent.event.Event(silent.WINDOWFOCUSLOST)
    assert played(silent, monkeypatch, begun(), 30, left) == "paused"


def test_a_level_that_begins_while_the_window_is_left_begins_paused(silent, monkeypatch):
    game = Game({"1-meadow": room("P.s..F", "######"), "test": room("P....F", "######")})
    for number in range(60):
        game.step(Buttons(start=number == 40))
    assert game.screen not in {"play", "paused"}
    left = silent.event.Event(silent.WINDOWFOCUSLOST)
    assert played(silent, monkeypatch, game, 400, left) == "paused"


def test_who_comes_back_may_go_on(silent, monkeypatch):
    left, key = silent.event.Event(silent.WINDOWFOCUSLOST), silent.event.Event(silent.KEYDOWN, key=silent.K_p)
    assert played(silent, monkeypatch, begun(), 12, left, *[None] * 5, key) == "play"


@pytest.mark.parametrize("name", ["", "."])
def test_a_recording_without_a_file_name_is_refused_in_one_line(tmp_path, name):
    done = run_main("--record", name, "--frames", 3)
    assert done.returncode == 1
    assert "needs the name of a file" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_screen_of_one_size_is_no_obstacle(silent):
    silent.display.set_mode((640, 360))
    main.press(silent.K_f, None)


def test_an_empty_playlist_is_refused_in_one_line(tmp_path):
    done = run_main("--playlist", tmp_path, "--frames", 3)
    assert done.returncode == 1
    assert "no MIDI files" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_playlist_is_played_without_a_model(silent, tmp_path):
    from music_fakes import make_piece

    from pianogan_bgm.midi import write_midi

    for number in (1, 2):
        write_midi(make_piece(number), tmp_path / f"{number}.mid")
    missing = tmp_path / "none.onnx"
    soundtrack = game_music.Soundtrack(3, playlist=tmp_path, record=tmp_path / "out.wav", model=missing)
    game = Game(load_folder(LEVELS))
    soundtrack.follow(game, [])
    soundtrack.show_roll = True
    notes = soundtrack.heard().notes
    assert len(notes) > 20
    soundtrack.another()
    for _ in range(240):
        soundtrack.follow(game, game.step(Buttons()))
    assert soundtrack.heard().notes
    assert soundtrack.heard().notes != notes
    soundtrack.close()


@pytest.mark.parametrize("milliseconds", [16, 17, 20, 21, 25])
def test_the_game_keeps_real_time_at_any_rate_of_frames(silent, monkeypatch, milliseconds):
    clock = main.Clock(fast=False)
    monkeypatch.setattr(clock, "_clock", SimpleNamespace(tick=lambda _: milliseconds))
    seconds = sum(clock.steps_due() for _ in range(500)) / 60
    assert seconds == pytest.approx(500 * milliseconds / 1000, rel=0.05)


def test_keys_ask_for_another_piece_keep_it_show_its_roll_and_mute(silent, tmp_path):
    file = tmp_path / "kept.json"
    soundtrack = game_music.Soundtrack(3, record=tmp_path / "a.wav", model=NamedGenerator(), favourites=file)
    game = Game(load_folder(LEVELS))
    soundtrack.follow(game, [])
    first = soundtrack.music.now_playing.seed
    main.press(silent.K_n, soundtrack)
    for _ in range(240):
        soundtrack.follow(game, [])
    second = soundtrack.music.now_playing.seed
    assert second != first
    main.press(silent.K_k, soundtrack)
    assert game_music.read_favourites(file) == {"open": {"title": second}}
    for shown in (True, False):
        main.press(silent.K_TAB, soundtrack)
        assert soundtrack.heard().show_roll is shown
    for volume in (0.0, 0.8):
        main.press(silent.K_m, soundtrack)
        assert soundtrack.music.volume == volume
    soundtrack.close()


class Pad:
    """A gamepad with a stick pushed and one button held."""

    def __init__(self, across, button, buttons=11, hats=1):
        self.across, self.button = across, button
        self.buttons, self.hats = buttons, hats

    def get_numaxes(self):
        return 2

    def get_axis(self, _):
        return self.across

    def get_numhats(self):
        return self.hats

    def get_hat(self, _):
        return 0, 0

    def get_numbuttons(self):
        return self.buttons

    def get_button(self, number):
        return number == self.button


@pytest.mark.parametrize(
    ("buttons", "hats", "start", "nothing"),
    [(11, 1, 7, 8), (16, 0, 6, 9), (16, 0, 6, 7), (13, 1, 9, 6), (13, 1, 9, 7)],
    ids=["xbox", "ps4 bumper", "ps4 stick", "ps5 left trigger", "ps5 right trigger"],
)
def test_every_gamepad_pauses_by_its_own_button(silent, buttons, hats, start, nothing):
    from controls import Controls

    controls = Controls()
    for button, paused in ((start, True), (nothing, False)):
        controls._pads[0] = Pad(0.0, button, buttons, hats)
        assert controls.buttons() == Buttons(start=paused)


def test_a_cross_that_is_made_of_buttons_steers(silent):
    from controls import Controls

    controls = Controls()
    controls._pads[0] = Pad(0.0, 13, buttons=16, hats=0)
    assert controls.buttons() == Buttons(left=True)
    controls._pads[0] = Pad(0.0, 14, buttons=16, hats=0)
    assert controls.buttons() == Buttons(right=True)


def test_keyboard_and_gamepad_press_the_same_buttons(silent, monkeypatch):
    from collections import defaultdict

    from controls import Controls

    controls = Controls()
    assert controls.buttons() == Buttons()
    held = defaultdict(bool, {silent.K_LEFT: True, silent.K_SPACE: True, silent.K_LSHIFT: True})
    monkeypatch.setattr(silent.key, "get_pressed", lambda: held)
    assert controls.buttons() == Buttons(left=True, jump=True, run=True)
    monkeypatch.setattr(silent.key, "get_pressed", lambda: defaultdict(bool))
    controls._pads[0] = Pad(0.9, 7)
    assert controls.buttons() == Buttons(right=True, start=True)
    controls._pads[0] = Pad(0.1, 0)
    assert controls.buttons() == Buttons(jump=True)


def test_what_was_struck_and_let_go_between_two_steps_counts_for_one(silent):
    from controls import Controls

    controls = Controls()
    controls._pads[0] = Pad(0.0, None)
    controls.notice(silent.event.Event(silent.KEYDOWN, key=silent.K_SPACE))
    controls.notice(silent.event.Event(silent.KEYUP, key=silent.K_SPACE))
    controls.notice(silent.event.Event(silent.JOYBUTTONDOWN, instance_id=0, button=7))
    assert controls.buttons() == Buttons(jump=True, start=True)
    assert controls.buttons() == Buttons()


def test_every_screen_can_be_drawn_and_looks_different(silent):
    from view import Heard, View

    canvas = silent.display.set_mode((640, 360))
    view, game, shots = View(), begun(), {}

    def draw():
        view.draw(canvas, game, Heard(0.5, "seed 1", show_roll=True))
        shots[game.screen] = silent.image.tobytes(canvas, "RGB")

    draw()
    game.step(Buttons(start=True))
    draw()
    game.step(Buttons())
    game.step(Buttons(start=True))
    while game.screen != "game over":
        view.follow(game, game.step(Buttons(right=True)))
        if game.age % 10 == 0:
            draw()
    draw()
    for number in range(40):
        game.step(Buttons(start=number == 39))
    draw()
    assert set(shots) == {"play", "paused", "dying", "game over", "title"}
    assert len(set(shots.values())) == 5


def test_what_moves_by_itself_moves_with_steps_and_not_with_pictures(silent):
    from view import Heard, View

    canvas = silent.display.set_mode((640, 360))

    def seen(pictures):
        view, game = View(), begun()
        for _ in range(90):
            view.follow(game, game.step(Buttons(right=True, run=True)))
            for _ in range(pictures):
                view.draw(canvas, game, Heard())
        view.draw(canvas, game, Heard())
        return silent.image.tobytes(canvas, "RGB")

    assert seen(0) == seen(1) == seen(3)


@pytest.fixture
def written(monkeypatch):
    """Where each line stands that is written from now on."""
    from hud import Type

    places = {}

    def put(letters, _, text, size, at, *more, anchor=None):
        line = letters.line(text, size, (255, 255, 255))
        places[text] = line.get_rect(**{anchor or (more[1:] or ("topleft",))[0]: at})

    monkeypatch.setattr(Type, "put", put)
    return places


@pytest.mark.parametrize(
    ("mood", "screens"),
    [
        ("asleep", ("title", "card", "play", "paused", "dying", "clear", "game over", "victory")),
        ("walk", ("play", "paused", "dying")),
    ],
)
def test_the_piano_roll_hides_nothing_that_is_written(silent, written, mood, screens):
    import view as drawn
    from hud import ROLL_BOX

    canvas, picture = silent.display.set_mode((640, 360)), drawn.View()
    game = Game(load_folder(LEVELS))
    game._enter("3-castle")
    game.world.boss.become(mood)
    for game.screen in screens:
        written.clear()
        game.age = 60
        picture.draw(canvas, game, drawn.Heard(1.0))
        box = ROLL_BOX.move(0, drawn.roll_top(game) - ROLL_BOX.top)
        assert [text for text, place in written.items() if box.colliderect(place)] == []
        assert written


def test_a_fourth_level_is_the_fourth_movement(silent, written):
    from view import Heard, View

    names = ["1-meadow", *(f"level-{number:02}" for number in range(2, 12))]
    game = Game({name: replace(room("P....F", "######"), name=name) for name in names})
    canvas, picture = silent.display.set_mode((640, 360)), View()
    game.screen = "card"
    for name in names:
        game._enter(name)
        picture.draw(canvas, game, Heard())
    numbers = [line.removeprefix("Movement ") for line in written if line.startswith("Movement ")]
    assert numbers == ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "11"]


def test_an_ember_leaps_out_of_lava_that_has_no_hole():
    assert room("P.....F", "#~e~#e#").rows[-1] == "#~~~#.#"


def test_danger_makes_the_music_richer_and_peace_thinner(silent, tmp_path):
    soundtrack = game_music.Soundtrack(3, record=tmp_path / "out.wav", model=FakeGenerator())
    game = begun()
    for _ in range(100):
        soundtrack.follow(game, game.step(Buttons()))
        game.world.enemies[0].x = 2.0 * TILE
    threatened = soundtrack.music.intensity
    game.world.enemies.clear()
    for _ in range(100):
        soundtrack.follow(game, game.step(Buttons()))
    assert threatened > 0.75
    assert soundtrack.music.intensity < 0.6
    soundtrack.close()
