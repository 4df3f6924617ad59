"""Every prompt of a test session is embedded once, whichever router asks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from router import Router
from router.request.view import PromptView, read_prompt
from router.types import Reading
from training.evaluation.evaluate import bundle_inputs
from training.progress import Timings

_READ: dict[tuple[str, PromptView], Reading] = {}


def read_once(router: Router, view: PromptView) -> Reading:
    """The prompt as the router's encoder reads it."""
    key = (router.manifest.encoder_sha256, view)
    if key not in _READ:
        _READ[key] = router.read(view)
    return _READ[key]


def read_all(router: Router, texts: Sequence[str], cache: Path) -> None:
    """Read prompts of one turn, by the embeddings that a cache keeps between sessions."""
    inputs = bundle_inputs(router, tuple(texts), cache, Timings())
    for i, text in enumerate(texts):
        view, one = read_prompt(text), slice(i, i + 1)
        size = np.array([len(view.text)], dtype=np.int64)
        reading = Reading(inputs.embedding[one], inputs.features[one], size)
        _READ.setdefault((router.manifest.encoder_sha256, view), reading)
