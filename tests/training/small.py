"""Small tables for tests of what learns from them."""

from __future__ import annotations

import numpy as np

from router.types import Arm, Doubles, Floats
from training.prepare.dataset import Dataset


def small_dataset(quality: Floats, cost_usd: Doubles) -> Dataset:
    """Training rows with these outcomes, (n, a) each; prompts and tokens do not matter."""
    n, arms = quality.shape
    return Dataset(
        arms=tuple(Arm(f"model {i}") for i in range(arms)),
        prompt_ids=tuple(str(i) for i in range(n)),
        texts=tuple(f"prompt {i}" for i in range(n)),
        domains=(None,) * n,
        n_chars=np.full(n, 8),
        quality=quality,
        input_tokens=np.ones((n, arms)),
        output_tokens=np.ones((n, arms)),
        cost_usd=cost_usd,
        test=np.zeros(n, dtype=np.bool_),
        dropped_arms={},
    )
