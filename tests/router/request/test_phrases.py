"""What people say when they ask for nothing new."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from router.request.phrases import tokens_of


@given(st.text(st.characters(max_codepoint=127), max_size=60))
def test_words_of_ascii_are_those_of_the_same_text_among_others(text: str) -> None:
    # the ideograph is a word of its own, and sends the text the long way
    assert (*tokens_of(text), "人") == tokens_of(f"{text} 人")
