"""Ingest files as the command does, and read back what it wrote."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from data.ingest import OUTPUTS, IngestConfig
from data.ingest import ingest as ingest_files


@dataclass(frozen=True)
class Ingested:
    """The tables that were written; one without rows may be no file, and is empty here."""

    outcomes: pl.DataFrame
    prompts: pl.DataFrame
    pairs: pl.DataFrame
    rejected: pl.DataFrame
    rejected_pairs: pl.DataFrame
    unlabelled: pl.DataFrame
    report: dict[str, Any]


def ingest(paths: Sequence[Path], **options: Any) -> Ingested:  # noqa: ANN401
    """The tables of some files."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "tables"
        report = ingest_files(paths, out, IngestConfig(**options))
        files = {name: out / f"{name}.parquet" for name in OUTPUTS}
        tables = {n: pl.read_parquet(p) if p.exists() else pl.DataFrame() for n, p in files.items()}
        return Ingested(**tables, report=report)
