"""Weights of the methods: evidence decides, and no more firmly than there is of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.types import Doubles, Floats
from tests.training.small import small_dataset
from training.config import ConfigError, StackConfig
from training.prepare.dataset import Dataset
from training.selection.crossfit import Crossfit
from training.selection.regret import chosen_loss, decision_regret, spend_shares
from training.selection.weights import aggregate, weigh

N, ARMS = 1500, 3
RNG = np.random.default_rng(1)
TRUTH = RNG.uniform(0.1, 0.9, (N, ARMS)).astype(np.float32)
QUALITY = (RNG.random((N, ARMS)) < TRUTH).astype(np.float32)
COST = np.broadcast_to(np.array([1e-3, 2e-3, 4e-3]), (N, ARMS)).copy()
FOLD = np.arange(N) % 5


def noisy(size: float, seed: int = 2) -> Floats:
    noise = np.random.default_rng(seed).normal(0, size, TRUTH.shape)
    return np.clip(TRUTH + noise, 0, 1).astype(np.float32)


def dataset(quality: Floats = QUALITY) -> Dataset:
    return small_dataset(quality, COST)


def weights(
    predictions: dict[str, Floats],
    config: StackConfig | None = None,
    quality: Floats = QUALITY,
    level: Doubles | None = None,
) -> dict[str, float]:
    fitted = Crossfit(fold=FOLD, predictions=predictions, level=level)
    stack, _ = aggregate(fitted, dataset(quality), COST, config or StackConfig())
    return dict(zip(stack.names, stack.weights.tolist(), strict=True))


def test_a_method_that_misleads_is_left_out() -> None:
    assert set(weights({"good": noisy(0.2), "bad": (1.0 - TRUTH)})) == {"good"}


def test_a_better_method_gets_more_and_an_equal_one_as_much() -> None:
    found = weights({"good": noisy(0.1), "fair": noisy(0.5, seed=3), "twin": noisy(0.1)})
    assert found["good"] > 2 * found.get("fair", 0.0)
    assert found["good"] == pytest.approx(found["twin"], rel=0.05)


@pytest.mark.parametrize("predicted", [TRUTH, 1.0 - TRUTH])
def test_the_only_method_stays_whatever_it_is_worth(predicted: Floats) -> None:
    assert set(weights({"only": predicted})) == {"only"}


def test_timid_methods_are_spread_and_bold_ones_are_not() -> None:
    mean = TRUTH.mean(axis=0)
    timid, bold = mean + 0.5 * (TRUTH - mean), mean + 2.0 * (TRUTH - mean)
    config = StackConfig(sharpness=(0.5, 1.0, 2.0))
    assert sum(weights({"a": timid.astype(np.float32)}, config).values()) > 1.3
    assert sum(weights({"a": bold.astype(np.float32)}, config).values()) < 0.9


def test_without_belief_every_subset_counts_the_same() -> None:
    config = StackConfig(belief=0.0, sharpness=(1.0,))
    found = weights({"good": noisy(0.1), "bad": 1.0 - TRUTH}, config)
    assert found == pytest.approx({"good": 0.5, "bad": 0.5})


def test_the_plain_mean_is_a_setting() -> None:
    config = StackConfig(mean_weight=1.0)
    assert weights({"good": TRUTH, "bad": 1.0 - TRUTH}, config) == {"good": 0.5, "bad": 0.5}


def test_one_outcome_a_prompt_is_enough_to_tell_methods_apart() -> None:
    logged = np.full_like(QUALITY, np.nan)
    rows = np.arange(N)
    arm = RNG.integers(0, ARMS, N)
    logged[rows, arm] = QUALITY[rows, arm]
    found = weights({"good": noisy(0.1), "bad": 1.0 - TRUTH}, quality=logged, level=np.full(N, 0.5))
    assert set(found) == {"good"}


def test_weights_of_a_fold_come_from_the_other_folds() -> None:
    predictions = {"a": noisy(0.3), "b": noisy(0.3, seed=4)}
    fitted = Crossfit(fold=FOLD, predictions=predictions)
    _, before = aggregate(fitted, dataset(), COST, StackConfig())
    held = FOLD == 2
    other = QUALITY.copy()
    other[held] = 1.0 - other[held]  # what fold 2 answered must not move what it is predicted
    _, after = aggregate(fitted, dataset(other), COST, StackConfig())
    assert after[held] == pytest.approx(before[held], abs=1e-6)
    assert after[~held] != pytest.approx(before[~held], abs=1e-6)


@given(st.floats(0.0, 8.0), st.floats(0.0, 1.0))
def test_weights_are_shares_of_the_sharpness(belief: float, mean: float) -> None:
    config = StackConfig(belief=belief, mean_weight=mean, sharpness=(1.0,))
    found = SMALL.weights(np.ones(len(SMALL.fold), dtype=np.bool_), config)
    assert sum(found.values()) == pytest.approx(1.0)
    assert min(found.values()) > 0.0


SMALL = weigh(
    Crossfit(fold=FOLD, predictions={"a": noisy(0.2), "b": noisy(0.4, 5), "c": noisy(0.3, 6)}),
    dataset(),
    COST,
    StackConfig(sharpness=(1.0,)),
)


def test_every_dollar_of_the_interval_is_bought_at_some_price() -> None:
    shares = spend_shares(TRUTH, COST)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert min(shares.values()) > 0.0
    # whoever always takes the dearest arm at no price leaves nothing beyond C(0)
    dear = np.broadcast_to(np.array([0.1, 0.2, 0.9], dtype=np.float32), (N, ARMS))
    assert spend_shares(dear, COST).get(0.0, 0.0) < 0.5
    cheap = np.broadcast_to(np.array([0.9, 0.2, 0.1], dtype=np.float32), (N, ARMS))
    assert spend_shares(cheap, COST)[0.0] == pytest.approx(1.0)


def test_the_loss_orders_predictions_as_regret_does() -> None:
    data, shares = dataset(), spend_shares(TRUTH, COST)
    found = [(noisy(s), s) for s in (0.0, 0.2, 0.6)]
    losses = [chosen_loss(p, COST, data, shares).mean() for p, _ in found]
    assert losses == sorted(losses)
    regrets = [decision_regret(p, COST, data) for p, _ in found]
    assert regrets == sorted(regrets)


def test_settings_that_make_no_sense_are_refused() -> None:
    for wrong in ({"sharpness": ()}, {"sharpness": (0.0,)}, {"belief": -1.0}, {"mean_weight": 2.0}):
        with pytest.raises(ConfigError):
            replace(StackConfig(), **wrong)  # type: ignore[arg-type]
