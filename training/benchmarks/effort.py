"""Ladders of effort: are a model's tiers chosen well, and is effort left where it does not pay?

    python -m training.benchmarks.effort --bundle artifacts/starter --datasets ../shared/datasets \
        --sources mcpmark,pm_llm,bullshitbench,generalization

Every model of several tiers alone: a request that allows its tiers and no other arm. Its decisions
are held against the best fixed tier that costs no more, which only hindsight knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from data.collection import Source
from router.catalogue.names import family
from router.types import Arm, Doubles

from ..evaluation.effort import COLUMNS, effort_rows, heights, steps_of
from ..evaluation.evaluate import split_rows
from ..measure.draws import Difference, paired_interval
from ..measure.effort import ladders
from ..prepare.dataset import Dataset, dataset_of
from ..reports.wording import money
from .against_arms import THRESHOLDS, Held, decided, held_against
from .shown import NOTHING, Goal, Shown, Table, signed
from .starter_options import Asked, starter_command

AT = (*THRESHOLDS, 1.0)
LEAST_ROWS = 10  # training prompts that all tiers answered, for a source to say something
MOST_REGRET = 0.005
MOST_BOUGHT = 0.05  # of the test prompts, where the highest tier does not pay
TEXT = """\
Each model of several tiers alone, test split. *Gap*: the decisions' realised quality minus that of
the best fixed tier whose realised cost is no higher, known with hindsight; minus the gap is the
regret; 95 % paired intervals, ▼ the whole interval lies below 0. *The highest tier pays*: its
quality minus that of the best lower tier on the source's training rows. *Bought*: the share of test
prompts that get it at thresholds 0.3, 0.5, 0.7 and 1."""
HEAD = (
    "source", "model", "highest tier", "prompts", *(f"gap at {t:g}" for t in THRESHOLDS),
    "the highest tier pays", "bought",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """One model's tiers on one source.

    Attributes:
        held: decisions against the best fixed tier of no higher cost, by `AT`.
        top_pays: what the training rows say of the highest tier; null where they are too few.
        bought: shares of the test prompts that get it, by `AT`.
    """

    source: str
    model: str
    top: str
    prompts: int
    held: tuple[Held, ...]
    top_pays: Difference | None
    bought: tuple[float, ...]

    @property
    def useless(self) -> bool:
        """Whether the source says that the highest tier does not pay."""
        return self.top_pays is not None and (self.top_pays.value or 0.0) <= 0.0

    @property
    def restrained(self) -> bool:
        """Whether the highest tier is hardly ever bought."""
        return max(self.bought) <= MOST_BOUGHT

    def cells(self) -> tuple[str, ...]:
        """Its row of the table."""
        mark = " ▼" if self.useless and not self.restrained else ""
        gaps = (h.cell() for h in self.held[: len(THRESHOLDS)])
        bought = ", ".join(f"{share:.0%}" for share in self.bought) + mark
        named = (self.source, self.model, self.top, str(self.prompts))
        return (*named, *gaps, signed(self.top_pays), bought)


def ladders_on(asked: Asked, source: Source, data: Dataset) -> Iterator[Ladder]:
    """The models of several tiers that the bundle knows, on one source."""
    train = data.rows(split_rows(data, "train"))
    for model, tiers in ladders(data.arms).items():
        on = asked.on(asked.router, source, [data.arms[i].id for i in tiers])
        if on.found is None or on.scored is None:
            continue
        outcomes = on.found.outcomes
        here = [data.arms.index(arm) for arm in outcomes.arms]
        top = _highest(outcomes.arms)
        sweep = decided(asked.router, on.scored, AT)
        yield Ladder(
            source=source.name,
            model=model,
            top=outcomes.arms[top].tier,
            prompts=outcomes.n,
            held=held_against(outcomes, sweep),
            top_pays=_pays(train.quality[:, here].astype(np.float64), top),
            bought=tuple((sweep.choices == top).mean(axis=1).tolist()),
        )


def _highest(arms: Sequence[Arm]) -> int:
    """Which of a model's arms thinks most; a tier that does not say counts as none."""
    return int(np.nan_to_num(heights(arms), nan=-1.0).argmax())


def _pays(quality: Doubles, top: int) -> Difference | None:
    """The highest tier minus the best other one, by outcomes (n, tiers); null where too few."""
    full = quality[~np.isnan(quality).any(axis=1)]
    if len(full) < LEAST_ROWS:
        return None
    mean = full.mean(axis=0)
    mean[top] = -np.inf
    gain = full[:, top] - full[:, int(mean.argmax())]
    return Difference(float(gain.mean()), paired_interval(gain))


def costs_elsewhere(asked: Asked) -> Table | None:
    """What the bundle's tiers cost on prompts without outcomes; null where nobody told."""
    told = asked.tables.efforts
    if told is None:
        return None
    arms = asked.router.arms
    known = {(family(arms[i].model), arms[i].tier) for t in ladders(arms).values() for i in t}
    ordered = told.sort("family", "source", "question_set", "output_tokens")
    rows = tuple(_cost(row) for row in ordered.to_dicts() if (row["family"], row["tier"]) in known)
    head = ("model", "tier", "on prompts like", "tokens", "$ per 1,000", "seconds")
    return Table(title="what tiers cost, measured without outcomes", head=head, rows=rows)


def _cost(row: dict[str, Any]) -> tuple[str, ...]:
    dollars, seconds = row["cost_usd"], row["latency_s"]
    return (
        row["family"],
        row["tier"],
        f"{row['source']} {row['question_set']}".strip(),
        f"{row['output_tokens']:,.0f}",
        NOTHING if dollars is None else money(dollars),
        NOTHING if seconds is None else f"{seconds:.1f}",
    )


def goals_of(rows: list[Ladder]) -> tuple[Goal, ...]:
    """What was asked of all ladders together."""
    held = [h for row in rows for h in row.held]
    mean = float(np.mean([-(h.gap.value or 0.0) for h in held])) if held else 0.0
    return (
        Goal.share(
            "decisions among a model's tiers not below its best fixed tier of equal cost by "
            "more than the interval",
            [h.holds for h in held],
        ),
        Goal(
            what="mean regret against the best fixed tier of equal cost",
            asked=f"at most {MOST_REGRET:+.3f}",
            found=f"{mean:+.4f}",
            met=mean <= MOST_REGRET if held else None,
        ),
        Goal.share(
            f"highest tiers that do not pay on their source and get at most {MOST_BOUGHT:.0%} of "
            "its prompts",
            [row.restrained for row in rows if row.useless],
        ),
    )


@starter_command
def main(asked: Asked) -> Shown:
    """Show every ladder of BUNDLE."""
    rows, steps = [], []
    for source in asked.sources:
        tables = asked.tables.of([source])
        known = set(tables.outcomes["model"].unique())
        arms = [arm for arm in asked.router.arms if arm.model in known]
        if not ladders(arms):
            continue
        data = dataset_of(tables, arms, absent_too=True)
        rows += list(ladders_on(asked, source, data))
        steps += list(steps_of(data))
    return Shown(
        name="effort",
        title="Ladders of effort",
        text=TEXT,
        bundle_id=asked.router.manifest.bundle_id,
        goals=goals_of(rows),
        tables=(
            Table(title="by model", head=HEAD, rows=tuple(row.cells() for row in rows)),
            Table(
                title="what each step brings, on all prompts of the sources",
                head=COLUMNS,
                rows=tuple(effort_rows(steps)),
            ),
            *([] if (costs := costs_elsewhere(asked)) is None else [costs]),
        ),
        figures={"ladders": [asdict(r) for r in rows], "steps": [asdict(s) for s in steps]},
    )


if __name__ == "__main__":
    main()
