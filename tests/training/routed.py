"""Logs of a simulated world, written by the service's own recorder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.simulation.world import World
from router import Policy, Router
from router.core.explore import Exploration, draw
from router.events import FeedbackEvent
from router.request.view import read_prompt
from serving.cache import Entry
from serving.metrics import Metrics
from serving.recorder import Asked, Recorder, Routed
from serving.settings import Settings
from tests.worlds.readings import read_once
from tests.worlds.truth import Truth

PROMPTS, BASE = 3000, 200


@dataclass(frozen=True)
class Traffic:
    """A world, a base bundle, and a way to route its prompts into a log."""

    world: World
    truth: Truth
    base: Path

    def route(
        self,
        folder: Path,
        prompts: slice,
        *,
        rate: float = 0.3,
        seed: int = 0,
        key: Callable[[int], str] = lambda _: "",
        lie: Callable[[str, int, float], float] = lambda _key, _arm, quality: quality,
    ) -> Path:
        """Log decisions and feedback; `lie(key, arm, quality)` is what is reported."""
        router, rng = Router.load(self.base), np.random.default_rng(seed)
        recorder = Recorder(Settings(log_dir=folder, log_key=b"k" * 32, seed=seed), Metrics())
        recorder.serves(router)
        exploring = Exploration(rate=rate, max_quality_loss=1.0, max_cost_ratio=1e9)
        part = self.truth.rows(prompts)
        at = [part.arms.index(arm.id) for arm in router.arms]
        for i, text in enumerate(part.texts):
            view = read_prompt(text)
            reading = read_once(router, view)
            scores = router.score_reading(reading)
            made = f"00000000-0000-7000-8000-{seed:04d}{i:08d}"
            policy = Policy(threshold=float(rng.choice([0.2, 0.5, 0.8])))
            number = draw(seed, made)
            decision = router.decide(view, scores, policy, exploring, number)
            entry = Entry(scores, reading)
            recorder.decided(
                Routed(
                    Asked(decision_id=made, router=router, view=view, policy=policy),
                    entry, decision, number,
                )
            )  # fmt: skip
            arm = router.arms.index(decision.arm)
            quality = float(rng.random() < part.p[i, at[arm]])
            recorder.feedback(
                FeedbackEvent(
                    time=time.time(), decision_id=made, quality=lie(key(i), arm, quality),
                    preferred_to=None, preference=None, input_tokens=None,
                    output_tokens=max(round(part.tokens[i, at[arm]]), 1), cost_usd=None,
                    latency_ms=None, source="user", key=key(i),
                )
            )  # fmt: skip
            while recorder.log is not None and recorder.log._queue.qsize() > 4000:
                time.sleep(0.01)
        recorder.close()
        return folder


def lines(folder: Path) -> list[dict[str, object]]:
    """Every line of a log."""
    texts = [path.read_text("utf-8") for path in folder.glob("*.jsonl")]
    return [json.loads(line) for text in texts for line in text.splitlines()]
