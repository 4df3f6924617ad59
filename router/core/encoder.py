"""Embed text with tokenizers and onnxruntime alone: no torch, no network.

Every text is run on its own. Padding costs more than batching gains on a CPU, and a
dynamically quantised model scales activations over the whole batch, so only a batch of one
makes an embedding independent of its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..errors import BundleError
from ..types import Floats

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

EXTERNAL_DATA = b"\x0a\x08location"  # the protobuf bytes of an external tensor's first key


class Encoder(Protocol):
    """Anything that maps texts to unit vectors."""

    @property
    def dimension(self) -> int:
        """d, the length of one embedding."""
        ...

    def encode(self, texts: Sequence[str]) -> Floats:
        """Embed n texts: (n, d) float32 rows of length 1."""
        ...


class OnnxEncoder:
    """A sentence encoder with pooling and normalisation inside its graph."""

    def __init__(
        self,
        folder: Path,
        *,
        dimension: int,
        model: str = "model.onnx",
        max_tokens: int = 256,
        max_chars: int = 4000,
    ) -> None:
        """Open `model.onnx` and `tokenizer.json`.

        Args:
            folder: holds model.onnx and tokenizer.json.
            dimension: d, as the manifest says.
            model: file name of the graph.
            max_tokens: of one window; cost is linear in tokens.
            max_chars: that are tokenised for one window, for that is not free either.
        Raises:
            BundleError: a file is missing or cannot be read.
        """
        self.max_tokens = max_tokens
        self.max_chars = max_chars
        self._tokenizer = _tokenizer(folder / "tokenizer.json")
        self._before, self._after = _frame(self._tokenizer)
        self._room = max_tokens - len(self._before) - len(self._after)
        self._session = open_session(folder / model)
        self._inputs = {item.name for item in self._session.get_inputs()}
        self._dimension = dimension

    @property
    def dimension(self) -> int:
        """d, the length of one embedding."""
        return self._dimension

    def tokenize(self, text: str) -> list[int]:
        """Token ids of the first window of a text: all of a short one."""
        return self.windows(text)[0]

    def windows(self, text: str) -> list[list[int]]:
        """Token ids of what is read of a text: all of it, or its head and its tail.

        A long text says what it wants at either end, and what it is about at both.
        """
        head = self._ids(text[: self.max_chars])
        tail = self._ids(text[-self.max_chars :]) if len(text) > self.max_chars else head
        if len(text) <= self.max_chars and len(head) <= self._room:
            return [self._framed(head)]
        return [self._framed(head[: self._room]), self._framed(tail[-self._room :])]

    def _ids(self, text: str) -> list[int]:
        # half of a surrogate pair is no text; JSON can carry one all the same
        clean = text.encode("utf-8", "replace").decode("utf-8")
        ids: list[int] = self._tokenizer.encode(clean, add_special_tokens=False).ids
        return ids

    def _framed(self, ids: list[int]) -> list[int]:
        return [*self._before, *ids, *self._after]

    def encode(self, texts: Sequence[str]) -> Floats:
        """Embed n texts: (n, d) float32 rows of length 1, the mean of the windows of each."""
        rows = np.empty((len(texts), self._dimension), dtype=np.float32)
        for i, text in enumerate(texts):
            parts = [self.embed_tokens(ids) for ids in self.windows(text)]
            rows[i] = parts[0] if len(parts) == 1 else _mean_direction(parts)
        return rows

    def embed_tokens(self, ids: Sequence[int]) -> Floats:
        """Embed one tokenised text: (d,) float32."""
        tokens = np.asarray([ids], dtype=np.int64)
        feed = {"input_ids": tokens, "attention_mask": np.ones_like(tokens)}
        if "token_type_ids" in self._inputs:
            feed["token_type_ids"] = np.zeros_like(tokens)
        (out,) = self._session.run(None, feed)
        row: Floats = out[0]
        return row


def open_session(path: Path) -> InferenceSession:
    """Open the ONNX model in a file.

    Raises:
        BundleError: the file is missing, is no model that onnxruntime can run, or keeps its
            weights in other files, which no hash would cover.
    """
    try:
        outside = _names_other_files(path)
    except OSError as err:
        raise BundleError(f"{path.name} cannot be read: {err.strerror or err}") from err
    if outside:
        raise BundleError(f"{path.name} refers to external data; a bundle must hold its weights")
    try:
        return single_threaded_session(path)
    except Exception as err:  # onnxruntime raises bare pybind classes
        raise BundleError(f"{path.name} cannot be opened as an ONNX model: {err}") from err


def single_threaded_session(model: Path | bytes) -> InferenceSession:
    """Open a serialised ONNX model with one thread.

    The fastest setting at batch one, and the one whose sums round alike on every machine.

    Args:
        model: its file, or its bytes, which the session keeps beside the weights that it makes
            of them.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _names_other_files(path: Path) -> bool:
    """Whether a model keeps weights in other files."""
    kept = b""
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            if EXTERNAL_DATA in kept + block:
                return True
            kept = block[-len(EXTERNAL_DATA) :]  # what is looked for may lie on the border
    return False


def _tokenizer(path: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as err:  # tokenizers raises bare Exception
        raise BundleError(f"{path.name} cannot be read as a tokenizer: {err}") from err
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _frame(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """The special tokens that a tokenizer puts before and after every text."""
    found = tokenizer.encode("a")
    words = [i for i, special in enumerate(found.special_tokens_mask) if not special]
    return found.ids[: words[0]], found.ids[words[-1] + 1 :]


def _mean_direction(parts: Sequence[Floats]) -> Floats:
    total: Floats = np.stack(parts).sum(axis=0, dtype=np.float32)
    mean: Floats = total / max(float(np.linalg.norm(total)), 1e-12)
    return mean
