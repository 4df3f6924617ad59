"""The two packaged encoders side by side: time by length, start, and agreement across languages.

    python -m tests.bench.encoder_choice

Times are of the process, one thread, the least of several; ratios hold on other machines, times do
not. Agreement: of requests in another language, how many lie nearest to their English selves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import numpy as np

from router.core.encoder import OnnxEncoder
from tests.worlds.prompts import make_prompts
from tests.worlds.translations import SAID
from training.config import MINILM, UNIVERSAL, EncoderConfig
from training.prepare.cache import CACHE
from training.prepare.encoder import ExportedEncoder, export_encoder

TOKENS = (20, 100, 250)


def cpu_s(work: Callable[[], object], *, rounds: int = 8, repeats: int = 10) -> float:
    """Seconds of this process for one call, the least of `rounds`."""
    best = float("inf")
    for _ in range(rounds):
        begun = time.process_time()
        for _ in range(repeats):
            work()
        best = min(best, (time.process_time() - begun) / repeats)
    return best


def agreement(encoder: OnnxEncoder) -> dict[str, float]:
    """Language -> share of its requests that are nearest to the same request in English."""
    english = encoder.encode(SAID["en"])
    own = np.arange(len(english))
    return {
        language: float(((encoder.encode(texts) @ english.T).argmax(axis=1) == own).mean())
        for language, texts in SAID.items()
        if language != "en"
    }


def times_s(encoder: OnnxEncoder, text: str) -> list[float]:
    """Seconds at each length of TOKENS."""
    ids = encoder.tokenize(text)
    return [cpu_s(partial(encoder.embed_tokens, ids[:count])) for count in TOKENS]


def opened(exported: ExportedEncoder) -> OnnxEncoder:
    """The encoder, opened anew."""
    info = exported.info
    return OnnxEncoder(exported.folder, dimension=info.dimension, max_tokens=info.max_tokens)


def main() -> None:
    """Print a line an encoder."""
    text = " ".join(make_prompts(20, seed=3, words=(40, 60)))
    for model in (MINILM, UNIVERSAL):
        exported = export_encoder(EncoderConfig(model=model), CACHE / "encoders")
        start = cpu_s(partial(opened, exported), rounds=2, repeats=1)
        encoder = opened(exported)
        times = times_s(encoder, text)
        told = "  ".join(f"{n} tokens {1e3 * t:.2f} ms" for n, t in zip(TOKENS, times, strict=True))
        found = " ".join(f"{k} {v:.0%}" for k, v in agreement(encoder).items())
        print(f"{model}\n  {told}  start {start:.2f} s\n  {found}", flush=True)


if __name__ == "__main__":
    main()
