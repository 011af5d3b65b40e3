from __future__ import annotations

from pathlib import Path

import pytest

from training.config import Config, InvalidConfig, load, parse, published

GOOD = {"name": "tiny", "network": "studio", "data": "data/tiny"}


def test_every_shipped_configuration_loads() -> None:
    folder = Path(__file__).parents[2] / "training" / "configs"
    names = {load(path).name for path in folder.glob("*.toml")}
    assert {"open", "reference"} <= names


def test_a_table_becomes_a_frozen_config_with_defaults() -> None:
    config = parse({**GOOD, "seed": 5, "vae": {"width": 8, "kl_weight": 1}})
    assert (config.seed, config.vae.width, config.vae.kl_weight) == (5, 8, 1.0)
    assert config.gan == Config(**GOOD).gan  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        config.seed = 6  # type: ignore[misc]


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"sede": 1}, r"unknown key 'sede'.*seed"),
        ({"gan": {"widht": 8}}, r"gan: unknown key 'widht'"),
        ({"vae": 3}, "vae must be a table"),
        ({"seed": "one"}, "seed must be int; got 'one'"),
        ({"seed": 1.5}, "seed must be int"),
        ({"seed": True}, "seed must be int"),
        ({"gan": {"steps": -1}}, "steps must not be negative"),
        ({"network": "other"}, "network must be one of"),
        ({"distribute": "everywhere"}, "distribute must be one of"),
        ({"init_from": 3}, "init_from must be str or NoneType"),
    ],
)
def test_a_wrong_key_or_value_is_refused_by_name(extra: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidConfig, match=said):
        parse({**GOOD, **extra})


def test_a_missing_key_is_refused_by_name() -> None:
    with pytest.raises(InvalidConfig, match="data"):
        parse({"name": "tiny", "network": "studio"})


def test_a_file_that_is_no_toml_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("name = ", encoding="utf-8")
    with pytest.raises(InvalidConfig, match=r"broken\.toml"):
        load(path)
    with pytest.raises(InvalidConfig, match=r"absent\.toml"):
        load(tmp_path / "absent.toml")


def test_what_is_published_of_a_run_names_no_folder_of_the_machine() -> None:
    table = {"name": "x", "data": "/home/me/data/open", "init_from": None, "gan": {"steps": 3}}
    assert published(table) == {"name": "x", "data": "open", "init_from": None, "gan": {"steps": 3}}
    facts = {"data": {"name": "open"}, "vae_init": {"from": "/a/b/run/checkpoints/best.npz"}}
    assert published(facts)["vae_init"] == {"from": "run/checkpoints/best.npz"}
    assert published(facts)["data"] == {"name": "open"}
