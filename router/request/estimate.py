"""How many tokens a text is, in eight tokenizers at once, without any of them.

A dictionary of hashed words says what a frequent word costs, with the space or mark before it. For
the rest, a tokenizer cuts a text into pieces, and the count is the sum over positions of the chance
that a piece starts there: five hashed tables hold it by what stands around the position, from
coarse to fine. Each entry is a row of eight bytes, one a tokenizer, so that one look-up serves all
of them. Both were fitted to real tokenizers (`tests/bench/tokens.py`, which measures the error).
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

STEP = 1 / 40  # tokens that one unit of an entry is worth, by context
WORD_STEP = 1 / 16  # and in the dictionary, where whole numbers are exact
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
    """What was fitted; every table is (2^b, 8) bytes.

    Attributes:
        classes: (65536,) class of each UTF-16 unit, 0 to 63; 0 is padding.
        contexts: chances in units of STEP, by the classes of two units, by those of eight, by
            two units, by three, by six.
        words: tokens in units of WORD_STEP, by a word and the unit before it.
        marks: more bits of the word's key, since others have the same row; 0 where it is empty.
    """

    classes: NDArray[np.uint8]
    contexts: tuple[NDArray[np.int8], ...]
    words: NDArray[np.uint8]
    marks: NDArray[np.uint8]


@cache
def tables() -> Tables:
    """Those that ship with the package, read once."""
    # Freed once, a large block teaches glibc to keep as much for itself: without it each count
    # would hand its memory back and fault the pages in anew, which takes thrice as long.
    np.empty(1 << 23, np.uint8)
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


def context_rows(
    part: Units, classes: NDArray[np.uint8], sizes: tuple[int, ...], at: Ints
) -> list[Ints]:
    """For each table of `sizes` rows, the (m,) rows of the m places `at`, none in the paddings."""
    folded = np.where(part - np.uint16(48) < 10, np.uint16(48), part)  # digits are all alike
    kinds = classes[part]
    four, eight = _windows(folded, 4), _windows(kinds, 8)
    before, shift = four[at - 1], np.uint64(16)
    keys = (
        eight[at - 4] * _BY_CLASS,
        (before << shift + shift) * _BY_PAIR,  # this unit and the one before
        (four[at - 2] << shift) * _BY_THREE,  # and the one before that
        four[at - 3] * _LEFT + before * _RIGHT,  # three before, this one and two after
    )
    pairs = (kinds[at - 1].astype(np.int64) << 6) + kinds[at]
    return [pairs, *map(_rows, keys, sizes[1:])]


def word_keys(part: Units, classes: NDArray[np.uint8]) -> tuple[Ints, Ints, Keys]:
    """First and last unit of every word, and its key.

    A space or a mark before a word belongs to it, as most tokenizers have it.
    """
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
    joined = (before >= 32) & ~letter[starts - 1] & ~((before >= 48) & (before < 58))
    before[letter[starts - 1]] = 1
    keys = (sums[ends + 1] - sums[starts]) * inverses[starts] + before * _BEFORE
    return starts - joined, ends, keys * _WORD


def places(keys: Keys, size: int) -> tuple[Ints, NDArray[np.uint8]]:
    """Rows of words in a table of `size` rows, and their marks."""
    return _rows(keys, size), (keys >> np.uint64(24)).astype(np.uint8) | np.uint8(1)


def _capital(kinds: NDArray[np.uint8]) -> Bools:
    return (kinds >= CAPITALS.start) & (kinds < CAPITALS.stop)


def _windows(array: NDArray[np.uint16] | NDArray[np.uint8], width: int) -> Keys:
    """(n - width + 1,) overlapping stretches of `width` items, each read as one 64-bit number."""
    shape = (len(array) - width + 1,)
    return np.ndarray(
        shape, "<u8", array.data, 0, array.strides
    ).copy()  # aligned: quicker to index


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
    """(8,) tokens of one part: its known words, and the chances of all other places."""
    firsts, lasts, keys = word_keys(part, fitted.classes)
    rows, marks = places(keys, len(fitted.words))
    known = fitted.marks[rows] == marks
    words = _total(_take(fitted.words, rows[known]).view(np.uint8)) * WORD_STEP
    steps = (part == 0).astype(np.int8)  # nothing starts in the paddings
    steps[1:] -= steps[:-1].copy()
    steps[firsts[known]] += 1
    steps[lasts[known] + 1] -= 1
    rest = np.flatnonzero(np.cumsum(steps, dtype=np.int8) == 0)
    sizes = tuple(len(table) for table in fitted.contexts)
    found = context_rows(part, fitted.classes, sizes, rest)
    taken = [_take(table, row) for table, row in zip(fitted.contexts, found, strict=True)]
    return words + _total(np.concatenate(taken).view(np.int8)) * STEP


def _total(entries: NDArray[np.int8] | NDArray[np.uint8]) -> Doubles:
    """(8,) sums of rows; a product of matrices adds up eight columns faster than `sum` does."""
    rows = entries.reshape(-1, len(MEASURED)).astype(np.float32)
    return (np.ones(len(rows), np.float32) @ rows).astype(np.float64)


def _take(table: NDArray[np.int8] | NDArray[np.uint8], rows: Ints) -> Ints:
    """Rows of eight bytes, each moved as one number."""
    return table.view(np.int64)[:, 0][rows]
