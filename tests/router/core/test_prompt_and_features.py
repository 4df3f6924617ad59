"""What a request's text becomes before any model sees it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import PolicyError
from router.core import features
from router.core.prompt import CONTEXT_CHARS, read_prompt


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


def test_the_last_user_turn_leads_and_earlier_turns_follow() -> None:
    view = read_prompt(
        [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "write a parser"},
            {"role": "assistant", "content": "done"},
            {"role": "user", "content": "commit it"},
        ]
    )
    assert view.text == "commit it\n\nwrite a parser\ndone"
    assert view.turns == 2
    assert view.n_chars == len("be briefwrite a parserdonecommit it")


def test_earlier_turns_are_bounded_so_that_they_cannot_fill_the_window() -> None:
    long = [{"role": "user", "content": "x" * 50_000}, {"role": "user", "content": "hello"}]
    assert len(read_prompt(long).text) == len("hello\n\n") + CONTEXT_CHARS


def test_an_image_part_is_seen_and_text_parts_are_joined() -> None:
    parts = [{"type": "text", "text": "what is"}, {"type": "image_url"}, {"text": "this?"}]
    view = read_prompt([{"role": "user", "content": parts}])
    assert (view.text, view.vision) == ("what is\nthis?", True)


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("  \n", "prompt is empty"),
        ([], "found no message"),
        ([{"role": "system", "content": "x"}], "found system"),
        ([{"role": "user", "content": 7}], r"messages\[0\].content must be"),
        ([{"content": "x"}], r"messages\[0\].role must be"),
        (["x"], r"messages\[0\] must be an object"),
    ],
)
def test_a_prompt_without_text_says_what_was_found(prompt: object, words: str) -> None:
    with pytest.raises(PolicyError, match=words) as caught:
        read_prompt(prompt)  # type: ignore[arg-type]
    assert caught.value.code == "invalid_prompt"
