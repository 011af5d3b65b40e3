"""The pages say what is true: programs run, commands are understood, links lead somewhere."""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest

from pianogan_bgm import cli

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not (ROOT / "docs").exists(), reason="needs the checkout")
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if path.exists()
}
ELSEWHERE = {"docs/playlist.md": "run by tests/playlist/test_snippets.py, which makes their files"}
PROGRAMS = (
    *("pytest", "ruff", "mypy", "mkdocs", "git", ".ci/run", ".ci/installed", "cyclonedx-py", "twine"),
    "pyinstaller",
)
FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)")


def blocks(language: str) -> dict[str, list[str]]:
    found = {
        page: [body for kind, body in FENCE.findall(text) if kind == language] for page, text in PAGES.items()
    }
    return {page: bodies for page, bodies in found.items() if bodies}


def commands() -> list[tuple[str, str]]:
    """Every command of every shell block: page, command."""
    found = []
    for page, bodies in blocks("sh").items():
        lines = "\n".join(bodies).replace("\\\n", " ").splitlines()
        for line in lines:
            found += [(page, part) for part in split(line) if part]
    return found


def split(line: str) -> list[str]:
    """The commands of a line, comments left out."""
    words = shlex.split(line, comments=True)
    parts: list[list[str]] = [[]]
    for word in words:
        if word in ("&&", "|", ";"):
            parts.append([])
        else:
            parts[-1].append(word)
    return [shlex.join(part) for part in parts]


@pytest.fixture
def no_devices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setenv("SDL_AUDIODRIVER", "dummy")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("page", [page for page in blocks("python") if page not in ELSEWHERE])
@pytest.mark.usefixtures("no_devices")
def test_the_programs_of_a_page_run_from_top_to_bottom(page: str) -> None:
    pygame = pytest.importorskip("pygame")
    from pianogan_bgm import BackgroundMusic

    names: dict[str, object] = {"__name__": "__main__"}
    try:
        for number, body in enumerate(blocks("python")[page], 1):
            exec(compile(body, f"{page}, block {number}", "exec"), names)
        players = [value for value in names.values() if isinstance(value, BackgroundMusic)]
        assert [player.stats.errors for player in players] == [[] for _ in players]
    finally:
        for value in names.values():
            if isinstance(value, BackgroundMusic):
                value.close()
        pygame.quit()


@pytest.mark.parametrize(("page", "command"), commands())
def test_a_command_of_a_page_is_one_that_there_is(page: str, command: str) -> None:
    words = shlex.split(command)
    while re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        words.pop(0)
    program, *rest = words
    if program == "pianogan-bgm":
        if rest[0] not in ("--help", "--version"):
            cli.build_parser().parse_args(rest)
    elif program in ("python", "python3"):
        assert python_understands(rest), f"{page}: {command}"
    elif program == "pip":
        assert pip_understands(rest), f"{page}: {command}"
    else:
        assert program in PROGRAMS, f"{page}: {command}"


def python_understands(words: list[str]) -> bool:
    if words[0] == "-c":
        compile(words[1], "the command", "exec")
        return True
    if words[0] != "-m":
        return words[0].startswith("-W") or (ROOT / words[0]).is_file()
    module = words[1]
    source = ROOT / f"{module.replace('.', '/')}.py"
    if not source.is_file():
        return module in (
            *sys.stdlib_module_names,
            "pip",
            "pytest",
            "build",
            "mypy",
            "ruff",
            "mkdocs",
            "twine",
        )
    folder = "\n".join(path.read_text(encoding="utf-8") for path in source.parent.glob("*.py"))
    folder += (ROOT / "pianogan_bgm" / "playlist" / "command.py").read_text(encoding="utf-8")
    return all(f'"{word.partition("=")[0]}"' in folder for word in words[2:] if word.startswith("-"))


def pip_understands(words: list[str]) -> bool:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ]
    for word in words[1:]:
        if wanted := re.fullmatch(r"(?:\.|pianogan-bgm)\[([\w,]+)\]", word):
            if not set(wanted[1].split(",")) <= set(extras):
                return False
        elif (word.startswith(".") or word.endswith(".txt")) and not (ROOT / word).exists():
            return False
    return words[0] in ("install", "download")


@pytest.mark.parametrize("page", PAGES)
def test_the_links_of_a_page_lead_to_files_of_the_project(page: str) -> None:
    folder = (ROOT / page).parent
    assert [target for target, _ in LINK.findall(PAGES[page]) if not (folder / target).exists()] == []


def test_every_page_is_found_and_the_cookbook_has_programs() -> None:
    assert {"README.md", "docs/cookbook.md", "docs/engine.md"} <= set(PAGES)
    assert len(blocks("python")["docs/cookbook.md"]) > 5


def test_the_cookbook_names_every_mood_instrument_stinger_and_kind_of_event() -> None:
    from pianogan_bgm.conductor import EVENT_KINDS
    from pianogan_bgm.instruments import NAMES
    from pianogan_bgm.scenes import MOODS
    from pianogan_bgm.stingers import STINGERS

    text = " ".join(PAGES["docs/cookbook.md"].split())
    for names in (sorted(MOODS), EVENT_KINDS, tuple(STINGERS)):
        assert f" {', '.join(names[:-1])} and {names[-1]}" in text
    assert [name for name in NAMES if name not in text] == []


def test_the_credits_to_paste_are_those_of_model_and_piano() -> None:
    from pianogan_bgm.instruments import CREDITS
    from pianogan_bgm.models import find_model

    lines = [*find_model("open").card.attribution, *CREDITS.values()]
    assert "\n".join(lines) + "\n" in blocks("text")["README.md"]
    assert CREDITS["piano"] in PAGES["docs/licences.md"]
    assert CREDITS["piano"] in (ROOT / "pianogan_bgm" / "samples" / "LICENSE.txt").read_text(encoding="utf-8")
