"""Leaving a task out, RouteLLM's setting, and settings that are no longer chosen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import polars as pl
import pytest

from data.clean import CleanReport
from data.tables import Tables
from router import Router
from router.types import Arm
from training.benchmarks.fixed_config import fixed_config
from training.benchmarks.groups import GROUP_OF, MMLU, task_of
from training.benchmarks.leave_task_out import (
    arms_of,
    gap_at,
    leave_out,
    line,
    only,
    tasks,
    verdict,
    without,
)
from training.benchmarks.routellm import (
    CONTAMINATED,
    benchmark,
    joined,
    measured,
    own_setting,
    ranked,
)
from training.measure.outcomes import Outcomes, Sweep
from training.prepare.cache import CACHE

PAIR = (Arm("weak"), Arm("strong"))


@pytest.fixture(scope="module")
def config(tiny_bundle: Path) -> object:
    return fixed_config(Router.load(tiny_bundle).manifest)


def test_every_mmlu_subject_has_one_group() -> None:
    subjects = [subject for group in MMLU.values() for subject in group]
    assert len(subjects) == len(set(subjects)) == 57
    assert task_of("mmlu/anatomy") == "mmlu/STEM"
    assert task_of("law") == "humanities"
    assert task_of("gsm8k") == "gsm8k"
    assert GROUP_OF["professional_law"] == "humanities"


def test_fixed_settings_are_those_that_training_chose(tiny_bundle: Path) -> None:
    manifest = Router.load(tiny_bundle).manifest
    found = fixed_config(manifest)
    chosen = manifest.training["chosen"]
    assert found.cluster.k == (chosen["cluster"]["k"],)
    assert found.kernel.alpha == (chosen["kernel"]["alpha"],)
    assert found.encoder.depth == manifest.encoder.depth
    assert found.decision.tie_bands == (manifest.decision.tie_band,)


def test_a_task_left_out_is_in_neither_table_and_only_it_in_the_other(
    world_tables: Tables,
) -> None:
    task, labels = next(iter(tasks(world_tables, 50).items()))
    rest, here = without(world_tables, labels), only(world_tables, labels)
    assert task in labels
    assert set(here.prompts["domain"]) == set(labels)
    assert not set(rest.prompts["prompt_id"]) & set(here.outcomes["prompt_id"])
    assert rest.outcomes.height + here.outcomes.height == world_tables.outcomes.height


def test_one_task_cannot_be_left_out(world_tables: Tables) -> None:
    lone = replace(world_tables, prompts=world_tables.prompts.with_columns(domain=pl.lit("all")))
    with pytest.raises(click.ClickException, match="needs two tasks"):
        tasks(lone, 5)


def test_a_router_that_never_saw_a_task_gets_a_verdict_on_it(
    world_tables: Tables, tiny_bundle: Path, tmp_path: Path
) -> None:
    base = Router.load(tiny_bundle).manifest
    tables = arms_of(world_tables, [info.arm.id for info in base.arms])
    task, labels = next(iter(tasks(tables, 50).items()))
    left = leave_out(
        task, labels, tables, fixed_config(base), out=tmp_path, split="test", cache=CACHE
    )
    row = verdict(left, resamples=100)
    assert row["n_prompts"] == left.outcomes.n
    for name in ("known_best", "hindsight_best"):
        low, high = row[name]["ci95"]
        assert low <= high
        assert row[name]["worse"] == (high < 0)
    assert row["hindsight_best"]["quality"] >= row["known_best"]["quality"]
    assert task in line(row)
    json.dumps(row, allow_nan=False)
    trained = Router.load(tmp_path / task.replace("/", "-")).manifest.training["prompts"]
    assert trained == (without(tables, labels).prompts["split"] == "train").sum()


# Cheap is right on the first two prompts, dear on the last three.
BY_HAND = Outcomes(PAIR, np.array([[1.0, 0], [1, 1], [0, 1], [0, 1]]), np.tile([1.0, 5.0], (4, 1)))


def test_the_gap_at_an_arms_own_cost_by_hand() -> None:
    # At $5 the frontier through (1, 0.5) and (3, 1) is at 1.0, the dear arm at 0.75.
    found = gap_at(
        Sweep("s", np.array([[0, 0, 0, 0], [0, 0, 1, 1]])), BY_HAND, 1, resamples=50, seed=0
    )
    assert found["gap"] == pytest.approx(0.25)
    assert not found["worse"]


def test_a_router_that_is_surely_worse_is_called_so() -> None:
    quality = np.column_stack([np.zeros(60), np.ones(60)])
    outcomes = Outcomes(PAIR, quality, np.tile([1.0, 5.0], (60, 1)))
    found = gap_at(Sweep("s", np.zeros((1, 60), dtype=int)), outcomes, 1, resamples=50, seed=0)
    assert (found["gap"], found["worse"]) == (pytest.approx(-1.0), True)


def pair_tables() -> Tables:
    ids = [*sorted(CONTAMINATED)[:2], *(f"{i:016x}" for i in range(8))]
    domain = ["gsm8k"] * 5 + ["mmlu/anatomy"] * 4 + ["mt_bench"]
    split = ["train", "test"] * 5
    prompts = pl.DataFrame({"prompt_id": ids, "prompt": ids, "domain": domain, "split": split})
    outcomes = pl.DataFrame(
        {"prompt_id": ids * 2, "model": ["weak"] * 10 + ["strong"] * 10, "tier": ["default"] * 20}
    )
    return Tables(outcomes, prompts, None, CleanReport())


def test_contaminated_prompts_and_other_benchmarks_are_taken_out() -> None:
    tables, counts = own_setting(pair_tables())
    assert counts == {"listed": 17, "train": 1, "test": 1}
    assert not set(tables.prompts["prompt_id"]) & CONTAMINATED
    assert set(tables.prompts["domain"]) == {"gsm8k", "mmlu/anatomy"}
    assert set(tables.outcomes["prompt_id"]) == set(tables.prompts["prompt_id"])
    assert benchmark("mmlu/anatomy") == "mmlu"


def test_a_perfect_ranking_recovers_the_gap_with_the_calls_that_need_it() -> None:
    # Half of the prompts need the strong arm: all of the gap with half of the calls.
    needs = np.arange(40) % 2 == 0
    quality = np.column_stack([~needs, np.ones(40)]).astype(np.float64)
    outcomes = Outcomes(PAIR, quality, np.tile([1.0, 5.0], (40, 1)))
    score = needs + np.linspace(0, 0.01, 40)
    found = measured(outcomes, ranked(score, 1))["tierwise"]
    assert found["apgr"]["value"] == pytest.approx(0.75, abs=0.02)
    assert found["cpt_80"]["value"] == pytest.approx(0.4, abs=0.01)
    both = joined([outcomes, outcomes])
    assert both.n == 80
