"""Tables as they come, in batches of raw rows: delimited text, JSON, JSON lines and Parquet.

Delimited text stays text. What is nested in a row becomes columns `NAME|FIELD`, one level deep, and
JSON text below that; but a prompt stays whole. Bad lines are named and cost no other.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from .delimited import BOM, BadLine, read_rows, sniff
from .errors import FormatError
from .headers import plain_name
from .texts import encoding, open_text

Json = Any  # whatever a JSON text can hold
T = TypeVar("T")
ROWS_AT_ONCE = 20_000
KINDS = {
    ".parquet": "parquet", ".csv": "csv", ".tsv": "csv", ".tab": "csv", ".psv": "csv",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json",
}  # fmt: skip
PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".joblib")
SHEETS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
PACKINGS = (".gz", ".zst", ".bz2", ".xz", ".zip")  # of which all but the first are refused by name
PLAIN_KINDS = (pl.String, pl.Boolean, pl.Binary, pl.Null)
PARQUET = b"PAR1"
NESTED = frozenset({dict, list})
# objects that hold their rows in a list, under one of these names
WRAPPERS = ("data", "rows", "records", "results", "items", "examples", "outcomes", "samples")


def kind_of(path: Path) -> str | None:
    """`csv`, `jsonl`, `json` or `parquet`, by the ending of the name; null for others."""
    name = path.name.lower()
    name = next((name.removesuffix(end) for end in PACKINGS if name.endswith(end)), name)
    return next((kind for ending, kind in KINDS.items() if name.endswith(ending)), None)


def unknown_kind(path: Path) -> str:
    """What to say of a file that no ending tells."""
    return (
        f"{path} is of an unknown kind; what is read: {', '.join(KINDS)}, also with .gz; name it so"
    )


def begins_with(path: Path, magic: bytes) -> bool:
    """Whether these are a file's first bytes."""
    with path.open("rb") as file:
        return file.read(len(magic)) == magic


def refuse_unread(path: Path) -> None:
    """Refuse what is no file, pickles and spreadsheets.

    Raises:
        FormatError: says what to give instead.
    """
    if not path.is_file():
        raise FormatError(f"{path} is not a file")
    ending = path.suffix.lower()
    if ending in PICKLES:
        raise FormatError(
            f"{path} is a pickle, which can run code when it is read; save it as Parquet "
            "(DataFrame.to_parquet) where you trust it, and give that file"
        )
    if ending in SHEETS:
        raise FormatError(f"{path} is a spreadsheet, which is not read; save the sheet as CSV")


class RawTable:
    """A table's rows in batches, as often as they are asked for."""

    def __init__(self, path: Path, whole: Collection[str] = ()) -> None:
        """Take a file.

        Args:
            path: of a kind in `KINDS`.
            whole: columns, in lower case, whose values are not taken apart.
        Raises:
            FormatError: it is missing or of a kind that is not read.
        """
        refuse_unread(path)
        kind = kind_of(path)
        if kind is None:
            raise FormatError(unknown_kind(path))
        if kind != "parquet" and begins_with(path, PARQUET):
            kind = "parquet"
        self.path = path
        self.kind = kind
        self.delimiter = sniff(path) if kind == "csv" else None
        self.bad: list[BadLine] = []  # of the latest pass
        self.repeated: list[str] = []  # names that several columns have
        self._whole = frozenset(whole)
        self._only: list[pl.DataFrame] | None = None  # of a table that is a single batch

    def batches(self) -> Iterator[pl.DataFrame]:
        """Frames of at most ROWS_AT_ONCE rows; their columns may differ.

        Raises:
            FormatError: the file is damaged.
        """
        if self._only is not None:
            yield from self._only
            return
        self.bad = []
        try:
            found = self._read()
            first = list(islice(found, 3))
            if len(first) < 3:
                self._only = first
            yield from first
            yield from found
        except (OSError, EOFError, UnicodeError) as err:
            raise FormatError(f"{self.path} cannot be read: {err}") from err
        except pl.exceptions.PolarsError as err:
            what = f"cannot be read: it is damaged, or not of kind {self.kind}"
            raise FormatError(f"{self.path} {what}", more=str(err)) from err

    def _read(self) -> Iterator[pl.DataFrame]:
        if self.kind == "parquet":
            for table in pl.scan_parquet(self.path).collect_batches(chunk_size=ROWS_AT_ONCE):
                yield self._plain(table)
            return
        if self.kind == "csv":
            yield from self._delimited()
            return
        for rows in batched(self._good(json_rows(self.path)), ROWS_AT_ONCE):
            yield frame_of([self._flat(row) for row in rows])

    def _good(self, rows: Iterator[T | BadLine]) -> Iterator[T]:
        for row in rows:
            if isinstance(row, BadLine):
                self.bad.append(row)
            else:
                yield row

    def _delimited(self) -> Iterator[pl.DataFrame]:
        rows = self._good(read_rows(self.path))
        header = next(rows, [])
        names = unique_names(header)
        counted = Counter(name.strip() for name in header)
        self.repeated = [name for name, count in counted.items() if name and count > 1]
        yield pl.DataFrame(
            schema=dict.fromkeys(names, pl.String)
        )  # the names, where no row is good
        for some in batched(rows, ROWS_AT_ONCE):
            columns = zip(*some, strict=True)
            table = pl.DataFrame(
                dict(zip(names, map(list, columns), strict=True)),
                schema=dict.fromkeys(names, pl.String),
            )
            yield self._plain(table.with_columns(pl.all().replace("", None)))

    def _plain(self, table: pl.DataFrame) -> pl.DataFrame:
        """Structs and texts that are JSON objects as columns, lists as JSON text."""
        for name, kind in table.schema.items():
            taken_apart = plain_name(name) not in self._whole
            if isinstance(kind, pl.Struct) or (
                taken_apart and kind == pl.String and _begins_object(table[name])
            ):
                rows = [self._flat({name: _parsed(v)}) for v in table[name].to_list()]
                inner = frame_of(rows)
                table = table.drop(name).hstack(inner.get_columns())
            elif kind.is_nested():
                texts = [None if v is None else _json_text(v) for v in table[name].to_list()]
                table = table.with_columns(pl.Series(name, texts, pl.String))
            elif isinstance(kind, pl.Categorical | pl.Enum | pl.Date | pl.Datetime | pl.Time):
                table = table.with_columns(pl.col(name).cast(pl.String))
            elif not (kind.is_numeric() or kind in PLAIN_KINDS):
                texts = [None if v is None else str(v) for v in table[name].to_list()]
                table = table.with_columns(pl.Series(name, texts, pl.String))
        return table

    def _flat(self, row: Mapping[str, Json]) -> Mapping[str, Json]:
        if not any(type(value) in NESTED for value in row.values()):
            return row
        found: dict[str, Json] = {}
        for name, value in row.items():
            if isinstance(value, dict) and plain_name(name) not in self._whole:
                found |= {f"{name.strip()}|{field}": _cell(v) for field, v in value.items()}
            else:
                found[name] = _cell(value)
        return found


def _begins_object(column: pl.Series) -> bool:
    return bool(column.str.starts_with("{").any())


def _parsed(value: Json) -> Json:
    """A text that is a JSON object as that object; everything else as it is."""
    if not isinstance(value, str) or not value.startswith("{"):
        return value
    try:
        found = json.loads(value)
    except ValueError:
        return value
    return found if isinstance(found, dict) else value


def _cell(value: Json) -> Json:
    return _json_text(value) if isinstance(value, dict | list) else value


def _json_text(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def frame_of(rows: Sequence[Mapping[str, Json]]) -> pl.DataFrame:
    """Rows of plain values as a frame; columns of mixed types become texts."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    plain = unique_names(names)
    columns = ([row.get(name) for row in rows] for name in names)
    return pl.DataFrame([_series(n, values) for n, values in zip(plain, columns, strict=True)])


def _series(name: str, values: list[Json]) -> pl.Series:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pl.Series(name, values, pl.Boolean)
    if kinds == {int} and all(abs(v) < 1 << 63 for v in values if v is not None):
        return pl.Series(name, values, pl.Int64)
    if kinds and kinds <= {int, float}:
        return pl.Series(name, values, pl.Float64, strict=False)
    texts = [value if value is None or isinstance(value, str) else _word(value) for value in values]
    return pl.Series(name, [text or None for text in texts], pl.String)


def _word(value: Json) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def batched(rows: Iterator[T], size: int) -> Iterator[list[T]]:
    """Rows in lists of `size`; the last may be shorter."""
    while some := list(islice(rows, size)):
        yield some


def unique_names(header: Sequence[str]) -> list[str]:
    """The names of a header without blanks around them; of equal ones the later get a number."""
    names: list[str] = []
    for name in map(str.strip, header):
        number = 2
        shown = name
        while shown in names:
            shown = f"{name}_{number}"
            number += 1
        names.append(shown)
    return names


def json_rows(path: Path) -> Iterator[dict[str, Json] | BadLine]:
    """The objects of a JSON file: one a line, a list of them, or such a list inside an object.

    Raises:
        FormatError: it is no JSON at all.
    """
    return _json_lines(path) if _is_lines(path) else _elements(path)


def _is_lines(path: Path) -> bool:
    """Whether one of the first lines is an object by itself, and further lines follow."""
    with open_text(path) as file:
        starts = list(islice((line.lstrip(BOM) for line in file if line.strip()), 4))
    if not starts or starts[0].lstrip().startswith("["):
        return False
    return len(starts) > 1 and any(isinstance(_loaded(line), dict) for line in starts[:3])


def _loaded(line: str) -> Json:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _json_lines(path: Path) -> Iterator[dict[str, Json] | BadLine]:
    broken = encoding(path).broken
    with open_text(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            found = _loaded(line.lstrip(BOM))
            if broken and any("\udc80" <= letter <= "\udcff" for letter in line):
                yield BadLine(f"line {number}", "not UTF-8")
            elif isinstance(found, dict):
                yield found
            else:
                yield BadLine(f"line {number}", "no JSON object")


def _elements(path: Path) -> Iterator[dict[str, Json] | BadLine]:
    with open_text(path) as file:
        text = file.read().lstrip(BOM)
    if not text.strip():
        return
    try:
        found = unwrapped(json.loads(text))
    except ValueError as err:
        raise FormatError(f"{path} cannot be read as JSON: {err}") from err
    for number, row in enumerate(found, 1):
        yield row if isinstance(row, dict) else BadLine(f"element {number}", "no JSON object")


def unwrapped(document: Json) -> list[Json]:
    """The rows of a JSON document.

    These are its list, the list that its object wraps, the columns of a table (as lists or, as
    pandas writes them, by index; or `columns` beside `data`), lists below one of names, or the
    single object that it is.
    """
    if isinstance(document, list):
        return _below_header(document)
    if not isinstance(document, dict):
        return [] if document is None else [document]
    names, rows = document.get("columns"), document.get("data")
    if isinstance(names, list) and isinstance(rows, list):
        return [dict(zip(map(str, names), row, strict=False)) for row in rows]
    for name in WRAPPERS:
        inner = document.get(name)
        if isinstance(inner, list) and all(isinstance(row, dict) for row in inner[:3]):
            return inner
        if isinstance(inner, dict) and (below := _from_columns(inner)) is not None:
            return below
    found = _from_columns(document)
    return found if found is not None else [document] if document else []


def _below_header(rows: list[Json]) -> list[Json]:
    """Rows that are lists, below one of names, as objects; else as they are."""
    if len(rows) < 2 or not all(isinstance(row, list) for row in rows):
        return rows
    header = rows[0]
    if not all(isinstance(name, str) for name in header):
        return rows
    return [dict(zip(header, row, strict=False)) for row in rows[1:]]


def _from_columns(table: Mapping[str, Json]) -> list[Json] | None:
    """Rows of columns that are lists, or objects by the same indices; null where they are none."""
    columns = list(table.values())
    if len(columns) < 2:
        return None
    if all(isinstance(c, list) and len(c) == len(columns[0]) for c in columns):
        return [dict(zip(table, row, strict=True)) for row in zip(*columns, strict=True)]
    if all(isinstance(c, dict) and c and c.keys() == columns[0].keys() for c in columns):
        indices = list(columns[0])
        if all(index.isdecimal() for index in indices):
            return [{name: column[i] for name, column in table.items()} for i in indices]
    return None
