"""What a bundle keeps of its training rows: out-of-fold predictions, and no text.

A threshold's map is a sweep over honest predictions. Kept in the bundle, they let arms be added,
removed and repriced without the training table, and tell which prompts the bundle was trained on.
The file is an ONNX graph of constants: like all of a bundle, nothing that could run. Values are
kept as training had them, in 32 bits: sums over rounded ones would make another map.
Arrays are (n prompts, a arms); arm order is the manifest's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from data.split import normalise
from router.core.map_rows import LOG_TOKENS, MapRows
from router.types import Bools, Doubles, Floats, Ints

from ..errors import TrainingError
from ..methods.onnx_graph import model_of

OOF_PREDICTIONS = "oof_predictions.onnx"
OLD_NAME = "validation.onnx"  # of older bundles, in 16 bits
KEY_BITS = 32  # enough to recognise a prompt, too few to prove that one was there

Keys = NDArray[np.uint32]


@dataclass(frozen=True, slots=True, kw_only=True)
class OofPredictions(MapRows):
    """Predictions of training prompts by models that did not see them, with their outcomes.

    Attributes:
        keys: (n,) fingerprints of the prompts, `fingerprints`.
        seen: (m,) those of every training prompt, m >= n, rising.
    """

    keys: Keys
    seen: Keys

    def trained_on(self, texts: Sequence[str]) -> Bools:
        """(k,) which of the texts were training prompts; one in a few hundred thousand errs."""
        return np.isin(fingerprints(texts), self.seen)

    def places(self, texts: Sequence[str]) -> Ints:
        """(k,) number of the row of each text, -1 where there is none."""
        keys = fingerprints(texts)
        order = np.argsort(self.keys, kind="stable")
        at = np.minimum(np.searchsorted(self.keys[order], keys), len(order) - 1)
        return np.where(self.keys[order][at] == keys, order[at], -1)

    def beside(self, other: OofPredictions) -> OofPredictions:
        """Both, these first; `seen` is of these."""
        names = [f.name for f in fields(OofPredictions) if f.name != "seen"]
        both = {n: np.concatenate([getattr(self, n), getattr(other, n)]) for n in names}
        return replace(self, **both)

    def to_onnx(self) -> bytes:
        """The file's content."""
        return constants({"keys": self.keys, "seen": self.seen, **arrays_of(self)})


def arrays_of(rows: MapRows) -> dict[str, NDArray[Any]]:
    """The arrays of rows as files keep them, by name."""
    found = {field.name: getattr(rows, field.name) for field in fields(MapRows)}
    return found | {name: found[name].astype(np.int32) for name in ("n_chars", "cluster")}


def compacted(rows: MapRows) -> dict[str, NDArray[Any]]:
    """The arrays of rows without outcomes in half precision, for a bundle that is to be small."""
    found = arrays_of(rows)
    del found["realised"]
    found[LOG_TOKENS] = np.log(np.maximum(found.pop("output_tokens"), 1e-3))
    for name in ("quality", "quality_se", LOG_TOKENS):
        found[name] = found[name].astype(np.float16)
    return found


def constants(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """An ONNX model that answers these arrays to nothing."""
    tensors = [numpy_helper.from_array(values, name) for name, values in arrays.items()]
    outputs = [helper.make_tensor_value_info(t.name, t.data_type, list(t.dims)) for t in tensors]
    graph = helper.make_graph([], "rows", [], outputs, tensors)
    return bytes(model_of(graph).SerializeToString())


def oof_predictions(
    texts: Sequence[str],
    trained_on: Sequence[str],
    *,
    quality: Floats,
    quality_se: Doubles | Floats,
    output_tokens: Doubles | Floats,
    realised: Floats,
    n_chars: Ints,
    cluster: Ints,
) -> OofPredictions:
    """Those of the judged rows, by their texts, beside every text that was trained on."""
    return OofPredictions(
        keys=fingerprints(texts),
        seen=np.unique(fingerprints(trained_on)),
        quality=quality,
        quality_se=quality_se.astype(np.float32),
        output_tokens=output_tokens.astype(np.float32),
        realised=realised,
        n_chars=n_chars,
        cluster=cluster,
    )


def read_oof_predictions(folder: Path) -> OofPredictions | None:
    """Those of the bundle in `folder`; null where it holds none.

    Raises:
        TrainingError: the file is damaged.
    """
    path = oof_file(folder)
    if path is None:
        return None
    try:
        tensors = onnx.load(path).graph.initializer
        arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in tensors}
        return OofPredictions(
            keys=arrays["keys"],
            seen=arrays["seen"],
            quality=arrays["quality"].astype(np.float32),
            quality_se=arrays["quality_se"].astype(np.float32),
            output_tokens=arrays["output_tokens"].astype(np.float32),
            realised=arrays["realised"].astype(np.float32),
            n_chars=arrays["n_chars"].astype(np.int64),
            cluster=arrays["cluster"].astype(np.int64),
        )
    except Exception as err:  # the parser's errors have no common ancestor
        raise TrainingError(f"{path} is damaged: {err}") from err


def oof_file(folder: Path) -> Path | None:
    """The file in a bundle's folder; null for a bundle made before there was one, and a starter."""
    paths = (folder / OOF_PREDICTIONS, folder / OLD_NAME)
    return next((path for path in paths if path.is_file()), None)


def fingerprints(texts: Sequence[str]) -> Keys:
    """(n,) short hashes of prompts; equal up to case and spacing is equal."""
    digests = (
        hashlib.sha256(normalise(text).encode("utf-8", "surrogatepass")).digest() for text in texts
    )
    numbers = [int.from_bytes(digest[: KEY_BITS // 8], "big") for digest in digests]
    return np.array(numbers, dtype=np.uint32)
