"""What tiers of effort cost elsewhere: mean tokens, dollars and seconds of an answer.

Effort's price is known of more models than its worth: a table of means, without outcomes, says how
much longer a model answers at one tier than at another. A collection's source names it as
`efforts`, where its answers are to prompts like the source's.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from router.catalogue.names import family

from .errors import FormatError
from .read import read_table

NEEDED = ("model", "tier", "answers", "completion_tokens")
KNOWN = {  # column -> ours; those that are not needed are null where absent
    "question_set": "question_set",
    "completion_tokens": "output_tokens",
    "cost_usd": "cost_usd",
    "latency_s": "latency_s",
}


def load_efforts(path: Path, source: str) -> pl.DataFrame:
    """Read a table of means, one row a model, tier and question set.

    Models are linked by family, whose snapshots are averaged by their answers.

    Args:
        path: with `model`, `tier`, `answers` (how many) and `completion_tokens` (their mean), and
            maybe `question_set`, `cost_usd` (of an answer) and `latency_s`.
        source: whose prompts the answers are like.
    Returns:
        source, question_set, family, tier, answers, output_tokens, cost_usd, latency_s.
    Raises:
        FormatError: a column is missing, or a mean is not above 0.
    """
    table = read_table(path)
    missing = [name for name in NEEDED if name not in table.columns]
    if missing:
        raise FormatError(f"{path} has no column {missing[0]}; efforts are {', '.join(NEEDED)}")
    wrong = table.filter(~((pl.col("completion_tokens") > 0) & (pl.col("answers") > 0)))
    if not wrong.is_empty():
        model, tier = wrong.row(0, named=True)["model"], wrong.row(0, named=True)["tier"]
        raise FormatError(
            f"{path}: answers and completion_tokens must be above 0, and are not of {model} {tier}"
        )
    given = [
        pl.col(name).alias(ours) if name in table.columns else pl.lit(None).alias(ours)
        for name, ours in KNOWN.items()
    ]
    named = table.select(
        pl.col("model").map_elements(family, return_dtype=pl.String).alias("family"),
        "tier",
        pl.col("answers").cast(pl.Float64),
        *given,
    ).with_columns(pl.col("question_set").cast(pl.String).fill_null(""))
    means = [_mean(name) for name in ("output_tokens", "cost_usd", "latency_s")]
    grouped = named.group_by("question_set", "family", "tier").agg(*means, pl.col("answers").sum())
    return grouped.select(
        pl.lit(source).alias("source"), "question_set", "family", "tier", "answers",
        "output_tokens", "cost_usd", "latency_s",
    ).sort("source", "question_set", "family", "tier")  # fmt: skip


def _mean(name: str) -> pl.Expr:
    """Mean over answers; what is 0 was not measured."""
    value, answers = pl.col(name).cast(pl.Float64), pl.col("answers")
    known = value > 0
    return (
        (value.filter(known) * answers.filter(known))
        .sum()
        .truediv(pl.when(known.any()).then(answers.filter(known).sum()))
        .alias(name)
    )
