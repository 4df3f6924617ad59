"""Bins × budget: tables chosen on one fold, scored on the other, and what they are worth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from training.benchmarks.bins import BINS, BUDGETS, Plan, Tiers, curves, plan, quantile_bins
from training.benchmarks.bins_report import HEAD, curve_rows, figures, grid_rows, lines
from training.benchmarks.compute_charts import compute_chart, save
from training.tiers.integrate import best_of_known

SAMPLES = (1, 4, 16)


@pytest.fixture(scope="module")
def tiers() -> Tiers:
    """Best-of-n of easy, medium and hopeless prompts, whose chance is predicted nearly."""
    rng = np.random.default_rng(0)
    p = rng.choice([0.93, 0.15, 0.002], 1200, p=[0.5, 0.2, 0.3])
    near = np.clip(p * np.exp(rng.normal(0, 0.1, len(p))), 0.0, 0.99)
    chance, guess = (np.stack([best_of_known(x, n) for n in SAMPLES], axis=1) for x in (p, near))
    cost = np.tile(np.array(SAMPLES) * 1e-4, (len(p), 1))
    return Tiers(
        model="m",
        names=("one", "best-of-4", "best-of-16"),
        quality=(rng.random(chance.shape) < chance).astype(float),
        cost_usd=cost,
        predicted=guess,
        predicted_usd=cost,
        fold=rng.integers(0, 2, len(p)),
    )


@pytest.fixture(scope="module")
def found(tiers: Tiers) -> Plan:
    return plan(tiers)


def test_bins_are_quantiles_of_the_rows_that_choose() -> None:
    score = np.arange(10.0)
    everyone = np.ones(10, dtype=np.bool_)
    assert quantile_bins(score, everyone).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert quantile_bins(score, score < 5)[-1] == BINS - 1


def test_every_prompt_is_spread_over_tiers_within_the_budget(tiers: Tiers, found: Plan) -> None:
    for name, share in found.share.items():
        assert share.sum(axis=2) == pytest.approx(np.ones(share.shape[:2]))
        paid = (share * tiers.cost_usd).sum(axis=2).mean(axis=1)
        # costs are alike for all prompts, so what a fold affords the other does, to a bin's edge
        assert (paid <= found.budgets_usd * 1.08 + 1e-12).all(), name


def test_ours_and_predicted_bins_beat_the_uniform_budget(tiers: Tiers, found: Plan) -> None:
    lead = {c.strategy: c for c in curves(tiers, found)}
    assert lead["uniform budget"].lead == 0.0
    for name in ("arm by arm (ours)", "predicted bins"):
        assert lead[name].lead_ci95[0] > 0.0
    assert lead["arm by arm (ours)"].lead > lead["predicted bins"].lead - 0.005


def test_a_larger_budget_never_lowers_expected_quality_arm_by_arm(
    tiers: Tiers, found: Plan
) -> None:
    share = found.share["arm by arm (ours)"]
    for fold in (0, 1):
        rows = tiers.fold == fold
        expected = (share[:, rows] * tiers.predicted[rows]).sum(axis=(1, 2))
        assert (np.diff(expected) >= -1e-9).all()


def test_a_fold_never_chooses_by_its_own_outcomes(tiers: Tiers, found: Plan) -> None:
    flipped = tiers.quality.copy()
    flipped[tiers.fold == 1] = 0.0
    other = plan(
        Tiers(
            model=tiers.model,
            names=tiers.names,
            quality=flipped,
            cost_usd=tiers.cost_usd,
            predicted=tiers.predicted,
            predicted_usd=tiers.predicted_usd,
            fold=tiers.fold,
        )
    )
    for name in ("uniform budget", "predicted bins", "arm by arm (ours)"):
        same = found.share[name][:, tiers.fold == 1] == other.share[name][:, tiers.fold == 1]
        assert same.all(), name


def test_the_figures_are_json_and_the_picture_is_whole(
    tiers: Tiers, found: Plan, tmp_path: Path
) -> None:
    scored = curves(tiers, found)
    rows = figures(tiers, found, scored)
    json.dumps(rows, allow_nan=False)
    assert len(rows["table"]) == BINS * BUDGETS
    assert len([*HEAD, *lines("m", scored)]) == 6
    grid = grid_rows(tiers, found)
    save(compute_chart([("m", tiers.names, grid, curve_rows(scored))]), tmp_path / "compute")
    assert (tmp_path / "compute.png").read_bytes().startswith(b"\x89PNG")
    assert "vega" in (tmp_path / "compute.html").read_text("utf-8")
