"""What training would see of loaded tables, as plain values."""

from __future__ import annotations

from typing import Any

import polars as pl

from .clean import CleanReport
from .collection import Source
from .errors import DataError
from .headers import shown
from .tables import Tables, repeated

MIN_ROWS = 30  # of training outcomes that an arm needs, where no configuration says otherwise


def summary(tables: Tables) -> dict[str, Any]:
    """Counts, splits, arms and rejects of loaded tables.

    Returns:
        JSON-able: outcomes, prompts, pairs (null where there are none), splits (prompts by
        split), moved_to_test, rejected (by `table.reason`) with examples, prices (where computed
        costs come from), unpriced (models, with the nearest priced names), without_tokens, problems
        (what keeps a router from being trained), notes (what training does otherwise than one may
        think), and arms with rows, coverage (share of the prompts), quality and cost_usd (means
        over the arm's own attempts); and sources, of `source_facts`.
    """
    answered = tables.outcomes["prompt_id"].n_unique()
    arms = (
        tables.outcomes.group_by("model", "tier")
        .agg(
            rows=pl.len(),
            coverage=pl.len() / answered,
            quality=_mean("quality"),
            cost_usd=_mean("cost_usd"),
        )
        .sort("quality", "model", "tier", descending=[True, False, False])
    )
    report = tables.report
    return {
        "outcomes": tables.outcomes.height,
        "prompts": tables.prompts.height,
        "pairs": tables.pairs.height if tables.pairs is not None else None,
        "splits": _counts(tables.prompts, "split"),
        "moved_to_test": report.moved_to_test,
        "rejected": report.rejected_by_reason(),
        "examples": report.examples,
        "prices": report.prices.lines() if report.prices is not None else [],
        "unpriced": {model: list(near) for model, near in report.unpriced.items()},
        "without_tokens": report.without_tokens,
        "problems": _problems(tables),
        "notes": _notes(tables),
        "arms": arms.to_dicts(),
        "sources": source_facts(tables),
    }


def source_facts(tables: Tables) -> list[dict[str, Any]]:
    """What each named source is and holds: no text; empty for a single table.

    Returns:
        Of each, JSON-able: what its collection says, prompts, outcomes, arms, split (prompts by
        split), kinds (prompts by kind, where anybody said) and straddling (groups of siblings in
        train and test, and their prompts; where there are any).
    """
    return [_facts(tables.of([source]), source) for source in tables.sources if source.name]


def _facts(own: Tables, source: Source) -> dict[str, Any]:
    prompts = own.prompts.join(own.outcomes, on="prompt_id", how="semi")
    found = {
        **source.facts(),
        "prompts": prompts.height,
        "outcomes": own.outcomes.height,
        "arms": own.outcomes.select("model", "tier").n_unique(),
        "split": _counts(prompts, "split"),
    }
    if "kind" in prompts.columns and prompts["kind"].null_count() < prompts.height:
        found["kinds"] = _counts(prompts.drop_nulls("kind"), "kind")
    if source.name in own.report.straddling:
        found["straddling"] = list(own.report.straddling[source.name])
    return found


def _counts(table: pl.DataFrame, column: str) -> dict[str, int]:
    """Rows by value, in the order of the values."""
    return dict(table.group_by(column).len().sort(column).iter_rows())


def _mean(column: str) -> pl.Expr:
    """Over attempts: what averages several counts so often."""
    return (pl.col(column).cast(pl.Float64) * pl.col("samples")).sum() / pl.col("samples").sum()


def _problems(tables: Tables) -> list[str]:
    """What keeps a router from being trained and evaluated on these tables."""
    found = []
    try:
        tables = tables.learned()
    except DataError as err:
        return [str(err)]
    arms = tables.outcomes.select("model", "tier").n_unique()
    if arms < 2:
        found.append("there is only one arm; routing needs two")
    sides = set(tables.outcomes["split"])
    found += [
        f"no outcome is in the {side} split" for side in ("train", "test") if side not in sides
    ]
    return found or _left_out(tables)


def _left_out(tables: Tables) -> list[str]:
    """Why training would leave out so many arms that fewer than two are left."""
    rows = tables.outcomes.filter(pl.col("split") == "train")
    arms = rows.group_by(arm=pl.concat_str("model", "tier", separator="|")).len().sort("arm")
    if arms.filter(pl.col("len") >= MIN_ROWS).height >= 2:
        return []
    counts = shown([f"{arm}: {n}" for arm, n in arms.iter_rows()], 6)
    return [
        f"two arms with {MIN_ROWS} training outcomes each are needed ([arms] min_rows); "
        f"there are {counts}"
    ]


def _notes(tables: Tables) -> list[str]:
    """What is allowed and changes how a router decides."""
    found = repeated(tables.report) + straddling_lines(tables.report)
    free = (tables.outcomes["cost_usd"] == 0).all()
    if free:
        found.append(
            "all costs are 0: there is nothing to trade off, routing goes by quality alone"
        )
    return found


def straddling_lines(report: CleanReport) -> list[str]:
    """Which siblings a given split puts on both sides, a line a source."""
    return [
        f"{name or 'the table'}: {groups} groups of siblings ({prompts} prompts) are in train "
        "and in test, as its split says: test figures flatter what learned their siblings"
        for name, (groups, prompts) in report.straddling.items()
    ]
