"""From a decision to its line in the log: what is kept, hashed or left out.

Everything here that takes time runs in the writer's thread; a request only hands over
references to what it has anyway.
"""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from router.core import features
from router.core.explore import Exploration
from router.core.policy import Policy
from router.core.rules import BudgetGrant
from router.engine import Router
from router.events import BundleEvent, DecisionEvent, FeedbackEvent, pack
from router.request.view import PromptView
from router.types import Decision

from .cache import Entry
from .ids import Ids
from .log import DecisionLog, LogLimits
from .metrics import Metrics
from .offers import Offers
from .settings import Settings

KEY_FILE = "key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request, read, and who answers it.

    Attributes:
        session: the caller's `session_id`, null without one.
        role: "live", "canary" or "shadow".
        drawn: whether another arm may be tried in the chosen one's place.
    """

    decision_id: str
    router: Router
    view: PromptView
    policy: Policy
    session: str | None = None
    role: str = "live"
    drawn: bool = True


@dataclass(frozen=True, slots=True)
class Routed:
    """One decision with all that it was made of.

    Attributes:
        number: its draw, if there was one.
        grant: what a budget left it, if one was asked for.
    """

    asked: Asked
    entry: Entry
    decision: Decision
    number: float | None = None
    grant: BudgetGrant | None = None


class Recorder:
    """The decision log of one worker, with the key that its ids and hashes share."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._key = settings.log_key or stored_key(settings.log_dir)
        self.ids = Ids(self._key)
        self.exploration = Exploration(
            rate=settings.explore_rate,
            kind=settings.explore_kind,
            max_quality_loss=settings.explore_quality_loss,
            max_cost_ratio=settings.explore_cost_ratio,
        )
        self.offers = Offers()
        self.log: DecisionLog | None = None
        if settings.log_dir is not None:
            limits = LogLimits(
                flush_s=settings.log_flush_s,
                keep_bytes=settings.log_max_mb << 20,
                keep_s=settings.log_days * 86400.0,
            )
            self.log = DecisionLog(
                settings.log_dir,
                limits,
                dropped=metrics.unlogged.inc,
                written=metrics.logged.inc,
            )

    def serves(self, *routers: Router) -> None:
        """These bundles decide from now on."""
        if self.log is not None:
            self.log.header(*(_bundle_event(router).to_dict for router in routers))

    def decided(self, routed: Routed) -> None:
        """Write one decision down; at once for the caller, soon for the disk."""
        if routed.asked.role != "shadow":  # those come from another thread, and reach nobody
            self.offers.remember(routed.asked.decision_id, routed.decision)
        if self.log is not None:
            now = time.time()
            self.log.append(lambda: self._event(now, routed).to_dict())

    def feedback(self, event: FeedbackEvent) -> bool:
        """Write feedback down; False when the log cannot take it."""
        return self.log is not None and self.log.append(event.to_dict)

    def close(self) -> None:
        """Write what waits."""
        if self.log is not None:
            self.log.close()

    def _event(self, now: float, routed: Routed) -> DecisionEvent:
        asked, decision, reading = routed.asked, routed.decision, routed.entry.reading
        view, router = asked.view, asked.router
        index = {name: i for i, name in enumerate(router.arm_ids)}
        eligible = [index[name] for name in decision.propensities]
        scores = router.admission.charged(view, routed.entry.scores, asked.policy)
        request = view.asked.request
        return DecisionEvent(
            time=now,
            decision_id=asked.decision_id,
            bundle_id=decision.bundle_id,
            request_hash=self._hash(view.text),
            embedding=pack(reading.embedding[0]),
            features=tuple(round(float(value), 6) for value in reading.features[0]),
            n_chars=view.asked.n_chars,
            cluster=decision.cluster,
            distance=round(float(scores.distance[0]), 6),
            eligible=tuple(eligible),
            propensity=tuple(decision.propensities.values()),
            quality=tuple(round(float(scores.quality[0, i]), 6) for i in eligible),
            cost_usd=tuple(float(f"{scores.cost_usd[0, i]:.6g}") for i in eligible),
            input_tokens=tuple(round(float(scores.input_tokens[0, i])) for i in eligible),
            kind=view.asked.kind,
            work=decision.kind,
            chosen=index[decision.arm.id],
            fallbacks=tuple(index[arm.id] for arm in decision.fallbacks),
            policy={k: v for k, v in asdict(asked.policy).items() if v not in (None, (), {})},
            seed=self._settings.seed if routed.number is not None else None,
            draw=routed.number,
            reasons=tuple(reason.code for reason in decision.reasons),
            ration=None if routed.grant is None else routed.grant.to_log(),
            wire=request.wire,
            max_output_tokens=request.max_output_tokens,
            n=request.n,
            role=asked.role,
            session=None if asked.session is None else self._hash(asked.session),
            text=view.text if self._settings.log_text else None,
        )

    def _hash(self, text: str) -> str:
        content = text.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(content, digest_size=16, key=self._key).hexdigest()


def _bundle_event(router: Router) -> BundleEvent:
    manifest = router.manifest
    return BundleEvent(
        time=time.time(),
        bundle_id=manifest.bundle_id,
        arms=tuple(arm.id for arm in router.arms),
        encoder=manifest.encoder_sha256,
        features_version=features.VERSION,
        catalogue=None if router.overlay is None else router.overlay.id,
    )


def stored_key(folder: Path | None) -> bytes:
    """The key in the log's folder, made on first use; a passing one where nothing can be kept.

    Workers that start together agree: whoever links first has made it.
    """
    fresh = os.urandom(32)
    if folder is None:
        return fresh
    path = folder / KEY_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{KEY_FILE}-{os.getpid()}-{time.time_ns()}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, fresh.hex().encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        return bytes.fromhex(path.read_text("ascii"))
    except (OSError, ValueError):
        return fresh
