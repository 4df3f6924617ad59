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

    A split that the table brings is kept, and equal prompts without one join it, then siblings.
    Where it puts equal prompts on both sides, they go to test as a whole: what was to be held out
    must not be learned from. Siblings that it puts on both sides stay there.

    Args:
        prompts: prompt, split (null where unknown), and maybe `group`, of `siblings`.
        config: of the hash split for prompts without one.
    Returns:
        The prompts with a complete `split`, and how many were moved from train to test.
    """
    equal = pl.Series("equal", [normalise(text) for text in prompts["prompt"]], pl.String)
    table = prompts.with_columns(equal)
    key = pl.coalesce("group", "equal") if "group" in prompts.columns else pl.col("equal")
    table = table.with_columns(key=key)
    drawn = [
        "test" if hash_share(key, config.seed) < config.test_share else "train"
        for key in table["key"]
    ]
    # "test" sorts before "train"
    side = pl.coalesce(pl.col("split").min().over("equal"), pl.col("split").min().over("key"),
                       pl.Series("drawn", drawn, pl.String))  # fmt: skip
    moved = table.filter((pl.col("split") == "train") & (side == "test")).height
    return table.with_columns(split=side).drop("equal", "key"), moved


def siblings(prompts: Sequence[str], groups: Sequence[str | None]) -> list[str | None]:
    """What prompts of one group share, and prompts equal to one of them with its own siblings.

    Args:
        prompts: (n,).
        groups: (n,) null where a prompt has no siblings by itself.
    Returns:
        (n,) 16 hex digits that all of them share; null where there are none but equal prompts.
    """
    above: dict[str, str] = {}

    def root(name: str) -> str:
        while name in above:
            name = above[name]
        return name

    texts = [f"text:{normalise(text)}" for text in prompts]
    for text, group in zip(texts, groups, strict=True):
        ends = sorted({root(text), root(text if group is None else f"group:{group}")})
        if len(ends) > 1:  # "group" sorts before "text": a group's first name stands for all
            above[ends[1]] = ends[0]
    roots = {text: root(text) for text in texts}
    named = {r: hashlib.sha256(r.encode("utf-8", "surrogatepass")).hexdigest()[:16]
             for r in set(roots.values())}  # fmt: skip
    return [named[roots[text]] if roots[text].startswith("group:") else None for text in texts]


def folds(prompts: Sequence[str], k: int, seed: int = 0) -> Ints:
    """Fold ids 0 to k - 1, (n,); equal prompts share a fold, and a new prompt moves no other.

    Raises:
        ValueError: k is less than 2.
    """
    if k < 2:
        raise ValueError(f"k must be >= 2, got {k}")
    shares = [hash_share(f"fold:{normalise(prompt)}", seed) for prompt in prompts]
    return np.array([int(share * k) for share in shares], dtype=np.int64)
