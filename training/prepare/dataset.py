"""Outcome tables as matrices: one row a prompt, one column an arm, NaN where nothing is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from router.catalogue.names import family, matches
from router.types import Arm, Bools, Doubles, Floats, Ints

from ..config import ArmsConfig
from ..errors import TrainingError

if TYPE_CHECKING:
    from data.collection import Source
    from data.tables import Tables

SPLITS = ("test", "train", "all")  # rows that an evaluation can ask for

SHOWN = 3  # dropped arms that an error names
BY_ROW = ("prompt_ids", "texts", "domains", "sources", "groups", "kinds")
MATRICES = ("quality", "input_tokens", "output_tokens", "cost_usd", "weight")
ARRAYS = ("n_chars", "test", *MATRICES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """n prompts by a arms.

    What a row's source is and the kind of work that it is are for people: methods must not see
    them, for they say who was asked and what was right. Left out, `sources`, `groups`, `kinds`,
    `families` and `weight` are those of one table without a name.

    Attributes:
        domains: task labels, null where nobody said.
        sources: (n,) names, empty of a single table.
        groups: (n,) what rows that must share a fold share: siblings' group, or the text.
        kinds: (n,) of work, null where nobody said.
        families: (a,) what snapshots of a model share.
        weight: (n, a) what each outcome counts: the attempts that it averages, times its source's.
        collection: the sources.
        efforts: what tiers cost elsewhere, as `data.efforts` has it; null where nobody said.
    """

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
    sources: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    kinds: tuple[str | None, ...] = ()
    families: tuple[str, ...] = ()
    weight: Doubles = field(default_factory=lambda: np.empty((0, 0)))
    collection: tuple[Source, ...] = ()
    efforts: pl.DataFrame | None = None

    def __post_init__(self) -> None:
        n = len(self)
        plain = {
            "sources": ("",) * n,
            "groups": self.texts,
            "kinds": (None,) * n,
            "families": tuple(family(arm.model) for arm in self.arms),
            "weight": np.ones((n, len(self.arms))),
        }
        for name, value in plain.items():
            if len(getattr(self, name)) == 0:
                object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.prompt_ids)

    @property
    def counts(self) -> Doubles | None:
        """(n, a) what outcomes count, 1 on average over those there are; null where all alike."""
        seen = self.weight[~np.isnan(self.quality)]
        if seen.size == 0 or seen.min() == seen.max():
            return None
        return np.asarray(self.weight / seen.mean())

    @property
    def prompt_counts(self) -> Doubles | None:
        """(n,) mean of `counts` over a prompt's outcomes, 0 where it has none; null likewise."""
        if (counts := self.counts) is None:
            return None
        seen = ~np.isnan(self.quality)
        return np.asarray(np.where(seen, counts, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1))

    def rows(self, chosen: Bools | Ints) -> Dataset:
        """Some of the prompts, by mask (n,) or row numbers."""
        index = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        kept: dict[str, Any] = {name: getattr(self, name)[index] for name in ARRAYS}
        kept |= {name: tuple(getattr(self, name)[i] for i in index) for name in BY_ROW}
        return replace(self, **kept)

    def of_arms(self, among: Bools) -> Dataset:
        """Some of the arms, by mask (a,)."""
        index = np.flatnonzero(among)
        return replace(
            self,
            arms=tuple(self.arms[i] for i in index),
            families=tuple(self.families[i] for i in index),
            **{name: getattr(self, name)[:, among] for name in MATRICES},
        )


def build_dataset(tables: Tables, config: ArmsConfig) -> Dataset:
    """Make the matrices of all arms with enough training outcomes.

    Raises:
        TrainingError: fewer than two arms are left.
    """
    outcomes = _with_arm(tables.outcomes)
    kept, dropped = _arms(outcomes.filter(pl.col("split") == "train"), config)
    if len(tables.sources) <= 1:  # nothing to learn from the others' outcomes
        asked = offered_arms([Arm.parse(arm) for arm in kept], config)
        out = [arm for arm, offered in zip(kept, asked, strict=True) if not offered]
        dropped |= dict.fromkeys(out, "not among arms.offered")
        kept = [arm for arm in kept if arm not in out]
    if len(kept) < 2:
        raise TrainingError(_too_few(kept, dropped, config, paired=tables.pairs is not None))
    return dataset_of(tables, [Arm.parse(arm) for arm in kept], dropped)


def offered_arms(arms: Sequence[Arm], config: ArmsConfig) -> Bools:
    """(a,) which arms a bundle offers.

    Raises:
        TrainingError: a pattern fits none.
    """
    if not config.offered:
        return np.ones(len(arms), dtype=np.bool_)
    fits = np.array([[matches(p, arm.model, arm.id) for p in config.offered] for arm in arms])
    for place, pattern in enumerate(config.offered):
        if not fits[:, place].any():
            near = get_close_matches(pattern, [arm.id for arm in arms], n=1)
            more = f"; did you mean {near[0]}?" if near else ""
            raise TrainingError(f"arms.offered names {pattern!r}, which no arm fits{more}")
    return np.asarray(fits.any(axis=1))


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
    outcomes = _with_arm(tables.outcomes).filter(pl.col("arm").is_in(names))
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

    told = _told(prompts)
    return Dataset(
        arms=tuple(arms),
        **told,
        n_chars=np.array([len(text) for text in told["texts"]], dtype=np.int64),
        quality=matrix("quality").astype(np.float32),
        input_tokens=matrix("input_tokens"),
        output_tokens=matrix("output_tokens"),
        cost_usd=matrix("cost_usd"),
        test=(prompts["split"] == "test").to_numpy(),
        dropped_arms=dropped or {},
        families=_families(outcomes, arms),
        weight=_weight(matrix("samples"), told["sources"], tables.sources),
        collection=tables.sources,
        efforts=tables.efforts,
    )


def _with_arm(outcomes: pl.DataFrame) -> pl.DataFrame:
    return outcomes.with_columns(arm=pl.concat_str("model", "tier", separator="|"))


def _told(prompts: pl.DataFrame) -> dict[str, tuple[Any, ...]]:
    """What a table of prompts says of each, BY_ROW; empty where it has no such column."""
    names = ("prompt_id", "prompt", "domain", "source", "group", "kind")
    found = [tuple(prompts[name]) if name in prompts.columns else () for name in names]
    told = dict(zip(BY_ROW, found, strict=True))
    told["domains"] = told["domains"] or (None,) * prompts.height
    groups = zip(told["groups"], told["texts"], strict=True) if told["groups"] else ()
    return told | {"groups": tuple(group or text for group, text in groups)}


def _families(outcomes: pl.DataFrame, arms: list[Arm]) -> tuple[str, ...]:
    """(a,) as the tables say; of several that of most rows, else that of the model's name."""
    counts = outcomes.drop_nulls("family").group_by("model", "family").len()
    counts = counts.sort("model", "len", "family", descending=[False, True, False])
    told = dict(counts.unique("model", keep="first").select("model", "family").iter_rows())
    return tuple(told.get(arm.model) or family(arm.model) for arm in arms)


def _weight(samples: Doubles, of: tuple[str, ...], sources: tuple[Source, ...]) -> Doubles:
    """(n, a) attempts of each outcome, 1 where there is none, times the weight of its source."""
    weights = {source.name: source.weight for source in sources}
    rows = np.array([weights.get(name, 1.0) for name in of] or [1.0])
    return np.asarray(np.where(np.isnan(samples), 1.0, samples) * rows[:, None])


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
