"""The bare loop that the service is held against; a process of its own.

Reads a JSON list of prompts per line, answers with a JSON object per line.
"""

from __future__ import annotations

import json
import sys
from time import perf_counter
from typing import Any

import numpy as np

from router.core import features
from router.core.bundle import Bundle
from router.core.encoder import OnnxEncoder

STEPS = ("tokenise", "embed", "features", "heads")


def one(bundle: Bundle, encoder: OnnxEncoder, text: str) -> list[float]:
    """Score one prompt; the moments at which its steps ended."""
    marks = [perf_counter()]
    ids = encoder.tokenize(text)
    marks.append(perf_counter())
    embedding = encoder.embed_tokens(ids)[None, :]
    marks.append(perf_counter())
    row = features.extract([text])
    marks.append(perf_counter())
    bundle.scorer.score(embedding, row, np.array([len(text)], dtype=np.int64))
    marks.append(perf_counter())
    return marks


def run(bundle: Bundle, encoder: OnnxEncoder, prompts: list[str]) -> dict[str, Any]:
    """Score every prompt once."""
    begun = perf_counter()
    marks = np.array([one(bundle, encoder, text) for text in prompts])
    seconds = perf_counter() - begun
    steps = np.diff(marks, axis=1) * 1e3
    return {
        "seconds": seconds,
        "per_prompt_ms": (1e3 * (marks[:, -1] - marks[:, 0])).tolist(),
        "steps_ms": dict(zip(STEPS, steps.mean(axis=0).tolist(), strict=True)),
    }


def main() -> None:
    bundle = Bundle.load(sys.argv[1])
    assert isinstance(bundle.encoder, OnnxEncoder)
    for line in sys.stdin:
        print(json.dumps(run(bundle, bundle.encoder, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
