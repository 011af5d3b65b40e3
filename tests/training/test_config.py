from __future__ import annotations

from dataclasses import replace
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
        ({"log_every": 0}, "config: log_every must be at least 1; got 0"),
        ({"validate_every": 0}, "validate_every must be at least 1"),
        ({"validation_windows": 3}, "validation_windows must be at least 4; got 3"),
        ({"checkpoint_minutes": float("inf")}, "checkpoint_minutes must be a finite number; got inf"),
        ({"gan": {"r1_every": 0}}, "config: gan: r1_every must be at least 1"),
        ({"gan": {"batch": 6}}, "gan: batch must be a multiple of 4; got 6"),
        ({"gan": {"batch": 0}}, "gan: batch must be at least 1"),
        ({"gan": {"share": 1.5}}, "gan: share must be from 0 to 1; got 1.5"),
        ({"gan": {"ema": 2}}, "gan: ema must be from 0 to 1; got 2.0"),
        ({"gan": {"critic_width": 0}}, "gan: critic_width must be at least 1"),
        ({"vae": {"codes": 7}}, "vae: codes must be a multiple of 2; got 7"),
        ({"vae": {"width": 0}}, "vae: width must be at least 1; got 0"),
        ({"vae": {"learning_rate": float("nan")}}, "vae: learning_rate must be a finite number; got nan"),
        ({"reference": {"batch": 0}}, "reference: batch must be at least 1"),
        ({"network": "other"}, "network must be one of"),
        ({"distribute": "everywhere"}, "distribute must be one of"),
        ({"init_from": 3}, "init_from must be str or NoneType"),
    ],
)
def test_a_wrong_key_or_value_is_refused_by_name(extra: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidConfig, match=said):
        parse({**GOOD, **extra})


def test_a_value_put_in_place_of_another_is_checked_too() -> None:
    with pytest.raises(InvalidConfig, match=r"share must not be negative; got -1\.0"):
        replace(parse(GOOD).gan, share=-1.0)


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
