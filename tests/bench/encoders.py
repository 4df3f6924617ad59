"""How much the int8 encoder gains over fp32, what it loses, and how small scoring is beside it."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from time import perf_counter

import numpy as np

from router.core import features
from router.core.bundle import GOLDEN, Bundle
from router.core.encoder import OnnxEncoder
from router.types import Floats
from tests.worlds.prompts import make_prompts


def int8_against_fp32(bundle: Bundle, fp32: Path, *, rounds: int) -> dict[str, float]:
    """Median ratio of times call by call on 20 to 100 tokens, and the mean cosine."""
    info = bundle.manifest.encoder
    full = OnnxEncoder(
        fp32.parent, dimension=info.dimension, model=fp32.name, max_tokens=info.max_tokens
    )
    fast = bundle.encoder
    assert isinstance(fast, OnnxEncoder)
    texts = make_prompts(40, seed=5, words=(12, 70))
    ratios = []
    for _ in range(rounds):
        for text in texts:
            ids = fast.tokenize(text)
            ratios.append(embed_s(full, ids) / embed_s(fast, ids))
    golden = [row["text"] for row in json.loads((bundle.path / GOLDEN).read_text("utf-8"))]
    cosines = (fast.encode(golden) * full.encode(golden)).sum(axis=1)
    return {"speed": statistics.median(ratios), "cosine": float(cosines.mean())}


def embed_s(encoder: OnnxEncoder, ids: list[int]) -> float:
    begun = perf_counter()
    encoder.embed_tokens(ids)
    return perf_counter() - begun


def scoring_share(bundle: Bundle, *, rounds: int) -> dict[str, float]:
    """Features and heads over the embedding of exactly 20 tokens, medians.

    `served` runs right after an embedding, which has pushed the heads out of the processor's
    caches, as in every request; `alone` runs back to back.
    """
    encoder = bundle.encoder
    assert isinstance(encoder, OnnxEncoder)
    text = text_of_tokens(encoder, 20)
    ids = encoder.tokenize(text)
    embedding: Floats = encoder.embed_tokens(ids)[None, :]
    embeds, served = [], []
    for _ in range(60 * rounds):
        embeds.append(embed_s(encoder, ids))
        served.append(score_s(bundle, text, embedding))
    alone = [score_s(bundle, text, embedding) for _ in range(60 * rounds)]
    whole = statistics.median(embeds)
    return {
        "served": statistics.median(served) / whole,
        "alone": statistics.median(alone) / whole,
    }


def score_s(bundle: Bundle, text: str, embedding: Floats) -> float:
    begun = perf_counter()
    n_chars = np.array([len(text)], dtype=np.int64)
    bundle.scorer.score(embedding, features.extract([text]), n_chars)
    return perf_counter() - begun


def text_of_tokens(encoder: OnnxEncoder, count: int) -> str:
    """A prompt of exactly `count` tokens."""
    for text in make_prompts(200, seed=9, words=(12, 20)):
        if len(encoder.tokenize(text)) == count:
            return text
    raise SystemExit(f"no generated prompt has {count} tokens")
