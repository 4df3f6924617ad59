"""Raw result files in, canonical tables out: read apart, dealt out by prompt, cleaned apart.

What becomes of a row depends on the rows of its own prompt alone, so rows are dealt out to shards
by a hash of the prompt's id, and every shard is cleaned by itself. Shards and engine change no row.
No step holds more than a batch of a file's rows, or one shard.
"""

from __future__ import annotations

import json
import shutil
import unicodedata
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import Any

import polars as pl

from .clean import Priced
from .counts import Counts
from .engines import run_tasks
from .errors import DataError
from .headers import shown, unused
from .prices import PriceTable, public_prices
from .progress import Track, untracked
from .records.base import Options
from .records.reading import load_labels
from .records.registry import FORMATS, SOURCES, TABLES, Sorted, sort_files
from .scale import Scales
from .shard import Asked, clean, nothing, parse
from .tables import listed

DEALT_TABLES = ("rows", "fights", "listed")  # to shards
OUTPUTS = ("outcomes", "prompts", "pairs", "rejected", "rejected_pairs", "unlabelled")
SHARD_BYTES = 32 << 20  # of files: what is cleaned at once
ROW_BYTES = 256  # of a row of Parquet
LOOKALIKES = str.maketrans("‐‑‒–—−_авеорсхуікмнтαορν", "-------abeopcxyikmhtaopv")
PACKED = 5  # bytes of text for a byte on disk
ALWAYS_WRITTEN = ("outcomes", "prompts", "rejected")  # even where they are empty


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestConfig:
    """How result files are read, and by whom.

    Attributes:
        source: `auto`, or the layout or format that all files have.
        columns: our column name -> the files' name, in those files that have it.
        models: columns of wide tables that are models; empty is those that look like it.
        scales: of scores that do not run from 0 to 1.
        options: what records leave open.
        labels: a table of record ids and scores, for records that lack them.
        prices: fills costs that the files leave out, where tokens are known; null is the list of
            the public catalogue.
        engine: of `engines.ENGINES`.
        workers: processes.
        shards: pieces that are cleaned apart; null is as many as the files' size needs, and a
            single one, in the files' order, for files that fit in memory and a single worker.
    """

    source: str = "auto"
    columns: Mapping[str, str] | None = None
    models: tuple[str, ...] = ()
    scales: Scales | None = None
    options: Options | None = None
    labels: Path | None = None
    prices: PriceTable | None = None
    engine: str = "local"
    workers: int = 1
    shards: int | None = None

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise DataError(f"source must be one of {', '.join(SOURCES)}, got {self.source!r}")

    def asked(self) -> Asked:
        """What the files' readers need to know."""
        return Asked(
            layout=TABLES.get(self.source, self.source),
            columns=self.columns or {},
            models=self.models,
            scales=self.scales or Scales(),
            options=self.options or Options(),
            labels=None if self.labels is None else load_labels(self.labels),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is known of files once they were read."""

    notes: list[dict[str, Any]]
    columns: frozenset[str]
    sources: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFiles:
    """Read some files and deal their rows out: one Parquet file per shard, kind and piece."""

    number: int
    files: Sorted
    config: IngestConfig
    folder: Path
    shards: int

    def __call__(self) -> Told:
        """What was read, without its rows."""
        notes: list[dict[str, Any]] = []
        columns: frozenset[str] = frozenset()
        sources = 0
        for piece, read in enumerate(parse(self.files, self.config.asked())):
            part = f"{self.number:06}-{piece:06}"
            for kind in DEALT_TABLES:
                deal(getattr(read, kind), kind, self.folder, self.shards, part)
            notes += read.notes
            columns |= read.columns
            sources += read.sources
        return Told(notes=notes, columns=columns, sources=sources)


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanShard:
    """Clean one shard and write its tables."""

    number: int
    prices: PriceTable
    folder: Path

    def __call__(self) -> Counts:
        """What became of its rows."""
        empty = nothing()
        tables = {
            kind: pl.concat([getattr(empty, kind), *dealt(kind, self.folder, self.number)])
            for kind in DEALT_TABLES
        }
        found, counts = clean(replace(empty, **tables), self.prices)
        for name in OUTPUTS:
            found[name].write_parquet(self.folder / f"{name}-{self.number:06}.parquet")
        return counts


def deal(table: pl.DataFrame, kind: str, folder: Path, shards: int, part: str) -> None:
    """Write a table's rows to the shards of their prompts, as one part of each."""
    if table.is_empty():
        return
    shard = shard_of(table["prompt_id"], shards)
    for (i,), rows in table.group_by(shard.alias("shard"), maintain_order=True):
        rows.write_parquet(folder / f"{kind}-{i:06}-{part}.parquet", compression="lz4")


def dealt(kind: str, folder: Path, shard: int) -> list[pl.DataFrame]:
    """The parts of a shard, in their order."""
    return [pl.read_parquet(p) for p in sorted(folder.glob(f"{kind}-{shard:06}-*.parquet"))]


def shard_of(prompt_ids: pl.Series, shards: int) -> pl.Series:
    """The shard of every prompt id, the same on every machine; 0 where there is no id."""
    ids = prompt_ids.to_frame("id").unique()
    numbers = [zlib.crc32((name or "").encode("utf-8")) % shards for name in ids["id"]]
    table = ids.with_columns(shard=pl.Series(numbers, dtype=pl.UInt32))
    joined = prompt_ids.to_frame("id").join(
        table, on="id", how="left", maintain_order="left", nulls_equal=True
    )
    return joined["shard"]


def ingest(
    paths: Sequence[Path],
    out: Path,
    config: IngestConfig | None = None,
    *,
    track: Track = untracked,
) -> dict[str, Any]:
    """Read result files of any mixture of kinds, layouts and formats; write tables to `out`.

    Args:
        paths: files, or folders of which all files of a known format are read; a table of ids and
            texts alone gives the prompts of others.
        out: folder; `outcomes.parquet` and the others appear once all shards are cleaned.
        config: how to read them.
        track: told of every file and shard.
    Returns:
        The report.
    Raises:
        DataError: a file cannot be read or understood, or holds nothing that can be used.
    """
    config = config or IngestConfig()
    found = sort_files(paths, config.source)
    half = out.with_name(f"{out.name}.part")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    try:
        notes, counts, shards = _through_shards(apart(found), half.absolute(), config, track)
        report = {"files": notes, "skipped": found.skipped, **counts.to_dict()}
        report |= _dollars(counts, config.prices or public_prices()) | _warnings(counts)
        report["unlabelled"] = _gather(half, out, shards)["unlabelled"]
    finally:
        shutil.rmtree(half, ignore_errors=True)
    (out / "report.json").write_text(
        json.dumps(report, indent=2, ensure_ascii=False) + "\n", "utf-8"
    )
    return report


def _dollars(counts: Counts, prices: PriceTable) -> dict[str, Any]:
    """Where computed costs come from, and what would price the rest."""
    priced = Priced(prices.source, counts.computed, dict(sorted(counts.priced.items())))
    return {
        "prices": {
            "list": prices.source,
            "rows": counts.computed,
            "models": {
                model: {"name": name, "valid_from": str(prices.price(name).valid_from or "")}
                for model, name in priced.names.items()
            },
            "lines": priced.lines() if counts.computed else [],
        },
        "unpriced": {m: list(near) for m, near in prices.missing(counts.unpriced).items()},
        "without_tokens": counts.uncounted,
    }


def _warnings(counts: Counts) -> dict[str, Any]:
    """What is allowed and yet seldom meant."""
    names: dict[str, set[str]] = {}
    for model, _ in counts.arms:
        names.setdefault(_look(model), set()).add(model)
    twins = sorted(" and ".join(sorted(found)) for found in names.values() if len(found) > 1)
    return {"warnings": [f"model names that look alike: {pair}" for pair in twins]}


def _look(model: str) -> str:
    """A name without what the eye passes over: case, width, kinds of hyphens, foreign letters."""
    return unicodedata.normalize("NFKC", model).casefold().translate(LOOKALIKES)


def _through_shards(
    groups: Sequence[Sorted], folder: Path, config: IngestConfig, track: Track
) -> tuple[list[dict[str, Any]], Counts, int]:
    """Read groups of files and clean their shards: notes on files, counts, number of shards."""
    shards = config.shards or max(_pieces(groups), 1 if config.workers == 1 else len(groups))
    run = partial(run_tasks, engine=config.engine, workers=config.workers)
    readers = [
        ReadFiles(number=i, files=group, config=config, folder=folder, shards=shards)
        for i, group in enumerate(groups)
    ]
    read = list(track(run(readers), "read", len(readers)))
    notes = [note for told in read for note in told.notes]
    _all_used(read, config)
    hints = "; ".join({str(note["hint"]): None for note in notes if "hint" in note})
    if not any(told.sources for told in read):
        alone = "prompts alone: a row of outcomes names a model and a score (--column model=NAME)"
        raise DataError(
            f"no outcomes in {shown(str(note['path']) for note in notes)}; {hints or alone}"
        )
    prices = config.prices or public_prices()
    cleaners = [CleanShard(number=i, prices=prices, folder=folder) for i in range(shards)]
    counts: Counts = reduce(add, track(run(cleaners), "clean", shards))
    if not counts.rows_read:
        raise DataError(f"no row in {shown(str(note['path']) for note in notes)}")
    if not counts.texts:
        remedy = hints or "give a table with prompt_id and prompt as well"
        raise DataError(f"no file holds the text of a prompt; {remedy}{_left_out(counts)}")
    return notes, counts, shards


def _left_out(counts: Counts) -> str:
    """What of the outcomes could not be read, other than for want of a text."""
    found = counts.rejected.get("outcomes", Counter())
    reasons = {f"outcomes.{why}": n for why, n in found.items() if why != "unknown_prompt"}
    return f"; left out: {listed(reasons, counts.examples)}" if reasons else ""


def _all_used(read: Sequence[Told], config: IngestConfig) -> None:
    """Raise ColumnError where a column was named that no table has."""
    there = frozenset[str]().union(*(told.columns for told in read))
    asked = (config.columns or {}).items()
    if not there:  # records, whose fields their formats name
        return
    lost = unused(asked, there, "--column") or unused(
        [("a model", name) for name in config.models], there, "--models"
    )
    if lost is not None:
        raise lost


def _pieces(groups: Sequence[Sorted]) -> int:
    """How many shards hold files of this size; what is packed is larger than it looks."""
    size = 0
    for group in groups:
        for path in [*group.tables, *(path for paths in group.records.values() for path in paths)]:
            size += _unpacked(path)
    return -(-size // SHARD_BYTES)


def _unpacked(path: Path) -> int:
    """About how many bytes a file is as text."""
    if path.suffix.lower() == ".parquet":
        with suppress(pl.exceptions.PolarsError, OSError):  # reading it will say what is wrong
            return int(pl.scan_parquet(path).select(pl.len()).collect().item()) * ROW_BYTES
    packed = path.suffix.lower() in {".gz", ".tgz", ".eval"}
    return path.stat().st_size * (PACKED if packed else 1)


def apart(found: Sorted) -> list[Sorted]:
    """The files in groups that can be read apart, in a fixed order."""
    groups = [Sorted({}, [path], []) for path in found.tables]
    for name, paths in found.records.items():
        pieces = [[path] for path in paths] if FORMATS[name].apart else [paths]
        groups += [Sorted({name: piece}, [], []) for piece in pieces]
    return groups


def _gather(half: Path, out: Path, shards: int) -> dict[str, int]:
    """All shards of a table as one file, streamed, and its rows; empty tables are left out."""
    out.mkdir(parents=True, exist_ok=True)
    rows = {}
    for name in OUTPUTS:
        table = pl.scan_parquet([half / f"{name}-{i:06}.parquet" for i in range(shards)])
        rows[name] = table.select(pl.len()).collect().item()
        if name in ALWAYS_WRITTEN or rows[name]:
            table.sink_parquet(out / f"{name}.parquet")
        else:  # of an earlier run
            (out / f"{name}.parquet").unlink(missing_ok=True)
    return rows
