"""Tier effects that models share: a tier is foretold for a model that never had it."""

from __future__ import annotations

import numpy as np
import pytest

from router.core import features
from router.types import Arm, Floats
from training.config import LinearConfig, TieredConfig
from training.methods.base import Inputs
from training.methods.tiered import engages, fit_tiered, incidence

D = 12
ARMS = [Arm(f"m{i}", tier) for i in range(6) for tier in ("brief", "full")]


def world(n: int, seed: int) -> tuple[Inputs, Floats, Floats]:
    """Six models; the full tier helps on prompts of one direction and harms on the others."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, D))
    embedding = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    text = rng.normal(size=(n, len(features.NAMES))).astype(np.float32)
    level = np.linspace(-1.5, 1.0, 6)
    raw = np.stack(
        [
            level[int(arm.model[1])]
            + 2.0 * embedding[:, 1]
            + (arm.tier == "full") * (6.0 * embedding[:, 0] - 0.4)
            for arm in ARMS
        ],
        axis=1,
    )
    truth = (1.0 / (1.0 + np.exp(-raw))).astype(np.float32)
    return Inputs(embedding, text), (rng.random(truth.shape) < truth).astype(np.float32), truth


def test_sharing_needs_a_model_at_two_tiers() -> None:
    assert engages(ARMS)
    assert not engages([Arm("a", "brief"), Arm("b", "full")])
    assert not engages([])


def test_an_arm_is_the_sum_of_its_model_its_tier_and_itself() -> None:
    sums = incidence([Arm("a", "x"), Arm("a", "y"), Arm("b", "x")], (1.0, 0.5, 0.25))
    assert sums.tolist() == [
        [1.0, 0.0, 0.5, 0.0, 0.25, 0.0, 0.0],
        [1.0, 0.0, 0.0, 0.5, 0.0, 0.25, 0.0],
        [0.0, 1.0, 0.5, 0.0, 0.0, 0.0, 0.25],
    ]


@pytest.mark.parametrize("arm", [1, 6])
def test_a_tier_never_seen_with_a_model_is_foretold_better_than_by_averages(arm: int) -> None:
    inputs, quality, _ = world(500, seed=0)
    test, _, truth = world(400, seed=1)
    holes = quality.copy()
    holes[:, arm] = np.nan
    head = fit_tiered(inputs, holes, ARMS, TieredConfig(), LinearConfig(), alpha=3.0)
    error = ((head.predict(test, {})[:, arm] - truth[:, arm]) ** 2).mean()
    sibling = arm + 1 if arm % 2 == 0 else arm - 1
    peers = [i for i in range(len(ARMS)) if ARMS[i].tier == ARMS[arm].tier and i != arm]
    for average in (quality[:, sibling].mean(), quality[:, peers].mean()):
        assert error < 0.5 * ((average - truth[:, arm]) ** 2).mean()


def test_few_rows_of_a_tier_lean_on_what_other_models_show() -> None:
    inputs, quality, _ = world(500, seed=2)
    test, _, truth = world(400, seed=3)
    holes = quality.copy()
    holes[25:, 3] = np.nan
    shared = fit_tiered(inputs, holes, ARMS, TieredConfig(), LinearConfig(), alpha=3.0)
    alone = fit_tiered(
        inputs, holes, ARMS, TieredConfig(tier=1e-3, arm=5.0), LinearConfig(), alpha=3.0
    )
    errors = [((h.predict(test, {})[:, 3] - truth[:, 3]) ** 2).mean() for h in (shared, alone)]
    assert errors[0] < 0.8 * errors[1]
