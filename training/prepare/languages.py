"""What tells the language of a text in a multilingual embedding, so that it can be taken out.

Classifiers find the last trace of a language and take it for what a text asks. The mean of a
language over the same requests, less that of all languages, is that trace (Libovický et al.,
Findings of EMNLP 2020, arXiv:2004.05160); the axes that these means span are removed.

    python -m training.prepare.languages    # measure `language_axes.npy` anew

`languages.json` holds sixty everyday requests in fifteen languages, in one order.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np

from router.core.encoder import OnnxEncoder
from router.types import Doubles, Floats

from .universal import DIMENSION, export_universal, universal_source

REQUESTS = Path(__file__).with_name("languages.json")
AXES = Path(__file__).with_name("language_axes.npy")


def language_axes() -> Floats:
    """Orthonormal axes (l - 1, d) of l languages, as committed: the same on every processor."""
    found: Floats = np.load(AXES)
    return found


def axes_of(embeddings: Floats) -> Doubles:
    """The axes that language means span: (l - 1, d).

    Args:
        embeddings: (l, n, d) of the same n requests in l languages.
    """
    mean = embeddings.mean(axis=1, dtype=np.float64)
    _, _, axes = np.linalg.svd(mean - mean.mean(axis=0), full_matrices=False)
    return np.asarray(axes[:-1])


def requests() -> dict[str, list[str]]:
    """The same requests by language."""
    found: dict[str, list[str]] = json.loads(REQUESTS.read_text("utf-8"))
    return found


def measured_axes() -> Floats:
    """The axes of the packaged encoder, from its embeddings of the requests."""
    source, _ = universal_source()
    with tempfile.TemporaryDirectory() as folder:
        export_universal(source, Path(folder), np.zeros((0, DIMENSION), dtype=np.float32))
        encoder = OnnxEncoder(Path(folder), dimension=DIMENSION, model="fp32.onnx")
        embeddings = np.stack([encoder.encode(texts) for texts in requests().values()])
    return axes_of(embeddings).astype(np.float32)


if __name__ == "__main__":
    np.save(AXES, measured_axes())
