"""A bundle on every source of a collection, beside what each source's own bundle reaches.

    python -m training.benchmarks.starter_sources --bundle artifacts/starter \
        --datasets ../shared/datasets --own

Test split, arms of the source that the bundle knows. The zero router knows the best fixed mix of
that very split. With --own a bundle is trained on each source alone, and both are compared on the
arms that both know; it is kept under --out until the source's files change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import click
import numpy as np
import polars as pl

from data.collection import Source
from data.tables import Tables
from router import Router

from ..config import recorded
from ..measure.draws import Difference, interval
from ..measure.metrics import measure
from ..measure.result import Evaluation
from ..measure.sweeps import ZERO_ROUTER, one_arm
from ..reports.wording import arm_name, excerpt
from .kept_bundles import kept_bundle
from .shown import NOTHING, Goal, Shown, Table, signed
from .starter_options import Asked, starter_command

LEAST_PROMPTS = 40  # of a source's test split, for it to count
LEAST_SHARE, LEAST_LEAD, LEAST_OF_OWN = 0.8, 0.010, 0.7
ROUTER = "router"
TEXT = """\
Test split, arms of the source that the bundle knows, each source on its own scale; intervals are
95 %, paired over prompts. The zero router knows the best fixed mix of that very split. *Own* is a
bundle trained on that source alone with the same settings, on the arms that both know. Sources of
fewer than 40 test prompts are listed and not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One source.

    Attributes:
        test_prompts: of its test split; `prompts` of them have an outcome of every compared arm.
        aiq, zero_router_aiq, best_single_aiq: null where nothing compares, which `reason` says.
        lead: over the zero router.
        own_lead: of its own bundle over the zero router, on the arms that both know.
        behind_own: the bundle's AIQ minus the own bundle's, on these arms.
        shared_lead: the bundle's lead on these arms.
    """

    source: str
    use: str
    test_prompts: int
    prompts: int = 0
    arms: int = 0
    aiq: float | None = None
    zero_router_aiq: float | None = None
    best_single: str | None = None
    best_single_aiq: float | None = None
    lead: Difference | None = None
    own_lead: Difference | None = None
    shared_lead: Difference | None = None
    behind_own: Difference | None = None
    reason: str = ""

    @property
    def counts(self) -> bool:
        """Whether the goals are judged by it."""
        return self.lead is not None and self.test_prompts >= LEAST_PROMPTS

    def cells(self) -> tuple[str, ...]:
        """Its row of the table."""
        name = self.source if self.use == "train" else f"{self.source} (measured only)"
        sizes = f"{self.test_prompts}, {self.prompts}"
        if self.aiq is None or self.zero_router_aiq is None or self.best_single_aiq is None:
            return (name, sizes, *[NOTHING] * 6, excerpt(self.reason))
        last = excerpt(self.reason) if self.reason else signed(self.behind_own)
        best = f"{self.best_single_aiq:.4f} {arm_name(self.best_single or NOTHING)}"
        return (
            name, sizes, str(self.arms), f"{self.aiq:.4f}", f"{self.zero_router_aiq:.4f}",
            best, signed(self.lead),
            signed(self.own_lead), last,
        )  # fmt: skip


HEAD = (
    "source", "test prompts, compared", "arms", "AIQ", "zero router", "best single arm",
    "lead", "own bundle's lead", "bundle − own",
)  # fmt: skip


def row_of(asked: Asked, source: Source, own: Router | None) -> Row:
    """Measure one source; `own` is its own bundle, if there is one."""
    told = Row(source=source.name, use=source.use, test_prompts=test_prompts(asked.tables, source))
    on = asked.on(asked.router, source)
    if on.found is None:
        return replace(told, reason=on.reason)
    found = on.found
    best = one_arm(found.outcomes, found.reference.best, "best_single")
    told = replace(
        told,
        prompts=found.outcomes.n,
        arms=len(found.outcomes.arms),
        aiq=found.router.measures.aiq,
        zero_router_aiq=found.zero.measures.aiq,
        best_single=found.outcomes.arms[found.reference.best].id,
        best_single_aiq=measure(best, found.outcomes).aiq,
        lead=lead_of(found),
    )
    return told if own is None else beside_own(told, asked, source, own)


def beside_own(told: Row, asked: Asked, source: Source, own: Router) -> Row:
    """The row with the own bundle's figures, both on the arms that both know."""
    shared = sorted({*asked.router.arm_ids} & {*own.arm_ids})
    ours, theirs = (asked.on(router, source, shared).found for router in (asked.router, own))
    if ours is None or theirs is None:
        return replace(told, reason="its own bundle shares no two arms with this one")
    return replace(
        told,
        shared_lead=lead_of(ours),
        own_lead=lead_of(theirs),
        behind_own=Difference(
            ours.router.measures.aiq - theirs.router.measures.aiq,
            interval(_draws(ours, ROUTER) - _draws(theirs, ROUTER)),
        ),
    )


def lead_of(found: Evaluation) -> Difference:
    """The router's AIQ minus the zero router's."""
    value = found.router.measures.aiq - found.zero.measures.aiq
    return Difference(value, found.resampled.difference(ROUTER, ZERO_ROUTER))


def _draws(found: Evaluation, name: str) -> np.ndarray:
    return found.resampled.draws(name, "aiq")


def test_prompts(tables: Tables, source: Source) -> int:
    """Prompts of a source's test split, compared or not."""
    mine = (pl.col("source") == source.name) & (pl.col("split") == "test")
    return tables.prompts.filter(mine).height


def goals_of(rows: Sequence[Row]) -> tuple[Goal, ...]:
    """What was asked of all sources together."""
    counted = [row for row in rows if row.counts]
    leads = [_value(row.lead) for row in counted]
    mean = float(np.mean(leads)) if leads else None
    goals = (
        Goal.share(
            "sources of at least 40 test prompts at or above the zero router",
            [lead >= -1e-9 for lead in leads],
            LEAST_SHARE,
        ),
        Goal(
            what="mean lead over the zero router on these",
            asked=f"at least {LEAST_LEAD:+.3f}",
            found=NOTHING if mean is None else f"{mean:+.4f}",
            met=None if mean is None else mean >= LEAST_LEAD,
        ),
    )
    both = [row for row in counted if row.own_lead is not None]
    return (*goals, _of_own(both)) if both else goals


def _of_own(rows: Sequence[Row]) -> Goal:
    """How much of the own bundles' mean lead is reached."""
    ours, theirs = (
        float(np.mean([_value(lead) for lead in leads]))
        for leads in ([row.shared_lead for row in rows], [row.own_lead for row in rows])
    )
    share = ours / theirs if theirs > 0 else None
    return Goal(
        what=f"share of the own bundles' mean lead ({theirs:+.4f}, {len(rows)} sources)",
        asked=f"at least {LEAST_OF_OWN:.0%}",
        found=f"{ours:+.4f}" + ("" if share is None else f", {share:.0%}"),
        met=ours >= 0 if share is None else share >= LEAST_OF_OWN,
    )


def _value(difference: Difference | None) -> float:
    assert difference is not None  # noqa: S101
    assert difference.value is not None  # noqa: S101
    return difference.value


@starter_command
@click.option("--own", is_flag=True, help="Train a bundle on each source alone, too.")
def main(asked: Asked, *, own: bool) -> Shown:
    """Measure BUNDLE on every source."""
    config, rows = recorded(asked.router.manifest.config), []
    for source in asked.sources:
        alone = kept_bundle(asked, [source], config, source.name) if own else None
        row = row_of(asked, source, alone if isinstance(alone, Router) else None)
        rows.append(replace(row, reason=row.reason or alone) if isinstance(alone, str) else row)
    return Shown(
        name="sources",
        title="Source by source",
        text=TEXT,
        bundle_id=asked.router.manifest.bundle_id,
        goals=goals_of(rows),
        tables=(Table(title="AIQ by source", head=HEAD, rows=tuple(row.cells() for row in rows)),),
        figures={"sources": [asdict(row) for row in rows]},
    )


if __name__ == "__main__":
    main()
