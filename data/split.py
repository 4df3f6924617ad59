"""Splits by prompt: equal prompts never straddle, and a new row moves no other."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from router.types import Ints


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

    A split that the table brings is kept, and equal prompts without one join it. Where it puts
    equal prompts on both sides, the group goes to test as a whole: what was to be held out must
    not be learned from.

    Args:
        prompts: prompt, split (null where unknown).
        config: of the hash split for prompts without one.
    Returns:
        The prompts with a complete `split`, and how many were moved from train to test.
    """
    groups = [normalise(text) for text in prompts["prompt"]]
    drawn = [
        "test" if hash_share(group, config.seed) < config.test_share else "train"
        for group in groups
    ]
    table = prompts.with_columns(
        pl.Series("group", groups, pl.String), pl.Series("drawn", drawn, pl.String)
    )
    # "test" sorts before "train"
    side = pl.coalesce(pl.col("split").min().over("group"), "drawn")
    moved = table.filter((pl.col("split") == "train") & (side == "test")).height
    return table.with_columns(split=side).drop("group", "drawn"), moved


def folds(prompts: Sequence[str], k: int, seed: int = 0) -> Ints:
    """Fold ids 0 to k - 1, (n,); equal prompts share a fold, and a new prompt moves no other.

    Raises:
        ValueError: k is less than 2.
    """
    if k < 2:
        raise ValueError(f"k must be >= 2, got {k}")
    shares = [hash_share(f"fold:{normalise(prompt)}", seed) for prompt in prompts]
    return np.array([int(share * k) for share in shares], dtype=np.int64)
