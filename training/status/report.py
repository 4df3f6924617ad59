"""The state of a router in traffic: what drifted since it went live, arm by arm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

from data.events import EventLog
from router.core.manifest import Manifest
from router.core.promises import by_kind
from router.types import Bools, Doubles, Ints

from ..retrain.log_rows import Traffic
from .certificate import EXPIRED, CertificateState
from .detectors import Change, change_point, embedding_shift, price_changes, psi
from .finding import ALARM, LOOK, OK, Finding
from .sequential import Watch, watch

LEVEL = 0.01  # p-value of an alarm, divided by the number of arms where there are several
PSI_LOOK, PSI_ALARM = 0.1, 0.25
EXPECTED_FAR = 0.01  # share of training prompts beyond their own 99th percentile
MIN_DECISIONS = 100  # decisions in a window; fewer are not judged
BELOW_PROMISE = 0.05  # of quality; predictions of the arm that looks best flatter a little


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """Everything that was looked at; `reason` says why traffic and answers were not."""

    bundle_id: str
    decisions: int
    findings: tuple[Finding, ...]
    reason: str | None = None
    certificate: CertificateState | None = None

    @property
    def alarms(self) -> tuple[Finding, ...]:
        """What needs somebody."""
        return tuple(f for f in self.findings if f.level == ALARM)

    @property
    def calm(self) -> bool:
        """Whether nothing alarms and no certificate has expired."""
        expired = self.certificate is not None and self.certificate.state == EXPIRED
        return not self.alarms and not expired

    def to_dict(self) -> dict[str, Any]:
        """The report as plain values."""
        return asdict(self)


def drift_report(
    traffic: Traffic | None,
    manifest: Manifest,
    *,
    prices: Mapping[str, tuple[float, float]] | None = None,
    seed: int = 0,
) -> DriftReport:
    """Compare the earlier half of the decisions with the later half, and both with training.

    Args:
        traffic: decisions of this bundle alone, in order of time; null where there are none.
        manifest: of the bundle that routes.
        prices: model -> today's prices, where they are known.
        seed: of the permutations.
    """
    findings: list[Finding] = []
    if prices is not None:
        findings += price_findings(manifest, prices)
    n = 0 if traffic is None else len(traffic)
    if traffic is not None:
        findings += promise_findings(traffic)
    if traffic is None or n < 2 * MIN_DECISIONS:
        reason = f"{n} decisions; {2 * MIN_DECISIONS} are needed to compare two windows"
        return DriftReport(
            bundle_id=manifest.bundle_id, decisions=n, findings=tuple(findings), reason=reason
        )
    findings += traffic_findings(traffic, manifest, seed=seed)
    findings += answer_findings(traffic)
    return DriftReport(bundle_id=manifest.bundle_id, decisions=n, findings=tuple(findings))


def traffic_findings(traffic: Traffic, manifest: Manifest, *, seed: int) -> list[Finding]:
    """Whether the prompts changed: clusters, embeddings, and how many are far from training."""
    half = len(traffic) // 2
    k = int(traffic.cluster.max()) + 1
    then, now = (
        np.bincount(part, minlength=k) for part in (traffic.cluster[:half], traffic.cluster[half:])
    )
    index, p = psi(then, now)
    moved, p_moved = embedding_shift(
        traffic.inputs.embedding[:half], traffic.inputs.embedding[half:], seed=seed
    )
    far = traffic.distance[half:] > manifest.decision.distance_p99
    p_far = stats.binomtest(int(far.sum()), len(far), EXPECTED_FAR, alternative="greater").pvalue
    share = float(far.mean())
    return [
        Finding(kind="traffic_clusters", subject="traffic", level=_level(index, p), value=index,
                p_value=p,
                detail="stability index of cluster shares, later half against earlier half"
                + moved_kinds(manifest, then, now)),
        Finding(kind="traffic_embeddings", subject="traffic", level=_level(moved, p_moved),
                value=moved, p_value=p_moved,
                detail="stability index of embeddings, later half against earlier half"),
        Finding(kind="out_of_distribution", subject="traffic",
                level=OK if p_far >= LEVEL else LOOK if share < 0.1 else ALARM, value=share,
                p_value=float(p_far),
                detail="share of prompts beyond the training 99th percentile, later half"),
    ]  # fmt: skip


def moved_kinds(manifest: Manifest, then: Ints, now: Ints) -> str:
    """The kind of work whose share of decisions moved most, in words; empty where none is named.

    Args:
        manifest: of the bundle.
        then: (k,) earlier decisions by cluster.
        now: (k,) later ones.
    """
    shares = {
        kind: [float(part[clusters].sum() / max(part.sum(), 1)) for part in (then, now)]
        for kind, regions in by_kind(manifest).items()
        if kind and (clusters := [c for r in regions for c in r.clusters if c < len(then)])
    }
    if not shares:
        return ""
    kind, (before, after) = max(shares.items(), key=lambda item: abs(item[1][1] - item[1][0]))
    return f"; {kind} went from {before:.0%} to {after:.0%}"


def _level(index: float, p_value: float) -> str:
    """A stability index counts as far as chance does not explain it."""
    if p_value >= LEVEL:
        return OK
    return ALARM if index > PSI_ALARM else LOOK if index > PSI_LOOK else OK


def answer_findings(traffic: Traffic) -> list[Finding]:
    """Whether some arm's answers changed under the same name: quality against prediction, length.

    An arm that changed in both at once, or in one of them while no other arm did, is an alias that
    now names another model.
    """
    rows = np.arange(len(traffic))
    residual = traffic.quality - traffic.expected[rows, traffic.arm]
    length = np.log(np.maximum(traffic.output_tokens, 1.0))
    limit = LEVEL / max(len(traffic.arms), 1)
    found: list[Finding] = []
    changed: dict[str, list[str]] = {"quality": [], "length": []}
    for i, arm in enumerate(traffic.arms):
        for kind, values in (("quality", residual), ("length", length)):
            here = (traffic.arm == i) & ~np.isnan(values)
            if here.sum() < MIN_DECISIONS:
                continue
            change = change_point(values[here])
            sure = change.p_value < limit
            changed[kind] += [arm.id] if sure else []
            found.append(_answer_finding(kind, arm.id, change, here, traffic, sure=sure))
    for arm_id in sorted({*changed["quality"], *changed["length"]}):
        both = all(arm_id in arms for arms in changed.values())
        alone = all(arms in ([], [arm_id]) for arms in changed.values())
        if both or alone:
            what = "quality and length" if both else "only this arm"
            found.append(
                Finding(kind="alias", subject=arm_id, level=ALARM, value=1.0, p_value=None,
                        detail=f"{what} changed: the name may serve another model now")
            )  # fmt: skip
    return found


def _answer_finding(
    kind: str, arm: str, change: Change, here: Bools, traffic: Traffic, *, sure: bool
) -> Finding:
    size = change.after - change.before
    when = traffic.time[np.flatnonzero(here)[min(change.at, int(here.sum()) - 1)]]
    unit = "quality against prediction" if kind == "quality" else "log output tokens"
    return Finding(
        kind=kind,
        subject=arm,
        level=ALARM if sure else OK,
        value=size,
        p_value=change.p_value,
        detail=f"{unit}: {change.before:+.3f} before, {change.after:+.3f} from {when:.0f} on",
    )


def price_findings(manifest: Manifest, prices: Mapping[str, tuple[float, float]]) -> list[Finding]:
    """Models whose list price is not the bundle's."""
    old = {info.model: (info.usd_per_1m_input, info.usd_per_1m_output) for info in manifest.arms}
    return [
        Finding(kind="price", subject=model, level=ALARM if abs(moved) > 0.05 else LOOK,
                value=moved, p_value=None, detail=f"price changed by {moved:+.1%}")
        for model, moved in price_changes(old, prices).items()
        if abs(moved) > 1e-3
    ]  # fmt: skip


def promise_findings(traffic: Traffic) -> list[Finding]:
    """Whether the answers since this bundle went live are worse than it said they would be.

    A bet on every answer with feedback, in order of time: may be looked at whenever one likes.
    """
    expected = traffic.expected[np.arange(len(traffic)), traffic.arm]
    seen = ~np.isnan(traffic.quality) & ~np.isnan(expected)  # of arms that were eligible
    if not seen.any():
        return []
    said: Doubles = expected[seen]
    state = watch(traffic.quality[seen], said, margin=BELOW_PROMISE)
    level = ALARM if state.alarm_at is not None else OK
    detail = (
        f"{state.pairs} answers since it went live, quality minus prediction "
        f"{state.difference or 0.0:+.3f}; wealth 20 alarms"
    )
    return [
        Finding(kind="promise", subject="traffic", level=level, value=state.wealth, p_value=None,
                detail=detail)
    ]  # fmt: skip


def canary_findings(traffic: Traffic, log: EventLog) -> list[Finding]:
    """Whether a canary does worse than the live bundle in the same period; `traffic` has both."""
    canary = np.array([log.decisions[name].role == "canary" for name in traffic.decision_ids])
    seen = ~np.isnan(traffic.quality)
    if not (canary & seen).any():
        return []
    since = traffic.time[canary][0]
    live: Doubles = traffic.quality[seen & ~canary & (traffic.time >= since)]
    state: Watch = watch(traffic.quality[seen & canary], live)
    level = ALARM if state.alarm_at is not None else OK
    detail = (
        f"{state.pairs} pairs, canary minus live {state.difference or 0.0:+.3f}; wealth 20 alarms"
    )
    return [
        Finding(kind="canary", subject="traffic", level=level, value=state.wealth, p_value=None,
                detail=detail)
    ]  # fmt: skip
