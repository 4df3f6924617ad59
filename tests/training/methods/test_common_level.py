"""Arms known on parts of the prompts: levels, effects and what cannot be compared."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.types import Arm
from training.config import TrainConfig
from training.methods.base import Folds, Inputs
from training.methods.common_level import Targets, is_sparse, targets_of, told

N, ARMS = 900, 3
RNG = np.random.default_rng(2)
EASE = RNG.uniform(-0.3, 0.3, N)  # of a prompt, for every arm; its text shows it
EFFECT = np.array([-0.15, 0.0, 0.15])
P = 0.5 + EASE[:, None] + EFFECT
FOLDS = Folds(np.arange(N) % 5, np.arange(N))
INPUTS = Inputs(
    np.stack([np.cos(4 * EASE), np.sin(4 * EASE)], axis=1).astype(np.float32),
    np.zeros((N, 1), dtype=np.float32),
)
NAMES = tuple(Arm(f"m{i}") for i in range(ARMS))


def learned(quality: np.ndarray) -> Targets:
    return targets_of(INPUTS, quality.astype(np.float32), FOLDS, NAMES, TrainConfig())


def by_ease(rng: np.random.Generator, bias: float) -> np.ndarray:
    """(n,) who is asked: the weak arm where it is easy, the strong one where it is hard."""
    weight = np.exp(-bias * EASE[:, None] * np.array([-1.0, 0.0, 1.0]) / 0.3)
    chances = (weight / weight.sum(axis=1, keepdims=True)).cumsum(axis=1)
    return (rng.random((N, 1)) > chances).sum(axis=1)


def test_a_complete_table_is_learned_as_it_is() -> None:
    quality = (np.random.default_rng(0).random((N, ARMS)) < P).astype(np.float32)
    quality[:40, 0] = np.nan  # few are missing
    found = learned(quality)
    assert not found.sparse
    assert not is_sparse(quality)
    assert found.quality is not None
    assert np.array_equal(found.quality, quality, equal_nan=True)
    assert found.record == {}
    assert told(found.record) == []


@settings(max_examples=12)
@given(seed=st.integers(0, 10_000), bias=st.floats(0.0, 2.0))
def test_effects_survive_a_router_that_sends_what_is_hard_to_the_strong(
    seed: int, bias: float
) -> None:
    rng = np.random.default_rng(seed)
    gap, _ = gaps_of(by_ease(rng, bias), rng)
    assert abs(gap - (EFFECT[2] - EFFECT[0])) < 0.2  # a standard error of about 0.045


def test_means_of_who_was_asked_mislead_where_effects_do_not() -> None:
    rngs = [np.random.default_rng(seed) for seed in range(12)]
    found = np.array([gaps_of(by_ease(rng, 1.5), rng) for rng in rngs])
    off = np.abs(found - (EFFECT[2] - EFFECT[0])).mean(axis=0)
    assert off[0] < 0.5 * off[1]


def gaps_of(asked: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """How far the strong arm is ahead of the weak one: by its effect, and by plain means."""
    quality = np.where(np.arange(ARMS) == asked[:, None], (rng.random((N, ARMS)) < P), np.nan)
    both = [np.nanmean(values, axis=0) for values in (learned(quality).quality, quality)]
    return float(both[0][2] - both[0][0]), float(both[1][2] - both[1][0])


@settings(max_examples=12)
@given(seed=st.integers(0, 10_000), share=st.floats(0.2, 0.8))
def test_whoever_answers_the_same_prompt_tells_its_level(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    luck = rng.normal(0.0, 0.2, (N, 1))  # difficulty that no text shows
    seen = rng.random((N, ARMS)) < np.array([1.0, 1.0, share])
    quality = np.where(seen, np.clip(P + luck, 0, 1), np.nan)
    found = learned(quality)
    assert found.sparse == (seen[:, 2].mean() < 0.9)
    if found.sparse:
        both = seen.all(axis=1)
        gap = found.quality[both]
        # of what is shared by all arms most is taken off
        assert gap.std(axis=0).max() < 0.75 * quality[both].std(axis=0).max()
        assert np.nanmean(found.quality, axis=0)[2] > np.nanmean(found.quality, axis=0)[0]


def test_nothing_is_nan_but_what_is_missing_and_an_arm_without_outcomes_is_in_the_middle() -> None:
    rng = np.random.default_rng(1)
    quality = np.where(rng.random((N, ARMS)) < 0.5, (rng.random((N, ARMS)) < P), np.nan)
    quality[:, 2] = np.nan
    found = learned(quality)
    assert np.array_equal(np.isnan(found.quality), np.isnan(quality))
    assert np.array_equal(np.isnan(found.level[:, 0]), np.isnan(quality).all(axis=1))
    assert found.expected is not None
    assert np.isfinite(found.expected).all()


@pytest.mark.parametrize(
    ("bias", "shared", "words"),
    [
        (0.0, False, ["no two arms share"]),
        (3.0, False, ["no two arms share", "follows from the prompt"]),
        (0.0, True, []),
    ],
)
def test_what_cannot_be_compared_is_said(bias: float, shared: bool, words: list[str]) -> None:
    rng = np.random.default_rng(5)
    asked = by_ease(rng, bias)
    seen = np.arange(ARMS) == asked[:, None]
    if shared:
        seen |= rng.random((N, ARMS)) < 0.3
    quality = np.where(seen, (rng.random((N, ARMS)) < P), np.nan)
    lines = told(learned(quality).record)
    assert "compared at the level of each prompt" in lines[0]
    assert len(lines) == 1 + len(words)
    for line, word in zip(lines[1:], words, strict=True):
        assert word in line
        assert "\n" not in line
