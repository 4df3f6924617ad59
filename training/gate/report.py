"""The gate as one page that opens offline: verdict, checks, frontiers, domains, who moves where."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from ..reports.frontier_chart import Spec, frontier_chart
from ..reports.pages import render_page
from .checks import DOMAIN, Check, Gate
from .compare import OnOutcomes
from .moves import Move, PromptMove, moves, prompt_moves

PAGE = Path(__file__).with_name("gate.html")
MOST_MOVES, MOST_PROMPTS = 30, 40
TONES = {"passed": "good", "failed": "bad"}
ESTIMATORS = {
    "ips": "inverse propensity (IPS)",
    "snips": "self-normalised (SNIPS)",
    "dr": "doubly robust (DR)",
}


def write_page(
    path: Path, record: Gate, found: OnOutcomes | None, logged: Sequence[Move] | None
) -> None:
    """Write the page.

    Args:
        path: of the file.
        record: the verdict with its checks.
        found: the comparison on outcomes; without it the page has no frontier.
        logged: changes of arm on logged decisions, where there is a log.
    """
    path.write_text(render(record, found, logged), "utf-8")


def render(record: Gate, found: OnOutcomes | None, logged: Sequence[Move] | None) -> str:
    """The page's HTML."""
    changed = [] if found is None else prompt_moves(found.evaluation)
    outcomes = None if found is None else found.evaluation.outcomes
    charts: dict[str, Spec | None] = {}
    if found is not None:
        charts["frontier"] = {"linear": frontier_chart(found.evaluation)}
    domains = _domains(record)
    estimates = [e for value in record.values for e in (value.candidate, value.incumbent)]
    return render_page(
        PAGE,
        charts,
        title=f"Gate: {record.candidate} against {record.incumbent}",
        record=record,
        checks=[check for check in record.checks if not check.name.startswith(DOMAIN)],
        tones=TONES,
        domains=domains,
        domain_reach=_reach(check.interval for check in domains),
        estimators=ESTIMATORS,
        reasons=sorted({e.reason for e in estimates if e.reason}),
        value_reach=_reach(value.gain and value.gain[1:] for value in record.values),
        found=found,
        n_prompts=0 if outcomes is None else outcomes.n,
        labels=None if outcomes is None else outcomes.domain,
        changed=changed,
        shown=_extremes(changed),
        moves=[] if found is None else moves(found.evaluation),
        logged=logged,
        most_moves=MOST_MOVES,
    )


def _domains(record: Gate) -> list[Check]:
    """Candidate minus incumbent in every domain, the largest loss first."""
    found = [
        replace(
            check,
            name=check.name.removeprefix(DOMAIN),
            value=check.value or 0.0,
            interval=check.interval or (0.0, 0.0),
        )
        for check in record.checks
        if check.name.startswith(DOMAIN)
    ]
    return sorted(found, key=lambda check: check.value or 0.0)


def _reach(intervals: Iterable[Sequence[float] | None]) -> float:
    """The end of the whiskers' scale."""
    ends = [abs(end) for interval in intervals if interval is not None for end in interval]
    return max(ends, default=0.0) or 0.01


def _extremes(changed: list[PromptMove]) -> list[PromptMove]:
    """The prompts that lose most, and then those that gain most."""
    half = MOST_PROMPTS // 2
    return changed if len(changed) <= MOST_PROMPTS else [*changed[:half], *changed[-half:]]
