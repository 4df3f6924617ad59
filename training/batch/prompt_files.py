"""What every step over whole tables of prompts needs: files, a router per process, a new folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import polars as pl

from router import Router
from router.atomic import replaced_folder

from ..bundle.oof_predictions import OofPredictions, read_oof_predictions
from ..errors import TrainingError

PROMPT: tuple[str, ...] = ("prompt_id", "prompt")
WORTH_A_PROCESS = 8  # pieces of a few hundred prompts; fewer take less time than a process to start


def parquet_files(path: Path, columns: Sequence[str]) -> list[tuple[Path, int]]:
    """The Parquet files of a folder, or the one file, with their numbers of rows.

    Raises:
        TrainingError: there is none, or one cannot be read or lacks a column.
    """
    found = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    if not found:
        raise TrainingError(f"{path} holds no Parquet file")
    return [(file.absolute(), _rows(file, columns)) for file in found]


def _rows(file: Path, columns: Sequence[str]) -> int:
    try:
        table = pl.scan_parquet(file)
        names = table.collect_schema().names()
        rows: int = table.select(pl.len()).collect().item()
    except FileNotFoundError:
        raise TrainingError(f"{file} is not a file") from None
    except (OSError, pl.exceptions.PolarsError) as err:
        raise TrainingError(
            f"{file} cannot be read as Parquet; tierwise data ingest FILE --out tables makes "
            "Parquet of other files",
            more=str(err),
        ) from err
    missing = [name for name in columns if name not in names]
    if missing:
        raise TrainingError(f"{file} lacks {', '.join(missing)}; it has {', '.join(names)}")
    return rows


@lru_cache(maxsize=8)
def loaded(bundle: Path) -> Router:
    """A bundle's router, loaded once in every process."""
    return Router.load(bundle)


@lru_cache(maxsize=8)
def training_prompts(bundle: Path) -> OofPredictions | None:
    """What a bundle remembers of its training prompts, read once in every process."""
    return read_oof_predictions(loaded(bundle).bundle.path)


def check_bundles(bundles: Sequence[Path]) -> None:
    """Load bundles anew, before anything is written.

    Raises:
        RouterError: one of them is not whole.
    """
    loaded.cache_clear()  # a path may name another bundle than it did
    training_prompts.cache_clear()
    for bundle in bundles:
        loaded(bundle.absolute())


def enough_workers(pieces: int) -> int:
    """Processes for so many pieces, at most one per core."""
    return min(os.cpu_count() or 1, -(-pieces // WORTH_A_PROCESS))


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to write to, which gets the name `out` once the block is done, and else goes.

    Raises:
        TrainingError: `out` is there already.
    """
    if out.exists():
        raise TrainingError(f"{out} is there already; remove it, or give another folder")
    with replaced_folder(out.absolute()) as half:
        yield half
