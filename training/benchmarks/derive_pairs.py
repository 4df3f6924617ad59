"""Battles made of outcomes: what judges of correctness would have said of two answers."""

from __future__ import annotations

import numpy as np
import polars as pl

ACCEPTABLE = 0.5  # of quality, from which on an answer counts as right


def derived_pairs(outcomes: pl.DataFrame, per_prompt: int, seed: int) -> pl.DataFrame:
    """Battles between arms that answered the same prompt: rows of `data.schema.Pairs`.

    Both right is a tie, both wrong is both bad. Of each prompt so many different pairs of arms
    meet, or all that there are.

    Args:
        outcomes: rows of `data.schema.Outcomes`; a `split` is kept.
        per_prompt: battles of a prompt.
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    answers = outcomes.select(
        "prompt_id", "split", "quality", arm=pl.concat_str("model", "tier", separator="|")
    ).sort("prompt_id", "arm")
    rows: list[tuple[str, str, str, str, str]] = []
    for (prompt, split), group in answers.group_by("prompt_id", "split", maintain_order=True):
        arms, right = group["arm"].to_list(), (group["quality"] >= ACCEPTABLE).to_list()
        one, two = np.triu_indices(len(arms), 1)
        for i in rng.permutation(len(one))[:per_prompt].tolist():
            sides = (one[i], two[i]) if rng.random() < 0.5 else (two[i], one[i])
            a, b = (int(side) for side in sides)
            rows.append((str(prompt), arms[a], arms[b], _verdict(right[a], right[b]), str(split)))
    names = ("prompt_id", "arm_a", "arm_b", "outcome", "split")
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def _verdict(a: bool, b: bool) -> str:
    if a == b:
        return "tie" if a else "both_bad"
    return "a" if a else "b"
