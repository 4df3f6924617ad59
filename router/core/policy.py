"""Turn predicted quality and cost into one arm per prompt.

Pure numpy, no I/O: offline sweeps and the live service call the same functions.
Arrays are (n prompts, a arms); arm order is the manifest's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..errors import PolicyError
from ..types import Bools, Doubles, Ints, Reason
from .manifest import ThresholdMap

NO_ARM = -1
SAME_COST = 1e-9  # relative; costs this close are one price


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

    def _has(self, name: str) -> bool:
        return getattr(self, name) is not None


def _in_unit(name: str, value: float | None) -> None:
    if value is not None and not 0.0 <= value <= 1.0:
        raise PolicyError(f"{name} must lie between 0 and 1, got {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ration:
    """What a budget leaves one request; it takes the place of the policy's threshold."""

    money_price: float  # λ >= 0, quality per US dollar
    reason: Reason
    arm: int | None = None  # where a batch as a whole has settled it
    cap_usd: float | None = None  # what is left; beyond it only the cheapest arm answers


def choose(
    quality: Doubles,
    cost_usd: Doubles,
    *,
    eligible: Bools,
    money_price: float | Doubles,
    band: float | Doubles = 0.0,
) -> Ints:
    """Pick argmax of quality - λ·cost, or the cheapest arm that nearly ties with it.

    The near-tie rule is the remedy for routing collapse: noisy estimates that differ by less
    than their own error would otherwise send everything to the dearest arm. A band that is the
    same for every arm of a prompt keeps the chosen cost monotone in λ.

    Args:
        quality: (n, a), calibrated P(acceptable).
        cost_usd: (n, a), expected US dollars, >= 0.
        eligible: (n, a), arms that may be chosen.
        money_price: λ >= 0, quality per US dollar; scalar or (n,).
        band: >= 0, quality units; scalar or (n,).
    Returns:
        (n,) arm indices, -1 where no arm is eligible. Equal costs go to the better arm, then to
        the lower index.
    """
    price = np.broadcast_to(np.asarray(money_price, dtype=np.float64), quality.shape[:1])
    width = np.broadcast_to(np.asarray(band, dtype=np.float64), quality.shape[:1])
    utility = np.where(eligible, quality - price[:, None] * cost_usd, -np.inf)
    best = utility.max(axis=1, keepdims=True)
    near = eligible & (utility >= best - width[:, None])
    return cheapest(quality, cost_usd, near)


def cheapest(quality: Doubles, cost_usd: Doubles, among: Bools) -> Ints:
    """The cheapest arm of `among`; equal costs go to the better arm, then the lower index.

    Returns:
        (n,) arm indices, -1 where `among` is empty.
    """
    cost = np.where(among, cost_usd, np.inf)
    least = cost.min(axis=1, keepdims=True)
    tied = among & (cost <= least * (1 + SAME_COST))
    index = np.where(tied, quality, -np.inf).argmax(axis=1).astype(np.int64)
    return np.where(among.any(axis=1), index, NO_ARM)


def within(cost_usd: Doubles, eligible: Bools, cap_usd: float | None) -> Bools:
    """(n, a) eligible arms that a cap pays for; a prompt for which it pays none keeps its cheapest.

    A budget that is nearly spent thus answers with the cheapest arm rather than not at all.
    """
    if cap_usd is None:
        return eligible
    least = np.where(eligible, cost_usd, np.inf).min(axis=1, keepdims=True)
    left: Bools = eligible & (cost_usd <= np.maximum(cap_usd, least))
    return left


def choose_floor(quality: Doubles, cost_usd: Doubles, *, eligible: Bools, floor: Doubles) -> Ints:
    """Pick the cheapest arm whose quality reaches `floor` (n,), else the best arm there is.

    Returns:
        (n,) arm indices, -1 where no arm is eligible.
    """
    good = eligible & (quality >= floor[:, None])
    best = np.where(eligible, quality, -np.inf).argmax(axis=1).astype(np.int64)
    fallback = np.where(eligible.any(axis=1), best, NO_ARM)
    return np.where(good.any(axis=1), cheapest(quality, cost_usd, good), fallback)


def near_tie_band(quality_se: Doubles, eligible: Bools, width: float) -> Doubles:
    """The near-tie band of each prompt: `width` times the median standard error.

    Over eligible arms only, so that adding an ineligible arm changes nothing.

    Returns:
        (n,) in quality units, 0 where no arm is eligible.
    """
    if width == 0.0:
        return np.zeros(len(quality_se))
    band = np.zeros(len(quality_se))
    for i, allowed in enumerate(eligible):
        if allowed.any():
            band[i] = width * float(np.median(quality_se[i, allowed]))
    return band


def money_price_at(table: ThresholdMap, threshold: float) -> float:
    """λ at a threshold: logarithmic between the knots of the validation sweep."""
    logs = np.log(np.maximum(table.money_price, TINY_PRICE))
    price = float(np.exp(np.interp(threshold, table.threshold, logs)))
    return 0.0 if price <= TINY_PRICE * (1 + 1e-6) else price


TINY_PRICE = 1e-12  # stands for λ = 0 in logarithms


def expected_at(table: ThresholdMap, threshold: float) -> tuple[float, float]:
    """(mean quality, mean US dollars per request) of the validation rows at a threshold."""
    quality = float(np.interp(threshold, table.threshold, table.quality))
    return quality, float(np.interp(threshold, table.threshold, table.cost_usd))
