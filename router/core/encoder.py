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
            max_tokens: later tokens are cut; cost is linear in tokens.
            max_chars: later characters are cut before tokenising, which is not free either.
        Raises:
            BundleError: a file is missing or cannot be read.
        """
        self.max_tokens = max_tokens
        self.max_chars = max_chars
        self._tokenizer = _tokenizer(folder / "tokenizer.json", max_tokens)
        self._session = open_session(folder / model)
        self._inputs = {item.name for item in self._session.get_inputs()}
        self._dimension = dimension

    @property
    def dimension(self) -> int:
        """d, the length of one embedding."""
        return self._dimension

    def tokenize(self, text: str) -> list[int]:
        """Token ids of one text after both cuts."""
        head = text[: self.max_chars]
        # half of a surrogate pair is no text; JSON can carry one all the same
        clean = head.encode("utf-8", "replace").decode("utf-8")
        ids: list[int] = self._tokenizer.encode(clean).ids
        return ids

    def encode(self, texts: Sequence[str]) -> Floats:
        """Embed n texts: (n, d) float32 rows of length 1."""
        rows = np.empty((len(texts), self._dimension), dtype=np.float32)
        for i, text in enumerate(texts):
            rows[i] = self.embed_tokens(self.tokenize(text))
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
        model = path.read_bytes()
    except OSError as err:
        raise BundleError(f"{path.name} cannot be read: {err.strerror or err}") from err
    if EXTERNAL_DATA in model:
        raise BundleError(f"{path.name} refers to external data; a bundle must hold its weights")
    try:
        return single_threaded_session(model)
    except Exception as err:  # onnxruntime raises bare pybind classes
        raise BundleError(f"{path.name} cannot be opened as an ONNX model: {err}") from err


def single_threaded_session(model: bytes) -> InferenceSession:
    """Open a serialised ONNX model with one thread.

    The fastest setting at batch one, and the one whose sums round alike on every machine.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _tokenizer(path: Path, max_tokens: int) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as err:  # tokenizers raises bare Exception
        raise BundleError(f"{path.name} cannot be read as a tokenizer: {err}") from err
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer
