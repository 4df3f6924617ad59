"""The statistics of a new arm: a prior that yields to labels, and doubt that shrinks with them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from training.edit.new_arm import NewArm, Settings, fit_new_arm
from training.methods.linear import sigmoid

K = 8
Doubles = NDArray[np.float64]


def drawn(n: int, seed: int, *, odd: float = 0.0) -> tuple[NDArray[np.float32], Doubles, Doubles]:
    """Known predictions (n, 3), cluster shares (n, K) and a new arm's true quality (n,).

    The arm is a little better than the others, and off by `odd` in the first cluster.
    """
    rng = np.random.default_rng(seed)
    hard = rng.normal(0.5, 1.2, n)
    known = sigmoid(hard[:, None] + np.array([-0.4, 0.0, 0.4])).astype(np.float32)
    weights = np.eye(K)[rng.integers(0, K, n)]
    truth = np.clip(sigmoid(hard + 0.3) + odd * weights[:, 0], 0.0, 1.0)
    return known, weights, truth


def fitted(n: int, seed: int, *, odd: float = 0.0, caution: float = 1.0) -> NewArm:
    known, weights, truth = drawn(n, seed, odd=odd)
    rng = np.random.default_rng([seed, 1])
    return fit_new_arm(
        known,
        np.full(known.shape, 200.0, dtype=np.float32),
        weights,
        weights.argmax(axis=1),
        label=(rng.random(n) < truth).astype(np.float64),
        answer_tokens=rng.lognormal(6.0, 0.4, n),
        settings=Settings(prior_rows=20.0, caution=caution, seed=0),
    )


def test_it_learns_what_the_known_arms_know_of_a_prompt() -> None:
    known, weights, truth = drawn(2000, 99)
    for seed in range(3):
        new_arm = fitted(300, seed)
        error = ((new_arm.expected(known, weights) - truth) ** 2).mean()
        assert error < 0.35 * truth.var()
        assert new_arm.errors["chosen"] < new_arm.errors["mean"]


def test_what_is_odd_in_one_cluster_is_learned_there() -> None:
    new_arm = fitted(1000, 1, odd=-0.5)
    assert new_arm.residual[0] < -0.15
    assert new_arm.residual[1:].min() > new_arm.residual[0] + 0.2
    assert np.isfinite(new_arm.chosen[1])


def test_doubt_shrinks_with_labels_and_decisions_get_the_lower_end() -> None:
    known, weights, _ = drawn(500, 99)
    doubts = [fitted(n, 2).level_se(known).mean() for n in (50, 200, 1000)]
    assert doubts[0] > 1.5 * doubts[1] > 2.0 * doubts[2]
    new_arm = fitted(50, 2)
    assert (new_arm.quality(known, weights) < new_arm.expected(known, weights)).all()
    assert (new_arm.quality_se(known, weights) > new_arm.level_se(known)).all()


@pytest.mark.parametrize("seed", range(8))
def test_fewer_labels_leave_more_uncertainty_of_every_prompt(seed: int) -> None:
    known, weights, _ = drawn(500, 99)
    error = [fitted(n, seed).quality_se(known, weights).mean() for n in (60, 300, 1000)]
    assert error[0] > error[1] > error[2]


def test_the_lower_end_is_rarely_above_the_truth() -> None:
    known, weights, truth = drawn(2000, 99)
    above = [
        fitted(60, seed, caution=1.645).quality(known, weights).mean() > truth.mean()
        for seed in range(60)
    ]
    assert np.mean(above) <= 0.12


def test_lengths_keep_their_mean() -> None:
    new_arm = fitted(300, 3)
    tokens = np.full((10, 3), 200.0, dtype=np.float32)
    wanted = np.random.default_rng([3, 1])
    wanted.random(300)
    assert new_arm.output_tokens(tokens).mean() == pytest.approx(
        wanted.lognormal(6.0, 0.4, 300).mean(), rel=1e-6
    )
