"""A decision log of any length, as the service would write it, without deciding each request.

Predictions are made up around a bundle's arms; outcomes are drawn from them, so that they are
calibrated, and one kind of request is made to lose.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from router import Router
from router.core import features
from router.core.choice import cost_weight_at
from router.events import BundleEvent, DecisionEvent, FeedbackEvent, pack

KINDS = ("new_task", "follow_up", "tool_result", "title")
LOSING = "tool_result"  # what the router is made to be wrong about
PER_SEGMENT = 20_000
DAY_S = 86400.0
THRESHOLD = 0.5


def write_log(
    folder: Path,
    router: Router,
    n: int,
    *,
    now: float,
    days: float = 7.0,
    seed: int = 0,
    outcomes: float = 0.6,
    explored: float = 0.05,
    rival: str | None = None,
) -> list[str]:
    """Write `n` decisions that end at `now`.

    Args:
        folder: of the log.
        router: whose arms.
        n: decisions.
        now: seconds since 1970, of the last one.
        days: over which they are spread.
        seed: of all draws.
        outcomes: share with feedback.
        explored: share that is drawn, among the choice, the best arm on average and the two
            cheapest.
        rival: id of a candidate that decides in shadow.
    Returns:
        Their ids, in order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng, ids = np.random.default_rng(seed), []
    times = np.sort(now - rng.random(n) * days * DAY_S)
    for first in range(0, n, PER_SEGMENT):
        part = times[first : first + PER_SEGMENT]
        lines = [_bundle(router, router.manifest.bundle_id, part[0])]
        lines += [] if rival is None else [_bundle(router, rival, part[0])]
        for at in part:
            made = decision(router, rng, float(at), explored=explored)
            ids.append(made["decision_id"])
            lines.append(made)
            if rival is not None:
                ruling = made["eligible"][int(np.argmax(made["propensity"]))]  # it draws nothing
                lines.append({**made, "role": "shadow", "bundle_id": rival, "chosen": ruling})
            if rng.random() < outcomes:
                lines.append(feedback(made, rng, best=router.manifest.decision.best_single))
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        (folder / f"{int(part[0] * 1e9):020d}-1.jsonl").write_text(text, "utf-8")
    return ids


def decision(
    router: Router, rng: np.random.Generator, time: float, *, explored: float
) -> dict[str, Any]:
    """One decision's line."""
    arms = np.flatnonzero(router.present)
    infos = [router.manifest.arms[i] for i in arms]
    hard = rng.normal(0, 0.2)
    noise = rng.normal(0, 0.05, len(arms))
    quality = np.clip([info.mean_quality + hard for info in infos] + noise, 0.02, 0.98)
    cost = np.array([info.mean_cost_usd for info in infos]) * rng.lognormal(0, 0.3)
    weight = cost_weight_at(router.manifest.threshold_map, THRESHOLD)
    ruling = int(np.argmax(quality - weight * cost))
    best = int(np.flatnonzero(arms == router.manifest.decision.best_single)[0])
    safe = sorted({ruling, best, *np.argsort(cost)[:2].tolist()})
    chance = np.zeros(len(arms))
    chance[safe] = explored / len(safe)
    chance[ruling] += 1 - explored
    chosen = int(rng.choice(len(arms), p=chance / chance.sum()))
    values = np.zeros(len(features.NAMES))
    values[features.NAMES.index("non_ascii_share")] = rng.choice([0.0, 0.5], p=[0.8, 0.2])
    embedding = rng.normal(size=router.manifest.encoder.dimension).astype(np.float32)
    return DecisionEvent(
        time=time,
        decision_id=_id(time, rng),
        bundle_id=router.manifest.bundle_id,
        request_hash=f"{rng.integers(1 << 62):032x}",
        embedding=pack(embedding / np.linalg.norm(embedding)),
        features=tuple(values.tolist()),
        n_chars=int(rng.integers(20, 900)),
        cluster=int(rng.integers(8)),
        distance=0.1,
        eligible=tuple(arms.tolist()),
        propensity=tuple(chance.tolist()),
        quality=tuple(quality.round(6).tolist()),
        cost_usd=tuple(cost.tolist()),
        chosen=int(arms[chosen]),
        policy={"threshold": THRESHOLD},
        seed=0,
        draw=0.5,
        reasons=("threshold",) if chosen == ruling else ("threshold", "exploration"),
        input_tokens=(100,) * len(arms),
        fallbacks=(),
        wire="chat",
        n=1,
        kind=str(rng.choice(KINDS)),
        session=f"{rng.integers(500):032x}",
    ).to_dict()


def feedback(made: dict[str, Any], rng: np.random.Generator, *, best: int) -> dict[str, Any]:
    """What became of it: right as often as was predicted, where it loses half as often.

    The arm that is best on average is right there, too.
    """
    at = made["eligible"].index(made["chosen"])
    loses = made["kind"] == LOSING and made["chosen"] != best
    chance = made["quality"][at] * (0.5 if loses else 1.0)
    return FeedbackEvent(
        time=made["time"] + 5.0,
        decision_id=made["decision_id"],
        quality=float(rng.random() < chance),
        preferred_to=None,
        preference=None,
        input_tokens=100,
        output_tokens=200,
        cached_tokens=40,
        cost_usd=made["cost_usd"][at] * float(rng.lognormal(0, 0.2)),
        latency_ms=800.0,
        source="user",
        key="",
    ).to_dict()


def _bundle(router: Router, bundle_id: str, time: float) -> dict[str, Any]:
    event = BundleEvent(
        time=float(time),
        bundle_id=bundle_id,
        arms=router.arm_ids,
        encoder=router.manifest.encoder_sha256,
        features_version=features.VERSION,
    )
    return asdict(event)


def _id(time: float, rng: np.random.Generator) -> str:
    value = (int(time * 1000) << 80) | (7 << 76) | (0b10 << 62)
    value |= int(rng.integers(1 << 62)) | (int(rng.integers(1 << 12)) << 64)
    return str(uuid.UUID(int=value))
