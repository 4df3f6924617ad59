"""Ingest more files than one process should: read apart, dealt out by prompt, cleaned apart.

What becomes of a row depends on the rows of its own prompt alone, so rows are dealt out to shards
by a hash of the prompt's id, and every shard is cleaned by the same function as a small table. The
rows are those of `ingest`, in another order. No step holds more than one file, or one shard.
"""

from __future__ import annotations

import json
import shutil
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from .engines import run_tasks
from .errors import DataError
from .ingest import NO_TEXTS, Parsed, check_parsed, clean, parse
from .prices import PriceTable
from .records.base import Options
from .records.reading import load_labels
from .records.registry import FORMATS, TABLES, Sorted, sort_files

KINDS = ("rows", "fights", "listed")  # what is dealt out
OUTPUTS = ("outcomes", "prompts", "pairs", "rejected", "rejected_pairs", "unlabelled")
NEEDED = ("outcomes", "prompts", "rejected")  # written even where they are empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """Read some files and deal their rows out: one Parquet file per shard and kind."""

    number: int
    files: Sorted
    layout: str
    columns: Mapping[str, str] | None
    options: Options | None
    labels: Path | None
    folder: Path
    shards: int

    def __call__(self) -> Parsed:
        """What was read, without its rows."""
        scores = None if self.labels is None else load_labels(self.labels)
        read = parse(
            self.files, self.layout, columns=self.columns, options=self.options, labels=scores
        )
        for kind in KINDS:
            table: pl.DataFrame = getattr(read, kind)
            shard = shard_of(table["prompt_id"], self.shards)
            for i in shard.unique().to_list():
                path = self.folder / f"{kind}-{i:05}-{self.number:06}.parquet"
                table.filter(shard == i).write_parquet(path)
        empty = {kind: getattr(read, kind).clear() for kind in KINDS}
        return Parsed(**empty, notes=read.notes, sources=read.sources)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clean:
    """Clean one shard and write its tables."""

    number: int
    prices: PriceTable | None
    folder: Path
    empty: Parsed

    def __call__(self) -> tuple[dict[str, Any], list[tuple[str, str]], int]:
        """Its report, its arms, and how many prompts have a text."""
        found = clean(self._read(), self.prices, {})
        for name in OUTPUTS:
            table: pl.DataFrame = getattr(found, name)
            table.write_parquet(self.folder / f"{name}-{self.number:05}.parquet")
        arms = found.outcomes.select("model", "tier").unique().sort("model", "tier").rows()
        return found.report, arms, found.texts

    def _read(self) -> Parsed:
        tables = {}
        for kind in KINDS:
            paths = sorted(self.folder.glob(f"{kind}-{self.number:05}-*.parquet"))
            blank: pl.DataFrame = getattr(self.empty, kind)
            tables[kind] = pl.concat([blank, *(pl.read_parquet(path) for path in paths)])
        return Parsed(**tables, notes=[], sources=self.empty.sources)


def shard_of(prompt_ids: pl.Series, shards: int) -> pl.Series:
    """The shard of every prompt id, the same on every machine; 0 where there is no id."""
    ids = prompt_ids.to_frame("id").unique()
    numbers = [zlib.crc32((name or "").encode("utf-8")) % shards for name in ids["id"]]
    table = ids.with_columns(shard=pl.Series(numbers, dtype=pl.UInt32))
    joined = prompt_ids.to_frame("id").join(
        table, on="id", how="left", maintain_order="left", nulls_equal=True
    )
    return joined["shard"]


def ingest_sharded(
    paths: Sequence[Path],
    out: Path,
    *,
    engine: str,
    workers: int,
    shards: int | None = None,
    prices: PriceTable | None = None,
    source: str = "auto",
    columns: Mapping[str, str] | None = None,
    options: Options | None = None,
    labels: Path | None = None,
) -> dict[str, Any]:
    """Read result files by tasks of an engine, and write the tables of `ingest` to `out`.

    Args:
        paths: files or folders, as `ingest` takes them.
        out: folder; `outcomes.parquet` and the others appear once all shards are cleaned.
        engine: of `engines.ENGINES`.
        workers: processes.
        shards: pieces that are cleaned apart; null is one per file that is read apart, and a
            single one, in the files' order, for a single worker.
        prices: fills costs that the files leave out.
        source: `auto`, or what all files are.
        columns: our column name -> the files' name.
        options: what records leave open.
        labels: a table of record ids and scores.
    Returns:
        The report.
    Raises:
        DataError: a file cannot be read or understood, or holds nothing that can be used.
    """
    found = sort_files(paths, source)
    groups = apart(found)
    count = shards or (1 if workers == 1 else len(groups))
    half = out.with_name(f"{out.name}.part")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    folder = half.absolute()
    try:
        read = run_tasks(
            [
                Deal(number=i, files=group, layout=TABLES.get(source, source), columns=columns,
                     options=options, labels=labels, folder=folder, shards=count)
                for i, group in enumerate(groups)
            ],
            engine, workers,
        )  # fmt: skip
        check_parsed(read)
        cleaned = run_tasks(
            [Clean(number=i, prices=prices, folder=folder, empty=read[0]) for i in range(count)],
            engine, workers,
        )  # fmt: skip
        if not any(texts for _, _, texts in cleaned):
            raise DataError(NO_TEXTS)
        notes = {"files": [note for part in read for note in part.notes], "skipped": found.skipped}
        report = notes | _summed([report for report, _, _ in cleaned])
        report["arms"] = len({arm for _, arms, _ in cleaned for arm in arms})
        report["unlabelled"] = _gather(half, out, count)["unlabelled"]
    finally:
        shutil.rmtree(half, ignore_errors=True)
    (out / "report.json").write_text(
        json.dumps(report, indent=2, ensure_ascii=False) + "\n", "utf-8"
    )
    return report


def apart(found: Sorted) -> list[Sorted]:
    """The files in groups that can be read apart, in a fixed order."""
    groups = [Sorted({}, [path], []) for path in found.tables]
    for name, paths in found.records.items():
        pieces = [[path] for path in paths] if FORMATS[name].apart else [paths]
        groups += [Sorted({name: piece}, [], []) for piece in pieces]
    return groups


def _summed(reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    kept: Counter[str] = Counter()
    rejected: dict[str, Counter[str]] = {}
    for report in reports:
        kept.update(report["kept"])
        for table, reasons in report["rejected"].items():
            rejected.setdefault(table, Counter()).update(reasons)
    return {
        "rows_read": sum(report["rows_read"] for report in reports),
        "kept": dict(kept),
        "rejected": {table: dict(sorted(found.items())) for table, found in rejected.items()},
        "tokens_estimated": sum(report["tokens_estimated"] for report in reports),
    }


def _gather(half: Path, out: Path, shards: int) -> dict[str, int]:
    """All shards of a table as one file, streamed, and its rows; empty tables are left out."""
    out.mkdir(parents=True, exist_ok=True)
    rows = {}
    for name in OUTPUTS:
        table = pl.scan_parquet([half / f"{name}-{i:05}.parquet" for i in range(shards)])
        rows[name] = table.select(pl.len()).collect().item()
        if name in NEEDED or rows[name]:
            table.sink_parquet(out / f"{name}.parquet")
        else:  # of an earlier run
            (out / f"{name}.parquet").unlink(missing_ok=True)
    return rows
