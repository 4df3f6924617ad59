"""What answers say: arms and frontier of the manifest, and of a request what was read of it.

λ stays inside: callers see thresholds, qualities and dollars.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from router.catalogue.catalogue import ABILITIES
from router.core.manifest import ArmInfo, Manifest
from router.core.promises import Promises, promises, promises_by_kind
from router.engine import Router


def arms_view(router: Router) -> dict[str, Any]:
    """Every arm with its price, what it can do and its record on the training rows."""
    manifest = router.manifest
    return {
        "bundle_id": manifest.bundle_id,
        "catalogue": None if router.overlay is None else router.overlay.id,
        "default_threshold": manifest.decision.default_threshold,
        "best_single": manifest.arms[manifest.decision.best_single].arm.id,
        "arms": [_arm(info, router) for info in manifest.arms],
    }


def frontier_view(manifest: Manifest, expired: str | None = None) -> dict[str, Any]:
    """Expected quality and cost along the threshold, beside what single arms reach.

    `certificate` is null without one; `expired` says why it no longer holds. `kinds` are those of
    work within which a threshold is a share of spend; none where it is one of all spend.
    """
    certificate, decision = manifest.certificate, manifest.decision
    cheapest = min(range(len(manifest.arms)), key=lambda i: manifest.arms[i].mean_cost_usd)
    return {
        "bundle_id": manifest.bundle_id,
        "default_threshold": decision.default_threshold,
        "points": _points(promises(manifest)),
        "kinds": [
            {"kind": kind, "points": _points(found)}
            for kind, found in promises_by_kind(manifest).items()
        ],
        "best_single": _single(manifest.arms[decision.best_single]),
        "cheapest_single": _single(manifest.arms[cheapest]),
        "singles": [_single(info) for info in manifest.arms],
        "certificate": None if certificate is None else certificate.view(expired),
    }


def _points(found: Promises) -> list[dict[str, float]]:
    columns = zip(found.threshold, found.quality, found.cost_usd, strict=True)
    return [
        {"threshold": threshold, "quality": quality, "cost_usd": cost}
        for threshold, quality, cost in columns
    ]


def _single(info: ArmInfo) -> dict[str, Any]:
    return {**_name(info), "quality": info.mean_quality, "cost_usd": info.mean_cost_usd}


def _name(info: ArmInfo) -> dict[str, Any]:
    return {"id": info.arm.id, "model": info.model, "tier": {"name": info.tier}}


def _arm(info: ArmInfo, router: Router) -> dict[str, Any]:
    model = router.catalogue.model(info.model)
    return {
        **_name(info),
        "tier": router.tiers[info.arm.id],
        "family": router.catalogue.family(info.model),
        "health": model.health,
        "latency": None if model.latency is None else asdict(model.latency),
        "price": {
            "usd_per_1m_input": info.usd_per_1m_input,
            "usd_per_1m_output": info.usd_per_1m_output,
            "date": info.price_date,
            "metered_in": info.metered_in,
        },
        "capabilities": {name: getattr(info, name) for name in ABILITIES},
        "mean_quality": info.mean_quality,
        "mean_cost_usd": info.mean_cost_usd,
        "rows": info.rows,
    }
