"""The checks of the gate, and the verdict that follows from them.

A candidate passes when nothing got worse beyond a margin and something got better: on held-out
outcomes, by paired bootstrap intervals, and on held-out logged decisions, by doubly robust
estimates at several thresholds. What cannot be told is no pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from router.types import Doubles

from ..measure.metrics import number
from ..measure.off_policy import Z95, Estimate
from ..measure.outcomes import label_codes
from ..measure.result import Evaluation
from .values import Value

PASSED, FAILED, UNDECIDED = "passed", "failed", "undecided"
CANDIDATE, INCUMBENT = "candidate", "incumbent"
DOMAIN = "domain "  # what the name of a domain's check starts with


@dataclass(frozen=True, slots=True, kw_only=True)
class Margins:
    """What the gate lets pass.

    Attributes:
        aiq_loss: the 95 % interval of the AIQ difference may reach so far below 0.
        cost_rise: relative rise of mean cost at the incumbent's quality.
        domain_loss: a domain fails when it is surely worse by more than this.
        ece_rise: of the calibration error.
        value_loss: of the value on logged decisions, quality units.
    """

    aiq_loss: float = 0.01
    cost_rise: float = 0.10
    domain_loss: float = 0.05
    ece_rise: float = 0.03
    value_loss: float = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question with its answer.

    Attributes:
        value: what was measured, null where it could not be.
        interval: 95 %, null where there is none.
        limit: what the interval, or else the value, is held against.
        verdict: passed, failed or undecided.
        needed: whether a verdict other than passed stops the promotion.
    """

    name: str
    value: float | None
    interval: tuple[float, float] | None
    limit: float
    verdict: str
    detail: str
    needed: bool = True

    @property
    def passes_if(self) -> str:
        """Which side of the limit is good, of what: `low end >= -0.0100` or `value <= +0.1000`."""
        if self.limit > 0:  # of what should not rise
            return f"value <= {self.limit:+.4f}"
        end = "high" if self.name.startswith(DOMAIN) else "low"
        return f"{end} end >= {self.limit:+.4f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The record of one comparison.

    Attributes:
        values: what the logged decisions say by every estimator, where a log was given.
    """

    candidate: str
    incumbent: str
    verdict: str
    summary: str
    checks: tuple[Check, ...]
    values: tuple[Value, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The record as `tierwise promote --gate` reads it."""
        return asdict(self)


def decide(
    candidate: str, incumbent: str, checks: Sequence[Check], estimates: tuple[Value, ...] = ()
) -> Gate:
    """The verdict: failed where a needed check failed, undecided where one could not be told.

    At least one gain must be there: no worse is not a reason to change.
    """
    needed = [check for check in checks if check.needed]
    bad = [check.name for check in needed if check.verdict == FAILED]
    open_ = [check.name for check in needed if check.verdict == UNDECIDED]
    gains = [c for c in checks if c.value is not None and c.name.startswith(("aiq", "value"))]
    better = any(check.value is not None and check.value > 0 for check in gains)
    if not needed:
        answer, why = UNDECIDED, "nothing to compare on: give outcomes (--data) or a log (--log)"
    elif bad:
        answer, why = FAILED, f"worse than allowed: {', '.join(bad)}"
    elif open_:
        answer, why = UNDECIDED, f"cannot be told: {', '.join(open_)}"
    elif not better:
        answer, why = FAILED, "nothing got better"
    else:
        answer = PASSED
        why = ", ".join(f"{check.name} {check.value:+.4f}" for check in gains)
    return Gate(
        candidate=candidate,
        incumbent=incumbent,
        verdict=answer,
        summary=why,
        checks=tuple(checks),
        values=estimates,
    )


def outcome_checks(found: Evaluation, margins: Margins) -> list[Check]:
    """The checks on held-out outcomes; `found` has the incumbent among its baselines."""
    other = next(curve for curve in found.baselines if curve.sweep.name == INCUMBENT)
    ours = found.router
    low, high = found.resampled.difference(ours.sweep.name, INCUMBENT)
    checks = [
        Check(
            name="aiq",
            value=ours.measures.aiq - other.measures.aiq,
            interval=(low, high),
            limit=-margins.aiq_loss,
            verdict=PASSED if low >= -margins.aiq_loss else FAILED,
            detail=f"mean quality over the price range, candidate {ours.measures.aiq:.4f}, "
            f"incumbent {other.measures.aiq:.4f}, on {found.outcomes.n} prompts",
        ),
        _cost_check(found, margins),
        *_domain_checks(found, margins),
    ]
    if ours.measures.ece is not None and other.measures.ece is not None:
        rise = ours.measures.ece - other.measures.ece
        checks.append(
            Check(
                name="calibration",
                value=rise,
                interval=None,
                limit=margins.ece_rise,
                verdict=PASSED if rise <= margins.ece_rise else FAILED,
                detail=f"calibration error, candidate {ours.measures.ece:.4f}, incumbent "
                f"{other.measures.ece:.4f}",
            )
        )
    return checks


def _cost_check(found: Evaluation, margins: Margins) -> Check:
    """What the candidate must spend for the quality that the incumbent has at its best spend."""
    other = next(curve for curve in found.baselines if curve.sweep.name == INCUMBENT)
    goal = 0.99 * float(other.frontier.quality[-1])
    now, then = (number(c.frontier.cost_at(goal)) for c in (found.router, other))
    if now is None or then is None or then <= 0:
        return Check(
            name="cost", value=None, interval=None, limit=margins.cost_rise,
            verdict=FAILED if now is None else PASSED, needed=now is None,
            detail=f"quality {goal:.4f}, 99 % of the incumbent's best, is "
            + ("never reached" if now is None else "free for the incumbent"),
        )  # fmt: skip
    rise = now / then - 1.0
    return Check(
        name="cost",
        value=rise,
        interval=None,
        limit=margins.cost_rise,
        verdict=PASSED if rise <= margins.cost_rise else FAILED,
        detail=f"least mean cost for quality {goal:.4f}: candidate ${now:.3g}, incumbent "
        f"${then:.3g} a request",
        needed=False,  # one point of a frontier is noisy; the AIQ weighs all of it
    )


def _domain_checks(found: Evaluation, margins: Margins) -> list[Check]:
    labels = found.outcomes.domain
    if labels is None:
        return []
    gap = mean_gap(found)
    names, codes = label_codes(labels)
    checks = []
    for code, name in enumerate(names):
        part = gap[codes == code]
        if len(part) < 2:
            continue
        half = Z95 * float(part.std(ddof=1)) / float(np.sqrt(len(part)))
        mean = float(part.mean())
        checks.append(
            Check(
                name=f"{DOMAIN}{name}",
                value=mean,
                interval=(mean - half, mean + half),
                limit=-margins.domain_loss,
                verdict=FAILED if mean + half < -margins.domain_loss else PASSED,
                detail=f"mean quality along the threshold on {len(part)} prompts",
            )
        )
    return checks


def mean_gap(found: Evaluation) -> Doubles:
    """Candidate's minus incumbent's quality of every prompt, mean over their settings: (n,)."""
    other = next(curve for curve in found.baselines if curve.sweep.name == INCUMBENT)
    rows = np.arange(found.outcomes.n)

    def mean(choices: np.ndarray) -> Doubles:
        levels = np.linspace(0, len(choices) - 1, 21).astype(int)
        got = [found.outcomes.quality[rows, choices[level]] for level in levels]
        return np.asarray(np.mean(got, axis=0), dtype=np.float64)

    return mean(found.router.sweep.choices) - mean(other.sweep.choices)


def log_checks(found: Sequence[Value], margins: Margins) -> list[Check]:
    """The checks on held-out logged decisions: the doubly robust values.

    Args:
        found: of `values.values`; rewards are quality less the price of money at the threshold.
        margins: what passes.
    """
    checks = []
    for value in (v for v in found if v.method == "dr"):
        now, then, limit = value.candidate, value.incumbent, -margins.value_loss
        name = f"value at {value.threshold:g}"
        if value.gain is None:
            reason = now.reason or then.reason or ""
            checks.append(
                Check(name=name, value=None, interval=None, limit=limit, verdict=UNDECIDED,
                      detail=reason)
            )  # fmt: skip
            continue
        gain, low, high = value.gain
        checks.append(
            Check(
                name=name,
                value=gain,
                interval=(low, high),
                limit=limit,
                verdict=PASSED if low >= limit else FAILED,
                detail=_told(now, then),
            )
        )
    return checks


def _told(now: Estimate, then: Estimate) -> str:
    return (
        f"doubly robust value, candidate {now.value:.4f} ({now.effective:.0f} effective rows), "
        f"incumbent {then.value:.4f} ({then.effective:.0f}), of {now.rows}"
    )
