"""The test behind a certificate: valid at every sample size, and it finds what is there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.benchmarks.coverage import simulate
from training.certify.bound import fixed_sequence, p_value, prompts_needed, upper_bound
from training.certify.certify import Request

Loss = NDArray[np.float64]


def paired(mean: float, n: int, seed: int) -> Loss:
    """Losses of -1, 0 and 1 with the given expectation."""
    draw = np.random.default_rng(seed).random(n)
    return (draw < 0.1 + mean).astype(float) - (draw > 0.9).astype(float)


def test_at_the_limit_it_rejects_no_more_often_than_its_level() -> None:
    for n in (60, 400):
        wrong = [p_value(paired(0.02, n, seed), 0.02, level=0.05) <= 0.05 for seed in range(600)]
        assert np.mean(wrong) <= 0.05


def test_it_rejects_what_is_clearly_below() -> None:
    right = [p_value(paired(-0.04, 1500, seed), 0.02, level=0.05) <= 0.05 for seed in range(60)]
    assert np.mean(right) > 0.9


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=60), st.floats(-0.99, 0.98))
@example([0.0], 0.98)
@example([1.0], 0.98)
def test_a_looser_limit_is_never_harder(values: list[float], limit: float) -> None:
    loss = np.array(values)
    tight, loose = (p_value(loss, at, level=0.1) for at in (limit, min(limit + 0.02, 1.0)))
    assert 0.0 <= loose <= tight + 1e-12 <= 1.0 + 1e-12


def test_the_bound_is_where_the_test_turns() -> None:
    loss = paired(0.0, 800, 1)
    bound = upper_bound(loss, level=0.05)
    assert loss.mean() < bound < 0.1
    assert p_value(loss, bound + 1e-6, level=0.05) <= 0.05 < p_value(loss, bound - 1e-6, level=0.05)


def test_nothing_is_learned_from_no_rows_nor_from_rows_at_the_limit() -> None:
    assert p_value(np.array([]), 0.5, level=0.05) == 1.0
    for limit in (-1.0, 0.5, 1.0):
        assert p_value(np.full(400, limit), limit, level=0.05) == 1.0


def test_testing_stops_at_the_first_failure() -> None:
    good, bad = np.full(400, -0.5), np.full(400, 0.5)
    assert fixed_sequence(np.stack([good, bad, good, good]), 0.02, level=0.05) == 2
    assert fixed_sequence(np.stack([good, good]), 0.02, level=0.05) == 0
    assert fixed_sequence(np.stack([good, bad]), 0.02, level=0.05) is None


def test_the_number_of_prompts_that_is_asked_for_is_about_enough() -> None:
    needed = prompts_needed(paired(-0.01, 200_000, 3), 0.02, level=0.05)
    assert needed is not None
    more = [p_value(paired(-0.01, 3 * needed, s), 0.02, level=0.05) <= 0.05 for s in range(40)]
    fewer = [p_value(paired(-0.01, needed // 4, s), 0.02, level=0.05) <= 0.05 for s in range(40)]
    assert np.mean(more) > 0.8
    assert np.mean(fewer) < 0.4
    assert prompts_needed(np.full(100, 0.1), 0.02, level=0.05) is None


@pytest.mark.parametrize("prompts", [120, 600])
def test_in_worlds_whose_truth_is_known_the_promise_is_broken_in_at_most_5_percent(
    prompts: int,
) -> None:
    found = simulate(200, prompts, Request(max_quality_drop=0.02, confidence=0.95))
    assert found.certified > 20
    assert found.rate <= 0.05


def test_a_bound_without_the_test_would_break_its_promise() -> None:
    """The simulation can fail: certifying by the observed mean breaks it far more often."""
    from training.benchmarks.coverage import simulated_losses

    broken = 0
    for world in range(100):
        loss, truth = simulated_losses(np.random.default_rng([7, world]), 120, 0.02)
        held = loss.mean(axis=1) <= 0.02
        row = len(held) - int(np.argmin(held[::-1])) if not held.all() else 0
        broken += bool((truth[row:] > 0.02).any()) if row < len(held) else 0
    assert broken > 10
