"""`tierwise calibrate` without outcomes: what each threshold does to one's own prompts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result

from router import Policy, Router
from router.cli.main import main
from training.certify.thresholds import (
    OwnTraffic,
    own_traffic,
    parse_share,
    threshold_for_share,
    threshold_for_spend,
)
from training.errors import TrainingError
from training.prepare.cache import CACHE
from training.progress import Timings


@pytest.fixture(scope="module")
def prompts(world_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty prompts and nothing else: no ids, no outcomes."""
    path = tmp_path_factory.mktemp("mine") / "mine.parquet"
    pl.read_parquet(world_files / "prompts.parquet").select("prompt").head(40).write_parquet(path)
    return path


@pytest.fixture(scope="module")
def own(tiny_bundle: Path, prompts: Path) -> OwnTraffic:
    return own_traffic(Router.load(tiny_bundle), prompts, CACHE, Timings())


def calibrate(bundle: Path, prompts: Path, *options: str) -> Result:
    arguments = ["calibrate", str(bundle), "--prompts", str(prompts), "--cache", str(CACHE)]
    return CliRunner().invoke(main, [*arguments, *options])


def test_the_table_is_what_the_router_does(own: OwnTraffic, prompts: Path) -> None:
    texts = pl.read_parquet(prompts)["prompt"].to_list()
    setting = own.at(0.4)
    decisions = own.router.route_many(texts, Policy(threshold=0.4))
    arms = [decision.arm.id for decision in decisions]
    assert setting.shares == pytest.approx(
        {arm.id: arms.count(arm.id) / 40 for arm in own.router.arms}, abs=1e-6
    )
    spend = 1000 * np.mean([decision.predicted.cost_usd for decision in decisions])
    assert setting.usd_per_1k == pytest.approx(spend, rel=1e-4)
    quality = np.mean([decision.predicted.quality for decision in decisions])
    assert setting.quality == pytest.approx(quality, abs=1e-4)


def test_spend_rises_along_the_threshold_and_shares_add_up(own: OwnTraffic) -> None:
    table = own.table()
    spend = [setting.usd_per_1k for setting in table.settings]
    assert [s.threshold for s in table.settings] == pytest.approx(np.linspace(0, 1, 11))
    assert spend == sorted(spend)
    assert spend[0] < spend[-1]
    assert all(sum(s.shares.values()) == pytest.approx(1.0, abs=1e-5) for s in table.settings)


def test_the_inverse_finds_the_most_that_a_spend_buys(own: OwnTraffic) -> None:
    wanted = (own.at(0.0).usd_per_1k + own.at(1.0).usd_per_1k) / 2
    found = threshold_for_spend(own, wanted)
    assert found.usd_per_1k <= wanted
    assert found.threshold == 1.0 or own.at(found.threshold + 0.001).usd_per_1k > wanted
    with pytest.raises(TrainingError, match="threshold 0, the cheapest arm for each, spends"):
        threshold_for_spend(own, own.at(0.0).usd_per_1k / 2)


def test_the_inverse_finds_the_least_threshold_of_a_share(own: OwnTraffic) -> None:
    best = own.router.manifest.arms[own.router.manifest.decision.best_single].arm
    most = own.at(1.0).shares[best.id]
    found = threshold_for_share(own, best.model, most / 2)
    assert found.shares[best.id] >= most / 2
    settings = own.table().settings
    never = min(own.router.arms, key=lambda arm: max(s.shares[arm.id] for s in settings)).id
    with pytest.raises(TrainingError, match=r"no threshold sends 100\.0% to .*; the most is"):
        threshold_for_share(own, never, 1.0)
    with pytest.raises(TrainingError, match="has no model 'gpt-9'"):
        threshold_for_share(own, "gpt-9", 0.5)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("m=0.2", ("m", 0.2)), ("m|high=20%", ("m|high", 0.2)), ("a=b=1", ("a=b", 1))],
)
def test_shares_are_read_as_numbers_or_percent(text: str, wanted: tuple[str, float]) -> None:
    assert parse_share(text) == wanted


@pytest.mark.parametrize("text", ["m", "m=x", "=0.5", "m=150%", "m=-1"])
def test_other_shares_are_refused(text: str) -> None:
    with pytest.raises(TrainingError, match="takes MODEL=SHARE"):
        parse_share(text)


def test_the_command_prints_the_table_and_writes_it(
    tiny_bundle: Path, prompts: Path, own: OwnTraffic, tmp_path: Path
) -> None:
    best = own.router.manifest.arms[own.router.manifest.decision.best_single].arm.model
    done = calibrate(
        tiny_bundle, prompts, "--csv", str(tmp_path / "t.csv"), "--json", str(tmp_path / "t.json"),
        "--usd-per-1k", f"{own.at(0.5).usd_per_1k}", "--share", f"{best}=1%",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "no answer was looked at" in done.output
    assert f"1.0% to {best}: threshold" in done.output
    table = pl.read_csv(tmp_path / "t.csv")
    assert table.height == 11
    assert table["usd_per_1k"].to_list() == pytest.approx(
        [setting.usd_per_1k for setting in own.table().settings], rel=1e-3
    )
    assert {f"share {arm.id}" for arm in own.router.arms} <= set(table.columns)
    told = json.loads((tmp_path / "t.json").read_text())
    assert told["prompts"] == 40
    assert told["usd_per_1k"]["threshold"] >= 0.5


def test_questions_that_do_not_go_together_are_refused(tiny_bundle: Path, prompts: Path) -> None:
    done = calibrate(tiny_bundle, prompts, "--data", str(prompts), "--share", "m=1%")
    assert done.exit_code == 1
    assert "leave --data out" in done.output
    (prompts.parent / "empty.csv").write_text("prompt\n\n")
    nothing = calibrate(tiny_bundle, prompts.parent / "empty.csv")
    assert nothing.exit_code == 1
    assert "no usable prompt" in nothing.output
