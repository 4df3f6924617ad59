"""The values that cross module borders: arms, scores and decisions.

Arrays are (n prompts, a arms); arm order is the manifest's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, order=True)
class Arm:
    """What a request can be sent to: a model at a compute tier."""

    model: str
    tier: str = "default"

    @property
    def id(self) -> str:
        """`model|tier`, the form that tables and logs use."""
        return f"{self.model}|{self.tier}"

    @classmethod
    def parse(cls, text: str) -> Arm:
        """Read `model|tier`, or a bare model at the default tier."""
        model, _, tier = text.partition("|")
        return cls(model, tier or "default")


@dataclass(frozen=True, slots=True)
class Reading:
    """What the heads see of n prompts: embedding (n, d), text features (n, f), characters (n,)."""

    embedding: Floats
    features: Floats
    n_chars: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What the models predict for n prompts and a arms.

    Attributes:
        quality: (n, a), P(answer acceptable), 0 to 1, shrunk where out of distribution.
        quality_se: (n, a), standard error of the local mean quality, same unit.
        output_tokens: (n, a), expected output tokens; in US micro-dollars where the arm is
            metered in dollars because its table had no token counts.
        cost_usd: (n, a), expected US dollars per request.
        input_tokens: (n, a), of the request in the arm's tokenizer.
        cluster: (n,), nearest centroid.
        distance: (n,), cosine distance to it, 0 to 2.
        in_distribution: (n,), 1 inside the training range, fading to 0 far outside it.
    """

    quality: Doubles
    quality_se: Doubles
    output_tokens: Doubles
    cost_usd: Doubles
    input_tokens: Doubles
    cluster: Ints
    distance: Doubles
    in_distribution: Doubles

    def row(self, i: int) -> Scores:
        """The scores of prompt `i`, as a batch of one."""
        rows = slice(i, i + 1)
        return Scores(
            quality=self.quality[rows],
            quality_se=self.quality_se[rows],
            output_tokens=self.output_tokens[rows],
            cost_usd=self.cost_usd[rows],
            input_tokens=self.input_tokens[rows],
            cluster=self.cluster[rows],
            distance=self.distance[rows],
            in_distribution=self.in_distribution[rows],
        )


@dataclass(frozen=True, slots=True)
class Reason:
    """One machine-readable reason for a decision; codes come from a closed set."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """What the chosen arm is expected to do on this prompt."""

    quality: float
    interval: tuple[float, float]  # 90 %, of the local mean quality
    cost_usd: float
    input_tokens: int
    output_tokens: float | None  # null where the arm's table had no token counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer to one request.

    Attributes:
        expected_quality: mean quality at this threshold over the validation prompts.
        expected_cost_usd: mean US dollars per request there; both null when no threshold ruled.
        difficulty_score, difficulty_bin: 0 to 1 and 1 to 5; both null where nothing is known.
        kind: of work that the prompt is, or is nearest to; null where the bundle names none.
        propensity: probability with which this arm was drawn; 1 unless exploring.
        propensities: the same for every eligible arm, by arm id.
        tiers: what to do at the tier of an arm, by arm id, where the catalogue knows it.
        request: what was read of the request: wire, kind, requires, max_output_tokens, n.
        warnings: what was not understood of it.
    """

    arm: Arm
    fallbacks: tuple[Arm, ...]
    predicted: Predicted
    difficulty_score: float | None
    difficulty_bin: int | None
    cluster: int
    kind: str | None
    reasons: tuple[Reason, ...]
    threshold: float | None
    expected_quality: float | None
    expected_cost_usd: float | None
    bundle_id: str
    propensity: float = 1.0
    propensities: dict[str, float] = field(default_factory=dict)
    tiers: dict[str, dict[str, Any]] = field(default_factory=dict)
    request: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def tier_of(self, arm: Arm) -> dict[str, Any]:
        """The `tier` object of an arm: its name and, where it is known, what to do."""
        return self.tiers.get(arm.id, {"name": arm.tier})

    def to_dict(self) -> dict[str, Any]:
        """The decision with the names of the HTTP contract."""
        return {
            "model": self.arm.model,
            "tier": self.tier_of(self.arm),
            "fallbacks": [{"model": a.model, "tier": self.tier_of(a)} for a in self.fallbacks],
            "predicted": {
                "quality": self.predicted.quality,
                "interval": list(self.predicted.interval),
                "cost_usd": self.predicted.cost_usd,
                "input_tokens": self.predicted.input_tokens,
                "output_tokens": self.predicted.output_tokens,
            },
            "difficulty": {"score": self.difficulty_score, "bin": self.difficulty_bin},
            "cluster": self.cluster,
            "kind": self.kind,
            "reasons": [{"code": r.code, "detail": r.detail} for r in self.reasons],
            "threshold": self.threshold,
            "expected": {"quality": self.expected_quality, "cost_usd": self.expected_cost_usd},
            "propensity": self.propensity,
            "bundle_id": self.bundle_id,
            "request": self.request,
            "warnings": list(self.warnings),
        }
