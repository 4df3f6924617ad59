"""Open a text file as it comes: packed or not, in UTF-8, UTF-16 or Windows-1252, with its BOM."""

from __future__ import annotations

import codecs
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, cast

from .errors import FormatError

BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16's, which begins alike
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
GZIP = b"\x1f\x8b"
REFUSED = (
    (b"PK\x03\x04", "a zip archive or an Excel sheet; unzip it, or save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel sheet; save it as CSV"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd; unpack it (zstd -d) or pack it by gzip"),
    (b"BZh", "packed by bzip2; unpack it (bunzip2) or pack it by gzip"),
    (b"\xfd7zXZ", "packed by xz; unpack it (unxz) or pack it by gzip"),
    (b"version https://git-lfs", "a pointer of Git LFS; fetch the file itself (git lfs pull)"),
    (b"<!DOCTYPE", "a web page; the table may be behind a login or another link"),
    (b"<!doctype", "a web page; the table may be behind a login or another link"),
    (b"<html", "a web page; the table may be behind a login or another link"),
    (b"SQLite format 3", "an SQLite database; export the table as CSV"),
)
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a file's bytes are text.

    Attributes:
        name: a codec of Python's.
        broken: whether some lines are not of this encoding; their bytes become surrogates.
    """

    name: str
    broken: bool = False


def open_text(path: Path) -> IO[str]:
    """Open a text file for reading; line ends stay as they are.

    Raises:
        FormatError: it is no text of a known encoding; says what it is.
    """
    found = encoding(path)
    errors = "surrogateescape" if found.broken else "strict"
    if _packed(path):
        return cast(
            "IO[str]", gzip.open(path, "rt", encoding=found.name, errors=errors, newline="")
        )
    return path.open(encoding=found.name, errors=errors, newline="")


def encoding(path: Path) -> Encoding:
    """The encoding of a text file, by all of its bytes.

    Raises:
        FormatError: as `open_text`.
    """
    state = path.stat()
    return _encoding(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _encoding(path: Path, size: int, changed: int) -> Encoding:  # noqa: ARG001
    with _open_bytes(path) as file:
        start = file.read(4096)
    for magic, what in REFUSED:
        if start.startswith(magic):
            raise FormatError(f"{path} is {what}")
    for mark, name in BOMS:
        if start.startswith(mark):
            return Encoding(name, broken=name == "utf-8-sig" and not _is_utf8(path))
    if start and b"\0" in start:
        low, high = start[::2].count(0), start[1::2].count(0)
        if max(low, high) * 3 > len(start):  # letters of two bytes, one of them 0
            return Encoding("utf-16-be" if low > high else "utf-16-le")
    return Encoding("utf-8") if _is_utf8(path) else _not_quite_utf8(path)


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    with _open_bytes(path) as file:
        try:
            while chunk := file.read(CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _not_quite_utf8(path: Path) -> Encoding:
    """UTF-8 with broken lines where other lines are good UTF-8 beyond ASCII, else Windows-1252."""
    refused = None
    for number, line in enumerate(_byte_lines(path), 1):
        if line.isascii():
            continue
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            if refused is None and not _is_windows(line):
                refused = number
        else:
            return Encoding("utf-8", broken=True)
    if refused is not None:
        raise FormatError(
            f"{path}, line {refused}: neither UTF-8, UTF-16 nor Windows-1252; save it as UTF-8"
        )
    return Encoding("cp1252")


def _is_windows(line: bytes) -> bool:
    try:
        line.decode("cp1252")
    except UnicodeDecodeError:
        return False
    return True


def _byte_lines(path: Path) -> Iterator[bytes]:
    with _open_bytes(path) as file:
        yield from file


def _packed(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == GZIP


def _open_bytes(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path) if _packed(path) else path.open("rb"))
