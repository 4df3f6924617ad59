"""What a caller wants of one decision: a knob, filters and a deadline."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from math import inf
from numbers import Real
from typing import Any, Self, get_args

from ..catalogue.tiers import Effort
from ..errors import PolicyError
from ..request.needs import ABILITIES
from ..request.types import Thinking
from ..types import Arm
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
    >>> Policy(treshold=0.3)
    Traceback (most recent call last):
    router.errors.PolicyError: there is no knob treshold; did you mean threshold?

    Raises:
        PolicyError: a knob is unknown, of another type or out of range, or two contradict each
            other; the message begins with its name.
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

    def __new__(cls, *positional: object, **knobs: object) -> Self:
        """Refuse what the generated `__init__` has no words for."""
        if positional:
            raise PolicyError(
                "a policy takes its knobs by name, such as threshold=0.5; "
                f"got {_shown(positional[0])}"
            )
        for name in knobs.keys() - cls.__dataclass_fields__.keys():
            raise PolicyError(f"there is no knob {name}; {_nearest(name, cls.knobs())}")
        return object.__new__(cls)

    def __post_init__(self) -> None:
        for name, read in (
            ("requires", _requires),
            ("allowed_models", _patterns),
            ("current_arm", _arm),
            ("in_tool_loop", _flag),
        ):
            object.__setattr__(self, name, read(getattr(self, name)))
        for name in ("threshold", "min_quality", "max_quality_drop"):
            object.__setattr__(self, name, _in_unit(name, getattr(self, name)))
        for name, unit in (("max_cost_usd", " US dollars"), ("max_latency_ms", "")):
            object.__setattr__(self, name, _positive(name, getattr(self, name), unit))
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

    @classmethod
    def of(cls, body: object, **knobs: Any) -> Policy:  # noqa: ANN401
        """The policy of a request's body, where that is a mapping with knobs in it.

        Args:
            body: whatever is routed.
            knobs: replace those of the body.

        >>> Policy.of({"prompt": "Hi", "threshold": 0.3}, allowed_models="acorn-*").allowed_models
        ('acorn-*',)

        Raises:
            PolicyError: as the class.
        """
        own = body if isinstance(body, Mapping) else {}
        found = {name: own[name] for name in cls.knobs() if own.get(name) is not None}
        return cls(**{**found, **knobs})

    @classmethod
    def knobs(cls) -> tuple[str, ...]:
        """The names of all knobs."""
        return tuple(f.name for f in fields(cls))

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


def _number(name: str, value: object) -> float | None:
    if value is None or type(value) is float:
        return value
    if isinstance(value, bool) or not isinstance(value, Real):
        raise PolicyError(f"{name} must be a number, got {_shown(value)}")
    try:
        return float(value)
    except OverflowError:
        raise PolicyError(f"{name} must be a number, got one that is far too large") from None


def _in_unit(name: str, value: object) -> float | None:
    number = _number(name, value)
    if number is not None and not 0.0 <= number <= 1.0:
        raise PolicyError(f"{name} must lie between 0 and 1, got {number}")
    return number


def _positive(name: str, value: object, unit: str) -> float | None:
    number = _number(name, value)
    if number is not None and not 0.0 < number < inf:
        raise PolicyError(f"{name} must be > 0{unit} and finite, got {number}")
    return number


def _requires(value: Any) -> Requires:  # noqa: ANN401
    if value is None:
        return Requires()
    try:
        return Requires.of(value)
    except TypeError:
        known = ", ".join(f.name for f in fields(Requires))
        raise PolicyError(
            f"requires must be names, or names with values, of {known}; got {_shown(value)}"
        ) from None


def _patterns(value: object) -> tuple[str, ...]:
    """One pattern, or several, as they were given; the default is none, which allows all."""
    if value is None or value == ():
        return ()
    if isinstance(value, set | frozenset):
        value = sorted(value, key=str)
    found = (value,) if isinstance(value, str) else value
    if not isinstance(found, list | tuple):
        raise PolicyError(
            f"allowed_models must be a pattern or a list of patterns, got {_shown(value)}"
        )
    if not found:
        raise PolicyError(
            "allowed_models is empty, which allows nothing; leave it out to allow every model"
        )
    for i, pattern in enumerate(found):
        if not isinstance(pattern, str) or not pattern.strip():
            raise PolicyError(
                f"allowed_models[{i}] must be the name of a model or a wildcard, "
                f"got {_shown(pattern)}"
            )
    return tuple(found)


def _arm(value: object) -> str | None:
    name = value.id if isinstance(value, Arm) else value
    if name is not None and not isinstance(name, str):
        raise PolicyError(f'current_arm must be "model" or "model|tier", got {_shown(name)}')
    if name is not None and not name.partition("|")[0].strip():
        raise PolicyError(f"current_arm names no model, got {name!r}")
    return name


def _flag(value: object) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise PolicyError(f"in_tool_loop must be true, false or null, got {_shown(value)}")


def _shown(value: object) -> str:
    """A value in an error, cut; of a number with a page of digits, that it is one."""
    try:
        return reprlib.repr(value)
    except ValueError:
        return f"a huge {type(value).__name__}"


def _nearest(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
