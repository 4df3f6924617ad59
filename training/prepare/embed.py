"""Embed prompts once: a content-addressed cache that survives an interruption.

Texts are embedded one by one on all cores (see `router.core.encoder` for why not padded together),
longest last so that the remaining time is honest, and written in shards as they come. Whatever
is on disk is complete; a run that was cut off goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from router.atomic import replaced_file
from router.core.encoder import Encoder
from router.types import Floats

from ..progress import Reporter

SHARD = 1024  # prompts per file; what an interruption can lose


def embed(texts: Sequence[str], encoder: Encoder, cache: Path, reporter: Reporter) -> Floats:
    """Embed n texts, from the cache where they are in it.

    Args:
        texts: prompts; repeated ones are embedded once.
        encoder: how.
        cache: folder for this encoder alone.
        reporter: shows the progress.
    Returns:
        (n, d) float32 unit rows.
    """
    keys = [text_key(text) for text in texts]
    known = _load(cache, set(keys))
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    todo = sorted(missing.items(), key=lambda item: (len(item[1]), item[0]))
    with (
        reporter.stage("embed prompts", len(texts)) as stage,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        stage.advance(len(texts) - len(todo))
        stage.note(f"{len(texts) - len(todo)} cached")
        for start in range(0, len(todo), SHARD):
            shard = todo[start : start + SHARD]
            rows = list(pool.map(lambda text: encoder.encode([text])[0], [t for _, t in shard]))
            _save(cache, [key for key, _ in shard], np.stack(rows))
            known.update(zip((key for key, _ in shard), rows, strict=True))
            stage.advance(len(shard))
    if not keys:
        return np.empty((0, encoder.dimension), dtype=np.float32)
    return np.stack([known[key] for key in keys])


def text_key(text: str) -> str:
    """The content hash that an embedding is cached under."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _load(cache: Path, wanted: set[str]) -> dict[str, Floats]:
    """The wanted ones of what is cached; a shard without any gives its keys and no vectors."""
    known: dict[str, Floats] = {}
    for path in sorted(cache.glob("*.npz")):
        with np.load(path, allow_pickle=False) as shard:
            keys = shard["keys"].tolist()
            rows = [i for i, key in enumerate(keys) if key in wanted]
            if rows:
                known.update(zip((keys[i] for i in rows), shard["vectors"][rows], strict=True))
    return known


def _save(cache: Path, keys: list[str], vectors: Floats) -> None:
    """Write one shard under its content's name; the rename makes it complete or absent."""
    name = hashlib.sha256("".join(keys).encode()).hexdigest()[:16]
    with replaced_file(cache / f"{name}.npz") as draft, draft.open("wb") as file:
        np.savez(file, keys=np.array(keys), vectors=vectors)
