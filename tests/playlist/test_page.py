"""The page in a real Chromium, where Playwright and one are installed; its text everywhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from manifests import a_manifest, a_track
from tiny_model import write_tiny

from pianogan_bgm import cli
from pianogan_bgm.manifest import Manifest, read_manifest, write_manifest
from pianogan_bgm.notes import MAX_STEPS, Note
from pianogan_bgm.piece import Piece
from pianogan_bgm.playlist import page as page_module
from pianogan_bgm.playlist.page import pack, page, write_page


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tracks, the last one without its sound file."""
    made = tmp_path_factory.mktemp("page")
    model = write_tiny(tmp_path_factory.mktemp("model"))
    options = ("--instrument", "chip_square", "--rate", "8000", "--seeds", "2,9,28", "--tempo", "300")
    command = [
        "playlist",
        "--model",
        str(model),
        "-o",
        str(made),
        *options,
        "--formats",
        "mid,ogg,png",
        "--stems",
    ]
    assert cli.main(command) == 0
    manifest = read_manifest(made)
    moods = (("calm", "sad"), ("calm",), ("battle",))
    tracks = tuple(replace(track, moods=m) for track, m in zip(manifest.tracks, moods, strict=True))
    write_manifest(replace(manifest, tracks=tracks), made)
    write_page(made, read_manifest(made), "Nobody & friends")
    (made / f"{tracks[2].name}.ogg").unlink()
    return made


def embedded(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_the_page_needs_nothing_from_elsewhere(folder: Path) -> None:
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|@import|<link[^>]+stylesheet|<script[^>]+src", text)
    assert "@DATA@" not in text
    assert "@TITLE@" not in text


def test_a_hostile_title_stays_a_title(tmp_path: Path) -> None:
    title = "</script><script>alert(1)</script><!-- & \"'"
    manifest = a_manifest(a_track(title=title, files=()), title=title)
    text = page(tmp_path, manifest, title)
    assert text.count("<script") == page(tmp_path, a_manifest(a_track(files=())), "").count("<script")
    assert embedded(text)["tracks"][0]["title"] == embedded(text)["credits"] == title


def test_only_so_many_tracks_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "MOST_TRACKS", 2)
    manifest: Manifest = a_manifest(*(a_track(name, files=()) for name in "abc"))
    data = embedded(page(tmp_path, manifest, ""))
    assert ([track["name"] for track in data["tracks"]], data["left"]) == (["a", "b"], 1)


def test_large_seeds_keep_their_digits(tmp_path: Path) -> None:
    data = embedded(page(tmp_path, a_manifest(a_track(seeds=(2**64 - 1,), files=())), ""))
    assert data["tracks"][0]["seeds"] == ["18446744073709551615"]


# ---------------------------------------------------------------------------------------------- Node.js

STAND_INS = """
const assert = require("node:assert");
const STEPS = 4;
let now = 0, strikes = 0, last = 0;
const waking = [], timers = new Map(), frames = new Map();
const setInterval = (call) => { timers.set(last += 1, call); return last; };
const clearInterval = (id) => timers.delete(id);
const requestAnimationFrame = (call) => { frames.set(last += 1, call); return last; };
const cancelAnimationFrame = (id) => frames.delete(id);
const nothing = new Proxy(() => {}, { get: (_, name) => name === "value" ? 0 : nothing,
  set: () => true, apply: () => nothing });
class AudioContext {
  get currentTime() { return now; }
  resume() { return new Promise((done) => waking.push(done)); }
  createGain() { return nothing; }
  createOscillator() { strikes += 1; return nothing; }
}
function until(time) { for (; now < time; now += 0.1) for (const call of [...timers.values()]) call(); }
async function wake() {
  for (const done of waking.splice(0)) done();
  await new Promise((done) => setImmediate(done));
}
const track = { tempo: 120, first: 0, seconds: 10,
  notes: Array.from({ length: 80 }, (_, step) => ({ step, pitch: 60, held: 1, velocity: 80 })) };
"""
BEGUN = "const ends = []; const player = new NotePlayer(() => ends.push(now)); player.load(track);"
BEHAVIOUR = {
    "a pause while the context starts": """
        player.play(); player.pause(); await wake(); until(5);
        assert.deepEqual([timers.size, strikes, player.seconds], [0, 0, 0]);""",
    "two plays while the context starts": """
        player.play(); player.play(); await wake();
        assert.equal(timers.size, 1);
        player.pause(); strikes = 0; until(5);
        assert.deepEqual([timers.size, strikes], [0, 0]);""",
    "another track while the context starts": """
        player.play(); player.unload(); player.load(track); player.play(); await wake();
        assert.equal(timers.size, 1);""",
    "a play while it plays": """
        player.play(); await wake(); until(5); player.play(); await wake();
        assert.equal(timers.size, 1);
        assert.ok(Math.abs(player.seconds - 5) < 0.2, player.seconds);""",
    "a new place while the context starts": """
        player.play(); player.seconds = 7; await wake(); until(1);
        assert.equal(timers.size, 1);
        assert.ok(Math.abs(player.seconds - 8) < 0.2, player.seconds);""",
    "loop switched off in the third lap": """
        player.play(); await wake(); until(23); player.looping = false;
        assert.ok(Math.abs(player.seconds - 3) < 0.2, player.seconds);
        until(29); assert.deepEqual(ends, []);
        until(40); assert.equal(ends.length, 1);
        assert.ok(Math.abs(ends[0] - 30) < 0.3, ends[0]);
        assert.ok(strikes >= 240 && strikes < 250, strikes);""",
    "loop switched off and on again": """
        player.play(); await wake(); until(23); player.looping = false; until(24); player.looping = true;
        until(45); assert.deepEqual([ends, timers.size], [[], 1]);
        assert.ok(Math.abs(player.seconds - 5) < 0.2, player.seconds);""",
}


def node(script: str, folder: Path) -> None:
    """Run ``script``, which asserts, in Node.js."""
    if shutil.which("node") is None:
        pytest.skip("Node.js is not installed")
    (folder / "test.js").write_text(script, encoding="utf-8")
    command = ["node", str(folder / "test.js")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def part(first: str, behind: str) -> str:
    """The page's script from ``first`` up to ``behind``."""
    text = (files("pianogan_bgm.playlist") / "index.html").read_text(encoding="utf-8")
    return text[text.index(first) : text.index(behind)]


@pytest.mark.parametrize("what", BEHAVIOUR)
def test_the_player_of_notes(tmp_path: Path, what: str) -> None:
    player = part("class NotePlayer", "const files = new FilePlayer")
    node(
        f"{STAND_INS}{player}(async () => {{ {BEGUN} {BEHAVIOUR[what]} console.log('done'); }})();", tmp_path
    )


def test_however_often_it_is_played_the_playhead_is_moved_once_a_frame(tmp_path: Path) -> None:
    page_of = part("let player = files;", "function ended()") + part("function follow()", "function show()")
    script = """
let placed = 0;
const say = () => {}, show = () => {}, place = () => { placed += 1; };
const $ = () => ({ value: "0.8" });
const card = { classList: { add() {}, remove() {} } };
const files = { load() {}, unload() {}, pause() {}, play: async () => {} };
function frameOnce() {
  const calls = [...frames.values()];
  frames.clear();
  placed = 0;
  for (const call of calls) call();
}
"""
    asserts = """
const one = { card, sound: "a.ogg" };
play(one); play(one); frameOnce(); play(one); frameOnce();
assert.deepEqual([placed, frames.size], [1, 1]);
pause(); play(one); frameOnce();
assert.deepEqual([placed, frames.size], [1, 1]);
pause(); frameOnce(); frameOnce();
assert.deepEqual([placed, frames.size], [0, 0]);
console.log("done");
"""
    node(STAND_INS + script + page_of + asserts, tmp_path)


def test_notes_late_in_a_long_medley_are_found_where_they_were(tmp_path: Path) -> None:
    packed = pack(Piece((Note(3, 60, 2), Note(MAX_STEPS - 1, 61, 1, 90)), steps=MAX_STEPS))
    expected = [
        {"step": 3, "pitch": 60, "held": 2, "velocity": 81},
        {"step": MAX_STEPS - 1, "pitch": 61, "held": 1, "velocity": 90},
    ]
    unpack = part("function unpack", "// -----")
    said = f"assert.deepEqual(unpack({json.dumps(packed)}), {json.dumps(expected)}); console.log('done');"
    node(f"{STAND_INS}{unpack}{said}", tmp_path)


def test_the_page_counts_one_track_as_one(tmp_path: Path) -> None:
    summary = part('$("summary")', '$("credits").textContent')
    script = """
const element = {}, $ = () => element;
for (const [count, words] of [[1, "1 track. any use."], [2, "2 tracks. any use."]]) {
  const data = { tracks: Array(count), licence: "any use", left: 0 };
"""
    node(
        f"{STAND_INS}{script}{summary} assert.equal(element.textContent, words); }} console.log('done');",
        tmp_path,
    )


def test_what_the_filter_left_out_while_the_colours_changed_is_drawn_anew(tmp_path: Path) -> None:
    script = """
const window = { devicePixelRatio: 1 };
const colours = () => () => "#000000", rgb = () => [0, 0, 0], place = () => {};
const canvas = { clientWidth: 100, clientHeight: 50, getContext: () => nothing };
const one = { ...track, canvas, beats: 20, beatsPerBar: 4 };
"""
    asserts = """
draw(one);
assert.equal(one.drawn, true);
canvas.clientWidth = 0;
draw(one);
assert.equal(one.drawn, false);
console.log("done");
"""
    node(STAND_INS + script + part("function draw(track)", "function place(track)") + asserts, tmp_path)


def test_the_keys_are_those_on_the_keyboard_with_caps_lock_too(tmp_path: Path) -> None:
    script = """
let press, current = null, playing = false;
const done = [], document = { addEventListener: (_, call) => { press = call; } };
const one = { card: nothing, button: nothing };
const neighbour = (by) => { done.push(by); return one; };
const choose = (track) => { current = track; }, loop = () => done.push("loop");
"""
    asserts = """
for (const key of ["j", "J", "k", "K", "l", "L", "Dead"]) press({ key, target: { closest: () => null } });
assert.deepEqual(done, [1, 1, -1, -1, "loop", "loop"]);
console.log("done");
"""
    handler = part('document.addEventListener("keydown"', "filter();\nshow();")
    node(STAND_INS + script + handler + asserts, tmp_path)


# --------------------------------------------------------------------------------------------- Chromium


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    api = pytest.importorskip(
        "playwright.sync_api", reason="Playwright drives the browser; it is in the dev extra"
    )
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    own = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    with api.sync_playwright() as driver:
        if own is None and not Path(driver.chromium.executable_path).exists():
            pytest.skip("no Chromium is installed (CHROMIUM may name one)")
        arguments = ["--autoplay-policy=no-user-gesture-required", "--no-sandbox", "--mute-audio"]
        browser = driver.chromium.launch(executable_path=own, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium: Any, folder: Path) -> Iterator[Any]:
    """The page from the file system; errors of its console end the test."""
    context = chromium.new_context(viewport={"width": 1100, "height": 900})
    tab = context.new_page()
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    tab.goto((folder / "index.html").as_uri())
    yield tab
    context.close()
    assert [line for line in errors if "ERR_FILE_NOT_FOUND" not in line] == []


def card(tab: Any, number: int) -> Any:
    return tab.locator("article").nth(number)


def seconds(tab: Any, number: int) -> float:
    return float(card(tab, number).get_by_role("slider").get_attribute("aria-valuenow"))


def moves_on(tab: Any, number: int) -> None:
    tab.wait_for_function(
        "n => Number(document.querySelectorAll('[role=slider]')[n].ariaValueNow) > 0.2", arg=number
    )


def test_it_shows_every_track_with_its_files_and_credits(tab: Any, folder: Path) -> None:
    tracks = read_manifest(folder).tracks
    assert tab.locator("article h2").all_inner_texts() == [f"{n}. {t.title}" for n, t in enumerate(tracks, 1)]
    names = {link.get_attribute("download") for link in tab.locator("a").all()}
    assert names == {file.name for track in tracks for file in track.files}
    assert tab.locator("#credits").inner_text() == "Nobody & friends"
    assert "seed 9" in card(tab, 1).inner_text()


def test_it_draws_the_notes(tab: Any) -> None:
    # drawn when the browser has told the page that the canvas is in view, some time after loading
    tab.wait_for_function(
        """() => { const canvas = document.querySelector('canvas');
        const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        const seen = new Set();
        for (let i = 0; i < pixels.length; i += 4) seen.add(pixels.slice(i, i + 3).join());
        return seen.size > 5; }"""
    )


def test_a_track_plays_and_its_playhead_moves(tab: Any) -> None:
    card(tab, 0).get_by_role("button", name=re.compile("^Play ")).click()
    moves_on(tab, 0)
    assert "matrix" in card(tab, 0).locator(".head").evaluate("head => getComputedStyle(head).transform")
    assert card(tab, 0).get_by_role("button", name=re.compile("^Pause ")).is_visible()
    card(tab, 1).get_by_role("button", name=re.compile("^Play ")).click()
    moves_on(tab, 1)
    assert seconds(tab, 0) == 0
    card(tab, 1).get_by_role("button", name=re.compile("^Pause ")).click()
    still = seconds(tab, 1)
    tab.wait_for_timeout(200)
    assert seconds(tab, 1) == pytest.approx(still, abs=0.1)
    assert tab.evaluate("files.audio.loop") is True


def test_without_its_sound_file_a_track_plays_its_notes(tab: Any) -> None:
    card(tab, 2).get_by_role("button", name=re.compile("^Play ")).click()
    tab.wait_for_function("() => player === notes && playing && notes.seconds > 0.2")
    assert "these are the bare notes" in tab.locator("#message").inner_text()
    assert tab.evaluate("notes.sounding.size + notes.index") > 0


def test_without_loop_the_next_track_follows(tab: Any) -> None:
    card(tab, 0).get_by_role("button", name="Loop").click()
    assert card(tab, 0).get_by_role("button", name="Loop").get_attribute("aria-pressed") == "false"
    card(tab, 0).get_by_role("slider").press("End")
    card(tab, 0).get_by_role("button", name=re.compile("^Play ")).click()
    tab.wait_for_function("() => current === data.tracks[1] && playing")


def test_moods_and_keys_filter(tab: Any, folder: Path) -> None:
    tracks = read_manifest(folder).tracks
    tab.get_by_label("Mood").select_option("calm")
    assert [one.is_visible() for one in tab.locator("article").all()] == [True, True, False]
    assert tab.locator("#count").inner_text() == "2 shown"
    tab.get_by_label("Key").select_option(tracks[1].key)
    expected = [t.key == tracks[1].key and "calm" in t.moods for t in tracks]
    assert [one.is_visible() for one in tab.locator("article").all()] == expected
    tab.get_by_label("Mood").select_option("")
    tab.get_by_label("Key").select_option("")
    assert tab.locator("#count").inner_text() == "3 shown"


def test_what_was_left_out_comes_back_in_the_new_colours(tab: Any) -> None:
    corner = "canvas => canvas.getContext('2d').getImageData(1, 1, 1, 1).data.slice(0, 3).join()"
    tab.wait_for_function("() => data.tracks[2].drawn")
    light = card(tab, 2).locator("canvas").evaluate(corner)
    tab.get_by_label("Mood").select_option("calm")
    tab.get_by_role("button", name="Dark or light").click()
    tab.get_by_label("Mood").select_option("")
    tab.wait_for_function("() => data.tracks[2].drawn")
    assert card(tab, 2).locator("canvas").evaluate(corner) != light


def test_the_keyboard_alone_will_do(tab: Any) -> None:
    tab.keyboard.press("Space")
    moves_on(tab, 0)
    tab.keyboard.press("j")
    moves_on(tab, 1)
    tab.keyboard.press("l")
    assert card(tab, 1).get_by_role("button", name="Loop").get_attribute("aria-pressed") == "false"
    tab.keyboard.press("k")
    tab.wait_for_function("() => current === data.tracks[0]")
    tab.locator("article .play").nth(0).press("Space")
    tab.wait_for_function("() => !playing")
    card(tab, 0).get_by_role("slider").press("Home")
    assert seconds(tab, 0) == 0
    card(tab, 0).get_by_role("slider").press("ArrowRight")
    assert seconds(tab, 0) == pytest.approx(2, abs=0.1)


def test_a_seed_is_copied(tab: Any) -> None:
    tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button = card(tab, 1).get_by_role("button", name="Copy seed")
    button.click()
    tab.wait_for_function("() => document.querySelectorAll('article')[1].innerText.includes('Copied')")
    assert tab.evaluate("navigator.clipboard.readText()") == "9"


@pytest.mark.parametrize("dark", [False, True])
def test_it_is_dark_where_the_system_is_and_fits_a_phone(chromium: Any, folder: Path, dark: bool) -> None:
    shape = {"width": 360, "height": 740}
    context = chromium.new_context(viewport=shape, color_scheme="dark" if dark else "light", has_touch=True)
    tab = context.new_page()
    tab.goto((folder / "index.html").as_uri())
    background = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, re.findall(r"\d+", background)[:3])) / 3
    assert (brightness < 60) is dark
    assert tab.evaluate("document.documentElement.scrollWidth") <= shape["width"]
    heights = [button.bounding_box()["height"] for button in tab.locator("article button").all()]
    assert min(heights) >= 44
    tab.get_by_role("button", name="Dark or light").tap()
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") != background
    context.close()
