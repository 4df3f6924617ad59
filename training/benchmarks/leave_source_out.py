"""Leave one source out: train without it, decide its prompts, compare with one arm for all of them.

    python -m training.benchmarks.leave_source_out --bundle artifacts/starter \
        --datasets ../shared/datasets [--sources bfcl,mcpmark]

What a user meets whose work is none of the collection's. Same settings as the bundle's, test split
of the source, arms that are known from the others. A request allows these arms; its decisions at
three thresholds must not be worse than the best constant arm of no higher cost, which only
hindsight knows, by more than the interval of the difference.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from data.collection import Source
from router import Router

from ..config import TrainConfig, recorded
from ..measure.draws import Difference
from ..reports.wording import arm_name, excerpt, money
from .against_arms import THRESHOLDS, Held, decided, held_against
from .kept_bundles import kept_bundle
from .shown import NOTHING, Goal, Shown, Table, signed
from .starter_options import Asked, starter_command
from .starter_sources import lead_of

TEXT = """\
Trained without a source, with the settings of the bundle, and shown on its test split among the
arms that are known from the other sources. The gap is the decisions' realised quality minus that of
the best constant arm whose realised cost is no higher, known with hindsight, with its paired 95 %
interval; ▼ the whole interval lies below 0."""
HEAD = (
    "source", "prompts", "arms", *(f"gap at {t:g}" for t in THRESHOLDS),
    f"constant arm at {THRESHOLDS[1]:g}", "lead in AIQ over the zero router",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """One source, decided by a bundle that never saw it.

    Attributes:
        held: by threshold; empty where nothing compares, which `reason` says.
        lead: in AIQ over the zero router.
    """

    source: str
    prompts: int = 0
    arms: int = 0
    far: float = 0.0  # share of prompts beyond what the bundle was trained on
    held: tuple[Held, ...] = ()
    lead: Difference | None = None
    reason: str = ""

    def cells(self) -> tuple[str, ...]:
        """Its row of the table."""
        if not self.held:
            return (self.source, *[NOTHING] * (len(HEAD) - 2), excerpt(self.reason))
        at = self.held[1]
        told = f"{arm_name(at.arm)} {at.arm_quality:.4f} at {money(at.arm_cost_usd)}"
        sizes = (f"{self.prompts}, {self.far:.0%} far", str(self.arms))
        return (self.source, *sizes, *(h.cell() for h in self.held), told, signed(self.lead))


def left_out(asked: Asked, source: Source, config: TrainConfig) -> Left:
    """Train without a source, unless the bundle itself did, and decide its prompts."""
    others = [s for s in asked.tables.sources if s.use == "train" and s.name != source.name]
    without: Router | str = asked.router
    if source.use == "train":
        without = kept_bundle(asked, others, config, f"without-{source.name}")
    if isinstance(without, str):
        return Left(source=source.name, reason=without)
    on = asked.on(without, source, asked.router.arm_ids)
    if on.found is None or on.scored is None:
        return Left(source=source.name, reason=on.reason)
    outcomes = on.found.outcomes
    return Left(
        source=source.name,
        prompts=outcomes.n,
        arms=len(outcomes.arms),
        far=float((on.scored.scores.in_distribution < 1.0).mean()),
        held=held_against(outcomes, decided(without, on.scored)),
        lead=lead_of(on.found),
    )


@starter_command
def main(asked: Asked) -> Shown:
    """Leave each source out in turn."""
    config = recorded(asked.router.manifest.config)
    rows = [left_out(asked, source, config) for source in asked.sources]
    held = [h for row in rows for h in row.held]
    return Shown(
        name="leave_source_out",
        title="One source left out",
        text=TEXT,
        bundle_id=asked.router.manifest.bundle_id,
        goals=(
            Goal.share(
                "decisions not below the best constant arm of equal cost by more than the interval",
                [h.holds for h in held],
            ),
        ),
        tables=(Table(title="by source left out", head=HEAD, rows=tuple(r.cells() for r in rows)),),
        figures={"sources": [asdict(row) for row in rows]},
    )


if __name__ == "__main__":
    main()
