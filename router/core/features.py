"""Turn prompt text into a few numeric features: the only definition, offline and live.

Cheap on purpose (tens of microseconds): counts and shares that an embedding blurs, such as
length, digits, mathematics, code and answer options. What is asked counts, not in which script:
`non_ascii_share` alone tells scripts apart.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from ..types import Floats

# of all that is read of a prompt: bump whenever for some text the ask, the encoder's windows or a
# value may change; bundles name the version they need, and embeddings are cached under it
VERSION = 3
SCRIPT = "non_ascii_share"
NAMES = (
    "log_chars",
    "log_words",
    "word_length",
    "digit_share",
    "upper_share",
    "math_share",
    "code_share",
    SCRIPT,
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
_SENTENCE = re.compile(r"[.!?؟।](?:\s|$)|[。！？]")
_QUESTION = re.compile(r"[?？؟]")
_QUOTE = re.compile("[\"'«»“”„「」『』]")
_UPPER = re.compile(r"[A-Z]")
# signs of scripts that write more in one, or no spaces: how many letters of Latin one stands for,
# and how many of it a space would set apart; the same text so has much the same features everywhere
_SIGNS = (
    (re.compile(r"[\u3400-\u9fff\uf900-\ufaff]"), 2.9, 2.9),  # Han
    (re.compile(r"[\u3040-\u30ff]"), 1.9, 1.9),  # kana
    (re.compile(r"[\uac00-\ud7af]"), 2.2, 0.0),  # Hangul
    (re.compile(r"[\u0e00-\u0eff]"), 1.0, 1.0),  # Thai, Lao
)
WORD = 6.0  # letters between two spaces


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
    size, letters, words = _measured(head)
    numbers = _NUMBER.findall(head)
    upper = len(_UPPER.findall(head)) if head.isascii() else sum(map(str.isupper, head))
    return [
        math.log1p(len(text) * size / max(len(head), 1)),
        math.log1p(words),
        min(letters / max(words, 1.0), 30.0),
        sum(map(len, numbers)) / size,
        upper / size,
        _count(head, _MATH) / size,
        _count(head, _CODE) / size,
        (len(head.encode("utf-8", "replace")) - len(head)) / (3 * max(len(head), 1)),
        math.log1p(head.count("\n")),
        math.log1p(len(numbers)),
        min(max(map(len, numbers), default=0), 12),
        min(len(_QUESTION.findall(head)), 5),
        min(len(_OPTION.findall(head)), 10),
        1.0 if _LATEX.search(head) else 0.0,
        1.0 if "```" in head else 0.0,
        len(_QUOTE.findall(head)) / size,
        math.log1p(len(_SENTENCE.findall(head))),
        math.log1p(turns),
    ]


def _measured(head: str) -> tuple[float, float, float]:
    """Characters, letters and words of a text, as many as it would have in Latin script."""
    parts = head.split()
    size, letters, words = float(len(head)), float(sum(map(len, parts))), float(len(parts))
    if not head.isascii():
        for sign, worth, apart in _SIGNS:
            count = len(sign.findall(head))
            size += (worth - 1.0) * count
            letters += (worth - 1.0) * count
            words += apart * count / WORD
    return max(size, 1.0), letters, words


def _count(text: str, symbols: str) -> int:
    return sum(text.count(symbol) for symbol in symbols)
