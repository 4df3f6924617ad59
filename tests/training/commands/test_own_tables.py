"""Tables that people have, from training to evaluation: sparse logs, free models, no costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from router.cli.main import main
from training.prepare.cache import CACHE

TOPICS = ("Name a river in {}.", "Add {} and seven.", "Rhyme a line about {}.")
THINGS = ("Peru", "a crab", "winter", "Ohio", "bread", "glass", "a ferry", "rust", "maps", "owls")
LEAN = 'predictors = ["cluster", "kernel"]\n[folds]\nfolds = 3\n[level]\nrounds = 10\n'


def invoke(*arguments: object) -> Any:  # noqa: ANN401
    cached = [*arguments, "--cache", CACHE] if arguments[0] != "route" else arguments
    return CliRunner().invoke(main, [str(argument) for argument in cached])


def run(*arguments: object) -> str:
    done = invoke(*arguments)
    assert done.exit_code == 0, done.output
    assert "Traceback" not in done.output
    return str(done.output)


def table(folder: Path, rows: pl.DataFrame) -> list[object]:
    """One CSV as --data and --prompts."""
    rows.write_csv(folder / "t.csv")
    (folder / "lean.toml").write_text(LEAN)
    return ["--data", folder / "t.csv", "--prompts", folder / "t.csv"]


def traffic(n: int, share: float, seed: int = 0) -> pl.DataFrame:
    """A log with one of two models per prompt; b answers sums, and `share` goes to it."""
    rng = np.random.default_rng(seed)
    topic = rng.integers(0, len(TOPICS), n)
    to_b = rng.random(n) < share
    good = np.where(to_b, np.where(topic == 1, 0.9, 0.4), np.where(topic == 1, 0.2, 0.8))
    return pl.DataFrame(
        {
            "prompt_id": [f"t{i}" for i in range(n)],
            "prompt": [
                f"Ticket {i}: {TOPICS[t].format(THINGS[i % 10])}" for i, t in enumerate(topic)
            ],
            "model": np.where(to_b, "b", "a").tolist(),
            "quality": (rng.random(n) < good).astype(int).tolist(),
            "cost_usd": [0.001 if b else 0.002 for b in to_b],
        }
    )


@pytest.fixture(scope="module")
def log_bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[object], str]:
    folder = tmp_path_factory.mktemp("log")
    asked = table(folder, traffic(420, 1 / 3))
    config = ["--config", folder / "lean.toml", "--out", folder / "bundle"]
    return folder / "bundle", asked, run("train", *asked, *config)


def test_a_log_with_one_model_a_prompt_trains_and_says_what_it_cannot_compare(
    log_bundle: tuple[Path, list[object], str],
) -> None:
    bundle, _, said = log_bundle
    assert "compared at the level of each prompt" in said
    assert "no two arms share 10 prompts" in said
    assert "dropped" not in said
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert [arm["model"] for arm in manifest["arms"]] == ["a", "b"]
    coverage = manifest["training"]["sparse"]["coverage"]
    assert coverage["b|default"] == pytest.approx(1 / 3, abs=0.08)
    means = {arm["model"]: arm["mean_quality"] for arm in manifest["arms"]}
    assert means["a"] == pytest.approx(0.6, abs=0.1)
    assert means["b"] == pytest.approx(0.57, abs=0.1)


def test_what_a_log_knows_is_used(log_bundle: tuple[Path, list[object], str]) -> None:
    bundle = log_bundle[0]
    best = ["--threshold", "1"]
    sums = json.loads(run("route", bundle, "Ticket 7: Add bread and seven.", *best))
    rivers = json.loads(run("route", bundle, "Ticket 7: Name a river in Ohio.", *best))
    assert (sums["model"], rivers["model"]) == ("b", "a")


def test_a_log_is_evaluated_by_what_was_observed(
    log_bundle: tuple[Path, list[object], str], tmp_path: Path
) -> None:
    bundle, asked, _ = log_bundle
    said = run("evaluate", bundle, *asked, "--json", tmp_path / "e.json")
    assert "there is no frontier to draw" in said
    found = json.loads((tmp_path / "e.json").read_text())
    for row in found["observed"]:
        assert 0 < row["observed"] < row["prompts"]
        assert 0 <= row["quality"] <= 1
    assert found["observed"][-1]["quality"] > 0.6  # of any arm for anything: 0.58
    assert found["reason"]
    assert "no frontier" in run("sweep", bundle, *asked)


def test_an_arm_on_a_part_of_the_prompts_is_routed_to_and_others_are_compared(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(3)
    whole = traffic(240, 0.5, seed=1).drop("cost_usd")
    cells = [
        whole.with_columns(
            model=pl.lit(name),
            cost_usd=pl.lit(cost),
            quality=pl.Series((rng.random(240) < good).astype(int)),
        ).filter(pl.Series(rng.random(240) < share))
        for name, cost, good, share in (
            ("full", 0.002, 0.7, 1.0), ("cheap", 0.0005, 0.5, 1.0), ("half", 0.001, 0.6, 0.35),
        )
    ]  # fmt: skip
    asked = table(tmp_path, pl.concat(cells))
    out = tmp_path / "bundle"
    run("train", *asked, "--config", tmp_path / "lean.toml", "--out", out)
    manifest = json.loads((out / "manifest.json").read_text())
    assert {arm["model"] for arm in manifest["arms"]} == {"full", "cheap", "half"}
    said = run("evaluate", out, *asked, "--split", "all", "--json", tmp_path / "e.json")
    found = json.loads((tmp_path / "e.json").read_text())
    assert f"{found['n_prompts']} prompts that {len(found['arms'])} of 3 arms all answered" in said
    assert set(found["arms"]) == {"cheap|default", "full|default"}
    assert found["n_prompts"] == 240
    # by name, coverage is a condition again
    (tmp_path / "strict.toml").write_text(LEAN + "[arms]\nmin_coverage = 0.9\n")
    strict = ["--config", tmp_path / "strict.toml", "--out", tmp_path / "strict"]
    assert "dropped half|default" in run("train", *asked, *strict)


def test_free_models_are_routed_by_quality_alone(tmp_path: Path) -> None:
    log = traffic(160, 0.5, seed=2).with_columns(cost_usd=pl.lit(0))
    both = pl.concat([log, log.with_columns(model=pl.lit("c"), quality=1 - pl.col("quality"))])
    asked = table(tmp_path, both)
    out = tmp_path / "bundle"
    said = run("train", *asked, "--config", tmp_path / "lean.toml", "--out", out)
    lines = [line for line in said.splitlines() if "all costs are 0" in line]
    assert lines == [
        "all costs are 0: there is nothing to trade off, routing goes by quality alone"
    ]
    assert "NaN" not in (out / "manifest.json").read_text()
    decisions = [
        json.loads(run("route", out, "Ticket 4: Add rust and seven.", "--threshold", t))
        for t in (0, 0.5, 1)
    ]
    assert len({decision["model"] for decision in decisions}) == 1
    assert all(decision["predicted"]["cost_usd"] == 0 for decision in decisions)
    run("evaluate", out, *asked, "--split", "all", "--json", tmp_path / "e.json")
    run("sweep", out, *asked, "--split", "all", "--csv", tmp_path / "s.csv")
    assert "NaN" not in (tmp_path / "e.json").read_text()
    assert "NaN" not in (tmp_path / "s.csv").read_text()


def test_tokens_without_costs_are_priced_by_a_list_and_then_by_the_bundle(tmp_path: Path) -> None:
    log = traffic(300, 0.5, seed=4).drop("cost_usd").with_columns(model=pl.lit("a"))
    rng = np.random.default_rng(4)
    cells = [
        log.with_columns(
            model=pl.lit(name),
            quality=pl.Series((rng.random(300) < good).astype(int)),
            input_tokens=pl.lit(9),
            output_tokens=pl.Series(rng.integers(10, 40, 300)),
        )
        for name, good in (("a", 0.5), ("b", 0.8))
    ]
    asked = table(tmp_path, pl.concat(cells))
    prices = tmp_path / "prices.csv"
    prices.write_text("model,usd_per_1m_input,usd_per_1m_output\na,1,2\nb,3,9\n")
    config = ["--config", tmp_path / "lean.toml"]
    refused = invoke("train", *asked, *config, "--out", tmp_path / "no")
    assert refused.exit_code == 1
    assert refused.output.strip().count("\n") < 5
    out = tmp_path / "bundle"
    run("train", *asked, *config, "--prices", prices, "--out", out)
    manifest = json.loads((out / "manifest.json").read_text())
    paid = {a["model"]: (a["usd_per_1m_input"], a["usd_per_1m_output"]) for a in manifest["arms"]}
    assert paid == {"a": (1, 2), "b": (3, 9)}
    for command in ("evaluate", "sweep"):
        own = run(command, out, *asked)
        assert (
            own.splitlines()[-1] == run(command, out, *asked, "--prices", prices).splitlines()[-1]
        )
    every = [*asked, "--split", "test", "--max-quality-drop", "0.5", "--out", tmp_path / "sure"]
    assert "is certified" in run("calibrate", out, *every)


def test_models_of_the_public_list_need_no_prices(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    log = traffic(200, 0.5, seed=6).drop("cost_usd")
    cells = [
        log.with_columns(
            model=pl.lit(name),
            quality=pl.Series((rng.random(200) < good).astype(int)),
            input_tokens=pl.lit(9),  # the same everywhere: no price could be read off the costs
            output_tokens=pl.Series(rng.integers(10, 40, 200)),
        )
        for name, good in (("gpt-4o", 0.8), ("openai/gpt-4o-mini", 0.5))
    ]
    asked = table(tmp_path, pl.concat(cells))
    out = tmp_path / "bundle"
    said = run("train", *asked, "--config", tmp_path / "lean.toml", "--out", out)
    assert "costs computed by the public catalogue" in said
    assert "openai/gpt-4o-mini as gpt-4o-mini" in said
    arms = json.loads((out / "manifest.json").read_text())["arms"]
    paid = {a["model"]: (a["usd_per_1m_input"], a["usd_per_1m_output"]) for a in arms}
    assert paid == {"gpt-4o": (2.5, 10), "openai/gpt-4o-mini": (0.15, 0.6)}
    assert all(arm["price_date"] for arm in arms)
    assert f"what bundle {json.loads((out / 'manifest.json').read_text())['bundle_id']}" in run(
        "evaluate", out, *asked
    )
