"""What a shard of result files becomes: every row is kept or rejected with one reason.

Tables are read as a whole, records of other tools (`data.records`) one after another; both come
out in the shape of `layouts` and are cleaned alike. Equal prompts get equal ids, whichever file
they come from, unless a format's own ids tell prompts apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dataframely as dy
import polars as pl

from .clean import REASON, Cleaned, clean_outcomes, clean_pairs, clean_prompts, conform
from .errors import ColumnError
from .layouts import (
    ABOUT_PROMPT,
    detect,
    find_columns,
    from_long,
    from_prompts,
    from_wide,
    wide_models,
)
from .prices import PriceTable
from .records.base import Options
from .records.reading import Read, no_battles, no_outcomes, read_records
from .records.registry import Sorted, explain
from .schema import Outcomes, Pairs
from .split import prompt_id
from .tables import read_table

READERS: dict[str, Callable[[pl.DataFrame, Mapping[str, str]], pl.DataFrame]] = {
    "long": from_long,
    "wide": from_wide,
    "prompts": from_prompts,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What became of some rows; counts of shards add up to those of the whole.

    Attributes:
        rows_read: outcomes and battles.
        kept: table -> rows.
        rejected: table -> reason -> rows.
        tokens_estimated: rows whose output tokens are characters / 4.
        arms: of the outcomes, as (model, tier).
        texts: prompts whose text was found, of outcomes or not.
    """

    rows_read: int
    kept: Counter[str]
    rejected: dict[str, Counter[str]]
    tokens_estimated: int
    arms: frozenset[tuple[str, str]]
    texts: int

    def __add__(self, other: Counts) -> Counts:
        """Counts of both."""
        tables = {**self.rejected, **other.rejected}
        none: Counter[str] = Counter()
        return Counts(
            rows_read=self.rows_read + other.rows_read,
            kept=self.kept + other.kept,
            rejected={t: self.rejected.get(t, none) + other.rejected.get(t, none) for t in tables},
            tokens_estimated=self.tokens_estimated + other.tokens_estimated,
            arms=self.arms | other.arms,
            texts=self.texts + other.texts,
        )

    def to_dict(self) -> dict[str, Any]:
        """As the report has them."""
        return {
            "rows_read": self.rows_read,
            "kept": {table: self.kept[table] for table in ("outcomes", "prompts", "pairs")},
            "rejected": {t: dict(sorted(reasons.items())) for t, reasons in self.rejected.items()},
            "tokens_estimated": self.tokens_estimated,
            "arms": len(self.arms),
        }


@dataclass(frozen=True, slots=True)
class Parsed:
    """What files hold, before any row is judged.

    Attributes:
        rows: outcomes in the shape of `layouts`, with ids.
        fights: battles, likewise.
        listed: prompts of tables that hold nothing else.
        notes: how each file was understood.
        sources: tables and chunks of records that were no prompts.
    """

    rows: pl.DataFrame
    fights: pl.DataFrame
    listed: pl.DataFrame
    notes: list[dict[str, Any]]
    sources: int


@dataclass(frozen=True, slots=True)
class _Source:
    rows: pl.DataFrame
    layout: str
    note: dict[str, Any]


def parse(
    files: Sorted,
    layout: str,
    *,
    columns: Mapping[str, str] | None,
    options: Options | None,
    labels: Mapping[str, object] | None,
) -> Parsed:
    """Read files into the shape of `layouts`, every row with an id where it has a text.

    Args:
        files: by what they are.
        layout: `auto`, or that of all tables.
        columns: our column name -> the tables' name.
        options: what records leave open.
        labels: qualities by record id.
    """
    tables = [_read(path, layout, columns) for path in files.tables]
    read = [
        read_records(name, paths, options or Options(), labels)
        for name, paths in files.records.items()
    ]
    answers = [t.rows for t in tables if t.layout != "prompts"] + [
        frame for entry in read for frame in entry.outcomes
    ]
    battles = [frame for entry in read for frame in entry.battles]
    listed = [table.rows for table in tables if table.layout == "prompts"]
    return Parsed(
        rows=_with_ids(pl.concat([no_outcomes(), *answers])),
        fights=_with_ids(pl.concat([no_battles(), *battles])),
        listed=pl.concat([no_outcomes().select(ABOUT_PROMPT), *listed]),
        notes=[table.note for table in tables]
        + [_note(entry, files.records[entry.name]) for entry in read],
        sources=len(answers) + len(battles),
    )


def clean(read: Parsed, prices: PriceTable | None) -> tuple[dict[str, pl.DataFrame], Counts]:
    """Keep or reject every row, and keep the prompts that outcomes and pairs need.

    What becomes of a row depends on the rows of its own prompt alone.

    Returns:
        outcomes, prompts, pairs, rejected, rejected_pairs, and unlabelled: prompts of requests
        that lack nothing but a score; and the counts of all.
    """
    rows, fights = read.rows, read.fights
    inline = pl.concat([rows.select(ABOUT_PROMPT), fights.select(ABOUT_PROMPT)])
    texts = clean_prompts(_texts(inline, read.listed))
    outcomes = _clean(rows, texts.kept, prices)
    pairs = _clean_pairs(fights, texts.kept)
    used = pl.concat([outcomes.kept.select("prompt_id"), pairs.kept.select("prompt_id")])
    waiting = outcomes.rejected.filter(pl.col(REASON) == "missing_quality")
    prompts = texts.kept.join(used, on="prompt_id", how="semi", maintain_order="left")
    unlabelled = texts.kept.join(waiting, on="prompt_id", how="semi", maintain_order="left").join(
        used, on="prompt_id", how="anti", maintain_order="left"
    )
    tables = {
        "outcomes": outcomes.kept,
        "prompts": prompts,
        "pairs": pairs.kept,
        "rejected": outcomes.rejected,
        "rejected_pairs": pairs.rejected,
        "unlabelled": unlabelled,
    }
    counts = Counts(
        rows_read=rows.height + pairs.kept.height + pairs.rejected.height,
        kept=Counter({name: tables[name].height for name in ("outcomes", "prompts", "pairs")}),
        rejected={
            "outcomes": Counter(outcomes.counts()),
            "prompts": Counter(texts.counts()),
            "pairs": Counter(pairs.counts()),
        },
        tokens_estimated=int(rows["estimated"].sum()),
        arms=frozenset(outcomes.kept.select("model", "tier").unique().iter_rows()),
        texts=texts.kept.height,
    )
    return tables, counts


def _note(read: Read, paths: Sequence[Path]) -> dict[str, Any]:
    shown = {"repeats_merged": read.repeats_merged, "labelled": read.labelled}
    return {
        "path": ", ".join(path.name for path in paths),
        "layout": read.name,
        "rows": read.records,
        **{name: count for name, count in shown.items() if count},
    }


def _read(path: Path, layout: str, columns: Mapping[str, str] | None) -> _Source:
    table = read_table(path)
    try:
        found = find_columns(table, columns)
        kind = detect(table, found) if layout == "auto" else layout
        rows = READERS[kind](table, found)
    except ColumnError as err:
        raise ColumnError(f"{path}: {explain(err) if layout == 'auto' else err}") from err
    note = {"path": path.name, "layout": kind, "rows": table.height, "columns": found}
    if kind == "wide":
        note["models"] = wide_models(table, found)
    return _Source(rows, kind, note)


def _with_ids(rows: pl.DataFrame) -> pl.DataFrame:
    """Give rows without an id that of their text (then `hashed`); blank texts count as none."""
    rows = rows.with_columns(
        prompt=pl.when(pl.col("prompt").str.contains(r"\S")).then("prompt"),
    )
    texts = rows.filter(pl.col("prompt_id").is_null())["prompt"].drop_nulls().unique()
    ids = [prompt_id(text) for text in texts.to_list()]
    hashes = pl.DataFrame({"prompt": texts, "hashed": pl.Series(ids, dtype=pl.String)})
    joined = rows.join(hashes, on="prompt", how="left", maintain_order="left")
    # an id that was given stays
    joined = joined.with_columns(hashed=pl.when(pl.col("prompt_id").is_null()).then("hashed"))
    return joined.with_columns(
        prompt_id=pl.coalesce("prompt_id", "hashed"), hashed=pl.col("hashed").is_not_null()
    )


def _texts(rows: pl.DataFrame, listed: pl.DataFrame) -> pl.DataFrame:
    """One row per prompt id, the first text in the files; listed prompts come first."""
    valid = pl.when(pl.col("split").is_in(["train", "test"])).then("split")
    inline = (
        rows.filter(pl.col("prompt").is_not_null())
        .group_by("prompt_id", maintain_order=True)
        .agg(
            pl.col("prompt").first(),
            pl.col("domain").drop_nulls().first(),
            valid.drop_nulls().first(),
        )
        .select(ABOUT_PROMPT)
    )
    return pl.concat([listed, inline]).unique("prompt_id", keep="first", maintain_order=True)


def _clean(rows: pl.DataFrame, prompts: pl.DataFrame, prices: PriceTable | None) -> Cleaned:
    """Reject what has no prompt or an unreadable value, then what the schema refuses."""
    judged = _judged(rows, prompts)
    return _with_faulty(
        clean_outcomes(judged.filter(pl.col(REASON).is_null()), prices),
        judged,
        Outcomes,
        "outcomes",
    )


def _clean_pairs(rows: pl.DataFrame, prompts: pl.DataFrame) -> Cleaned:
    """As `_clean`, for battles."""
    judged = _judged(rows, prompts)
    return _with_faulty(
        clean_pairs(judged.filter(pl.col(REASON).is_null())), judged, Pairs, "pairs"
    )


def _judged(rows: pl.DataFrame, prompts: pl.DataFrame) -> pl.DataFrame:
    """Say of every row whether it is faulty or lacks its prompt."""
    texts = prompts.select("prompt_id", known=pl.col("prompt"))
    rows = rows.join(texts, on="prompt_id", how="left", maintain_order="left")
    given, known = pl.col("prompt"), pl.col("known")
    why = pl.coalesce(
        "fault",
        pl.when(pl.col("prompt_id").is_null()).then(pl.lit("empty_prompt")),
        pl.when(known.is_null()).then(pl.lit("unknown_prompt")),
        pl.when(~pl.col("hashed") & (_plain(given) != _plain(known))).then(
            pl.lit("conflicting_prompt")
        ),
    )
    return rows.with_columns(why.alias(REASON))


def _with_faulty(
    cleaned: Cleaned, judged: pl.DataFrame, schema: type[dy.Schema], name: str
) -> Cleaned:
    faulty = judged.filter(pl.col(REASON).is_not_null())
    shown = conform(faulty, schema, name).select(*schema.column_names(), REASON)
    return Cleaned(cleaned.kept, pl.concat([cleaned.rejected, shown]))


def _plain(text: pl.Expr) -> pl.Expr:
    return text.str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
