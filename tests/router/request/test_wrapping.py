"""Asks of our own in every wrapping: what is found is what was asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.request.ask import END, find_ask
from tests.worlds.prompts import make_prompts
from tests.worlds.wrappings import BLOCKS, DOCUMENTS, MARKDOWN, document, wrappings

ASKS = (
    "What is the boiling point of ethanol at 2 bar?",
    "Prove that the square root of 7 is irrational.",
    "Write a Python function that merges two sorted lists without using sort().",
    "A train leaves at 9:40 and arrives at 13:05. How long does the journey take?",
    "Which gas do plants take in?\nA. Oxygen\nB. Carbon dioxide\nC. Helium\nD. Neon",
    "Translate into French: the meeting was moved to Friday.",
    "Find all real $x$ with $x^3 - 6x^2 + 11x - 6 = 0$.",
    "Draft a polite reply that declines an invitation to speak at a conference.",
    "Let q be a prime with q congruent to 3 modulo 4. Prove that more quadratic residues lie in "
    "the lower half of 1..q-1 than in the upper half.",
    "I have two jugs of 3 and 5 litres. How do I measure exactly 4 litres?",
)
KINDS = sorted({wrapped.kind for wrapped in wrappings("x", 0)})


def plain(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("kind", KINDS)
def test_the_ask_is_found_in_its_wrapping(kind: str) -> None:
    found = [
        plain(find_ask(wrapped.texts).text) == plain(find_ask([ask]).text)
        for seed, ask in enumerate(ASKS)
        for wrapped in wrappings(ask, seed)
        if wrapped.kind == kind
    ]
    # letters ask, too
    assert sum(found) >= (0.7 if kind.endswith("letters") else 0.9) * len(found)


def test_every_kind_of_wrapping_is_tried() -> None:
    assert len(KINDS) == len(BLOCKS) + 2 * len(DOCUMENTS) + len(MARKDOWN)


def test_what_is_left_out_is_counted() -> None:
    text = document("log", 3)
    found = find_ask([text, ASKS[0]])
    assert found.text == ASKS[0]
    assert found.around == len(text)


@pytest.mark.parametrize("ask", [*ASKS, *make_prompts(20, seed=8)])
def test_a_short_plain_prompt_stays_as_it_is(ask: str) -> None:
    assert find_ask([ask]).text == ask


def test_a_puzzle_stays_with_its_clues() -> None:
    clues = "\n".join(
        f"- The person in house {i} owns a sedan or likes {w}."
        for i, w in enumerate(["tea", "milk", "rum", "beer"] * 6)
    )
    puzzle = f"There are 24 houses in a row.\n\nClues:\n{clues}\n\nIn which house does the person who owns a sedan live?"  # noqa: E501
    assert find_ask([puzzle]).text == puzzle


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_document_alone_is_read_as_it_is(kind: str) -> None:
    text = document(kind, 5)
    found = find_ask([text])
    assert found.text
    assert found.text in text or found.text.split("\n")[0] in text


def test_of_a_huge_text_both_ends_are_looked_at() -> None:
    paste = "\n\n".join(document("prose", seed) for seed in range(40))
    assert find_ask([f"{paste}\n\n{ASKS[2]}"]).text == ASKS[2]
    assert find_ask([f"{ASKS[2]}\n\n{paste}"]).text == ASKS[2]
    assert len(find_ask(["word " * 100_000]).text) <= 2 * END + 2


MARKS = (
    "# Task|**|```|> |<a>|</a>|<task>|</task>|A. |?|\n|\n\n| |Find the sum|import os|"
    "Here is the text:|x = 1|1. |---|\ud800|請|\t"
)
PIECES = st.sampled_from(MARKS.split("|"))


@given(st.lists(st.lists(PIECES | st.text(max_size=12), max_size=200).map("".join), max_size=3))
def test_any_text_has_an_ask_unless_it_is_blank(texts: list[str]) -> None:
    found = find_ask(texts)
    assert found == find_ask(texts)
    assert bool(found.text) == bool("".join(texts).strip())
