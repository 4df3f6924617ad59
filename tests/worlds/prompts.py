"""Distinct prompts of 12 to 120 words, seeded: nobody's text, and no two alike."""

from __future__ import annotations

import random

OPENINGS = (
    "Explain how",
    "Write a short note on why",
    "Summarise in two sentences how",
    "Compare the ways in which",
    "Prove or refute that",
    "List three reasons why",
    "Draft an email that says",
    "Estimate how often",
    "Find the mistake in the claim that",
    "Describe to a new colleague how",
)
TEXT = """
    river harvest ledger orbit cable module bridge tariff patient engine vector garden signal
    treaty protein window budget matrix compiler lantern glacier voltage contract melody sampling
    customer deadline radiator integral archive pension corridor molecule parser festival turbine
    moves improves delays replaces predicts measures limits repairs supports changes explains
    slow early large hidden regular costly fragile central seasonal modern linear unusual exact
    the a its every without under between after because although when whether while despite and
"""
WORDS = TEXT.split()


def make_prompts(count: int, *, seed: int, words: tuple[int, int] = (12, 120)) -> list[str]:
    """Make `count` distinct prompts; their lengths are uniform over `words`."""
    source = random.Random(seed)  # noqa: S311
    return [_prompt(source, i, source.randint(*words)) for i in range(count)]


def _prompt(source: random.Random, serial: int, size: int) -> str:
    opening = source.choice(OPENINGS)
    body = source.choices(WORDS, k=max(size - len(opening.split()) - 1, 1))
    for at in range(12, len(body) - 1, 14):
        body[at] += "."
    return f"{opening} {' '.join(body)} {serial}?"
