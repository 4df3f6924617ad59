"""Estimated token counts: near the real tokenizers', and sane for any string at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from router.request.estimate import CHUNK, STEP, estimate, estimate_all
from router.request.families import MEASURED

SAMPLES = json.loads((Path(__file__).parent / "token_samples.json").read_text("utf-8"))
KINDS = sorted({sample["kind"] for sample in SAMPLES})
any_text = st.text(st.characters(exclude_categories=()), max_size=300)  # surrogates too


@pytest.mark.parametrize("family", ["o200k", "cl100k"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_within_a_tenth_of_the_tokenizer(kind: str, family: str) -> None:
    place = MEASURED.index(family)
    samples = [sample for sample in SAMPLES if sample["kind"] == kind]
    guesses = [estimate(sample["text"])[place] for sample in samples]
    real = [sample[family] for sample in samples]
    assert sum(guesses) == pytest.approx(sum(real), rel=0.1)
    assert guesses == pytest.approx(real, rel=0.15)


@given(any_text)
@example("\U0002c567")  # an ideograph that no tokenizer has whole
def test_any_string_has_a_count(text: str) -> None:
    counts = estimate(text)
    assert np.isfinite(counts).all()
    assert (counts >= (1.0 if text else 0.0)).all()
    # tokenizers that normalise make several letters of a ligature; five tables say at most so much
    assert (counts <= 2 * 5 * 127 * STEP * len(text) + 1).all()


@given(st.lists(any_text, max_size=6))
def test_texts_are_counted_apart(texts: list[str]) -> None:
    together, apart = estimate_all(texts), sum((estimate(text) for text in texts), np.zeros(8))
    assert together == pytest.approx(apart, abs=len(texts))  # the floor of one token
    assert (together <= apart + 1e-6).all()


@settings(max_examples=30)
@given(st.integers(1, 40), st.sampled_from(SAMPLES))
def test_a_text_over_and_over_is_as_many_times_as_much(times: int, sample: dict[str, str]) -> None:
    text = sample["text"][:300] + "\n"
    once = estimate(text * 2) - estimate(text)
    assert estimate(text * times) == pytest.approx(estimate(text) + once * (times - 1), rel=0.02)


def test_long_texts_are_read_in_parts_without_a_seam() -> None:
    text = SAMPLES[0]["text"] + "\n"
    many = 3 * CHUNK // len(text)
    assert estimate(text * many) == pytest.approx(many * estimate(text), rel=0.02)
