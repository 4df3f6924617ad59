"""Outcome tables as matrices: one row a prompt, one column an arm, NaN where nothing is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from router.types import Arm, Bools, Doubles, Floats, Ints

from ..config import ArmsConfig
from ..errors import TrainingError

if TYPE_CHECKING:
    from data.tables import Tables

SPLITS = ("test", "train", "all")  # rows that an evaluation can ask for

SHOWN = 3  # dropped arms that an error names


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """n prompts by a arms."""

    arms: tuple[Arm, ...]
    prompt_ids: tuple[str, ...]
    texts: tuple[str, ...]
    domains: tuple[str | None, ...]
    n_chars: Ints  # (n,)
    quality: Floats  # (n, a), 0 to 1
    input_tokens: Doubles  # (n, a)
    output_tokens: Doubles  # (n, a)
    cost_usd: Doubles  # (n, a), US dollars per request
    test: Bools  # (n,) rows of the test split
    dropped_arms: dict[str, str]  # arm id -> reason

    def __len__(self) -> int:
        return len(self.prompt_ids)

    def rows(self, chosen: Bools | Ints) -> Dataset:
        """Some of the prompts, by mask (n,) or row numbers."""
        index = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        return Dataset(
            arms=self.arms,
            prompt_ids=tuple(self.prompt_ids[i] for i in index),
            texts=tuple(self.texts[i] for i in index),
            domains=tuple(self.domains[i] for i in index),
            n_chars=self.n_chars[index],
            quality=self.quality[index],
            input_tokens=self.input_tokens[index],
            output_tokens=self.output_tokens[index],
            cost_usd=self.cost_usd[index],
            test=self.test[index],
            dropped_arms=self.dropped_arms,
        )

    def of_arms(self, among: Bools) -> Dataset:
        """Some of the arms, by mask (a,)."""
        matrices = ("quality", "input_tokens", "output_tokens", "cost_usd")
        return replace(
            self,
            arms=tuple(arm for arm, kept in zip(self.arms, among, strict=True) if kept),
            **{name: getattr(self, name)[:, among] for name in matrices},
        )


def build_dataset(tables: Tables, config: ArmsConfig) -> Dataset:
    """Make the matrices of all arms with enough training outcomes.

    Raises:
        TrainingError: fewer than two arms are left.
    """
    outcomes = tables.outcomes.with_columns(arm=pl.concat_str("model", "tier", separator="|"))
    kept, dropped = _arms(outcomes.filter(pl.col("split") == "train"), config)
    if len(kept) < 2:
        raise TrainingError(_too_few(kept, dropped, config, paired=tables.pairs is not None))
    return dataset_of(tables, [Arm.parse(arm) for arm in kept], dropped)


def _too_few(kept: list[str], dropped: dict[str, str], config: ArmsConfig, *, paired: bool) -> str:
    """What was asked of arms, what was found, and what would work."""
    shown = [f"{arm}: {reason}" for arm, reason in list(dropped.items())[:SHOWN]]
    more = [f"and {len(dropped) - SHOWN} more"] if len(dropped) > SHOWN else []
    covered = f" and {config.min_coverage:.0%} of the best-covered arm's"
    knobs = "arms.min_rows or arms.min_coverage" if config.min_coverage > 0 else "arms.min_rows"
    return (
        f"routing needs two arms with at least {config.min_rows} training outcomes each"
        f"{covered if config.min_coverage > 0 else ''}; found {len(kept)}: "
        f"{', '.join(kept) or 'none'}; dropped {'; '.join(shown + more) or 'none'}. More prompts, "
        f"a smaller split.test_share, or a smaller {knobs} in --config would let them in"
        + ("; further arms may be known by pairs alone, these two may not" if paired else "")
    )


def dataset_of(
    tables: Tables,
    arms: list[Arm],
    dropped: dict[str, str] | None = None,
    *,
    absent_too: bool = False,
) -> Dataset:
    """The matrices of the given arms, in the given order.

    Args:
        tables: outcomes and prompts.
        arms: the columns.
        dropped: those left out, and why.
        absent_too: whether an arm may be without any outcome, where others have some.
    Raises:
        TrainingError: an arm has no outcome at all.
    """
    names = [arm.id for arm in arms]
    named = tables.outcomes.with_columns(arm=pl.concat_str("model", "tier", separator="|"))
    outcomes = named.filter(pl.col("arm").is_in(names))
    absent = sorted(set(names) - set(outcomes["arm"].unique()))
    if absent and (len(absent) == len(names) or not absent_too):
        more = f" and {len(absent) - SHOWN} more" if absent[SHOWN:] else ""
        raise TrainingError(f"the table has no outcome of {', '.join(absent[:SHOWN])}{more}")
    prompts = tables.prompts.filter(
        pl.col("prompt_id").is_in(outcomes["prompt_id"].unique().implode())
    ).sort("prompt_id")
    place = _places(prompts["prompt_id"])
    row, column = _at(place, outcomes["prompt_id"]), _at(_places(names), outcomes["arm"])

    def matrix(name: str) -> Doubles:
        values = np.full((len(place), len(names)), np.nan)
        values[row, column] = outcomes[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        return values

    texts = tuple(prompts["prompt"])
    domains = prompts["domain"] if "domain" in prompts.columns else (None,) * len(texts)
    return Dataset(
        arms=tuple(arms),
        prompt_ids=tuple(prompts["prompt_id"]),
        texts=texts,
        domains=tuple(domains),
        n_chars=np.array([len(text) for text in texts], dtype=np.int64),
        quality=matrix("quality").astype(np.float32),
        input_tokens=matrix("input_tokens"),
        output_tokens=matrix("output_tokens"),
        cost_usd=matrix("cost_usd"),
        test=(prompts["split"] == "test").to_numpy(),
        dropped_arms=dropped or {},
    )


def _places(names: Iterable[str]) -> dict[str, int]:
    return {name: i for i, name in enumerate(names)}


def _at(places: dict[str, int], names: Iterable[str]) -> Ints:
    return np.array([places[name] for name in names], dtype=np.int64)


def _arms(train: pl.DataFrame, config: ArmsConfig) -> tuple[list[str], dict[str, str]]:
    """Arm ids to keep, sorted, and those dropped with the reason.

    Coverage is relative to the best-covered arm, so that logs with one outcome a prompt pass.
    """
    counts = dict(train.group_by("arm").len().sort("arm").iter_rows())
    most = max(counts.values(), default=0)
    kept, dropped = [], {}
    for arm, rows in counts.items():
        if rows < config.min_rows:
            dropped[arm] = f"{rows} training outcomes, fewer than {config.min_rows}"
        elif rows < config.min_coverage * most:
            share = rows / most
            dropped[arm] = f"covers {share:.0%} of {most} prompts, below {config.min_coverage:.0%}"
        else:
            kept.append(arm)
    return kept, dropped
