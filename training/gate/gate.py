"""Judge a candidate on held-out outcomes, on the held-out share of a log, or on both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from data.events import EventLog
from data.tables import Tables
from router import Router

from ..progress import Reporter
from ..retrain.log_rows import HELD_OUT, read_traffic
from .checks import Check, Gate, Margins, decide, log_checks, outcome_checks
from .compare import OnOutcomes, on_comparisons, on_log, on_outcomes
from .comparisons import comparison_checks, either
from .moves import Move, moves_on_log
from .values import Value, values


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The record, and what the page shows beside it; null where it was not asked for."""

    record: Gate
    on_outcomes: OnOutcomes | None
    moves: list[Move] | None


def judge(
    candidate: Router,
    incumbent: Router,
    *,
    tables: Tables | None,
    split: str,
    log: EventLog | None,
    cache: Path,
    reporter: Reporter,
    holdout: float = HELD_OUT,
) -> Judged:
    """Compare two routers of the same arms check by check; `holdout` as retraining had it.

    Raises:
        BundleError: they have other arms.
        TrainingError: the tables lack an arm, or no prompt of the split has every arm's outcome.
    """
    margins = Margins()
    checks: list[Check] = []
    estimates: tuple[Value, ...] = ()
    found, moves = None, None
    if tables is not None:
        found = on_outcomes(
            candidate, incumbent, tables, split=split, cache=cache, reporter=reporter
        )
        checks += outcome_checks(found.evaluation, margins)
    if log is not None:
        with reporter.stage("logged decisions") as stage:
            traffic = read_traffic(log, incumbent.manifest)
            compared = on_log(candidate, incumbent, traffic, share=holdout)
            if not traffic.drawn.all():
                undrawn = int((~traffic.drawn).sum())
                stage.note(f"{undrawn} that another arm answered than the drawn one say nothing")
            estimates = values(compared)
        answers = on_comparisons(candidate, incumbent, traffic, share=holdout)
        told = comparison_checks(answers, margins)
        checks += either(log_checks(estimates, margins), told)
        moves = moves_on_log(compared, candidate.arms)
    names = candidate.manifest.bundle_id, incumbent.manifest.bundle_id
    return Judged(record=decide(*names, checks, estimates), on_outcomes=found, moves=moves)
