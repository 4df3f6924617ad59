"""Splits by prompt: equal prompts never straddle, and a new row moves no other."""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitConfig:
    """The hash split that is made where a table brings none."""

    test_share: float = 0.25  # of the prompts
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.0 <= self.test_share < 1.0:
            raise ValueError(f"split.test_share must lie in [0, 1), got {self.test_share}")


def normalise(text: str) -> str:
    """The text by which prompts count as equal: NFKC, lower case, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def prompt_id(text: str) -> str:
    """16 hex digits that equal prompts share, in any table."""
    plain = " ".join(text.lower().split())
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def hash_share(key: str, seed: int) -> float:
    """A number in [0, 1) that follows from key and seed alone."""
    digest = hashlib.sha256(f"split:{seed}:{key}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def with_split(prompts: pl.DataFrame, config: SplitConfig) -> tuple[pl.DataFrame, int]:
    """Give every prompt a split, and every group of equal prompts a single one.

    A split that the table brings is kept. Where it puts equal prompts on both sides, the group
    goes to test as a whole: what was to be held out must not be learned from.

    Args:
        prompts: prompt, split (null where unknown).
        config: of the hash split for prompts without one.
    Returns:
        The prompts with a complete `split`, and how many were moved from train to test.
    """
    group = pl.Series("group", [normalise(text) for text in prompts["prompt"]])
    drawn = ["test" if hash_share(g, config.seed) < config.test_share else "train" for g in group]
    table = prompts.with_columns(group, split=pl.col("split").fill_null(pl.Series(drawn)))
    both = (pl.col("split") == "test").any().over("group")
    moved = table.filter(both & (pl.col("split") == "train")).height
    held = pl.when(both).then(pl.lit("test")).otherwise(pl.col("split"))
    return table.with_columns(split=held).drop("group"), moved
