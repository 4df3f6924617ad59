"""What of a sparse table compares arms, and what it shows of decisions among all of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.tables import Tables
from router import Router
from tests.training.small import small_dataset
from training.evaluation.evaluate import evaluate_bundle
from training.prepare.cache import CACHE
from training.progress import Timings
from training.selection.validation import LEAST, comparable, complete


@given(
    seed=st.integers(0, 10_000),
    shares=st.lists(st.floats(0.0, 1.0), min_size=2, max_size=6),
    n=st.integers(1, 120),
)
def test_the_compared_arms_share_prompts_or_there_are_none(
    seed: int, shares: list[float], n: int
) -> None:
    seen = np.random.default_rng(seed).random((n, len(shares))) < np.array(shares)
    quality = np.where(seen, 0.5, np.nan).astype(np.float32)
    data = small_dataset(quality, np.where(seen, 0.001, np.nan))
    among = comparable(data)
    there = seen.any(axis=0)
    if there.sum() < 2:
        assert not among.any()
        return
    full = complete(data.of_arms(there))
    if full.mean() >= 0.5:
        assert np.array_equal(among, there)
    elif not among.any():
        assert not full.any()
    elif not np.array_equal(among, there):
        assert among.sum() >= 2
        assert complete(data.of_arms(among)).sum() >= min(LEAST, n / 2)


def test_of_two_blocks_the_one_with_more_comparisons_counts() -> None:
    seen = np.zeros((100, 4), dtype=np.bool_)
    seen[:, :2] = True  # 100 prompts by two arms
    seen[:60, 2] = True  # 60 by three
    seen[:31, 3] = True  # 31 by four
    data = small_dataset(np.where(seen, 1.0, np.nan).astype(np.float32), np.ones((100, 4)))
    assert comparable(data).tolist() == [True, True, True, False]


def test_a_thinned_table_gives_the_figures_of_the_arms_it_still_compares(
    tiny_bundle: Path, world_tables: Tables
) -> None:
    router = Router.load(tiny_bundle)
    arm = router.arms[-1]
    outcomes = world_tables.outcomes
    few = (outcomes["prompt_id"].hash(1) % 4 == 0) | (
        (outcomes["model"] != arm.model) | (outcomes["tier"] != arm.tier)
    )
    thin = replace(world_tables, outcomes=outcomes.filter(few))
    found, scored = evaluate_bundle(
        router, thin, split="all", cache=CACHE, reporter=Timings(), resamples=20
    )
    assert found is not None
    assert scored.among.tolist() == [a != arm for a in router.arms]
    assert len(found.outcomes.arms) == len(router.arms) - 1
    assert found.router.sweep.choices.max() < len(router.arms) - 1
    assert scored.scores.quality.shape == found.outcomes.quality.shape
    total = world_tables.prompts.height
    assert [row.prompts for row in scored.observed] == [total] * 5
    assert all(0 < row.observed <= total for row in scored.observed)
    whole, _ = evaluate_bundle(
        router, world_tables, split="all", cache=CACHE, reporter=Timings(), resamples=20
    )
    assert whole is not None
    # an arm is missing from the interval of costs, and nothing else is
    arms = dict(zip(whole.outcomes.arms, whole.outcomes.quality.T, strict=True))
    for a, quality in zip(found.outcomes.arms, found.outcomes.quality.T, strict=True):
        assert quality.mean() == pytest.approx(arms[a].mean())
