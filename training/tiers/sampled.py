"""Repeated samples as matrices: counts, tokens, scores and rounds of every (prompt, model)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from data.samples import SampleTables
from router.types import Bools, Doubles

from ..errors import TrainingError
from .betabinomial import Counts

CELL = ("prompt_id", "model")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """n prompts by m models, sampled at one base tier.

    Attributes:
        test: (n,) prompts of the test split.
        counts: of first answers.
        input_tokens, output_tokens: (n, m) means of one first answer; NaN where there is none.
        scored: (prompt, model) -> qualities and verifier scores (N,), where every sample has one.
        rounds: round -> (n, m) mean quality after so many answers in sequence; NaN where unknown.
    """

    models: tuple[str, ...]
    prompt_ids: tuple[str, ...]
    texts: tuple[str, ...]
    test: Bools
    counts: Counts
    input_tokens: Doubles
    output_tokens: Doubles
    scored: dict[tuple[int, int], tuple[Doubles, Doubles]]
    rounds: dict[int, Doubles]

    @property
    def known(self) -> Bools:
        """(n, m) cells with at least one sample."""
        return np.asarray(self.counts.samples > 0)


def build_sampled(tables: SampleTables, base: str) -> Sampled:
    """Gather the samples that were drawn at the base tier.

    Raises:
        TrainingError: no sample was; names the tiers that there are.
    """
    samples = _drawn_at(tables, base)
    prompts = tables.prompts.filter(
        pl.col("prompt_id").is_in(samples["prompt_id"].unique().implode())
    ).sort("prompt_id")
    models = tuple(sorted(samples["model"].unique()))
    place = {key: i for i, key in enumerate(prompts["prompt_id"])}
    column = {name: i for i, name in enumerate(models)}
    shape = (len(place), len(models))

    def matrix(table: pl.DataFrame, name: str, empty: float) -> Doubles:
        out = np.full(shape, empty)
        rows = [place[key] for key in table["prompt_id"]]
        columns = [column[key] for key in table["model"]]
        out[rows, columns] = table[name].cast(pl.Float64).to_numpy()
        return out

    first = samples.filter(pl.col("round") == 1).group_by(CELL, maintain_order=True)
    means = first.agg(
        pl.len().alias("samples"),
        pl.col("quality").cast(pl.Float64).sum().alias("passes"),
        pl.col("input_tokens").mean(),
        pl.col("output_tokens").mean(),
    )
    turns = samples.group_by(*CELL, "round", maintain_order=True).agg(
        pl.col("quality").cast(pl.Float64).mean()
    )
    return Sampled(
        models=models,
        prompt_ids=tuple(prompts["prompt_id"]),
        texts=tuple(prompts["prompt"]),
        test=(prompts["split"] == "test").to_numpy(),
        counts=Counts(passes=matrix(means, "passes", 0.0), samples=matrix(means, "samples", 0.0)),
        input_tokens=matrix(means, "input_tokens", np.nan),
        output_tokens=matrix(means, "output_tokens", np.nan),
        scored=_scored(samples, place, column),
        rounds={
            int(turn): matrix(turns.filter(pl.col("round") == turn), "quality", np.nan)
            for turn in sorted(turns["round"].unique())
        },
    )


def _drawn_at(tables: SampleTables, base: str) -> pl.DataFrame:
    samples = tables.samples.filter(pl.col("tier") == base)
    if samples.is_empty():
        found = sorted(tables.samples["tier"].unique())
        raise TrainingError(
            f"no sample was drawn at tier {base!r}; samples have {', '.join(found)}"
        )
    return samples


def _scored(
    samples: pl.DataFrame, place: dict[str, int], column: dict[str, int]
) -> dict[tuple[int, int], tuple[Doubles, Doubles]]:
    cells = (
        samples.filter(pl.col("round") == 1)
        .group_by(CELL, maintain_order=True)
        .agg("quality", "verifier_score")
        .filter(pl.col("verifier_score").list.eval(pl.element().is_not_null()).list.all())
    )
    return {
        (place[key], column[model]): (np.array(quality, dtype=np.float64), np.array(score))
        for key, model, quality, score in cells.iter_rows()
    }
