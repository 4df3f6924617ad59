"""From text to token ids, by `tokenizer.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BundleError
from .unigram import Unigram

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class Tokens:
    """An opened `tokenizer.json`.

    Attributes:
        before: ids of the special tokens before every text.
        after: those after it.
    """

    def __init__(self, tokenizer: Tokenizer, pieces: Unigram | None) -> None:
        """Keep a tokenizer.

        Args:
            tokenizer: that normalises and splits, and looks pieces up where nothing else does.
            pieces: that looks them up instead.
        """
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer, self._pieces = tokenizer, pieces
        self.before, self.after = _frame(tokenizer)

    def ids(self, text: str) -> list[int]:
        """Token ids of a text, without special tokens."""
        # half of a surrogate pair is no text; JSON can carry one all the same
        clean = text.encode("utf-8", "replace").decode("utf-8")
        if self._pieces is None:
            return list(self._tokenizer.encode(clean, add_special_tokens=False).ids)
        plain = self._tokenizer.normalizer.normalize_str(clean)
        words = self._tokenizer.pre_tokenizer.pre_tokenize_str(plain)
        return [found for word, _ in words for found in self._pieces.cut(word)]


def open_tokens(path: Path) -> Tokens:
    """Open a `tokenizer.json`.

    Raises:
        BundleError: it is missing, or no tokenizer.
    """
    from tokenizers import Tokenizer

    try:
        text = path.read_bytes()
        pieces = None
        if b'"Unigram"' in text:
            spec = json.loads(text)
            pieces = _taken(spec)
            text = json.dumps(spec).encode()
        return Tokens(Tokenizer.from_buffer(text), pieces)
    except Exception as err:  # tokenizers raises bare Exception
        raise BundleError(f"{path.name} cannot be read as a tokenizer: {err}") from err


def _taken(spec: dict[str, Any]) -> Unigram | None:
    """Take the vocabulary out of a tokenizer, where `Unigram` cuts text as its model does."""
    model = spec["model"]
    if (
        model.get("type") != "Unigram"
        or model.get("unk_id") is None
        or model.get("byte_fallback")
        or spec.get("added_tokens")
        or not (spec.get("normalizer") and spec.get("pre_tokenizer"))
    ):
        return None
    pieces = Unigram(model["vocab"], model["unk_id"])
    model.update(vocab=model["vocab"][model["unk_id"] :][:1], unk_id=0)
    return pieces


def _frame(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """The special tokens that a tokenizer puts before and after every text."""
    found = tokenizer.encode("a")
    words = [i for i, special in enumerate(found.special_tokens_mask) if not special]
    return found.ids[: words[0]], found.ids[words[-1] + 1 :]
