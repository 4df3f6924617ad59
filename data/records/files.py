"""Read record files row by row, and look at their beginning to tell what they are."""

from __future__ import annotations

import json
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import polars as pl

from .. import texts
from ..delimited import read_rows
from ..errors import FormatError
from ..raw import PARQUET, begins_with, refuse_unread
from ..raw import kind_of as table_kind

Json = Any  # whatever a JSON text can hold
Row = Mapping[str, Json]
TARS = (".tar", ".tar.gz", ".tgz")
ROWS_AT_ONCE = 20_000
UNREADABLE: Row = {"": "unreadable"}  # a line that is no JSON object


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a file: its kind, and the keys or columns of its first row."""

    path: Path
    kind: str  # jsonl, json, csv, parquet, tar, zip or unknown
    keys: frozenset[str]
    first: Row

    def describe(self) -> str:
        """What was found, for a person."""
        shown = ", ".join(sorted(self.keys)[:12]) or "nothing that could be read"
        more = ", …" if len(self.keys) > 12 else ""
        return f"a file of kind {self.kind} whose first row has {shown}{more}"


def kind_of(path: Path) -> str:
    """The kind of a file by the ending of its name."""
    name = path.name.lower()
    if name.endswith(TARS):
        return "tar"
    return "zip" if name.endswith(".eval") else table_kind(path) or "unknown"


def head(path: Path) -> Head:
    """Look at a file's first row.

    Raises:
        FormatError: the file is missing, damaged or a pickle.
    """
    refuse_unread(path)
    kind = kind_of(path)
    if kind not in {"unknown", "parquet"} and begins_with(path, PARQUET):
        return Head(path, "parquet", frozenset(), {})
    if kind in {"unknown", "tar", "zip"}:
        return Head(path, kind, frozenset(), {})
    first = next(rows(path), {})
    return Head(path, kind, frozenset(first) - {""}, first)


def rows(path: Path) -> Iterator[Row]:
    """All rows of a file; a line that is no JSON object gives UNREADABLE.

    A JSON file may hold a list of rows, one object, or, as some exporters write it, lines.

    Raises:
        FormatError: the file cannot be read.
    """
    readers = {"jsonl": _lines, "json": _json, "csv": _csv, "parquet": _parquet}
    kind = kind_of(path)
    if kind not in readers:
        raise FormatError(f"{path} is not read row by row; what is: {', '.join(readers)}")
    try:
        yield from readers[kind](path)
    except (OSError, EOFError, UnicodeDecodeError) as err:
        raise FormatError(f"{path} cannot be read: {err}") from err
    except pl.exceptions.PolarsError as err:
        what = f"cannot be read: it is damaged, or not of kind {kind}"
        raise FormatError(f"{path} {what}", more=str(err)) from err


def document(path: Path) -> Json:
    """A whole JSON file.

    Raises:
        FormatError: it is missing or no JSON.
    """
    try:
        with open_text(path) as file:
            text = file.read()
        return json.loads(text) if text.strip() else None
    except (OSError, EOFError, ValueError, RecursionError) as err:
        raise FormatError(f"{path} cannot be read as JSON: {err}") from err


def open_text(path: Path) -> IO[str]:
    """Open a text file, whatever its encoding, packed or not."""
    return texts.open_text(path)


def tar_documents(path: Path) -> Iterator[tuple[str, Json]]:
    """Name and content of every JSON file in an archive, in its order; nothing is unpacked to disk.

    Raises:
        FormatError: the archive is damaged.
    """
    try:
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                file = archive.extractfile(member) if member.name.endswith(".json") else None
                if file is not None:
                    yield member.name, json.load(file)
    except (OSError, EOFError, tarfile.TarError, ValueError) as err:
        raise FormatError(f"{path} cannot be read: {err}") from err


def zip_documents(path: Path, prefix: str) -> Iterator[tuple[str, Json]]:
    """Name and content of every JSON file below `prefix` in a zip archive, sorted by name.

    Raises:
        FormatError: the archive is damaged, or packed in a way that is not known here.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                if name.startswith(prefix) and name.endswith(".json"):
                    yield name, json.loads(archive.read(name))
    except NotImplementedError as err:
        raise FormatError(f"{path} is packed in an unknown way ({err}); save it as JSON") from err
    except (OSError, zipfile.BadZipFile, ValueError) as err:
        raise FormatError(f"{path} cannot be read: {err}") from err


def _lines(path: Path) -> Iterator[Row]:
    """Objects, one a line or indented, as consoles show them: from `{` alone to `}` alone."""
    held: list[str] = []
    with open_text(path) as file:
        for line in file:
            if held or line.rstrip() == "{":
                held.append(line)
            elif line.strip():
                yield _object(line)
            if held and line.rstrip() == "}":
                yield _object("".join(held))
                held = []
    if held:
        yield UNREADABLE


def _object(line: str) -> Row:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return UNREADABLE
    return found if isinstance(found, dict) else UNREADABLE


def _json(path: Path) -> Iterator[Row]:
    with open_text(path) as file:
        line = file.readline()
        rest = bool(file.read(1).strip() or file.read(64).strip())
    if rest and _object(line) is not UNREADABLE:  # several objects, one a line
        yield from _lines(path)
        return
    try:
        found = document(path)
    except FormatError:
        if line.rstrip() != "{" or not rest:
            raise
        yield from _lines(path)  # one after another, indented
        return
    if found is None:
        return
    for row in found if isinstance(found, list) else [found]:
        yield row if isinstance(row, dict) else UNREADABLE


def csv_rows(path: Path) -> Iterator[list[str] | None]:
    """The cells of CSV, line by line, for tables whose columns share names; null for a bad line.

    Raises:
        FormatError: the file cannot be read.
    """
    try:
        yield from (row if isinstance(row, list) else None for row in read_rows(path))
    except (OSError, EOFError, UnicodeDecodeError) as err:
        raise FormatError(f"{path} cannot be read: {err}") from err


def _csv(path: Path) -> Iterator[Row]:
    found = read_rows(path)
    names = next(found, [])
    for row in found:
        if not isinstance(row, list):
            yield UNREADABLE
        elif isinstance(names, list):
            yield dict(zip(names, row, strict=True))


def _parquet(path: Path) -> Iterator[Row]:
    table = pl.scan_parquet(path)
    for start in range(0, table.select(pl.len()).collect().item(), ROWS_AT_ONCE):
        yield from table.slice(start, ROWS_AT_ONCE).collect().iter_rows(named=True)
