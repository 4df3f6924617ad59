"""What the gateway measures of models: how fast they are, and which of them cannot be reached.

It is put over the operator's catalogue, so that deadlines and `/arms` follow what was seen. A
stream tells both of a model's times: to its first piece, and per token from there on. A model's
quantiles count from `LEAST` streams on; of a tail that so few cannot know, nothing is said.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import date
from time import monotonic

import numpy as np

from router.catalogue.catalogue import Catalogue, Latency, Model, Quantiles

KEPT = 512  # streams of a model
LEAST = 20
EVERY_S = 10.0  # between two new words on latency
MOVED = 0.1  # share by which a quantile must move to be news
POINTS = {"p50": 1, "p90": 1, "p95": 40, "p99": 200}  # quantile -> streams that it takes


class Observed:
    """Of one process. Written on the event loop, read by the thread that follows the bundle."""

    def __init__(self) -> None:
        self._streams: dict[str, deque[tuple[float, float]]] = {}
        self._said: dict[str, Latency] = {}
        self._down: frozenset[str] = frozenset()
        self._next = 0.0
        self.version = 0  # of `catalogues`; the thread that follows looks at nothing else

    def streamed(self, model: str, first_ms: float, rest_ms: float, tokens: int) -> None:
        """One stream: to its first piece, and from there to its end over so many tokens."""
        if tokens > 1:
            kept = self._streams.setdefault(model, deque(maxlen=KEPT))
            kept.append((first_ms, rest_ms / (tokens - 1)))

    def refresh(self, down: Iterable[str]) -> None:
        """Look for news: at health at once, at latency every so often."""
        gone = frozenset(down)
        moved = gone != self._down
        self._down = gone
        if monotonic() >= self._next:
            self._next = monotonic() + EVERY_S
            for model, kept in self._streams.items():
                if len(kept) >= LEAST:
                    found, said = _latency(np.array(kept)), self._said.get(model)
                    if said is None or _differs(said, found):
                        self._said[model], moved = found, True
        self.version += moved

    @property
    def catalogues(self) -> tuple[Catalogue, Catalogue]:
        """What was found out of latency, and of health."""
        said, down = dict(self._said), self._down
        return (
            Catalogue(models={name: Model(latency=latency) for name, latency in said.items()}),
            Catalogue(models={name: Model(health="down") for name in sorted(down)}),
        )


def _latency(streams: np.ndarray) -> Latency:
    first, each = (_quantiles(streams[:, i]) for i in range(2))
    return Latency(first_token_ms=first, output_token_ms=each, measured=date.today().isoformat())


def _quantiles(values: np.ndarray) -> Quantiles:
    known = {n: float(n[1:]) / 100 for n, least in POINTS.items() if len(values) >= least}
    return Quantiles(**{n: round(float(np.quantile(values, at)), 3) for n, at in known.items()})


def _differs(said: Latency, found: Latency) -> bool:
    pairs = (
        (before.at_least(0.5), now.at_least(0.5), before.at_least(0.9), now.at_least(0.9))
        for before, now in (
            (said.first_token_ms, found.first_token_ms),
            (said.output_token_ms, found.output_token_ms),
        )
    )
    for before50, now50, before90, now90 in pairs:
        for before, now in ((before50, now50), (before90, now90)):
            if before is not None and now is not None and abs(now - before) > MOVED * before:
                return True
    return False
