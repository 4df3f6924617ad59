"""How many tokens a text is, in eight tokenizers at once, without any of them.

A tokenizer cuts a text into pieces; the count is the sum over positions of the chance that a piece
starts there. Five hashed tables hold that chance by what stands around the position, from coarse to
fine, and a dictionary of hashed words corrects them where a word was seen often. Each entry is a
row of eight bytes, one a tokenizer, so that one look-up serves all of them. The tables were fitted
to real tokenizers by ridge regression (`tests/bench/tokens.py`, which measures the error too).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from router.request.families import MEASURED
from router.types import Bools, Doubles, Ints

Units = NDArray[np.uint16]  # UTF-16 code units
Keys = NDArray[np.uint64]

STEP = 1 / 40  # tokens that one unit of a table's entry is worth
PAD = 6  # zeros on either side of a text: no context reaches across
LONGEST_WORD = 24  # letters; longer runs are data, not words
_GAP = "\0" * PAD
CHUNK = 1 << 15  # characters at a time: 64 k units at most, which the caches hold
LETTERS = range(32, 64)  # classes of letters and of the marks on them
CAPITALS = range(32, 37)  # those of LETTERS that start a word inside a run of letters

# Odd multipliers spread keys over the upper bits (Knuth, TAOCP 6.4); the words' is invertible.
_BY_CLASS, _BY_PAIR, _BY_THREE, _LEFT, _RIGHT, _WORD, _BEFORE, _POWER = map(
    np.uint64,
    (
        0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93,
        0xA0761D6478BD642F, 0xE7037ED1A0B428DB, 0x2545F4914F6CDD1D, 0x5851F42D4C957F2D,
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tables:
    """What was fitted; every table is (2^b, 8) signed bytes in units of STEP.

    Attributes:
        classes: (65536,) class of each UTF-16 unit, 0 to 63; 0 is padding.
        contexts: by the classes of two units, by those of eight, by two units, by three, by six.
        words: by a word and the unit before it.
        marks: eight more bits of the word's key: another word with the same row has other ones.
    """

    classes: NDArray[np.uint8]
    contexts: tuple[NDArray[np.int8], ...]
    words: NDArray[np.int8]
    marks: NDArray[np.uint8]


@cache
def tables() -> Tables:
    """Those that ship with the package, read once."""
    with np.load(Path(__file__).with_name("estimate.npz")) as file:
        contexts = tuple(file[f"context{i}"] for i in range(5))
        return Tables(file["classes"], contexts, file["words"], file["marks"])


def estimate(text: str) -> Doubles:
    """(8,) tokens of one text in each of MEASURED; 0 for no text, else at least 1."""
    return estimate_all([text])


def estimate_all(texts: Sequence[str]) -> Doubles:
    """(8,) tokens of all these texts together, each of them begun anew."""
    given = [text for text in texts if text]
    # NUL is the padding; in a text it stands for itself as another control character would
    joined = _GAP.join(text.replace("\0", "\1") for text in given)
    total = np.zeros(len(MEASURED))
    for start in range(0, len(joined), CHUNK):
        part = units(joined[start : start + CHUNK])
        total += np.maximum(_sum(part, tables()), len(part) / 128)  # the longest tokens: 128 spaces
    return np.maximum(total, len(given))


def units(text: str) -> Units:
    """A text's UTF-16 units between two paddings; any string will do, lone surrogates too."""
    padding = bytes(2 * PAD)
    return np.frombuffer(padding + text.encode("utf-16-le", "surrogatepass") + padding, np.uint16)


def context_rows(part: Units, classes: NDArray[np.uint8], sizes: tuple[int, ...]) -> list[Ints]:
    """For each table of `sizes` rows, the (n,) rows of the n units between the paddings."""
    folded = np.where(part - np.uint16(48) < 10, np.uint16(48), part)  # digits are all alike
    kinds = classes[part]
    n = len(part) - 2 * PAD
    pairs = kinds.astype(np.uint16)
    four = _windows(folded, 4)
    eight = _windows(kinds, 8)

    def at(array: Keys, offset: int) -> Keys:
        return array[PAD + offset : PAD + offset + n]

    shift = np.uint64(16)
    keys = (
        at(eight, -4) * _BY_CLASS,
        at(four, -1) << shift + shift,  # this unit and the one before
        at(four, -2) << shift,  # and the one before that
        at(four, -3) * _LEFT + at(four, -1) * _RIGHT,  # three before, this one and two after
    )
    spread = (keys[0], keys[1] * _BY_PAIR, keys[2] * _BY_THREE, keys[3])
    first = (pairs[PAD - 1 : PAD - 1 + n] << np.uint16(6)) + pairs[PAD : PAD + n]
    return [first.astype(np.int64), *map(_rows, spread, sizes[1:])]


def word_keys(part: Units, classes: NDArray[np.uint8]) -> tuple[Ints, Ints, Keys]:
    """First and last unit of every word, and its key: of the word and of the unit before it."""
    kinds = classes[part]
    letter, capital = kinds >= LETTERS.start, _capital(kinds)
    inner = letter[:-1] & (~capital[1:] | capital[:-1])  # the unit after goes on with the word
    starts = np.flatnonzero(letter[1:] & ~inner) + 1
    ends = np.flatnonzero(letter[:-1] & ~(inner & letter[1:]))
    short = ends - starts < LONGEST_WORD
    starts, ends = starts[short], ends[short]
    # A polynomial over the word's units, by prefix sums: modulo 2^64 an odd power has an inverse.
    powers, inverses = _powers(len(part))
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(part * powers)])
    before = part[starts - 1].astype(np.uint64)
    before[letter[starts - 1]] = 1
    keys = (sums[ends + 1] - sums[starts]) * inverses[starts] + before * _BEFORE
    return starts, ends, keys * _WORD


def places(keys: Keys, size: int) -> tuple[Ints, NDArray[np.uint8]]:
    """Rows of words in a table of `size` rows, and their marks."""
    return _rows(keys, size), (keys >> np.uint64(24)).astype(np.uint8)


def _capital(kinds: NDArray[np.uint8]) -> Bools:
    return (kinds >= CAPITALS.start) & (kinds < CAPITALS.stop)


def _windows(array: NDArray[np.uint16] | NDArray[np.uint8], width: int) -> Keys:
    """(n - width + 1,) overlapping stretches of `width` items, each read as one 64-bit number."""
    shape = (len(array) - width + 1,)
    return np.ndarray(shape, "<u8", np.ascontiguousarray(array).data, 0, array.strides)


def _rows(keys: Keys, size: int) -> Ints:
    """The keys' upper bits, as places in a table of `size`, a power of two, rows."""
    return (keys >> np.uint64(65 - size.bit_length())).astype(np.int64)


@cache
def _all_powers() -> tuple[Keys, Keys]:
    n = 2 * CHUNK + 2 * PAD
    both = []
    for base in (int(_POWER), pow(int(_POWER), -1, 1 << 64)):
        column = np.full(n, base, np.uint64)
        column[0] = 1
        both.append(np.cumprod(column, dtype=np.uint64))
    return both[0], both[1]


def _powers(n: int) -> tuple[Keys, Keys]:
    powers, inverses = _all_powers()
    return powers[:n], inverses[:n]


def _sum(part: Units, fitted: Tables) -> Doubles:
    """(8,) the entries of every unit and of every word, in tokens."""
    sizes = tuple(len(table) for table in fitted.contexts)
    rows = context_rows(part, fitted.classes, sizes)
    inside = part[PAD:-PAD] != 0
    if not inside.all():  # nothing starts in the gaps between texts
        rows = [row[inside] for row in rows]
    taken = [_take(table, row) for table, row in zip(fitted.contexts, rows, strict=True)]
    words, marks = places(word_keys(part, fitted.classes)[2], len(fitted.words))
    taken.append(_take(fitted.words, words[fitted.marks[words] == marks]))
    entries = np.concatenate(taken).view(np.int8).reshape(-1, len(MEASURED))
    # a product of matrices adds up eight columns faster than `sum(0)` does
    ones = np.ones(len(entries), np.float32)
    return (ones @ entries.astype(np.float32)).astype(np.float64) * STEP


def _take(table: NDArray[np.int8], rows: Ints) -> Ints:
    """Rows of eight bytes, each moved as one number."""
    return table.view(np.int64)[:, 0][rows]
