"""The text features that every prompt is reduced to, offline and live."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core import features


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


@given(st.text(max_size=400))
def test_features_of_any_text_are_finite(text: str) -> None:
    row = features.extract([text])
    assert row.shape == (1, len(features.NAMES))
    assert row.dtype == np.float32
    assert np.isfinite(row).all()
