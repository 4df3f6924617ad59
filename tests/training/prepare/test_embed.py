"""Embeddings are made once, whatever interrupts them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from router.types import Floats
from training.prepare import embed as module
from training.prepare.embed import embed
from training.progress import Timings


class HashEncoder:
    """A deterministic encoder that counts what it is asked, and can break off."""

    dimension = 8

    def __init__(self, break_after: int | None = None) -> None:
        self.asked: list[str] = []
        self.break_after = break_after

    def encode(self, texts: Sequence[str]) -> Floats:
        if self.break_after is not None and len(self.asked) >= self.break_after:
            raise KeyboardInterrupt
        self.asked += texts
        digests = [hashlib.sha256(text.encode()).digest()[:8] for text in texts]
        rows = np.array([list(d) for d in digests], dtype=np.float32) - 127.5
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


TEXTS = [f"{'long ' * (i % 7)}prompt {i}" for i in range(50)]


def test_rows_come_back_in_the_order_asked(tmp_path: Path) -> None:
    got = embed(TEXTS, HashEncoder(), tmp_path, Timings())
    assert np.array_equal(got, HashEncoder().encode(TEXTS))


def test_a_batch_with_cached_and_repeated_texts_is_not_misaligned(tmp_path: Path) -> None:
    embed(["a"], HashEncoder(), tmp_path, Timings())
    mixed = ["a", "x", "a", "c", "x"]
    assert np.array_equal(
        embed(mixed, HashEncoder(), tmp_path, Timings()), HashEncoder().encode(mixed)
    )


def test_vectors_of_other_tables_are_not_read(tmp_path: Path) -> None:
    embed(TEXTS, HashEncoder(), tmp_path, Timings())
    (other,) = tmp_path.iterdir()
    with np.load(other) as shard:
        np.savez(other, keys=shard["keys"], vectors=np.empty((0, 8)))  # would not match its keys
    got = embed(["of another table"], HashEncoder(), tmp_path, Timings())
    assert np.array_equal(got, HashEncoder().encode(["of another table"]))


def test_nothing_is_embedded_twice(tmp_path: Path) -> None:
    embed(TEXTS, HashEncoder(), tmp_path, Timings())
    second = HashEncoder()
    timings = Timings()
    embed([*TEXTS, *TEXTS[:3], "new"], second, tmp_path, timings)
    assert second.asked == ["new"]
    assert timings.notes["embed prompts"] == "53 cached"


def test_an_interrupted_run_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHARD", 10)
    first = HashEncoder(break_after=25)
    with pytest.raises(KeyboardInterrupt):
        embed(TEXTS, first, tmp_path, Timings())
    assert list(tmp_path.glob("*.npz"))
    second = HashEncoder()
    got = embed(TEXTS, second, tmp_path, Timings())
    assert 0 < len(second.asked) <= 40
    assert np.array_equal(got, HashEncoder().encode(TEXTS))


def test_no_texts_give_no_rows(tmp_path: Path) -> None:
    assert embed([], HashEncoder(), tmp_path, Timings()).shape == (0, 8)
