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

METHODS = ("ips", "snips", "dr")
Z95 = 1.959963984540054
MOST_WEIGHT = 100.0  # weights are clipped here: a bias towards the model that bounds the variance
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
        reason: why there is no value.
        more_rows: further decisions with feedback that would do, logged as these were.
        exploration: or the share of requests to explore, on as many decisions.
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
    more_rows: int | None = None
    exploration: float | None = None


def estimate(logged: Logged, method: str = "dr", *, most_weight: float = MOST_WEIGHT) -> Estimate:
    """The value of the target policy, whatever the support; see `verdict`."""
    seen = logged.seen()
    n = len(seen.arm)
    if n < 2:
        return _refused(logged, method, f"{n} rows with a reward; two are needed for an interval")
    value, influence = influences(seen, method, most_weight=most_weight)
    error = float(influence.std(ddof=1) / np.sqrt(n))
    return Estimate(
        method=method,
        value=value,
        low=value - Z95 * error,
        high=value + Z95 * error,
        standard_error=error,
        effective=effective_rows(seen.weights(most_weight)),
        unsupported=unsupported(seen),
        rows=n,
        unrewarded=len(logged.arm) - n,
    )


def influences(
    seen: Logged, method: str, *, most_weight: float = MOST_WEIGHT
) -> tuple[float, Doubles]:
    """The value, and what every row adds to it: (n,), of which the value is the mean.

    Args:
        seen: rows with a reward, at least one.
        method: one of `METHODS`.
        most_weight: weights are clipped here.
    """
    weight, rows = seen.weights(most_weight), np.arange(len(seen.arm))
    if method == "ips":
        influence = weight * seen.reward
    elif method == "snips":
        value = float((weight * seen.reward).sum() / max(weight.sum(), 1e-12))
        influence = value + weight * (seen.reward - value) / max(weight.mean(), 1e-12)
    elif method == "dr":
        direct = (seen.target * seen.model).sum(axis=1)
        influence = direct + weight * (seen.reward - seen.model[rows, seen.arm])
    else:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    return float(influence.mean()), influence


def difference(ours: Logged, theirs: Logged, method: str = "dr") -> tuple[float, float, float]:
    """Difference of two policies' values on the same rows, paired, with its 95 % interval."""
    parts = [influences(logged.seen(), method)[1] for logged in (ours, theirs)]
    gap = parts[0] - parts[1]
    half = Z95 * float(gap.std(ddof=1)) / float(np.sqrt(len(gap)))
    value = float(gap.mean())
    return value, value - half, value + half


def verdict(logged: Logged, method: str = "dr", *, most_weight: float = MOST_WEIGHT) -> Estimate:
    """The value, or a refusal that says what the log would need."""
    seen = logged.seen()
    if len(seen.arm) < 2:
        return estimate(logged, method, most_weight=most_weight)
    missing = unsupported(seen)
    certain = bool((seen.propensity.max(axis=1) >= 1.0 - 1e-9).all())
    found = estimate(logged, method, most_weight=most_weight)
    if certain and missing > 0.0:
        rate = rate_needed(seen, int((seen.target.sum(axis=0) > 0).sum()))
        return _refused(
            logged, method,
            f"every logged decision was certain, and {missing:.1%} of this policy's choices are "
            f"arms that were never tried; explore a share of at least "
            f"{rate:.1%} of requests (TIERWISE_EXPLORE_RATE)",
            exploration=rate,
        )  # fmt: skip
    if missing > MOST_UNSUPPORTED:
        return _refused(
            logged, method,
            f"{missing:.1%} of this policy's choices are arms that the log could not have drawn "
            f"(at most {MOST_UNSUPPORTED:.0%} may be), and no number of further decisions changes "
            "that: widen what exploration may give up (TIERWISE_EXPLORE_QUALITY_LOSS, "
            f"TIERWISE_EXPLORE_COST_RATIO); a model puts {loss_given_up(seen):.3f} between those "
            "arms and the ones that were drawn",
        )  # fmt: skip
    if found.effective < LEAST_ESS:
        more = rows_needed(found)
        rate = min(explored(seen) * LEAST_ESS / max(found.effective, 1e-9), 1.0)
        return _refused(
            logged, method,
            f"the log is worth {found.effective:.0f} rows for this policy, {LEAST_ESS:.0f} are "
            f"needed: some {more} more decisions with feedback, or as many with {rate:.1%} "
            f"explored in place of {explored(seen):.1%}",
            more_rows=more, exploration=rate,
        )  # fmt: skip
    return found


def rows_needed(found: Estimate) -> int:
    """Further rows with a reward after which the log is worth `LEAST_ESS`, if they are alike."""
    share = max(found.effective / max(found.rows, 1), 1e-9)
    return int(np.ceil(LEAST_ESS / share)) - found.rows


def explored(seen: Logged) -> float:
    """The mean probability of any arm but the likeliest one."""
    return float(1.0 - seen.propensity.max(axis=1).mean())


def loss_given_up(seen: Logged) -> float:
    """What the likeliest logged arm leads the policy's unsupported ones by, in 19 of 20 rows.

    In units of the reward, by the reward's model; never below 0.
    """
    rows = np.arange(len(seen.arm))
    wanted = np.where(seen.propensity <= 0, seen.target, 0.0)
    at = wanted.max(axis=1) > 0
    if not at.any():
        return 0.0
    ruling = seen.model[rows, seen.propensity.argmax(axis=1)]
    gap = ruling[at] - seen.model[rows, wanted.argmax(axis=1)][at]
    return float(max(np.quantile(gap, 1 - MOST_UNSUPPORTED), 0.0))


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


def _refused(
    logged: Logged,
    method: str,
    reason: str,
    *,
    more_rows: int | None = None,
    exploration: float | None = None,
) -> Estimate:
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
        more_rows=more_rows,
        exploration=exploration,
    )
