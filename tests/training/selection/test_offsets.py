"""How far arms are from what a base says: few outcomes move little, many are followed."""

from __future__ import annotations

import numpy as np
import pytest

from router.types import Doubles, Floats
from training.selection.calibrate import HIGH
from training.selection.offsets import Ahead, lowered, pulled_offsets

ARMS = 6
COST = np.geomspace(1e-4, 1e-2, ARMS)
BASE = np.linspace(0.5, 0.7, ARMS)
OFF = np.array([0.1, -0.1, 0.05, 0.0, -0.15, 0.1])


def ahead(n: int, unsure: Doubles | None = None) -> Ahead:
    """A base that knows all arms, and says the same of every prompt."""
    return Ahead(
        quality=np.tile(BASE, (n, 1)).astype(np.float32),
        alike=np.eye(ARMS),
        unsure=np.zeros(ARMS) if unsure is None else unsure,
        cost_usd=COST,
    )


def beyond(n: int, off: Doubles, seed: int = 0) -> Floats:
    """Outcomes of right or wrong beyond the base's, on prompts that differ in level."""
    rng = np.random.default_rng(seed)
    right = rng.random((n, ARMS)) < BASE + off
    return (right - BASE).astype(np.float32)


def found(n: int, off: Doubles, seed: int = 0) -> Doubles:
    return pulled_offsets(beyond(n, off, seed), ahead(n), levelled=False)[0]


def test_more_outcomes_bring_offsets_nearer_to_the_truth() -> None:
    true = OFF - OFF.mean()
    errors = {
        n: np.mean([((found(n, OFF, seed) - true) ** 2).mean() for seed in range(20)])
        for n in (10, 100, 3000)
    }
    assert errors[10] > errors[100] > errors[3000]
    assert errors[3000] < 2e-4


def test_few_outcomes_are_better_pulled_than_believed() -> None:
    raw, pulled = [], []
    for seed in range(40):
        rows = beyond(12, 0.3 * OFF, seed)
        mean, true = rows.mean(axis=0) - rows.mean(), 0.3 * (OFF - OFF.mean())
        raw.append(((mean - true) ** 2).mean())
        pulled.append(((found(12, 0.3 * OFF, seed) - true) ** 2).mean())
    assert np.mean(pulled) < 0.5 * np.mean(raw)


def test_an_arm_nobody_asked_keeps_what_the_base_says() -> None:
    rows = beyond(200, OFF)
    rows[:, 3] = np.nan
    offset, error = pulled_offsets(rows, ahead(200), levelled=False)
    assert abs(offset[3] - offset.mean()) < 0.08
    assert error[3] == error.max()


def test_a_base_that_is_off_by_a_factor_is_corrected_as_a_whole() -> None:
    """How arms of a price differ may be turned round elsewhere."""
    zigzag = np.array([0.08, -0.08, 0.08, -0.08, 0.08, -0.08])
    told = Ahead(
        quality=np.tile(0.6 + zigzag, (60, 1)).astype(np.float32),
        alike=np.eye(ARMS), unsure=np.zeros(ARMS), cost_usd=COST,
    )  # fmt: skip
    rows = np.tile(-zigzag, (60, 1)).astype(np.float32)  # all arms are alike in truth
    rows += np.random.default_rng(0).normal(0, 0.2, rows.shape).astype(np.float32)
    rows[:, 4:] = np.nan  # of the last two nobody knows
    offset, _ = pulled_offsets(rows, told, levelled=False)
    assert offset[4] - offset[5] < -0.08, "told by the others"


def test_an_arm_that_the_base_never_tried_is_less_sure() -> None:
    unsure = np.zeros(ARMS)
    unsure[2] = 0.04
    _, error = pulled_offsets(beyond(15, OFF), ahead(15, unsure), levelled=False)
    assert error[2] > 1.05 * np.delete(error, 2).max()


def test_sparse_rows_leave_more_open_than_full_ones() -> None:
    rows = beyond(120, OFF)
    sparse = rows.copy()
    sparse[np.arange(120)[:, None] % ARMS != np.arange(ARMS)] = np.nan
    full, few = (pulled_offsets(r, ahead(120), levelled=True)[1] for r in (rows, sparse))
    assert (few > 1.5 * full).all()


@pytest.mark.parametrize("best", [0.8, 1.3])
def test_arms_go_down_together_where_the_best_would_be_cut_off(best: float) -> None:
    quality = np.array([[best, best - 0.05, best - 0.4]], dtype=np.float32)
    told = lowered(quality)
    assert told.max() == pytest.approx(min(best, HIGH))
    assert np.diff(told) == pytest.approx(np.diff(quality), abs=1e-6)
