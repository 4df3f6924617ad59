"""What is measured: realised outcomes, a method's choices, and what the single arms do.

Arrays are (n prompts, a arms); a sweep has L settings, ordered from cheap to dear where it can be.
Costs are US dollars per request, quality lies between 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router.types import Arm, Doubles, Floats, Ints

from .errors import EvaluationError
from .runs import Runs

Choices = NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Realised quality and cost of every arm on every evaluated prompt.

    Attributes:
        quality: (n, a), 0 to 1.
        cost_usd: (n, a), US dollars, >= 0.
        domain: (n,) labels, or None where the prompts have none.
        weight: (n,) how much each prompt counts in every mean, > 0; None where all count alike.
        runs: of which quality and cost are means, or None where no single one is known.
    """

    arms: tuple[Arm, ...]
    quality: Doubles
    cost_usd: Doubles
    domain: NDArray[Any] | None = None
    weight: Doubles | None = None
    runs: Runs | None = None

    def __post_init__(self) -> None:
        shape = (len(self.quality), len(self.arms))
        if 0 in shape:
            raise EvaluationError(f"evaluation needs prompts and arms, got {shape[0]} x {shape[1]}")
        self._check("quality", self.quality, shape, 1.0)
        self._check("cost_usd", self.cost_usd, shape, np.inf)
        if self.domain is not None and len(self.domain) != shape[0]:
            raise EvaluationError(f"{len(self.domain)} domain labels for {shape[0]} prompts")
        if self.weight is not None and (len(self.weight) != shape[0] or self.weight.min() <= 0):
            raise EvaluationError(f"{shape[0]} prompts need as many weights above 0")

    def _check(self, name: str, values: Doubles, shape: tuple[int, int], most: float) -> None:
        if values.shape != shape:
            raise EvaluationError(f"{name} must be {shape} (prompts, arms), got {values.shape}")
        missing = np.isnan(values)
        if missing.any():
            arm = self.arms[int(missing.sum(axis=0).argmax())]
            raise EvaluationError(
                f"{name} is missing in {int(missing.sum())} of {values.size} cells, most often for "
                f"{arm.id}; keep the prompts that every evaluated arm answered, or drop that arm"
            )
        if values.min() < 0 or values.max() > most or np.isinf(values).any():
            raise EvaluationError(
                f"{name} must lie between 0 and {most:g}, got {values.min():g} to {values.max():g}"
            )

    @property
    def n(self) -> int:
        """Number of prompts."""
        return len(self.quality)

    def rows(self, keep: NDArray[Any]) -> Outcomes:
        """The outcomes of some prompts."""
        domain = None if self.domain is None else self.domain[keep]
        weight = None if self.weight is None else self.weight[keep]
        runs = None if self.runs is None else self.runs.rows(keep)
        return Outcomes(self.arms, self.quality[keep], self.cost_usd[keep], domain, weight, runs)

    def mean(self, values: Doubles | Floats) -> Doubles:
        """Means over the prompts, (...) of (n, ...)."""
        if self.weight is None:
            return np.asarray(values.mean(axis=0, dtype=np.float64))
        return np.asarray(np.average(values, axis=0, weights=self.weight))


@dataclass(frozen=True, slots=True)
class Sweep:
    """A method's choice for every prompt at every setting of its knob.

    Attributes:
        choices: (L, n) arm indices; kept as int16, a sweep of 75k prompts then takes 22 MB.
        settings: (L,) thresholds, 0 to 1, rising; None where the method has no public knob.
        predicted_quality: (n, a) P(acceptable), or None where the method predicts none.
        expected_quality: (L,) what the method promised at each setting, or None.
        expected_cost_usd: (L,) the same for US dollars per request.
        extra_usd: (L, n) US dollars spent on calls before the chosen one, or None; a cascade pays
            for every answer that it throws away.
        scored: US dollars and quality (L, n) of the choices, where these are scored on other runs
            than the outcomes' means; None where they are not.
    """

    name: str
    choices: Choices
    settings: Doubles | None = None
    predicted_quality: Doubles | None = None
    expected_quality: Doubles | None = None
    expected_cost_usd: Doubles | None = None
    extra_usd: Floats | None = None
    scored: tuple[Doubles, Doubles] | None = None

    def __post_init__(self) -> None:
        if self.choices.ndim != 2 or self.choices.size == 0:
            raise EvaluationError(
                f"{self.name}: choices must be (settings, prompts), got {self.choices.shape}"
            )
        if self.choices.dtype != np.int16:
            object.__setattr__(self, "choices", self.choices.astype(np.int16))
        for field in ("settings", "expected_quality", "expected_cost_usd", "extra_usd"):
            values = getattr(self, field)
            if values is not None and len(values) != len(self.choices):
                raise EvaluationError(
                    f"{self.name}: {len(values)} {field} for {len(self.choices)} settings"
                )

    def check(self, outcomes: Outcomes) -> None:
        """Refuse choices or predictions that do not fit the outcomes.

        Raises:
            EvaluationError: names the sweep and the mismatch.
        """
        if self.choices.shape[1] != outcomes.n:
            raise EvaluationError(
                f"{self.name} chose for {self.choices.shape[1]} prompts, outcomes have {outcomes.n}"
            )
        if self.choices.min() < 0 or self.choices.max() >= len(outcomes.arms):
            raise EvaluationError(
                f"{self.name} chose arm {self.choices.min()} to {self.choices.max()}, "
                f"outcomes have 0 to {len(outcomes.arms) - 1}"
            )
        if self.extra_usd is not None and self.extra_usd.shape != self.choices.shape:
            raise EvaluationError(
                f"{self.name} has extra costs {self.extra_usd.shape}, choices {self.choices.shape}"
            )
        predicted = self.predicted_quality
        if predicted is not None and predicted.shape != outcomes.quality.shape:
            raise EvaluationError(
                f"{self.name} predicts {predicted.shape}, outcomes are {outcomes.quality.shape}"
            )

    def earned(self, outcomes: Outcomes) -> tuple[Doubles, Doubles]:
        """US dollars and quality of every prompt at every setting: (L, n) each."""
        if self.scored is not None:
            return self.scored
        prompts, chosen = np.arange(outcomes.n), np.asarray(self.choices, dtype=np.int64)
        paid, quality = outcomes.cost_usd[prompts, chosen], outcomes.quality[prompts, chosen]
        return paid if self.extra_usd is None else paid + self.extra_usd, quality

    def rows(self, keep: NDArray[Any]) -> Sweep:
        """The choices for some prompts; promises do not carry over."""
        predicted = None if self.predicted_quality is None else self.predicted_quality[keep]
        extra = None if self.extra_usd is None else self.extra_usd[:, keep]
        choices = self.choices[:, keep]
        scored = None
        if self.scored is not None:
            scored = self.scored[0][:, keep], self.scored[1][:, keep]
        return Sweep(self.name, choices, self.settings, predicted, extra_usd=extra, scored=scored)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What the single arms do: the scale that every method is measured on.

    Attributes:
        best: arm of the highest mean quality; ties go to the cheaper.
        cheapest: arm of the lowest mean cost; ties go to the better.
        low_usd, high_usd: mean cost of the cheapest and of the dearest arm.
    """

    best: int
    cheapest: int
    best_quality: float
    best_usd: float
    cheapest_quality: float
    low_usd: float
    high_usd: float

    @classmethod
    def of(cls, cost_usd: Doubles, quality: Doubles) -> Reference:
        """The reference given every arm's mean cost and mean quality, both (a,)."""
        best, cheapest = _best_and_cheapest(cost_usd, quality)
        return cls(
            best=int(best),
            cheapest=int(cheapest),
            best_quality=float(quality[best]),
            best_usd=float(cost_usd[best]),
            cheapest_quality=float(quality[cheapest]),
            low_usd=float(cost_usd[cheapest]),
            high_usd=float(cost_usd.max()),
        )

    @classmethod
    def from_outcomes(cls, outcomes: Outcomes) -> Reference:
        """The reference of the evaluated prompts."""
        return cls.of(outcomes.mean(outcomes.cost_usd), outcomes.mean(outcomes.quality))


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """The same figures of b resamples of the prompts: all (b,)."""

    best_quality: Doubles
    best_usd: Doubles
    cheapest_quality: Doubles
    low_usd: Doubles
    high_usd: Doubles

    @classmethod
    def of(cls, cost_usd: Doubles, quality: Doubles) -> References:
        """The references given every arm's mean cost and mean quality, both (b, a)."""
        best, cheapest = _best_and_cheapest(cost_usd, quality)
        rows = np.arange(len(quality))
        return cls(
            best_quality=quality[rows, best],
            best_usd=cost_usd[rows, best],
            cheapest_quality=quality[rows, cheapest],
            low_usd=cost_usd[rows, cheapest],
            high_usd=cost_usd.max(axis=1),
        )


def _best_and_cheapest(cost_usd: Doubles, quality: Doubles) -> tuple[Ints, Ints]:
    """Indices of the best and of the cheapest arm, (...,) each, from two (..., a)."""
    best = np.lexsort((cost_usd, -quality), axis=-1)[..., 0]
    return best, np.lexsort((-quality, cost_usd), axis=-1)[..., 0]


def realised(sweep: Sweep, outcomes: Outcomes) -> tuple[Doubles, Doubles]:
    """Mean US dollars per request and mean quality at every setting.

    Returns:
        cost_usd (L,) and quality (L,).
    """
    paid, quality = ([outcomes.mean(at) for at in of] for of in sweep.earned(outcomes))
    return np.array(paid), np.array(quality)


def shares(sweep: Sweep, arms: int) -> Doubles:
    """The share of prompts that every arm gets at every setting: (L, arms), rows sum to 1."""
    counts = [np.bincount(np.asarray(row, dtype=np.int64), minlength=arms) for row in sweep.choices]
    return np.asarray(np.array(counts) / sweep.choices.shape[1], dtype=np.float64)


def label_codes(labels: NDArray[Any]) -> tuple[list[str], Ints]:
    """The distinct labels, sorted, and the index of each prompt's own."""
    names, codes = np.unique(labels.astype(str), return_inverse=True)
    return [str(name) for name in names], codes.astype(np.int64)
