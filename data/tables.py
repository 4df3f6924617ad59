"""Load the canonical tables: read, clean, join up, split. Training and evaluation start here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from router.catalogue.names import family

from .clean import REASON, Cleaned, CleanReport, Priced
from .collection import Source
from .efforts import load_efforts
from .errors import DataError
from .prices import PriceTable, public_prices
from .read import load_outcomes, load_pairs, load_prompts, with_known_prompts
from .runs import averaged
from .scale import Scales
from .schema import CELL
from .split import SplitConfig, siblings, with_split

TOKENS = ("input_tokens", "output_tokens")
SPLIT = pl.col("split")


@dataclass(frozen=True, slots=True)
class Tables:
    """Checked tables that fit together; outcomes and prompts have a complete `split`.

    Of several sources, prompts and outcomes name theirs in `source`, and prompt ids begin with it.
    Prompts may have `kind` and `group`, what siblings share. Outcomes are one row per prompt and
    arm, `samples` the answers that its quality averages; `runs` are the rows behind those that
    average several. `efforts` are what tiers cost elsewhere.
    """

    outcomes: pl.DataFrame
    prompts: pl.DataFrame
    pairs: pl.DataFrame | None
    report: CleanReport
    prices: PriceTable | None = None
    sources: tuple[Source, ...] = ()
    runs: pl.DataFrame | None = None
    efforts: pl.DataFrame | None = None

    def models(self) -> list[str]:
        """The models of outcomes and pairs, sorted."""
        found = set(self.outcomes["model"])
        if self.pairs is not None:
            arms = set(self.pairs["arm_a"]) | set(self.pairs["arm_b"])
            found |= {arm.partition("|")[0] for arm in arms}
        return sorted(found)

    def of(self, sources: Iterable[Source]) -> Tables:
        """The rows of some of the sources; splits stay those of all."""
        kept = tuple(sources)
        names = [source.name for source in kept]
        told = pl.col("source").is_in(names)
        return replace(
            self,
            outcomes=self.outcomes.filter(told),
            prompts=self.prompts.filter(told),
            pairs=self._pairs_of(names),
            runs=None if self.runs is None else self.runs.filter(told),
            efforts=None if self.efforts is None else self.efforts.filter(told),
            sources=kept,
        )

    def _pairs_of(self, names: list[str]) -> pl.DataFrame | None:
        """The battles on prompts of some sources; null where there are none."""
        if self.pairs is None:
            return None
        asked = self.prompts.filter(pl.col("source").is_in(names))
        found = self.pairs.join(asked, on="prompt_id", how="semi", maintain_order="left")
        return None if found.is_empty() else found

    def learned(self) -> Tables:
        """What may be learned from: without the sources that are only measured by.

        Raises:
            DataError: there is none.
        """
        kept = [source for source in self.sources if source.use == "train"]
        if len(kept) == len(self.sources):
            return self
        if not kept:
            raise DataError('every source says use = "measure": there is nothing to learn from')
        return self.of(kept)


def load_tables(
    data: Path,
    prompts: Path,
    pairs: Path | None = None,
    *,
    split: SplitConfig | None = None,
    prices: PriceTable | None = None,
    scales: Scales | None = None,
) -> Tables:
    """Read, clean and join one table's outcomes, prompts and maybe pairs: see `load_sources`."""
    battles = None if pairs is None else str(pairs)
    one = Source(outcomes=str(data), prompts=str(prompts), pairs=battles)
    return load_sources((one,), split=split, prices=prices, scales=scales)


def load_sources(
    sources: Sequence[Source],
    *,
    split: SplitConfig | None = None,
    prices: PriceTable | None = None,
    scales: Scales | None = None,
) -> Tables:
    """Read, clean and join tables: outcomes, prompts and maybe pairs of each.

    Outcomes of prompts that a source's table of prompts lacks are rejected as `unknown_prompt`. An
    arm of pairs with neither an outcome nor a list price cannot be routed to, and its battles are
    rejected as `unknown_arm`. Equal prompts share a split, in whatever sources they stand.

    Args:
        sources: one or several, each with a name of its own.
        split: of the hash split for prompts without one.
        prices: list prices for outcomes without a cost; null is the public list.
        scales: of scores that do not run from 0 to 1, where a source has no scale of its own.
    Raises:
        DataError: a file cannot be read, a column is missing, or nothing is left of a source.
    """
    reader = _Reader(
        report=CleanReport(),
        listed=prices or public_prices(),
        scales=scales,
        several=len(sources) > 1,
    )
    parts = [reader.read(source) for source in sources]
    report, rows = reader.report, pl.concat([part.outcomes for part in parts])
    kept, runs = averaged(rows)
    report.averaged = runs.select(CELL).n_unique()
    texts, torn = _split_of(_grouped(pl.concat([p.prompts for p in parts], how="diagonal")), kept)
    texts, moved = with_split(texts, split or SplitConfig())
    report.moved_to_test = torn + moved
    report.straddling = _straddling(texts)
    sides = texts.select("prompt_id", "split")
    battles = None
    if any(part.pairs is not None for part in parts):
        fought = [part.pairs.kept for part in parts if part.pairs is not None]
        report.unknown_arms = _unknown_arms(pl.concat(fought), kept, prices)
        battles = _with_side(pl.concat([reader.battles(p) for p in parts if p.pairs]), sides)
    costs = [load_efforts(Path(s.efforts), s.name) for s in sources if s.efforts is not None]
    return Tables(
        _with_side(kept, sides), texts, battles, report, prices, tuple(sources), runs,
        efforts=pl.concat(costs) if costs else None,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Part:
    """A source's rows, whose ids no other source has."""

    source: Source
    prompts: pl.DataFrame
    outcomes: pl.DataFrame
    pairs: Cleaned | None


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads sources into one report."""

    report: CleanReport
    listed: PriceTable
    scales: Scales | None
    several: bool

    def read(self, source: Source) -> _Part:
        """Read and clean the tables of one source."""
        every = load_prompts(Path(source.prompts), _further(source))
        foreign = _foreign(source, every.kept)
        texts = self._named(source, _without(every, foreign))
        self._count(source, "prompts", texts)
        scales = Scales.parse([source.scale]) if source.scale is not None else self.scales
        outcomes = _without(load_outcomes(Path(source.outcomes), self.listed, scales), foreign)
        outcomes = with_known_prompts(self._named(source, outcomes), texts.kept)
        self._count(source, "outcomes", outcomes)
        self._priced(outcomes)
        if outcomes.kept.is_empty():
            raise DataError(self._why_empty(source))
        fought = None
        if source.pairs is not None:
            fought = self._named(source, _without(load_pairs(Path(source.pairs)), foreign))
            fought = with_known_prompts(fought, texts.kept)
        return _Part(source, _kinds(source, texts.kept), _families(source, outcomes.kept), fought)

    def battles(self, part: _Part) -> pl.DataFrame:
        """The battles of a part, once all arms that can be routed to are known."""
        assert part.pairs is not None  # noqa: S101
        fought = _without_arms(part.pairs, self.report.unknown_arms)
        self._count(part.source, "pairs", fought)
        return fought.kept

    def _count(self, source: Source, table: str, cleaned: Cleaned) -> None:
        self.report.add(f"{source.name}.{table}" if self.several else table, cleaned)

    def _named(self, source: Source, cleaned: Cleaned) -> Cleaned:
        """Prompt ids that tell sources apart."""
        if not self.several:
            return cleaned
        named = cleaned.kept.with_columns(
            prompt_id=pl.concat_str(pl.lit(f"{source.name}/"), "prompt_id")
        )
        return replace(cleaned, kept=named)

    def _priced(self, outcomes: Cleaned) -> None:
        """What was computed of costs, and what could not be."""
        report, unpriced = self.report, outcomes.rejected.filter(pl.col(REASON) == "unpriced")
        report.unpriced |= self.listed.missing(unpriced["model"].drop_nulls())
        report.without_tokens += without_tokens(unpriced)
        if outcomes.computed:
            rows = outcomes.computed + (report.prices.rows if report.prices else 0)
            names = outcomes.priced | (report.prices.names if report.prices else {})
            report.prices = Priced(self.listed.source, rows, names)

    def _why_empty(self, source: Source) -> str:
        alone = "; pairs need outcomes of two arms beside them, which say what is acceptable"
        return (
            f"{source.outcomes} has no usable row; rejected: "
            f"{rejects(self.report) or 'none, for it is empty'}"
            + "".join(
                f"\n{line}" for line in remedy(self.report.without_tokens, self.report.unpriced)
            )
            + ("" if source.pairs is None else alone)
        )


def _further(source: Source) -> dict[str, str]:
    """The columns of prompts that a source names."""
    asked = {"group": source.group, "kind": source.kind_column}
    return {ours: theirs for ours, theirs in asked.items() if theirs is not None}


def _foreign(source: Source, prompts: pl.DataFrame) -> pl.Series:
    """Ids of the prompts in a source's files that are not its own."""
    if not source.only:
        return prompts["prompt_id"].clear()
    own = pl.Series([source.owns(word) for word in prompts["kind"]], dtype=pl.Boolean)
    return prompts.filter(~own)["prompt_id"]


def _without(cleaned: Cleaned, ids: pl.Series) -> Cleaned:
    """The rows of other prompts."""
    if ids.is_empty():
        return cleaned
    return replace(cleaned, kept=cleaned.kept.filter(~pl.col("prompt_id").is_in(ids.implode())))


def _kinds(source: Source, prompts: pl.DataFrame) -> pl.DataFrame:
    """Prompts with their source and, where anybody said, their kind."""
    named = prompts.with_columns(source=pl.lit(source.name))
    words = prompts["kind"] if "kind" in prompts.columns else [None] * prompts.height
    kinds = pl.Series("kind", [source.kind_of(word) for word in words], pl.String)
    return named if kinds.null_count() == len(kinds) else named.with_columns(kinds)


def _families(source: Source, outcomes: pl.DataFrame) -> pl.DataFrame:
    """Outcomes with their source and a family each: the column's, else that of the model's name."""
    models = outcomes["model"].unique(maintain_order=True)
    derived = {model: family(model) for model in models}
    of_name = pl.col("model").replace_strict(derived, return_dtype=pl.String)
    return outcomes.with_columns(family=pl.coalesce("family", of_name), source=pl.lit(source.name))


def _grouped(prompts: pl.DataFrame) -> pl.DataFrame:
    """What siblings share in `group`, in the place of what each source calls it."""
    if "group" not in prompts.columns:
        return prompts
    own = prompts.select(pl.concat_str("source", pl.lit(":"), "group")).to_series()
    return prompts.with_columns(
        group=pl.Series(siblings(prompts["prompt"].to_list(), own.to_list()), dtype=pl.String)
    )


def _straddling(prompts: pl.DataFrame) -> dict[str, tuple[int, int]]:
    """Source -> how many groups of siblings are in train and test, and how many prompts they are.

    Only a given split does that; figures on its test rows then flatter what learned the siblings.
    """
    if "group" not in prompts.columns:
        return {}
    groups = prompts.drop_nulls("group").group_by("source", "group")
    torn = groups.agg(pl.len(), sides=SPLIT.n_unique()).filter(pl.col("sides") > 1)
    counts = torn.group_by("source").agg(n=pl.len(), prompts=pl.col("len").sum()).sort("source")
    return {name: (n, rows) for name, n, rows in counts.iter_rows()}


def rejects(report: CleanReport) -> str:
    """Rejected rows by reason, with an example of each, for a person."""
    return listed(report.rejected_by_reason(), report.examples)


def listed(reasons: Mapping[str, int], examples: Mapping[str, str]) -> str:
    """Reasons and how many rows have them, with an example of each."""
    return ", ".join(f"{n} {name}{such_as(examples.get(name))}" for name, n in reasons.items())


def repeated(report: CleanReport) -> list[str]:
    """What became of several rows of one prompt and arm, a line; nothing where there are none."""
    if not report.averaged:
        return []
    return [f"{report.averaged} outcomes have several rows: they are runs, and their mean counts"]


def such_as(example: str | None) -> str:
    """An example in brackets, where there is one."""
    return "" if example is None else f' (e.g. "{example}")'


def without_tokens(rows: pl.DataFrame) -> int:
    """How many rows lack a token count."""
    return int(rows.select(pl.any_horizontal(pl.col(n).is_null() for n in TOKENS).sum()).item())


def remedy(tokens: int, near: Mapping[str, Sequence[str]]) -> list[str]:
    """What would price outcomes that have no cost, a line each; nothing where all have one.

    Args:
        tokens: those of them that lack token counts.
        near: models that no list has -> the nearest names.
    """
    lines = []
    if tokens:
        lines.append(
            f"{tokens} rows have neither cost_usd nor token counts; ingest has --tokens IN:OUT"
        )
    if near:
        hints = [f"{m} (near: {', '.join(n)})" if n else m for m, n in list(near.items())[:5]]
        more = f" and {len(near) - 5} more" if len(near) > 5 else ""
        lines.append(f"no price for {', '.join(hints)}{more}: give --prices FILE, or cost_usd")
    return lines


def _unknown_arms(
    pairs: pl.DataFrame, outcomes: pl.DataFrame, prices: PriceTable | None
) -> tuple[str, ...]:
    """The arms of battles that have neither an outcome nor a price: they cannot be routed to."""
    answered = set(outcomes.select(pl.concat_str("model", "tier", separator="|")).to_series())
    priced = set(prices.frame()["model"]) if prices is not None else set()
    fought = set(pairs["arm_a"]) | set(pairs["arm_b"])
    return tuple(sorted(a for a in fought - answered if a.partition("|")[0] not in priced))


def _without_arms(pairs: Cleaned, unknown: tuple[str, ...]) -> Cleaned:
    """Reject the battles of unknown arms."""
    known = ~(pl.col("arm_a").is_in(unknown) | pl.col("arm_b").is_in(unknown))
    lost = pairs.kept.filter(~known).with_columns(pl.lit("unknown_arm").alias(REASON))
    return Cleaned(pairs.kept.filter(known), pl.concat([pairs.rejected, lost]))


def _split_of(prompts: pl.DataFrame, outcomes: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """A prompt's split by its own row and its outcomes; any of test puts it there.

    Returns:
        The prompts, and how many of them were said to be in train as well as in test.
    """
    # "test" sorts before "train"
    sides = outcomes.group_by("prompt_id").agg(low=SPLIT.min(), high=SPLIT.max())
    joined = prompts.join(sides, on="prompt_id", how="left", maintain_order="left")
    low, high = pl.min_horizontal("split", "low"), pl.max_horizontal("split", "high")
    torn = joined.filter(low != high).height
    return joined.with_columns(split=low).drop("low", "high"), torn


def _with_side(table: pl.DataFrame, sides: pl.DataFrame) -> pl.DataFrame:
    return table.drop("split").join(sides, on="prompt_id", how="left", maintain_order="left")
