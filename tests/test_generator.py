from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_model import tiny_card, tiny_weights, write_tiny

from pianogan_bgm import models
from pianogan_bgm.cards import MAX_CARD_BYTES, ModelCard
from pianogan_bgm.errors import InvalidLatent, InvalidRoll, ModelDamaged, ModelError, ModelNotFound
from pianogan_bgm.generator import Generator, open_session
from pianogan_bgm.latents import check_latents, fresh_seed, latent_of
from pianogan_bgm.midi import piece_to_midi
from pianogan_bgm.models import available_models
from pianogan_bgm.roll import decode

SEVEN = [
    -0.147125244140625,
    0.502105712890625,
    -1.091094970703125,
    0.7375946044921875,
    -0.734466552734375,
    -2.1076507568359375,
    -1.1331329345703125,
    -1.0716400146484375,
    0.670135498046875,
    -2.84130859375,
    -0.5869140625,
    -0.123870849609375,
    0.71533203125,
    -1.058746337890625,
]
"""The latent of seed 7, for ever: a game's saved seeds depend on it."""

GOLDEN_MIDI = {
    "0.9.1": {
        3: "169c7e6fa6f55201aa653a98e6ddded7aaf017e1a9b14dcc9ba3ea76b7cfb14d",
        7: "fc0cd4f0c9a695414d2d5c0fda876350967ce8080f60f9a46a1b80609a446af5",
    }
}
"""sha256 of some seeds' MIDI by version of the shipped ``open``; a new version brings its own.

Of these, seed 3 is in its parallel mode, seed 7 as it was composed.
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def generator(tiny: Path) -> Generator:
    return Generator(tiny)


# composing


def test_the_same_seed_composes_the_same_piece_in_another_generator(tiny: Path, generator: Generator) -> None:
    assert generator.compose(seed=7) == Generator(tiny).compose(seed=7)
    assert generator.compose(seed=7).notes != generator.compose(seed=8).notes


def test_a_piece_knows_where_it_comes_from(generator: Generator) -> None:
    piece = generator.compose(seed=7)
    assert (piece.seed, piece.model, piece.licence) == (7, "tiny", "any use")
    assert (piece.tempo, piece.steps, piece.has_dynamics) == (96.0, 300, False)
    assert piece.latent == tuple(SEVEN)
    assert len(piece.notes) > 50


def test_a_latent_composes_what_its_seed_composes(generator: Generator) -> None:
    piece = generator.compose(latent=SEVEN)
    assert piece.seed is None
    assert replace(piece, seed=7) == generator.compose(seed=7)


def test_without_a_seed_each_piece_is_new_and_can_be_had_again(generator: Generator) -> None:
    first, second = generator.compose(), generator.compose()
    assert first.seed != second.seed
    assert generator.compose(first.seed) == first


def test_many_seeds_give_what_each_gives_alone(generator: Generator) -> None:
    assert generator.compose_many([3, 1, 3]) == tuple(generator.compose(seed) for seed in (3, 1, 3))
    assert generator.compose_many([]) == ()


def test_a_bad_seed_among_many_is_refused_before_anything_is_composed(generator: Generator) -> None:
    with pytest.raises(InvalidLatent, match="got -5"):
        generator.compose_many([1, -5])


def test_the_size_of_a_batch_changes_nothing(generator: Generator) -> None:
    latents = np.stack([latent_of(seed) for seed in range(19)])
    rolls = generator.rolls(latents)
    assert rolls.shape == (19, 106, 300, 1)
    assert rolls.dtype == np.float32
    for latent, roll in zip(latents, rolls, strict=True):
        assert np.array_equal(generator.rolls(latent[None])[0], roll)


def test_a_roll_has_room_for_rounding_errors(generator: Generator) -> None:
    latents = np.stack([latent_of(seed) for seed in range(8)])
    noise = np.random.default_rng(0).choice([-1e-5, 1e-5], size=(8, 106, 300, 1)).astype(np.float32)
    for roll, push in zip(generator.rolls(latents), noise, strict=True):
        assert decode(np.clip(roll + push, 0.0, 1.0)) == decode(roll)


def test_threads_may_share_a_generator(generator: Generator) -> None:
    alone = {seed: generator.compose(seed) for seed in range(6)}
    together: dict[int, Any] = {}

    def compose(seed: int) -> None:
        together[seed] = generator.compose(seed)

    threads = [threading.Thread(target=compose, args=(seed,)) for seed in alone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_composing_prints_nothing(tiny: Path) -> None:
    code = f"from pianogan_bgm.generator import Generator; Generator({str(tiny)!r}).compose(1)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


# seeds and latents


def test_seed_seven_has_this_latent_for_ever() -> None:
    assert latent_of(7).tolist() == SEVEN
    assert latent_of(0)[:3].tolist() == [0.158538818359375, 2.982879638671875, -1.925689697265625]
    assert latent_of(2**64 - 1)[:3].tolist() == [-0.3471221923828125, -1.666229248046875, -0.2814788818359375]


def test_latents_are_standard_normal() -> None:
    latents = np.stack([latent_of(seed) for seed in range(3000)]).astype(np.float64)
    assert abs(latents.mean()) < 0.02
    assert abs(latents.std() - 1.0) < 0.02
    assert abs((latents**4).mean() - 3.0) < 0.15
    assert np.abs(np.corrcoef(latents.T) - np.eye(14)).max() < 0.08
    neighbours = (latents[1:] * latents[:-1]).mean(axis=0)
    assert np.abs(neighbours).max() < 0.08


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**64 - 1))
def test_every_seed_has_a_finite_latent_that_float32_and_a_decimal_hold_exactly(seed: int) -> None:
    latent = latent_of(seed)
    assert latent.shape == (14,)
    assert latent.dtype == np.float32
    assert np.abs(latent).max() < 8.7
    assert np.array_equal(latent * 65536, np.round(latent * 65536))
    assert np.array_equal(check_latents(json.loads(json.dumps([latent.tolist()])))[0], latent)


def test_a_numpy_integer_is_a_seed_too() -> None:
    assert np.array_equal(latent_of(np.uint64(7)), latent_of(7))  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, "7", True, np.bool_(True), [7], np.float64(7)])
def test_what_is_no_seed_is_refused_by_name(generator: Generator, seed: Any) -> None:
    with pytest.raises(InvalidLatent, match=r"whole number from 0 to 2\*\*64 - 1; got"):
        generator.compose(seed)


def test_fresh_seeds_are_short_and_differ() -> None:
    seeds = [fresh_seed() for _ in range(20)]
    assert len(set(seeds)) == 20
    assert max(seeds) < 2**32


@pytest.mark.parametrize(
    ("latent", "words"),
    [
        ([0.0] * 13, r"shape \(14,\); got \(13,\)"),
        (np.zeros((1, 14)), r"shape \(14,\); got \(1, 14\)"),
        (0.5, r"shape \(14,\); got \(\)"),
        ([float("nan")] + [0.0] * 13, "finite.*got nan"),
        ([0.0] * 13 + [float("-inf")], "finite.*got -inf"),
        ([1e39] + [0.0] * 13, r"within float32; got 1e\+39"),
        (["a"] * 14, "real numbers"),
        ([1j] * 14, "real numbers; got complex"),
        ([True] * 14, "real numbers; got bool"),
        ([None] * 14, "real numbers; got object"),
        ([[1.0], [1.0, 2.0]], "latent"),
    ],
)
def test_what_is_no_latent_is_refused_by_name(generator: Generator, latent: Any, words: str) -> None:
    with pytest.raises(InvalidLatent, match=words):
        generator.compose(latent=latent)


def test_a_seed_and_a_latent_together_are_refused(generator: Generator) -> None:
    with pytest.raises(InvalidLatent, match="not both"):
        generator.compose(1, latent=SEVEN)


@pytest.mark.parametrize("shape", [(0, 14), (14,), (2, 13), (1, 1, 14)])
def test_rolls_wants_rows_of_fourteen(generator: Generator, shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidLatent, match=r"\(n, 14\)"):
        generator.rolls(np.zeros(shape))


# loading


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"nowhere\.onnx is missing"):
        Generator(tmp_path / "nowhere.onnx")
    path = write_tiny(tmp_path)
    path.with_suffix(".json").unlink()
    with pytest.raises(ModelNotFound, match=r"tiny\.json is missing"):
        Generator(str(path))


def test_changed_weights_are_refused(tmp_path: Path) -> None:
    path = write_tiny(tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelDamaged, match="weights_sha256 is"):
        Generator(path)
    path.write_bytes(data[:-1])
    with pytest.raises(ModelDamaged, match=r"the card says .* bytes of weights; got"):
        Generator(path)


def test_a_card_and_weights_of_two_exports_are_refused(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    old, new = write_tiny(tmp_path / "old"), write_tiny(tmp_path / "new", weights=b"of a later export")
    for weights, card in ((new, old), (old, new)):
        pair = tmp_path / "tiny.onnx"
        pair.write_bytes(weights.read_bytes())
        pair.with_suffix(".json").write_bytes(card.with_suffix(".json").read_bytes())
        with pytest.raises(ModelDamaged, match="must come from one export"):
            Generator(pair)


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelDamaged, match="not a network"):
        Generator(write_tiny(tmp_path, weights=b"no protobuf at all"))


def test_a_network_that_is_not_kept_open_composes_the_same_pieces(tiny: Path, generator: Generator) -> None:
    brief = Generator(tiny, keep=False)
    latents = np.stack([latent_of(seed) for seed in range(11)])  # more than are computed at once
    assert np.array_equal(brief.rolls(latents), generator.rolls(latents))
    assert brief.compose(7) == brief.compose(7) == generator.compose(7)


def test_a_network_that_is_not_kept_open_is_closed_and_its_memory_given_back(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened = []

    class Session:
        def __init__(self, *about: Any, once: bool) -> None:
            assert once
            happened.append("opened")

        def run(self, _names: Any, inputs: dict[str, Any]) -> list[Any]:
            happened.append("run")
            return [np.zeros((len(inputs["latent"]), 106, 300, 1), np.float32)]

        def __del__(self) -> None:
            happened.append("closed")

    monkeypatch.setattr("pianogan_bgm.generator.open_session", Session)
    monkeypatch.setattr("pianogan_bgm.generator.give_back", lambda: happened.append("given back"))
    brief = Generator(tiny, keep=False)
    assert happened == []
    for _ in range(2):
        brief.compose(7)
    assert happened == ["opened", "run", "closed", "given back"] * 2


def test_a_network_opened_once_holds_no_second_copy_of_its_file(tiny: Path) -> None:
    weights = tiny.read_bytes()
    session = open_session(weights, "tiny", once=True)
    assert not any(value is weights for value in vars(session).values())


def test_what_goes_wrong_with_a_network_that_is_not_kept_open_is_told_when_it_is_opened(
    tmp_path: Path,
) -> None:
    with pytest.raises(ModelDamaged, match="not a network"):
        Generator(write_tiny(tmp_path, weights=b"no protobuf at all"), keep=False).compose(7)
    path = write_tiny(tmp_path)
    brief = Generator(path, keep=False)
    path.unlink()
    with pytest.raises(ModelDamaged, match=r"tiny\.onnx: cannot be read: No such file"):
        brief.compose(7)
    with pytest.raises(ModelNotFound, match=r"tiny\.onnx is missing"):
        Generator(path, keep=False)


@pytest.mark.parametrize(
    "change",
    [
        {"input_name": "z"},
        {"output_name": "picture"},
        {"latent": 100},
        {"rows": 88},
        {"batch": 1},
    ],
)
def test_a_network_with_other_ports_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(ModelDamaged, match="the network must have one port"):
        Generator(write_tiny(tmp_path, weights=tiny_weights(**change)))


@pytest.mark.parametrize("value", [float("nan"), 1.5, -0.1])
def test_a_network_that_leaves_the_range_of_a_roll_is_found_out(tmp_path: Path, value: float) -> None:
    broken = Generator(write_tiny(tmp_path, weights=tiny_weights(value=value)))
    with pytest.raises(InvalidRoll, match=r"values in \[0, 1\]"):
        broken.compose(7)


def test_a_card_that_cannot_be_read_is_named(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path, *_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(ModelDamaged, match=r"tiny\.json: cannot be read: Permission denied"):
        Generator(tiny)


def test_missing_onnxruntime_is_explained(monkeypatch: pytest.MonkeyPatch, tiny: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match="pip install onnxruntime"):
        Generator(tiny)


@pytest.mark.parametrize(("platform", "named"), [("win32", True), ("linux", False)])
def test_an_onnxruntime_that_cannot_be_loaded_is_not_to_be_installed_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny: Path, platform: str, named: bool
) -> None:
    cause = "DLL load failed while importing onnxruntime_pybind11_state"
    (tmp_path / "onnxruntime.py").write_text(f"raise ImportError({cause!r})\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    with pytest.raises(ModelError, match=cause) as caught:
        Generator(tiny)
    assert "pip install" not in str(caught.value)
    assert ("Visual C++ Redistributable" in str(caught.value)) is named


# cards


def table() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(tiny_card(b"x").to_json())
    return loaded


def test_a_card_survives_its_file() -> None:
    card = tiny_card(b"x", attribution=("Frédéric Chopin", "中"), tempo=90.5)
    assert ModelCard.from_json(card.to_json().encode(), "card") == card


@pytest.mark.parametrize("key", [key for key in table() if key != "spec"])
def test_a_card_without_a_key_is_refused_by_its_name(key: str) -> None:
    with pytest.raises(ModelDamaged, match=f"card: the key '{key}' is missing"):
        ModelCard.from_table({k: v for k, v in table().items() if k != key}, "card")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "../open"),
        ("name", ""),
        ("summary", ""),
        ("summary", "two\nlines"),
        ("output_licence", "\x1b[31mred"),
        ("output_licence", None),
        ("convention", "grey"),
        ("roll", [21, 88, 300]),
        ("latent", 100),
        ("has_velocity", 1),
        ("may_sell", "yes"),
        ("tempo", 0),
        ("tempo", float("inf")),
        ("tempo", True),
        ("tempo", 10**400),
        ("roll", [21.0, 106, 300]),
        ("roll", [21, 106, [300]]),
        ("attribution", "one text"),
        ("attribution", ["fine", 3]),
        ("config", []),
        ("metrics", {"score": "high"}),
        ("metrics", {"score": 10**400}),
        ("metrics", {"score": float("nan")}),
        ("metrics", {"score": True}),
        ("data_sha256", "abc"),
        ("weights_sha256", "G" * 64),
        ("weights_bytes", 0),
        ("weights_bytes", 2**40),
    ],
)
def test_a_card_with_a_bad_value_is_refused_by_its_key(key: str, value: Any) -> None:
    with pytest.raises(ModelDamaged, match=f"card: {key} must be .*; got"):
        ModelCard.from_table({**table(), key: value}, "card")


def test_a_card_with_an_unknown_key_is_refused() -> None:
    with pytest.raises(ModelDamaged, match="unknown key 'colour'"):
        ModelCard.from_table({**table(), "colour": "red"}, "card")


@pytest.mark.parametrize("spec", [2, "1", None, True, 1.5])
def test_a_card_of_another_version_says_so_first(spec: Any) -> None:
    with pytest.raises(ModelDamaged, match="spec must be 1"):
        ModelCard.from_table({"spec": spec, "whatever": 1}, "card")


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xfe", b"[1]", b"{", b'{"spec": 1, "spec": 1}', b"[" * 200_000, b" " * (MAX_CARD_BYTES + 1)],
)
def test_what_is_no_card_is_refused(data: bytes) -> None:
    with pytest.raises(ModelDamaged, match="card"):
        ModelCard.from_json(data, "card")


@settings(max_examples=50, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=5,
    ),
    st.sampled_from(sorted(table())),
)
def test_a_card_with_any_json_at_any_key_is_read_or_named_damaged(value: Any, key: str) -> None:
    text = json.dumps({**table(), key: value}).encode()
    try:
        card = ModelCard.from_json(text, "card")
    except ModelDamaged:
        return
    assert ModelCard.from_json(card.to_json().encode(), "card") == card


# installed models


def offer(monkeypatch: pytest.MonkeyPatch, *points: tuple[str, str]) -> None:
    """Make these (name, package) pairs the installed entry points."""
    found = [SimpleNamespace(name=name, module=module) for name, module in points]
    monkeypatch.setattr(models, "entry_points", lambda group: found)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / f"package_{tmp_path.name}"  # imported packages outlive a test: one name each
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    write_tiny(folder)
    monkeypatch.syspath_prepend(tmp_path)
    return folder.name


def test_a_package_adds_a_model_through_its_entry_point(
    monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    offer(monkeypatch, ("tiny", package))
    assert "tiny" in available_models()
    assert Generator("tiny").compose(7).model == "tiny"


def test_a_model_must_bear_the_name_it_is_installed_under(
    monkeypatch: pytest.MonkeyPatch, package: str, tmp_path: Path
) -> None:
    offer(monkeypatch, ("other", package))
    for suffix in (".onnx", ".json"):
        (tmp_path / package / f"tiny{suffix}").rename(tmp_path / package / f"other{suffix}")
    with pytest.raises(ModelDamaged, match="name must be 'other'; the card says 'tiny'"):
        Generator("other")


def test_two_packages_may_not_offer_one_name(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    offer(monkeypatch, ("tiny", package), ("tiny", "another_package"))
    with pytest.raises(ModelError, match=f"{package} and another_package; uninstall one"):
        Generator("tiny")


def test_no_package_can_take_the_place_of_the_shipped_model(
    monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    offer(monkeypatch, ("open", package))
    with pytest.raises(ModelError, match="two packages"):
        Generator("open")


def test_an_entry_point_to_nothing_is_a_damaged_model(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, ("ghost", "no_such_package"))
    with pytest.raises(ModelDamaged, match="no_such_package cannot be opened"):
        Generator("ghost")


@pytest.mark.parametrize("model", [3, None, b"open"])
def test_what_is_no_name_of_a_model_is_refused_as_such(model: Any) -> None:
    with pytest.raises(ModelNotFound, match=r"a model is a name, or the path of an \.onnx file; got"):
        Generator(model)


def test_an_unknown_name_lists_what_there_is(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    offer(monkeypatch, ("tiny", package))
    with pytest.raises(ModelNotFound, match=r"no model named 'jazz' is installed \(installed: .*tiny\)"):
        Generator("jazz")


def test_maestro_without_its_distribution_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch)
    with pytest.raises(ModelNotFound, match=r"non-commercial.*pip install \./models/maestro"):
        Generator("maestro")


# what is shipped


needs_open = pytest.mark.skipif(
    "open" not in available_models(), reason="pianogan_bgm/models/open.onnx is not in this checkout"
)


@needs_open
def test_the_shipped_model_may_be_sold_with_and_says_whom_to_credit() -> None:
    card = Generator("open").card
    assert card.name == "open"
    assert card.may_sell
    assert any("Chopin" in line for line in card.attribution)
    assert card.weights_bytes <= 5_000_000


@needs_open
@pytest.mark.parametrize("seed", [3, 7])
def test_a_seed_of_the_shipped_model_is_the_same_file_everywhere(seed: int) -> None:
    generator = Generator("open")
    golden = GOLDEN_MIDI[generator.card.version][seed]
    assert sha256(piece_to_midi(generator.compose(seed))).hexdigest() == golden


@needs_open
def test_the_shipped_model_answers_in_the_codecs_own_values() -> None:
    rolls = Generator("open").rolls(np.stack([latent_of(seed) for seed in range(16)]))
    bytes_ = rolls.astype(np.float64) * 256 - 0.5
    assert np.array_equal(bytes_[rolls > 0], np.round(bytes_[rolls > 0]))
    assert set(np.unique(rolls[rolls > 0] * 256 // 1)) <= set(range(160, 256))
