"""From checked tables to the battles that training may learn from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ..bundle.decision import Origin
from ..config import TrainConfig
from ..methods.base import Inputs
from ..methods.pairs import Battles, build_battles
from ..prepare.dataset import Dataset
from ..prepare.encoder import ExportedEncoder
from ..prepare.inputs import embed_inputs
from ..progress import Reporter
from ..selection.stack import Stack
from ..sources.crossfit import is_collection
from .pairs_only_arms import PairsOnlyArms, add_pairs_only_arms

if TYPE_CHECKING:
    from data.tables import Tables


def split_battles(
    tables: Tables,
    data: Dataset,
    encoder: ExportedEncoder,
    cache: Path,
    reporter: Reporter,
    *,
    split: str = "train",
) -> Battles | None:
    """The battles on the prompts of one split; null where there are none.

    Args:
        tables: with pairs or without.
        data: gives the routed arms, and the lengths of answers that battles do not tell.
        encoder: whose embeddings the heads are trained on.
        cache: folder of embeddings.
        reporter: shows the embedding.
        split: of the prompts.
    """
    pairs = None if tables.pairs is None else tables.pairs.filter(pl.col("split") == split)
    if pairs is None or pairs.is_empty():
        return None
    fought = tables.prompts.join(pairs, on="prompt_id", how="semi").sort("prompt_id")
    texts = dict(fought.select("prompt_id", "prompt").iter_rows())
    inputs = embed_inputs(tuple(texts.values()), encoder, cache, reporter)
    if "group" in fought.columns:  # siblings share a fold
        texts |= dict(fought.drop_nulls("group").select("prompt_id", "group").iter_rows())
    return build_battles(pairs, data.arms, texts, inputs, answer_lengths(tables, set(texts)))


def joined_battles(
    tables: Tables,
    data: Dataset,
    inputs: Inputs,
    encoder: ExportedEncoder,
    origin: Origin,
    config: TrainConfig,
    cache: Path,
    reporter: Reporter,
) -> PairsOnlyArms | None:
    """Preferences beside the outcomes; null without, and of collections, which learn from none."""
    if is_collection(data) and tables.pairs is not None:
        with reporter.stage("arms known by battles") as stage:
            stage.note("none: battles of several sources are not learned from, outcomes are")
        return None
    battles = split_battles(tables, data, encoder, cache, reporter)
    if battles is None:
        return None
    with reporter.stage("arms known by battles") as stage:
        joined = add_pairs_only_arms(data, inputs, battles, origin.prices, config)
        stage.note(f"{len(battles)} battles, {len(joined.fought)} arms by them alone")
    return joined


def answer_lengths(tables: Tables, prompts: set[str]) -> dict[tuple[str, str], float]:
    """(prompt id, arm id) -> output tokens, where the outcomes tell."""
    told = tables.outcomes.filter(
        pl.col("output_tokens").is_not_null() & pl.col("prompt_id").is_in(list(prompts))
    ).select("prompt_id", pl.concat_str("model", "tier", separator="|"), "output_tokens")
    return {(prompt, arm): float(tokens) for prompt, arm, tokens in told.iter_rows()}


def pairs_record(joined: PairsOnlyArms | None, stack: Stack) -> dict[str, Any]:
    """What the manifest says of the battles that were learned from; nothing without battles.

    A half that may be either kind of tie counts as a tie.
    """
    if joined is None:
        return {}
    battles = joined.battles
    counts = np.bincount(battles.source, minlength=len(battles.sources))
    drawn = battles.said.sum(axis=0).round().astype(int)
    return {
        "pairs": {
            "battles": len(battles),
            "prompts": len(battles.texts),
            "sources": {name: int(n) for name, n in zip(battles.sources, counts, strict=True)},
            "ties": int(drawn[2] + drawn[4]),
            "both_bad": int(drawn[3]),
            "used": "utility" in stack.names,
            **joined.record(),
        }
    }
