"""What a caller wants of one decision: a knob, filters and a deadline."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import PolicyError
from .manifest import Manifest
from .rules import CapRule, DropRule, FloorRule, Rule, ThresholdRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Requires:
    """What the request needs of a model; unknown capabilities do not count."""

    tools: bool = False
    vision: bool = False
    json: bool = False
    context: int | None = None  # tokens, prompt and answer together


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the caller wants of one decision.

    `threshold` excludes the other knobs; `max_cost_usd` may join either quality knob. With no
    knob at all the bundle's default threshold rules.

    >>> Policy(min_quality=0.8, max_cost_usd=0.01, allowed_models=("acorn-*",)).max_cost_usd
    0.01
    >>> Policy(threshold=0.3, min_quality=0.8)
    Traceback (most recent call last):
    router.errors.PolicyError: threshold cannot be combined with min_quality; give one of them

    Raises:
        PolicyError: a knob is out of range, or two contradict each other.
    """

    threshold: float | None = None  # 0 cheapest, 1 best
    min_quality: float | None = None  # P(acceptable), 0 to 1
    max_quality_drop: float | None = None  # below the best single arm on this prompt, 0 to 1
    max_cost_usd: float | None = None  # per request, > 0
    allowed_models: tuple[str, ...] = ()  # shell wildcards on `model` or `model|tier`; () = all
    requires: Requires = field(default_factory=Requires)
    max_latency_ms: float | None = None  # to the last token, > 0; by the catalogue's quantiles
    current_arm: str | None = None  # `model` or `model|tier` that answered the turn before
    in_tool_loop: bool | None = None  # null: as the messages look

    def __post_init__(self) -> None:
        for name in ("threshold", "min_quality", "max_quality_drop"):
            _in_unit(name, getattr(self, name))
        if self.max_cost_usd is not None and not self.max_cost_usd > 0:
            raise PolicyError(f"max_cost_usd must be > 0 US dollars, got {self.max_cost_usd}")
        if self.max_latency_ms is not None and not self.max_latency_ms > 0:
            raise PolicyError(f"max_latency_ms must be > 0, got {self.max_latency_ms}")
        if self.current_arm is not None and not self.current_arm.partition("|")[0]:
            raise PolicyError(f"current_arm names no model, got {self.current_arm!r}")
        others = [n for n in ("min_quality", "max_quality_drop", "max_cost_usd") if self._has(n)]
        if self.threshold is not None and others:
            raise PolicyError(
                f"threshold cannot be combined with {', '.join(others)}; give one of them",
                code="conflicting_knobs",
            )
        if self._has("min_quality") and self._has("max_quality_drop"):
            raise PolicyError(
                "min_quality cannot be combined with max_quality_drop; give one of them",
                code="conflicting_knobs",
            )

    def resolve(self, manifest: Manifest) -> Rule:
        """The rule of the knob that was given, by a bundle's constants."""
        decision = manifest.decision
        if self.min_quality is not None:
            return FloorRule(min_quality=self.min_quality)
        if self.max_quality_drop is not None:
            drop = self.max_quality_drop
            return DropRule(max_quality_drop=drop, best_single=decision.best_single)
        if self.max_cost_usd is not None:  # alone it asks for the best there is: λ = 0
            band = decision.tie_band
            return CapRule(cost_weight=0.0, tie_band=band, max_cost_usd=self.max_cost_usd)
        given = self.threshold
        return ThresholdRule.of(decision.default_threshold if given is None else given, manifest)

    def _has(self, name: str) -> bool:
        return getattr(self, name) is not None


def _in_unit(name: str, value: float | None) -> None:
    if value is not None and not 0.0 <= value <= 1.0:
        raise PolicyError(f"{name} must lie between 0 and 1, got {value}")
