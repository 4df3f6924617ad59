"""The two packaged encoders side by side: time by length, start, memory, agreement of languages.

    python -m tests.bench.encoder_choice

Times are of the process, one thread, the least of several; ratios hold on other machines, times do
not. Memory is all that a fresh process holds after a text, and the most that it ever held (Linux).
Agreement: of requests in another language, how many lie nearest to their English selves.
"""

from __future__ import annotations

import re
import subprocess
import sys
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
FRESH = """
import sys
from pathlib import Path
from router.core.encoder import OnnxEncoder
OnnxEncoder(Path(sys.argv[1]), dimension=int(sys.argv[2])).encode([sys.argv[3]])
print(Path("/proc/self/status").read_text())
"""


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


def memory_mb(exported: ExportedEncoder, text: str) -> tuple[float, float]:
    """Resident memory of a process that has embedded a text, and the most that it ever had."""
    asked = [sys.executable, "-c", FRESH, exported.folder, str(exported.info.dimension), text]
    told = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    now, most = (
        int(found[1]) / 1024
        for name in ("VmRSS", "VmHWM")
        if (found := re.search(rf"{name}:\s+(\d+) kB", told))
    )
    return now, most


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
        now, most = memory_mb(exported, text)
        print(
            f"{model}\n  {told}  start {start:.2f} s  memory {now:.0f} MB, {most:.0f} at most"
            f"\n  {found}",
            flush=True,
        )


if __name__ == "__main__":
    main()
