"""A small world of eight kinds of prompts: what a method can learn is the kind's best arm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from router.core import features
from router.types import Arm, Doubles
from training.evaluation.baselines.evidence import Evidence
from training.measure.outcomes import Outcomes
from training.methods.base import Inputs
from training.prepare.dataset import Dataset
from training.selection.validation import outcomes_of

KINDS, WIDTH = 8, 24
USD = np.array([0.001, 0.002, 0.004, 0.008])  # per request


@dataclass(frozen=True)
class SmallWorld:
    """Evidence with the truth that it was drawn from."""

    evidence: Evidence
    outcomes: Outcomes  # of the test prompts
    truth: Doubles  # (n test, a) P(acceptable)


def make_small(
    *,
    n: int = 900,
    tiers: bool = False,
    graded: bool = False,
    tokens: bool = True,
    labels: bool = True,
    seed: int = 0,
) -> SmallWorld:
    """Two thirds of `n` prompts to train on, one third to route.

    Four arms at rising prices: dear ones are better on average, and every kind of prompt has a
    cheap arm that is good at it.
    """
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(KINDS, WIDTH))
    kind = rng.integers(0, KINDS, n)
    vectors = centres[kind] + rng.normal(0, 0.35, (n, WIDTH))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    skill = np.tile([0.25, 0.4, 0.55, 0.7], (KINDS, 1))
    skill[np.arange(KINDS), np.arange(KINDS) % 3] = 0.9
    truth = skill[kind]
    quality = (rng.random((n, 4)) < truth).astype(np.float32)
    if graded:
        quality = np.clip(truth + rng.normal(0, 0.15, (n, 4)), 0, 1).astype(np.float32)
    length = rng.lognormal(5, 0.3, (n, 4)) if tokens else np.full((n, 4), np.nan)
    names = ("small", "small", "middle", "large") if tiers else ("a", "b", "c", "d")
    data = Dataset(
        arms=tuple(
            Arm(name, "high" if i == 1 and tiers else "default") for i, name in enumerate(names)
        ),
        prompt_ids=tuple(f"{i:05d}" for i in range(n)),
        texts=tuple(f"prompt {i}" for i in range(n)),
        domains=tuple(f"kind {k}" if labels else None for k in kind),
        n_chars=np.full(n, 9, dtype=np.int64),
        quality=quality,
        input_tokens=np.full((n, 4), 50.0) if tokens else np.full((n, 4), np.nan),
        output_tokens=length,
        cost_usd=USD * rng.lognormal(0, 0.1, (n, 1)) if not tokens else USD * length / 150.0,
        test=np.arange(n) >= 2 * n // 3,
        dropped_arms={},
    )
    inputs = Inputs(vectors, features.extract(data.texts))
    test = data.rows(data.test)
    evidence = Evidence(
        train=data.rows(~data.test),
        train_inputs=inputs.rows(~data.test),
        test=test,
        test_inputs=inputs.rows(data.test),
        cost_usd=np.tile(USD, (len(test), 1)),
        seed=0,
    )
    return SmallWorld(evidence, outcomes_of(test), truth[data.test])


@pytest.fixture(scope="session")
def small() -> SmallWorld:
    return make_small()


@pytest.fixture(scope="session")
def graded() -> SmallWorld:
    return make_small(graded=True, tiers=True)
