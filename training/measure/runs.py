"""The single runs behind outcomes: what tells luck from skill.

Arrays are (n prompts, a arms, k runs), NaN where an outcome has fewer than k.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router.types import Bools, Doubles, Ints

REPEATED = 0.9  # share of the outcomes that must have several runs
WHOLE = 1e-3  # a mean of so nearly whole passes is one of passes and failures


@dataclass(frozen=True, slots=True)
class Runs:
    """Quality and US dollars of every run, both (n, a, k)."""

    quality: Doubles
    cost_usd: Doubles

    @property
    def counts(self) -> Ints:
        """(n, a) runs of every outcome."""
        return np.asarray((~np.isnan(self.quality)).sum(axis=2))

    def rows(self, keep: NDArray[Any]) -> Runs:
        """The runs of some prompts."""
        return Runs(self.quality[keep], self.cost_usd[keep])

    def with_single(
        self, place: tuple[Ints, Ints, Ints], quality: Doubles, cost_usd: Doubles
    ) -> Runs:
        """The runs with m single ones in place of means.

        Args:
            place: prompt, arm and number of every run, (m,) each.
            quality: (m,) of the run.
            cost_usd: (m,) likewise.
        """
        n, arms, most = self.quality.shape
        found = np.full((2, n, arms, max(most, 1 + int(place[2].max(initial=-1)))), np.nan)
        found[0, ..., :most], found[1, ..., :most] = self.quality, self.cost_usd
        found[0][place], found[1][place] = quality, cost_usd
        return Runs(found[0], found[1])


def passes_and_failures(quality: Doubles, cost_usd: Doubles, samples: Ints) -> Runs:
    """The runs of outcomes that average passes and failures: which came first does not matter.

    Means of an arm whose runs were graded tell nothing of a single one, so they count as one run.

    Args:
        quality: (n, a) means of the runs.
        cost_usd: (n, a) likewise; every run is given it.
        samples: (n, a) how many runs.
    """
    passes = quality * samples
    graded = (np.abs(passes - np.round(passes)) > WHOLE) & (samples > 1)
    samples = np.where(graded.any(axis=0), 1, samples)
    run = np.arange(int(samples.max()))
    passed = np.where(run < np.round(passes)[..., None], 1.0, 0.0)
    single = samples[..., None] == 1
    known = run < samples[..., None]
    return Runs(
        np.where(known, np.where(single, quality[..., None], passed), np.nan),
        np.where(known, cost_usd[..., None], np.nan),
    )


def untold(runs: Runs | None) -> str | None:
    """Why runs cannot tell luck from skill; null where nearly every outcome has several."""
    repeated: Bools = np.zeros((1, 1), dtype=np.bool_) if runs is None else runs.counts > 1
    if not repeated.any():
        return "no outcome has several runs of known result"
    if repeated.mean() < REPEATED or not repeated.any(axis=1).all():
        return f"only {repeated.mean():.0%} of the outcomes have several runs of known result"
    return None
