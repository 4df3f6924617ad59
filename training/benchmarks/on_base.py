"""Own rows beside a base: learning curves of the base alone, own rows alone, and both.

    python -m training.benchmarks.on_base --bundle artifacts/starter \
        --datasets ../shared/datasets --sources bfcl,sql_llm [--per-prompt 1]

What a user meets who has some outcomes of their own. Of each source n training prompts are drawn;
a bundle learns them alone and one beside the base, and all are measured on the source's test split
among the arms that the base knows. The base must not have learned the source: of a collection's
own, one is trained without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import click
import numpy as np
import polars as pl

from data.collection import Source
from data.errors import DataError
from data.tables import Tables
from router import Router
from router.errors import RouterError

from ..config import TrainConfig, recorded
from ..errors import TrainingError
from ..evaluation.sources import OnSource
from ..measure.draws import Difference, interval
from ..measure.result import Evaluation
from ..pipeline import train
from ..prior.fit import Base
from ..reports.wording import excerpt
from .kept_bundles import kept_bundle
from .leave_task_out import arms_of
from .shown import NOTHING, Goal, Shown, Table, signed
from .starter_options import Asked, starter_command

SIZES = (0, 30, 100, 300, 1000)
OWN_ROWS = 1  # training outcomes that an arm needs, with a base and without
BASE, OWN, BOTH = "base alone", "own rows alone", "both"
HEAD = (
    "source", "own prompts", "arms", "zero router", BASE, OWN, BOTH,
    f"{BOTH} − {BASE}", f"{BOTH} − {OWN}",
)  # fmt: skip
TEXT = """\
AIQ on the test split of each source, among the arms that the base knows and the source tried,
after so many of its training prompts; means over draws of these, and of the differences paired
95 % intervals over test prompts. The zero router knows the best fixed mix of that very split.
{arms} arms are the user's, {answered} answered each own prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One source after n prompts of its own.

    Attributes:
        prompts, arms: own training prompts, and the arms that are compared.
        aiq: name of a bundle -> mean over draws; without those that could not be trained.
        zero_router_aiq: of the fixed mixes of the test split.
        over_base, over_own: both against one alone; null where that is not there.
        reason: why one is not.
    """

    source: str
    prompts: int
    arms: int
    aiq: dict[str, float]
    zero_router_aiq: float
    over_base: Difference | None
    over_own: Difference | None
    reason: str = ""

    def cells(self) -> tuple[str, ...]:
        """Its row of the table."""
        found = [f"{self.aiq[n]:.4f}" if n in self.aiq else NOTHING for n in (BASE, OWN, BOTH)]
        own = signed(self.over_own) if self.over_own else excerpt(self.reason) or NOTHING
        sizes = (self.source, str(self.prompts), str(self.arms), f"{self.zero_router_aiq:.4f}")
        return (*sizes, *found, signed(self.over_base), own)


def drawn(tables: Tables, prompts: int, per_prompt: int, seed: int) -> Tables:
    """Some training prompts of a table, all arms of each or some at random, and the test split.

    Args:
        tables: of one source.
        prompts: at most so many.
        per_prompt: arms that answered each; 0 is all.
        seed: of both.
    """
    train_ids = tables.prompts.filter(pl.col("split") == "train")["prompt_id"].sort()
    rng = np.random.default_rng(seed)
    kept = train_ids.gather(rng.permutation(len(train_ids))[:prompts])
    rows = tables.outcomes.filter(pl.col("prompt_id").is_in(kept.implode()))
    rows = rows.sort("prompt_id", "model", "tier")
    if per_prompt:
        rows = rows.with_columns(place=pl.Series(rng.random(rows.height)))
        order = pl.col("place").rank("ordinal").over("prompt_id")
        rows = rows.filter(order <= per_prompt).drop("place")
    asked = tables.prompts.filter(pl.col("prompt_id").is_in(kept.implode()))
    return replace(tables, outcomes=rows, prompts=asked, runs=None, pairs=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """What the points of one source have in common.

    Attributes:
        base: that never saw the source.
        tables: of the source, arms that both know.
        on_base: the base on its test split.
    """

    asked: Asked
    source: Source
    base: Router
    tables: Tables
    on_base: Evaluation
    config: TrainConfig
    per_prompt: int

    @property
    def compared(self) -> list[str]:
        """The arms."""
        return [arm.id for arm in self.on_base.outcomes.arms]

    def point(self, prompts: int, draws: int) -> Point:
        """Train after so many prompts, and measure."""
        found: dict[str, list[Evaluation]] = {BASE: [self.on_base] * draws}
        reason = ""
        for draw in range(draws if prompts else 0):
            for name, base in ((OWN, None), (BOTH, self.base)):
                on = self._trained(prompts, draw, base)
                if on.found is None:
                    reason = reason or on.reason
                else:
                    found.setdefault(name, []).append(on.found)
        if not prompts:
            found[BOTH] = found[BASE]
        whole = {name: each for name, each in found.items() if len(each) == draws}
        return Point(
            source=self.source.name,
            prompts=prompts,
            arms=len(self.compared),
            aiq={n: float(np.mean([e.router.measures.aiq for e in v])) for n, v in whole.items()},
            zero_router_aiq=float(self.on_base.zero.measures.aiq),
            over_base=_over(whole, BASE),
            over_own=_over(whole, OWN),
            reason=reason,
        )

    def _trained(self, prompts: int, draw: int, base: Router | None) -> OnSource:
        """A bundle of some prompts, on the test split."""
        rows = drawn(self.tables, prompts, self.per_prompt, draw)
        name = f"{self.source.name}-{prompts}-{self.per_prompt}-{len(self.compared)}-{draw}"
        folder = self.asked.out / "on_base" / f"{name}-{'own' if base is None else 'both'}"
        given = None if base is None else Base(base.bundle)
        config = replace(self.config, arms=replace(self.config.arms, min_rows=OWN_ROWS))
        try:
            train(rows, config, folder, self.asked.cache, self.asked.reporter, base=given)
        except (TrainingError, DataError, RouterError) as err:
            return OnSource(source=self.source, reason=str(err))
        router = Router.load(folder)
        missing = len(self.compared) - len(router.arms)
        if missing > 0:
            return OnSource(source=self.source, reason=f"{missing} arms have too few rows")
        return self.asked.on(router, self.source, self.compared)


def _over(found: dict[str, list[Evaluation]], other: str) -> Difference | None:
    """Both against another, mean over draws."""
    if BOTH not in found or other not in found:
        return None
    pairs = list(zip(found[BOTH], found[other], strict=True))
    value = np.mean([a.router.measures.aiq - b.router.measures.aiq for a, b in pairs])
    draws = np.mean(
        [a.resampled.draws("router", "aiq") - b.resampled.draws("router", "aiq") for a, b in pairs],
        axis=0,
    )
    return Difference(float(value), interval(draws))


def some_arms(found: Evaluation, most: int) -> list[str]:
    """At most so many of the compared arms, evenly spaced from the cheapest to the dearest."""
    order = found.outcomes.cost_usd.mean(axis=0).argsort(kind="stable")
    places = np.unique(np.linspace(0, len(order) - 1, most or len(order)).round().astype(int))
    return [found.outcomes.arms[order[place]].id for place in places]


def curve_of(asked: Asked, source: Source, per_prompt: int, most: int) -> Curve | str:
    """A source and a base that never saw it, or why there is none; `most` arms, 0 is all."""
    config = recorded(asked.router.manifest.config)
    base: Router | str = asked.router
    learned = [fact["name"] for fact in asked.router.manifest.training.get("sources", [])]
    if source.name in learned:
        others = [s for s in asked.tables.sources if s.name in learned and s.name != source.name]
        base = kept_bundle(asked, others, config, f"without-{source.name}")
    if isinstance(base, str):
        return base
    on = asked.on(base, source)
    if on.found is None:
        return on.reason
    compared = some_arms(on.found, most)
    on = asked.on(base, source, compared)
    assert on.found is not None  # noqa: S101
    return Curve(
        asked=asked,
        source=replace(source, use="train"),
        base=base,
        tables=arms_of(asked.tables.of([replace(source, use="train")]), compared),
        on_base=on.found,
        config=TrainConfig(encoder=config.encoder, split=config.split),
        per_prompt=per_prompt,
    )


def goals_of(points: Sequence[Point]) -> tuple[Goal, ...]:
    """Both are never worse than one of them alone by more than its interval."""
    gaps = [g for p in points for g in (p.over_base, p.over_own) if p.prompts and g is not None]
    return (
        Goal.share(
            "both not below one of them alone by more than the interval",
            [g.ci95 is None or g.ci95[1] >= 0.0 for g in gaps],
        ),
    )


@starter_command
@click.option("--sizes", default=",".join(map(str, SIZES)), show_default=True)
@click.option("--draws", default=3, show_default=True, help="Samples of the own prompts.")
@click.option("--per-prompt", default=0, help="Arms that answered each prompt; 0 is all.")
@click.option("--arms", default=0, help="How many of the arms a user has; 0 is all.")
def main(asked: Asked, *, sizes: str, draws: int, per_prompt: int, arms: int) -> Shown:
    """Draw the curves of every source."""
    points, reasons = [], []
    for source in asked.sources:
        curve = curve_of(asked, source, per_prompt, arms)
        if isinstance(curve, str):
            reasons.append((source.name, *[NOTHING] * (len(HEAD) - 2), excerpt(curve)))
            continue
        most = curve.tables.prompts.filter(pl.col("split") == "train").height
        for prompts in sorted({min(int(size), most) for size in sizes.split(",")}):
            points.append(curve.point(prompts, draws))
            click.echo(" · ".join(points[-1].cells()), err=True)
    return Shown(
        name=f"on_base_{per_prompt or 'all'}_of_{arms or 'all'}",
        title="Own rows beside a base",
        text=TEXT.format(arms=arms or "All", answered=per_prompt or "all"),
        bundle_id=asked.router.manifest.bundle_id,
        goals=goals_of(points),
        tables=(
            Table(
                title="AIQ by own prompts",
                head=HEAD,
                rows=(*(point.cells() for point in points), *reasons),
            ),
        ),
        figures={"points": [asdict(point) for point in points]},
    )


if __name__ == "__main__":
    main()
