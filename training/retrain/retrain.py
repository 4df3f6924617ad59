"""Retrain a bundle on what it routed: logged rows, full rows, and what the base predicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from router.catalogue.catalogue import Catalogue
from router.core.bundle import Bundle
from router.core.manifest import Manifest
from router.types import Bools

from ..bundle.decision import Origin
from ..config import TrainConfig, recorded
from ..errors import TrainingError
from ..methods.pairs import Battles
from ..pipeline import Trained, learn
from ..preferences.evidence import split_battles
from ..preferences.pairs_only_arms import beside
from ..prepare.encoder import ExportedEncoder
from ..prior.fit import Base
from ..progress import Reporter
from ..threads import single_threaded
from .feedback_outliers import FlaggedKey, accepted, flagged_keys
from .judged import calibrated
from .log_battles import logged_battles, together
from .log_rows import HELD_OUT, Traffic, held_out
from .preferences import Preferred
from .rows import Rows, compared_rows, full_rows, joined, logged_rows, taken, with_prior
from .settings import for_rows, with_utility
from .weights import comparison_weights, outcome_weights, repeated

if TYPE_CHECKING:
    from data.tables import Tables

MIN_FEEDBACK = 50  # decisions with accepted feedback, or comparisons


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a candidate learned from: decisions, preferences, prompts of tables, rows in all.

    `undrawn` of the decisions were answered by another arm than the drawn one.
    """

    logged: int
    undrawn: int
    battles: int
    full: int
    rows: int
    flagged: tuple[FlaggedKey, ...]

    @classmethod
    def of(
        cls,
        traffic: Traffic,
        use: Bools,
        battles: int,
        full: Rows | None,
        rows: Rows,
        flagged: Sequence[FlaggedKey],
    ) -> Evidence:
        """Of decisions that were used (n,), rows of tables, and all rows."""
        return cls(
            logged=int(use.sum()),
            undrawn=int((use & ~traffic.drawn).sum()),
            battles=battles,
            full=0 if full is None else len(full.data),
            rows=len(rows.data),
            flagged=tuple(flagged),
        )

    def record(self, base: str) -> dict[str, Any]:
        """What the manifest says of it; `base` is a bundle's id."""
        return {
            "base": base,
            "logged_decisions": self.logged,
            "answered_by_another_arm": self.undrawn,
            "weighted_rows": self.rows - self.full,
            "full_prompts": self.full,
            "preferences": self.battles,
            "flagged_keys": [each.key for each in self.flagged],
        }


@dataclass(frozen=True, slots=True)
class Retrained:
    """A candidate, and what it learned from."""

    trained: Trained
    evidence: Evidence


@single_threaded
def retrain(
    traffic: Traffic,
    base: Bundle,
    out: Path,
    cache: Path,
    reporter: Reporter,
    *,
    tables: Tables | None = None,
    config: TrainConfig | None = None,
    holdout: float = HELD_OUT,
    known: Base | None = None,
) -> Retrained:
    """Train a candidate for the base's arms on its log, and on full rows where there are any.

    Args:
        traffic: the log, read for the base's arms and encoder.
        base: gives arms, encoder, prices and, where evidence is thin, its opinion.
        out: the candidate's folder.
        cache: folder of embeddings, for the prompts of `tables`.
        reporter: shows stages.
        tables: full-information outcomes, and maybe pairs, to learn from beside the log.
        config: null is the base's own.
        holdout: share of the logged prompts that is left to the gate.
        known: what was known before any row, as for `train`; goes before the base's opinion.
    Raises:
        TrainingError: there is too little feedback.
    """
    settings, encoder = config or base_config(base.manifest), ExportedEncoder.of(base)
    with reporter.stage("read log") as stage:
        flagged = flagged_keys(traffic)
        traffic = calibrated(accepted(traffic, flagged))
        kept = ~held_out(traffic.hashes, holdout)
        use = kept & ~np.isnan(traffic.quality)
        said = [p for p in traffic.preferred if kept[p.row]]
        parts, battles = _learned(traffic, use, said, base, settings.seed, holdout)
        stage.note(f"{int(use.sum())} of {len(traffic)} decisions with feedback")
    full = None
    if tables is not None:
        full = full_rows(tables, base.manifest, encoder, cache, reporter)
    rows = joined([*parts, *filter(None, [full])])
    if tables is not None:
        battles = together(split_battles(tables, rows.data, encoder, cache, reporter), battles)
    evidence = Evidence.of(traffic, use, len(said), full, rows, flagged)
    origin = base_origin(base.manifest, traffic.rejected, evidence.record(base.manifest.bundle_id))
    if known is None:
        rows = with_prior(rows, base, seed=settings.seed)
    trained = _learn(rows, battles, encoder, origin, settings, out, reporter, known)
    return Retrained(trained, evidence)


def _learn(
    rows: Rows,
    battles: Battles | None,
    encoder: ExportedEncoder,
    origin: Origin,
    settings: TrainConfig,
    out: Path,
    reporter: Reporter,
    known: Base | None,
) -> Trained:
    """Everything after the rows, as `tierwise train` does it, with settings that suit them."""
    if known is not None and known.bundle.manifest.encoder_sha256 != encoder.sha256:
        raise TrainingError(
            f"base {known.bundle.manifest.bundle_id} reads prompts by another encoder than the "
            "bundle that routed; name one that it was trained beside, or none"
        )
    if known is not None and battles is not None:
        with reporter.stage("battles") as stage:
            stage.note(f"{len(battles)} set aside: beside a base, outcomes alone are learned from")
        battles = None
    return learn(
        rows.data,
        rows.inputs,
        encoder,
        origin,
        config=for_rows(with_utility(settings, battles), rows.data),
        out=out,
        reporter=reporter,
        joined=None if battles is None else beside(rows.data, battles),
        base=known,
    )


def _learned(
    traffic: Traffic,
    use: Bools,
    said: Sequence[Preferred],
    base: Bundle,
    seed: int,
    holdout: float,
) -> tuple[list[Rows], Battles | None]:
    """Rows of a log, and its comparisons as battles where outcomes say what winning is worth.

    Where outcomes are too few for that, comparisons are rows, too.

    Raises:
        TrainingError: both are too few.
    """
    outcomes, parts = int(use.sum()), []
    if outcomes:
        weight = outcome_weights(traffic, use)
        parts = [taken(logged_rows(traffic, use, base), repeated(weight, seed))]
    if outcomes >= MIN_FEEDBACK:
        return parts, logged_battles(traffic, said)
    if len(said) < MIN_FEEDBACK:
        raise TrainingError(
            f"{outcomes} of {len(traffic)} decisions have feedback that can be learned "
            f"from, and {len(said)} answers were compared ({holdout:.0%} are held out for the "
            f"gate); {MIN_FEEDBACK} of either are needed"
        )
    weight = comparison_weights(traffic, said)
    return [*parts, taken(compared_rows(traffic, said, base), repeated(weight, seed))], None


def base_config(manifest: Manifest) -> TrainConfig:
    """The configuration that the base was trained with."""
    return recorded(manifest.config)


def base_origin(
    manifest: Manifest, rejected: Mapping[str, int], record: Mapping[str, Any]
) -> Origin:
    """Prices' dates, capabilities and tiers as the base has them."""
    known = Catalogue.of(manifest.catalogue)
    models = {
        escape(info.model): replace(
            known.model(info.model),
            context_tokens=info.context_tokens,
            tools=info.tools,
            vision=info.vision,
            json=info.json,
        )
        for info in manifest.arms
    }
    dates = {info.model: info.price_date for info in manifest.arms if info.price_date is not None}
    return Origin(
        prices=None,
        price_dates=dates,
        catalogue=replace(known, models=models),
        rejected=dict(rejected),
        record={"retrained": dict(record)},
    )
