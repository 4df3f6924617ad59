"""The overview's sections that come from the log: what was saved, by whom, and where it lost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from router.core.choice import expected_at
from router.core.store import Change
from router.engine import Router
from router.events import DecisionEvent

from .asked import Asked
from .charts import Plane, Scale, stacked
from .compare import OURS, SEEN, THEIRS, Z95, N, gain, saving
from .day import BINS, DAY_S, Day, Kept, together
from .sweep import Step, Sweep
from .tally import Tally
from .words import arm as arm_name
from .words import day as day_name
from .words import percent

LATEST = 8  # decisions on the overview
MOST_TONES = 7  # arms with a colour of their own; the others share one
LEAST_BIN = 10  # outcomes; fewer are drawn without an interval
WIDTH, HEIGHT = 640.0, 320.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is taken out of the tally under its lock."""

    days: dict[int, Day]
    window: Day
    column: int
    latest: list[Kept]
    sample: list[DecisionEvent]

    @classmethod
    def of(cls, tally: Tally, asked: Asked) -> Seen:
        """Sums of the window, by day and together."""
        today = int(time.time() // DAY_S)
        first = today - asked.days + 1
        days = {n: together([day]) for n, day in sorted(tally.days.items()) if first <= n <= today}
        newest = reversed(tally.kept.values())
        return cls(
            days=days,
            window=together(days.values()),
            column=tally.columns.get(asked.against, -1),
            latest=[kept for kept, _ in zip(newest, range(LATEST), strict=False)],
            sample=list(tally.sample.values()),
        )


def headline(seen: Seen) -> dict[str, Any]:
    """(1) What was saved and what it cost in quality, with intervals."""
    window = seen.window
    sums = window.total.arm(seen.column)
    saved, gained = saving(sums), gain(sums)
    compared = saved.rows
    return {
        "saved": saved,
        "gained": gained,
        "decisions": window.decisions,
        "unknown": window.decisions - window.outcomes,
        "elsewhere": window.elsewhere,
        "named": window.named,
        "reported": window.reported_usd,
        "incomparable": window.decisions - compared,
        "spent": window.cost_usd if window.decisions else None,
        "dearer": saved.value is not None and saved.value < 0,
    }


def frontier(router: Router, seen: Seen, asked: Asked, replayed: Sweep) -> dict[str, Any]:
    """(2) Cost against quality, with where the traffic stands and what other thresholds give."""
    manifest = router.manifest
    table, decision = manifest.threshold_map, manifest.decision
    usual = seen.window.thresholds.most_common(1)
    now = usual[0][0] if usual else decision.default_threshold
    steps = replayed.steps or _promised(router)
    at = min(
        steps,
        key=lambda s: abs(s.threshold - (now if asked.threshold is None else asked.threshold)),
    )
    curve = [(s.usd, s.quality) for s in steps]
    promised = list(zip(table.cost_usd, table.quality, strict=True))
    singles = [(info.arm.id, info.mean_cost_usd, info.mean_quality) for info in manifest.arms]
    here = _here(seen.window)
    shown = [*curve, *promised, *((c, q) for _, c, q in singles), *([here] if here else [])]
    plane = Plane.around([(c, q) for c, q in shown if c > 0] or [(1e-4, 0.5)], WIDTH, HEIGHT)
    return {
        "plane": plane,
        "width": WIDTH,
        "height": HEIGHT,
        "curve": plane.path(curve),
        "promised": plane.path(promised) if replayed.steps else None,
        "singles": [(n, plane.x(c), plane.y(q), c, q) for n, c, q in singles if c > 0],
        "here": None if here is None else (plane.x(here[0]), plane.y(here[1]), *here),
        "now": now,
        "at": at,
        "at_xy": (plane.x(at.usd), plane.y(at.quality)),
        "base": min(steps, key=lambda s: abs(s.threshold - now)),
        "steps": steps,
        "rows": replayed.rows,
        "replayed": bool(replayed.steps),
        "points": [_plotted(step, plane) for step in steps],
    }


def _promised(router: Router) -> tuple[Step, ...]:
    """The bundle's own map, on its validation prompts; which arms it took there is not known."""
    table = router.manifest.threshold_map
    found = []
    for i in range(21):
        quality, usd = expected_at(table, i / 20)
        found.append(Step(threshold=i / 20, usd=usd, quality=quality, shares=()))
    return tuple(found)


def _here(window: Day) -> tuple[float, float] | None:
    """(mean dollars, mean predicted quality) of the window's decisions."""
    if not window.decisions:
        return None
    return window.cost_usd / window.decisions, window.predicted_quality / window.decisions


def _plotted(step: Step, plane: Plane) -> dict[str, Any]:
    """A step for the slider's script: numbers and words, ready to show."""
    return {
        "t": step.threshold,
        "x": plane.x(step.usd),
        "y": plane.y(step.quality),
        "usd": step.usd,
        "quality": step.quality,
        "shares": [[arm_name(name), percent(share)] for name, share in step.shares[:4]],
    }


def shares(seen: Seen, asked: Asked, history: Sequence[Change] | None) -> dict[str, Any]:
    """(3) Share of every arm by day, and when a bundle was promoted."""
    order = [name for name, _ in seen.window.arms.most_common()]
    named = order[:MOST_TONES]
    today = int(time.time() // DAY_S)
    numbers = range(today - asked.days + 1, today + 1)
    step = WIDTH / len(numbers)
    columns = []
    for i, number in enumerate(numbers):
        day = seen.days.get(number)
        changes = [c for c in history or () if int(c.time // DAY_S) == number]
        columns.append(
            {
                "day": day_name(number),
                "x": round(i * step, 1),
                "decisions": day.decisions if day else 0,
                "bars": _column(day, named) if day else [],
                "changes": changes,
                "label": i % max(len(numbers) // 8, 1) == 0,
            }
        )
    total = max(seen.window.decisions, 1)
    rows = [
        (tone, name, seen.window.arms[name], seen.window.arms[name] / total, seen.window.usd[name])
        for tone, name in enumerate(order)
    ]
    return {
        "columns": columns,
        "bar": round(step * 0.78, 1),
        "rows": rows,
        "most": MOST_TONES,
        "history": history,
        "width": WIDTH,
    }


def _column(day: Day, named: Sequence[str]) -> list[Any]:
    total = sum(day.arms.values())
    parts = [
        (tone, day.arms[name] / total, f"{arm_name(name)}: {percent(day.arms[name] / total)}")
        for tone, name in enumerate(named)
        if day.arms[name]
    ]
    rest = sum(n for name, n in day.arms.items() if name not in named)
    if rest:
        parts.append((MOST_TONES, rest / total, f"other arms: {percent(rest / total)}"))
    return stacked(parts, 160.0)


def losses(seen: Seen) -> dict[str, Any]:
    """(7) Kinds of requests against the fixed arm; the intervals hold for all of them together."""
    groups = seen.window.groups
    z = NormalDist().inv_cdf(1 - 0.025 / len(groups)) if groups else Z95
    rows = []
    for name, sums in groups.items():
        against = sums.arm(seen.column)
        rows.append((name, seen.window.sizes[name], int(against[SEEN]), gain(against, z)))
    known = [row for row in rows if row[3].value is not None]
    # the worst first, then those of which most might be known
    rows.sort(key=lambda row: (row[3].value is None, row[3].value or 0.0, -row[1]))
    return {
        "rows": rows,
        "worse": [row for row in rows if row[3].worse],
        "known": len(known),
    }


def calibration(seen: Seen) -> dict[str, Any]:
    """(8) Predicted quality of the chosen arms against what was observed."""
    x, y = Scale(0.0, 1.0, 40.0, 310.0), Scale(0.0, 1.0, 280.0, 10.0)
    rows, total, error = [], 0.0, 0.0
    for i, (n, predicted, observed) in enumerate(seen.window.bins):
        if not n:
            continue
        total, error = total + n, error + abs(predicted - observed)
        low, high = wilson(observed, n)
        rows.append(
            {
                "range": f"{100 * i // BINS} to {100 * (i + 1) // BINS}",
                "n": n,
                "predicted": predicted / n,
                "observed": observed / n,
                "low": low,
                "high": high,
                "x": x(predicted / n),
                "y": y(observed / n),
                "ends": (y(low), y(high)) if n >= LEAST_BIN else None,
                "size": round(2.5 + 5 * (n / max(seen.window.outcomes, 1)) ** 0.5, 1),
            }
        )
    return {"rows": rows, "error": error / total if total else None, "total": total}


def agreement(window: Day) -> dict[str, Any]:
    """(8) The judge's word against that of people, on answers of which both said something."""
    both = window.agreed + window.disputed
    told = window.compared - window.judge_unknown
    return {
        "compared": window.compared,
        "ties": window.ties,
        "unsaid": window.unsaid,
        "usd": window.judge_usd if told else None,
        "unpriced": window.judge_unknown,
        "both": both,
        "share": window.agreed / both if both else None,
        "interval": wilson(window.agreed, both) if both else None,
    }


def wilson(right: float, n: float) -> tuple[float, float]:
    """95 % interval of a share (Wilson, 1927); a little wide for outcomes between 0 and 1."""
    share, z2 = right / n, Z95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * (share * (1 - share) / n + z2 / (4 * n * n)) ** 0.5
    return middle - half, middle + half


def rivals(seen: Seen, wanted: str | None) -> dict[str, Any]:
    """(9) A candidate's choices on the live decisions, against the incumbent's.

    What is compared is the other way round elsewhere on the page: here the gain is the candidate's.
    """
    rival = None if wanted is None else seen.window.rivals.get(wanted)
    if rival is None:
        return {
            "seen": 0, "same": None, "dearer": None, "gained": None,
            "needs": "decisions that it made in shadow",
        }  # fmt: skip
    gained = gain(rival.sums)
    n, ours, theirs = rival.sums[N], rival.sums[OURS], rival.sums[THEIRS]
    return {
        "seen": rival.seen,
        "same": rival.same / rival.seen if rival.seen else None,
        "dearer": float(theirs / ours - 1) if n and ours > 0 else None,
        "gained": gained.turned,
        "needs": gained.reason,
    }
