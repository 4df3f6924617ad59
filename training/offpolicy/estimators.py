"""Off-policy values from logged decisions: IPS, SNIPS and doubly robust, or a refusal.

A log shows the reward of the arm that was drawn, with the probability p of drawing it. For
another policy with probabilities π, w = π(drawn) / p weighs a row:

    IPS    mean of w·r                                        (Horvitz & Thompson, 1952)
    SNIPS  sum of w·r / sum of w                              (Swaminathan & Joachims, NeurIPS 2015)
    DR     mean of Σ_a π(a)·m(a) + w·(r - m(drawn))           (Dudík, Langford & Li, ICML 2011)

with a model m of the reward. Intervals are normal, from the rows' influence values. Arrays are
(n logged decisions, a arms).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.types import Bools, Doubles, Ints

Z95 = 1.959963984540054
LEAST_ESS = 100.0  # effective rows below which no verdict is given
MOST_UNSUPPORTED = 0.05  # share of the policy's choices that the log could never have shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """Logged decisions and the policy that is judged on them.

    Attributes:
        arm: (n,) index of the arm that was drawn.
        propensity: (n, a) probability of every arm under the logging policy.
        reward: (n,) what the drawn arm earned; NaN where no feedback came.
        target: (n, a) probability of every arm under the judged policy; rows sum to 1.
        model: (n, a) predicted rewards, by a model that did not see the row.
    """

    arm: Ints
    propensity: Doubles
    reward: Doubles
    target: Doubles
    model: Doubles

    def __post_init__(self) -> None:
        n, arms = self.target.shape
        for name in ("propensity", "model"):
            found = getattr(self, name).shape
            if found != (n, arms):
                raise ValueError(f"{name} must be ({n}, {arms}) like target, got {found}")
        if len(self.arm) != n or len(self.reward) != n:
            raise ValueError(
                f"arm and reward need {n} rows, got {len(self.arm)}, {len(self.reward)}"
            )
        for name in ("propensity", "target"):
            values = getattr(self, name)
            if (values < 0).any() or not np.allclose(values.sum(axis=1), 1.0, atol=1e-6):
                raise ValueError(f"every row of {name} must hold probabilities that sum to 1")
        if n and (self.propensity[np.arange(n), self.arm] <= 0).any():
            raise ValueError("some logged arm has probability 0 in its own log")

    def seen(self) -> Logged:
        """The rows with a reward."""
        keep = ~np.isnan(self.reward)
        return Logged(
            arm=self.arm[keep],
            propensity=self.propensity[keep],
            reward=self.reward[keep],
            target=self.target[keep],
            model=self.model[keep],
        )

    def weights(self, most: float) -> Doubles:
        """π(drawn) / p of every row, clipped: (n,)."""
        rows = np.arange(len(self.arm))
        raw = self.target[rows, self.arm] / self.propensity[rows, self.arm]
        return np.asarray(np.minimum(raw, most))


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with its 95 % interval; null with a reason where the log cannot tell.

    Attributes:
        effective: (Σw)² / Σw², the rows that the log is worth for this policy.
        unsupported: share of the policy's choices on arms that the log could not have drawn.
        rows: with a reward.
        unrewarded: rows without.
    """

    method: str
    value: float | None
    low: float | None
    high: float | None
    standard_error: float | None
    effective: float
    unsupported: float
    rows: int
    unrewarded: int
    reason: str | None = None


def estimate(logged: Logged, method: str = "dr", *, most_weight: float = 100.0) -> Estimate:
    """The value of the target policy, whatever the support; see `verdict`.

    Args:
        logged: the rows.
        method: ips, snips or dr.
        most_weight: weights are clipped here; a bias towards the model that bounds the variance.
    """
    seen = logged.seen()
    n, weight = len(seen.arm), seen.weights(most_weight)
    rows = np.arange(n)
    if n < 2:
        return _refused(logged, method, f"{n} rows with a reward; two are needed for an interval")
    if method == "ips":
        influence = weight * seen.reward
        value = float(influence.mean())
    elif method == "snips":
        value = float((weight * seen.reward).sum() / max(weight.sum(), 1e-12))
        influence = value + weight * (seen.reward - value) / max(weight.mean(), 1e-12)
    elif method == "dr":
        direct = (seen.target * seen.model).sum(axis=1)
        influence = direct + weight * (seen.reward - seen.model[rows, seen.arm])
        value = float(influence.mean())
    else:
        raise ValueError(f"method must be ips, snips or dr, got {method!r}")
    error = float(influence.std(ddof=1) / np.sqrt(n))
    return Estimate(
        method=method,
        value=value,
        low=value - Z95 * error,
        high=value + Z95 * error,
        standard_error=error,
        effective=effective_rows(weight),
        unsupported=unsupported(seen),
        rows=n,
        unrewarded=len(logged.arm) - n,
    )


def verdict(logged: Logged, method: str = "dr", *, most_weight: float = 100.0) -> Estimate:
    """The value, or a refusal that says what the log would need."""
    seen = logged.seen()
    if len(seen.arm) < 2:
        return estimate(logged, method, most_weight=most_weight)
    missing = unsupported(seen)
    certain = bool((seen.propensity.max(axis=1) >= 1.0 - 1e-9).all())
    found = estimate(logged, method, most_weight=most_weight)
    if certain and missing > 0.0:
        arms = int((seen.target.sum(axis=0) > 0).sum())
        return _refused(
            logged, method,
            f"every logged decision was certain, and {missing:.1%} of this policy's choices are "
            f"arms that were never tried; explore a share of at least "
            f"{rate_needed(seen, arms):.1%} of requests (TIERWISE_EXPLORE_RATE)",
        )  # fmt: skip
    if missing > MOST_UNSUPPORTED:
        return _refused(
            logged, method,
            f"{missing:.1%} of this policy's choices are arms that the log could not have drawn "
            f"(at most {MOST_UNSUPPORTED:.0%} may be); widen what exploration may give up",
        )  # fmt: skip
    if found.effective < LEAST_ESS:
        share = max(found.effective / found.rows, 1e-9)
        more = int(np.ceil(LEAST_ESS / share)) - found.rows
        return _refused(
            logged, method,
            f"the log is worth {found.effective:.0f} rows for this policy, {LEAST_ESS:.0f} are "
            f"needed: some {more} more decisions with feedback, or more exploration",
        )  # fmt: skip
    return found


def rate_needed(seen: Logged, arms: int) -> float:
    """The exploration with which as many rows would be worth `LEAST_ESS`, at least 1 %."""
    return float(np.clip(LEAST_ESS * max(arms, 2) / len(seen.arm), 0.01, 1.0))


def effective_rows(weight: Doubles) -> float:
    """(Σw)² / Σw² (Kish)."""
    squares = float((weight**2).sum())
    return float(weight.sum()) ** 2 / squares if squares > 0 else 0.0


def unsupported(logged: Logged) -> float:
    """Share of the target's probability on arms that the logging policy never drew there."""
    if len(logged.arm) == 0:
        return 1.0
    gone: Bools = logged.propensity <= 0
    return float((logged.target * gone).sum(axis=1).mean())


def _refused(logged: Logged, method: str, reason: str) -> Estimate:
    seen = logged.seen()
    return Estimate(
        method=method,
        value=None,
        low=None,
        high=None,
        standard_error=None,
        effective=effective_rows(seen.weights(np.inf)),
        unsupported=unsupported(seen),
        rows=len(seen.arm),
        unrewarded=len(logged.arm) - len(seen.arm),
        reason=reason,
    )
