"""Where evidence is thin, decisions follow the arms' means, and what many prompts say is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from router.types import Doubles, Floats
from tests.training.small import small_dataset
from training.config import StackConfig
from training.errors import ConfigError
from training.methods.base import arm_means
from training.selection.criteria import Criterion
from training.selection.price_trend import pulled_means
from training.selection.regret import chosen_shares
from training.selection.trust import Trust, trust_of

ARMS = 4
COST = np.array([1e-4, 2e-4, 4e-4, 8e-4])
MEAN = np.array([0.45, 0.5, 0.55, 0.6])
PLAIN = StackConfig(sharpness=1.0)


def found(n: int, signal: float, claimed: float, seed: int = 0) -> Trust:
    """What is found where arms differ by `signal` on a prompt and `claimed` is predicted."""
    rng = np.random.default_rng(seed)
    shape = rng.normal(size=(n, ARMS))
    chance = np.clip(MEAN + signal * shape, 0.02, 0.98)
    quality = (rng.random((n, ARMS)) < chance).astype(np.float32)
    means = np.tile(MEAN, (n, 1)).astype(np.float32)
    followed = (MEAN + claimed * shape).astype(np.float32)
    return trust_of(means, followed, PLAIN, criterion(quality))


def criterion(quality: Floats) -> Criterion:
    cost = np.tile(COST, (len(quality), 1))
    return Criterion(data=small_dataset(quality, cost), cost_usd=cost)


def test_what_tells_nothing_is_hardly_ever_followed() -> None:
    # one standard error is passed by chance in one of six tables, and then little is left
    shares = [found(150, 0.0, 0.15, seed).share for seed in range(40)]
    assert np.mean(np.array(shares) > 0) < 0.25
    assert np.mean(shares) < 0.05


def test_a_strong_signal_is_followed_whole() -> None:
    trust = found(1500, 0.15, 0.15)
    assert trust.slope == pytest.approx(1.0, abs=0.15)
    assert trust.share > 0.8
    assert trust.prompts == 1500
    assert trust.aiq is not None
    assert trust.fixed_mix_aiq is not None
    assert trust.aiq > trust.fixed_mix_aiq + 0.02


def test_a_thin_signal_is_followed_in_part() -> None:
    shares = [found(150, 0.06, 0.12, seed).share for seed in range(40)]
    assert 0.1 < np.mean(shares) < 0.6


def test_differences_that_are_told_too_large_are_followed_less() -> None:
    assert found(4000, 0.1, 0.3).share == pytest.approx(1 / 3, abs=0.1)
    assert found(4000, 0.1, 0.05).share > 0.9


def test_the_opposite_of_the_truth_is_not_followed() -> None:
    trust = found(1500, 0.15, -0.15)
    assert trust.slope < 0
    assert trust.share == 0.0
    assert trust.record()["pays"] is False
    # the figure that is told then is that of the predictions, which are not followed
    assert trust.aiq is not None
    assert trust.fixed_mix_aiq is not None
    assert trust.aiq < trust.fixed_mix_aiq


def test_a_log_shows_its_signal_too() -> None:
    rng = np.random.default_rng(0)
    n, shape = 3000, rng.normal(size=(3000, ARMS))
    chance = np.clip(MEAN + 0.15 * shape, 0.02, 0.98)
    outcome = (rng.random((n, ARMS)) < chance).astype(np.float32)
    asked = rng.integers(0, ARMS, n)
    quality = np.where(np.arange(ARMS) == asked[:, None], outcome, np.nan).astype(np.float32)
    log = replace(criterion(quality), level=np.full(n, MEAN.mean()))
    means = np.tile(MEAN, (n, 1)).astype(np.float32)
    right, wrong = (
        trust_of(means, (MEAN + way * 0.15 * shape).astype(np.float32), PLAIN, log).share
        for way in (1.0, -1.0)
    )
    assert right > 0.7
    assert wrong == 0.0


def test_a_share_can_be_fixed() -> None:
    quality = np.eye(ARMS, dtype=np.float32)[np.arange(60) % ARMS]
    means = np.tile(MEAN, (60, 1)).astype(np.float32)
    assert trust_of(means, means, replace(PLAIN, trust=0.4), criterion(quality)).share == 0.4
    with pytest.raises(ConfigError, match="between 0 and 1, got 2"):
        StackConfig(trust=2.0)


def test_chosen_shares_are_those_of_the_grid() -> None:
    quality = np.zeros((50, ARMS), dtype=np.float32)
    data = criterion(quality).data
    cost, everyone = np.tile(COST, (50, 1)), np.ones((50, ARMS), dtype=np.bool_)
    assert chosen_shares(quality, cost, data, everyone).tolist() == [1.0, 0.0, 0.0, 0.0]
    best = quality + np.array([0, 0, 0, 100.0], dtype=np.float32)
    assert chosen_shares(best, cost, data, everyone)[3] == 1.0


def arms_of(n: int, truth: Doubles, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    level = rng.uniform(-0.15, 0.15, (n, 1))
    return (rng.random((n, len(truth))) < truth + level).astype(np.float32)


def test_means_of_few_prompts_are_nearer_the_truth_when_pulled_to_the_price_line() -> None:
    cost = np.geomspace(1e-4, 1e-2, 30)
    truth = 0.35 + 0.05 * np.log10(cost / 1e-4) + np.random.default_rng(9).normal(0, 0.03, 30)
    gaps = []
    for seed in range(10):
        quality = arms_of(40, truth, seed)
        raw = arm_means(quality) - arm_means(quality).mean()
        pulled = pulled_means(quality, cost, levelled=False)
        assert pulled.mean() == pytest.approx(0.0, abs=1e-9)
        gaps.append([np.square(m - (truth - truth.mean())).mean() for m in (raw, pulled)])
    before, after = np.mean(gaps, axis=0)
    assert after < 0.5 * before


def test_means_of_many_prompts_stay() -> None:
    truth = np.array([0.3, 0.6, 0.4, 0.7, 0.5])
    quality = arms_of(20_000, truth)
    pulled = pulled_means(quality, np.geomspace(1e-4, 1e-2, 5), levelled=False)
    assert pulled == pytest.approx(arm_means(quality) - arm_means(quality).mean(), abs=1e-3)


def test_a_lucky_arm_with_few_outcomes_is_pulled_most() -> None:
    quality = arms_of(300, np.full(12, 0.5))
    quality[:, 0] = np.arange(300) < 240
    sure = pulled_means(quality - 0.5, np.full(12, 1e-3), levelled=True)[0]
    quality[:, 0] = np.where(np.arange(300) < 5, 1.0, np.nan)
    lucky = pulled_means(quality - 0.5, np.full(12, 1e-3), levelled=True)[0]
    assert sure > 0.22
    assert lucky < 0.8 * sure


@pytest.mark.parametrize("cost", [np.zeros(4), np.full(4, 1e-3)])
def test_arms_of_one_price_are_pulled_to_their_middle(cost: Doubles) -> None:
    pulled = pulled_means(arms_of(30, np.full(4, 0.5)), cost, levelled=False)
    assert np.isfinite(pulled).all()
    assert np.abs(pulled).max() < 0.2
