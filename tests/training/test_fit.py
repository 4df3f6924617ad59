"""What the mean of methods keeps and what it leaves out."""

from __future__ import annotations

import numpy as np
import pytest

from router.types import Arm, Floats
from training.crossfit import Crossfit
from training.dataset import Dataset
from training.fit import earned

N, ARMS = 900, 3
RNG = np.random.default_rng(1)
TRUTH = RNG.uniform(0.1, 0.9, (N, ARMS)).astype(np.float32)
QUALITY = (RNG.random((N, ARMS)) < TRUTH).astype(np.float32)
COST = np.broadcast_to(np.array([1e-3, 2e-3, 4e-3]), (N, ARMS)).copy()
NOISY = np.clip(TRUTH + RNG.normal(0, 0.2, TRUTH.shape), 0, 1).astype(np.float32)


def dataset() -> Dataset:
    return Dataset(
        arms=tuple(Arm(f"model {i}") for i in range(ARMS)),
        prompt_ids=tuple(str(i) for i in range(N)),
        texts=tuple(f"prompt {i}" for i in range(N)),
        domains=(None,) * N,
        n_chars=np.full(N, 8),
        quality=QUALITY,
        input_tokens=np.ones((N, ARMS)),
        output_tokens=np.ones((N, ARMS)),
        cost_usd=COST,
        test=np.zeros(N, dtype=np.bool_),
        dropped_arms={},
    )


def kept(labels: Floats) -> set[str]:
    fitted = Crossfit(fold=np.arange(N) % 5, predictions={"knn": NOISY, "labels": labels})
    return set(earned(fitted, dataset(), COST).predictions)


def test_a_label_table_that_improves_decisions_stays() -> None:
    assert kept(TRUTH) == {"knn", "labels"}


def test_a_label_table_that_misleads_is_left_out() -> None:
    assert kept((1.0 - TRUTH).astype(np.float32)) == {"knn"}


@pytest.mark.parametrize("name", ["knn", "labels"])
def test_the_only_method_stays_whatever_it_is_worth(name: str) -> None:
    fitted = Crossfit(fold=np.arange(N) % 5, predictions={name: 1.0 - TRUTH})
    assert set(earned(fitted, dataset(), COST).predictions) == {name}
