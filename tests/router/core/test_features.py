"""The text features that every prompt is reduced to, offline and live."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core import features
from tests.worlds.translations import SAID


def feature(text: str, name: str) -> float:
    return float(features.extract([text])[0, features.NAMES.index(name)])


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("12 and 345", "log_numbers", np.log1p(2)),
        ("12 and 345", "longest_number", 3),
        ("ab?c?", "questions", 2),
        ("Pick:\nA. one\nB. two\n(C) three ", "options", 3),
        ("see ```x```", "fence", 1),
        ("let \\alpha be", "latex", 1),
        ("été", "non_ascii_share", 2 / 9),
        ("One. Two! Three?", "log_sentences", np.log1p(3)),
    ],
)
def test_a_feature_counts_what_its_name_says(text: str, name: str, value: float) -> None:
    assert feature(text, name) == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("language", [name for name in SAID if name != "en"])
@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("log_chars", 0.3),
        ("log_words", 0.35),
        ("word_length", 2.5),
        ("upper_share", 0.06),
        ("questions", 0.1),
        ("log_sentences", 0.1),
    ],
)
def test_the_same_requests_have_much_the_same_features_in_every_script(
    language: str, name: str, near: float
) -> None:
    english, other = (np.mean([feature(t, name) for t in SAID[la]]) for la in ("en", language))
    assert other == pytest.approx(english, abs=near)


@given(st.text(max_size=400))
def test_features_of_any_text_are_finite(text: str) -> None:
    row = features.extract([text])
    assert row.shape == (1, len(features.NAMES))
    assert row.dtype == np.float32
    assert np.isfinite(row).all()
