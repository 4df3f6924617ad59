"""Turn prompt text into a few numeric features: the only definition, offline and live.

Cheap on purpose (tens of microseconds): counts and shares that an embedding blurs, such as
length, digits, mathematics, code, language and answer options.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from ..types import Floats

# of all that is read of a prompt: bump whenever for some text the ask, the encoder's windows or a
# value may change; bundles name the version they need, and embeddings are cached under it
VERSION = 2
NAMES = (
    "log_chars",
    "log_words",
    "word_length",
    "digit_share",
    "upper_share",
    "math_share",
    "code_share",
    "non_ascii_share",
    "log_lines",
    "log_numbers",
    "longest_number",
    "questions",
    "options",
    "latex",
    "fence",
    "quotes_share",
    "log_sentences",
    "log_turns",
)
HEAD_CHARS = 4000  # shares are taken over the head: the tail of a long paste changes little

_MATH = "+*/=^<>%$"
_CODE = "{}[]();_`#&|"
_NUMBER = re.compile(r"\d+")
_OPTION = re.compile(r"(?:^|\n)\s*\(?[A-J][.)]\s")
_LATEX = re.compile(r"\\[a-zA-Z]{2,}|\$[^$\n]+\$")
_SENTENCE = re.compile(r"[.!?](?:\s|$)")


def extract(texts: Sequence[str], turns: Sequence[int] | None = None) -> Floats:
    """Compute the features of each text.

    Args:
        texts: n prompts.
        turns: n user-turn counts, 1 each when left out.
    Returns:
        (n, f) float32 in the order of `NAMES`; logs are log(1 + x), shares are 0 to 1.
    """
    counts = turns if turns is not None else [1] * len(texts)
    rows = [_row(text, turn) for text, turn in zip(texts, counts, strict=True)]
    return np.asarray(rows, dtype=np.float32).reshape(len(texts), len(NAMES))


def _row(text: str, turns: int) -> list[float]:
    head = text[:HEAD_CHARS]
    size = max(len(head), 1)
    words = head.split()
    numbers = _NUMBER.findall(head)
    letters = sum(map(len, words))
    return [
        math.log1p(len(text)),
        math.log1p(len(words)),
        min(letters / max(len(words), 1), 30.0),
        sum(map(len, numbers)) / size,
        _uppers(head) / size,
        _count(head, _MATH) / size,
        _count(head, _CODE) / size,
        (len(head.encode("utf-8", "replace")) - len(head)) / (3 * size),
        math.log1p(head.count("\n")),
        math.log1p(len(numbers)),
        min(max(map(len, numbers), default=0), 12),
        min(head.count("?"), 5),
        min(len(_OPTION.findall(head)), 10),
        1.0 if _LATEX.search(head) else 0.0,
        1.0 if "```" in head else 0.0,
        (head.count('"') + head.count("'")) / size,
        math.log1p(len(_SENTENCE.findall(head))),
        math.log1p(turns),
    ]


def _count(text: str, symbols: str) -> int:
    return sum(text.count(symbol) for symbol in symbols)


def _uppers(text: str) -> int:
    return len(_UPPER.findall(text))


_UPPER = re.compile(r"[A-Z]")
