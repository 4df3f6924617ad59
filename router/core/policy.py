"""What a caller wants of one decision: a knob, filters and a deadline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, get_args

from ..catalogue.tiers import Effort
from ..errors import PolicyError
from ..request.needs import ABILITIES
from ..request.types import Thinking
from .manifest import Manifest
from .rules import CapRule, DropRule, FloorRule, Rule, ThresholdRule

EFFORTS = get_args(Effort)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requires:
    """What the answering model must be able to, beside what is seen in the request.

    An unknown ability does not count; `system_role` is one that only a known no excludes.

    >>> Requires.of(["vision", "tools"]) == Requires(vision=True, tools=True)
    True
    >>> Requires.of({"visoin": True})
    Traceback (most recent call last):
    router.errors.PolicyError: requires.visoin is unknown; known are vision, audio, document, \
tools, json, system_role, effort, context

    Raises:
        PolicyError: a value is none of what the field takes.
    """

    vision: bool = False  # images
    audio: bool = False
    document: bool = False  # PDF
    tools: bool = False
    json: bool = False
    system_role: bool = False
    effort: bool | str = False  # that it thinks, or the level at which
    context: int | None = None  # tokens, prompt and answer together, >= 1

    def __post_init__(self) -> None:
        for name in ABILITIES:
            value = getattr(self, name)
            if name == "effort" and isinstance(value, str) and value not in EFFORTS:
                raise PolicyError(
                    f"requires.effort must be true, false or one of {', '.join(EFFORTS)}, "
                    f"got {value!r}"
                )
            if not isinstance(value, bool) and not (name == "effort" and isinstance(value, str)):
                raise PolicyError(f"requires.{name} must be true or false, got {value!r}")
        tokens = self.context
        if tokens is not None and (type(tokens) is not int or tokens < 1):
            raise PolicyError(f"requires.context must be a number of tokens >= 1, got {tokens!r}")

    @classmethod
    def of(cls, asked: Requires | Mapping[str, Any] | Iterable[str]) -> Requires:
        """Read names of abilities, or abilities with their values.

        Raises:
            PolicyError: a name is unknown; lists the known ones.
        """
        if isinstance(asked, Requires):
            return asked
        if isinstance(asked, str):
            asked = [asked]
        values = dict(asked) if isinstance(asked, Mapping) else dict.fromkeys(asked, True)
        known = [f.name for f in fields(cls)]
        for name in values:
            if name not in known:
                raise PolicyError(f"requires.{name} is unknown; known are {', '.join(known)}")
        return cls(**values)

    @property
    def abilities(self) -> frozenset[str]:
        """The names that are asked for, of `needs.ABILITIES`."""
        return frozenset(name for name in ABILITIES if getattr(self, name))

    @property
    def thinking(self) -> Thinking | None:
        """How it must think; null where that is not asked for."""
        if not self.effort:
            return None
        return Thinking(effort=None if self.effort is True else self.effort)


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
    requires: Requires = field(default_factory=Requires)  # names or a mapping will do
    max_latency_ms: float | None = None  # to the last token, > 0; by the catalogue's quantiles
    current_arm: str | None = None  # `model` or `model|tier` that answered the turn before
    in_tool_loop: bool | None = None  # null: as the messages look

    def __post_init__(self) -> None:
        object.__setattr__(self, "requires", Requires.of(self.requires))
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
