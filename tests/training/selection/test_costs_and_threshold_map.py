"""Prices read off the table, tokens predicted, and a threshold that means spend."""

from __future__ import annotations

import numpy as np
import pytest

from data.prices import Price, PriceTable
from router.core import features
from router.core.choice import cost_weight_at
from router.core.threshold_map import _knots, price_grid, threshold_map
from router.types import Arm
from training.config import TrainConfig
from training.methods.base import Folds, Inputs
from training.methods.costs import fit_meter, fit_tokens, token_targets
from training.prepare.dataset import Dataset
from training.selection.regret import choices, decision_regret

N, ARMS = 600, 3
RNG = np.random.default_rng(0)
CHARS = RNG.integers(20, 900, N)
INPUT = np.stack([CHARS / 4 + 10, CHARS / 3, CHARS / 4], axis=1).round()
LEVEL = RNG.normal(size=N)
OUTPUT = np.exp(np.array([4.0, 5.0, 5.5]) + 0.8 * LEVEL[:, None] + 0.1 * RNG.normal(size=(N, ARMS)))
PRICE = np.array([[0.1, 0.2], [1.0, 3.0], [10.0, 30.0]])
COST = (INPUT * PRICE[:, 0] + OUTPUT * PRICE[:, 1]) / 1e6
CHANCE = np.clip(np.array([0.4, 0.6, 0.8]) - 0.25 * LEVEL[:, None], 0.02, 0.98)
QUALITY = (RNG.random((N, ARMS)) < CHANCE).astype(np.float32)


def dataset(**changes: object) -> Dataset:
    fields: dict[str, object] = {
        "arms": (Arm("small"), Arm("middle"), Arm("large")),
        "prompt_ids": tuple(map(str, range(N))),
        "texts": ("x",) * N,
        "domains": (None,) * N,
        "n_chars": CHARS,
        "quality": QUALITY,
        "input_tokens": INPUT.astype(np.float64),
        "output_tokens": OUTPUT,
        "cost_usd": COST,
        "test": np.zeros(N, dtype=np.bool_),
        "dropped_arms": {},
    }
    return Dataset(**(fields | changes))  # type: ignore[arg-type]


FOLDS = Folds(np.arange(N) % 5, np.arange(N))
NOISE = 0.1 * RNG.normal(size=(N, 7))


def inputs() -> Inputs:
    rows = np.concatenate([LEVEL[:, None], NOISE], axis=1)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    text = np.zeros((N, len(features.NAMES)), dtype=np.float32)
    text[:, 0] = LEVEL
    return Inputs(rows.astype(np.float32), text)


def test_prices_and_input_lines_are_read_off_the_table() -> None:
    meter = fit_meter(dataset(), None)
    assert np.stack([meter.input_usd, meter.output_usd], axis=1) == pytest.approx(PRICE, rel=1e-4)
    assert meter.input_per_char == pytest.approx([1 / 4, 1 / 3, 1 / 4], rel=1e-2)
    assert meter.cost_usd(CHARS, OUTPUT.astype(np.float32)) == pytest.approx(COST, rel=0.02)


def test_a_listed_price_replaces_what_the_table_paid() -> None:
    row = Price(model="small", usd_per_1m_input=9.0, usd_per_1m_output=8.0)
    meter = fit_meter(dataset(), PriceTable((row,)))
    assert (meter.input_usd[0], meter.output_usd[0]) == (9.0, 8.0)
    assert meter.output_usd[1] == pytest.approx(3.0, rel=1e-4)


def test_an_arm_without_token_counts_is_metered_in_dollars() -> None:
    holes = OUTPUT.copy()
    holes[:, 1] = np.nan
    data = dataset(output_tokens=holes)
    meter = fit_meter(data, None)
    assert meter.in_dollars.tolist() == [False, True, False]
    _, model = fit_tokens(inputs(), token_targets(data, meter), FOLDS, TrainConfig())
    tokens = model.predict(inputs())
    assert meter.cost_usd(CHARS, tokens)[:, 1].mean() == pytest.approx(COST[:, 1].mean(), rel=0.01)


def test_predicted_tokens_have_the_right_mean_and_follow_the_prompt() -> None:
    oof_tokens, model = fit_tokens(inputs(), OUTPUT.astype(np.float32), FOLDS, TrainConfig())
    for tokens in (oof_tokens, model.predict(inputs())):
        assert tokens.mean(axis=0) == pytest.approx(OUTPUT.mean(axis=0), rel=0.02)
        assert np.corrcoef(np.log(tokens[:, 0]), np.log(OUTPUT[:, 0]))[0, 1] > 0.8


def test_the_oracle_has_no_regret_and_the_worst_has_most() -> None:
    data = dataset()
    right, wrong, near = (
        decision_regret(predicted.astype(np.float32), COST, data).mean()
        for predicted in (QUALITY, 1 - QUALITY, CHANCE)
    )
    assert right == pytest.approx(0.0, abs=1e-9)
    assert wrong > near > 0


def test_the_threshold_runs_from_the_cheapest_to_the_best_spend() -> None:
    quality = CHANCE.astype(np.float32)
    table = threshold_map(quality, COST, dataset().quality, np.zeros(N))
    assert (table.threshold[0], table.threshold[-1]) == (0.0, 1.0)
    assert (np.diff(table.threshold) > 0).all()
    assert (np.diff(table.money_price) <= 0).all()
    assert table.cost_usd[0] == pytest.approx(COST.min(axis=1).mean())
    best = COST[np.arange(N), quality.argmax(axis=1)]
    assert table.cost_usd[-1] == pytest.approx(best.mean())


@pytest.mark.parametrize("threshold", [0.1, 0.25, 0.5, 0.75, 0.9])
def test_a_threshold_spends_its_share_of_the_way(threshold: float) -> None:
    quality = CHANCE.astype(np.float32)
    table = threshold_map(quality, COST, dataset().quality, np.zeros(N))
    arm = choices(quality, COST, cost_weight_at(table, threshold))
    spent = COST[np.arange(N), arm].mean()
    low, high = table.cost_usd[0], table.cost_usd[-1]
    assert (spent - low) / (high - low) == pytest.approx(threshold, abs=0.03)


def test_an_arm_that_was_seldom_asked_promises_what_is_predicted() -> None:
    quality = CHANCE.astype(np.float32)
    outcomes = dataset().quality.copy()
    best = int(quality.mean(axis=0).argmax())
    outcomes[: N // 2, best] = np.nan
    outcomes[N // 2 :, best] = 0.0  # another router asked it where it fails
    table = threshold_map(quality, COST, outcomes, np.zeros(N))
    chosen = quality.argmax(axis=1)
    expected = np.where(
        chosen == best, quality[np.arange(N), chosen], outcomes[np.arange(N), chosen]
    )
    assert table.quality[-1] == pytest.approx(expected.mean(), abs=1e-5)


def test_arms_of_one_price_leave_a_map_all_the_same() -> None:
    flat = np.full_like(COST, 0.01)
    table = threshold_map(CHANCE.astype(np.float32), flat, dataset().quality, np.zeros(N))
    assert (table.threshold[0], table.threshold[-1]) == (0.0, 1.0)
    assert list(table.cost_usd) == pytest.approx([0.01] * len(table.cost_usd))


def test_the_price_grid_covers_from_free_money_to_none() -> None:
    grid = price_grid(COST, 30)
    assert grid[0] == 0.0
    assert (np.diff(grid) > 0).all()
    assert (choices(CHANCE.astype(np.float32), COST, grid[-1]) == COST.argmin(axis=1)).all()


def test_arms_that_may_not_be_chosen_are_on_no_map() -> None:
    quality, outcomes = CHANCE.astype(np.float32), dataset().quality
    among = np.ones(quality.shape[1], dtype=np.bool_)
    among[-1] = False
    left = threshold_map(quality, COST, outcomes, np.zeros(N), among)
    alone = threshold_map(quality[:, among], COST[:, among], outcomes[:, among], np.zeros(N))
    assert left == alone
    assert left != threshold_map(quality, COST, outcomes, np.zeros(N))


def test_knots_rise_where_near_ties_let_spend_fall_back() -> None:
    """Spend that falls back next to nothing late would put a knot before earlier ones."""
    share = np.array([0.0, 0.4, 0.00005, 0.6, 1.0])
    kept = _knots(share.copy())
    assert kept == sorted(set(kept)), "λ falls along it"
    assert (kept[0], kept[-1]) == (0, len(share) - 1)
