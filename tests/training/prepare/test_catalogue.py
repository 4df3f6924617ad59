"""A configuration's catalogue: what a bundle keeps of it, and what it prices."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from data.prices import Price, PriceTable
from data.tables import Tables
from router import Policy, Router
from router.catalogue.catalogue import Catalogue
from router.core.manifest import read_manifest
from router.types import Arm
from tests.conftest import TINY
from training.config import ArmsConfig
from training.errors import ConfigError
from training.pipeline import train
from training.prepare.cache import CACHE
from training.prepare.catalogue import catalogue_of, list_prices, load_catalogue
from training.progress import Timings
from training.retrain.retrain import base_origin

LIST = {"usd_per_1m_input": 2.0, "usd_per_1m_output": 8.0, "valid_from": "2026-11-01"}


def test_no_file_is_an_empty_catalogue() -> None:
    assert load_catalogue(None) == Catalogue()


def test_a_wrong_file_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.toml"
    path.write_text("[models.a]\nvison = true\n")
    with pytest.raises(ConfigError, match=r"unknown key models\.a\.vison; did you mean models"):
        load_catalogue(str(path))


def test_a_tier_that_an_api_cannot_be_told_stops_the_training() -> None:
    raw = {"models": {"m": {"api": "openai"}}, "tiers": {"t": {"thinking_tokens": 100}}}
    with pytest.raises(ConfigError, match=r"m\|t: thinking_tokens"):
        catalogue_of(Catalogue.of(raw), (Arm("m", "t"),))
    kept = catalogue_of(Catalogue.of(raw), (Arm("other"),))
    assert kept == Catalogue()


def test_the_price_table_comes_before_the_catalogue() -> None:
    catalogue = Catalogue.of({"models": {"*": {"price": LIST}}})
    own = PriceTable((Price(model="a", usd_per_1m_input=1.0, usd_per_1m_output=1.0),))
    both = list_prices(catalogue, own, ["a", "b"])
    assert both is not None
    assert both.price("a").usd_per_1m_input == 1.0
    assert both.price("b").usd_per_1m_output == 8.0
    assert both.price("b").valid_from == date(2026, 11, 1)
    assert list_prices(Catalogue(), own, ["a", "b"]) is own
    assert list_prices(Catalogue(), None, ["a"]) is None


def test_a_trained_bundle_says_what_its_tiers_ask(world_tables: Tables, tmp_path: Path) -> None:
    models = sorted(world_tables.outcomes["model"].unique())
    raw = {
        "models": {
            models[0]: {"family": "acorn", "tools": True, "price": LIST},
            "nobody-has-this": {"tools": True},
        },
        "tiers": {"default": {"reasoning_effort": "low"}, "*": {"style": "concise"}},
    }
    path = tmp_path / "catalogue.json"
    path.write_text(json.dumps(raw))
    config = replace(TINY, predictors=("cluster", "kernel"), arms=ArmsConfig(catalogue=str(path)))
    bundle = train(world_tables, config, tmp_path / "bundle", CACHE, Timings()).path
    manifest = read_manifest(bundle)
    assert set(manifest.catalogue["models"]) == {models[0]}
    priced = [info for info in manifest.arms if info.model == models[0]]
    assert {info.usd_per_1m_output for info in priced} == {8.0}
    assert {info.price_date for info in priced} == {"2026-11-01"}
    assert all(info.tools is True for info in priced)
    router = Router.load(bundle)
    decision = router.route("What is 17*23?", Policy(allowed_models=(models[0],)))
    tier = decision.to_dict()["tier"]
    asks = {"request": {"reasoning_effort": "low"}} if tier["name"] == "default" else {}
    assert {k: tier.get(k) for k in asks} == asks
    assert set(tier) > {"name", "spec"}
    kept = base_origin(manifest, {}, {}).catalogue
    assert kept.family(models[0]) == "acorn"
    assert kept.tier(Arm(models[0])) == router.catalogue.tier(Arm(models[0]))
    assert kept.model(models[0]).tools is True
