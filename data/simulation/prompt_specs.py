"""The mix of simulated prompts: which templates there are, and how often each is used."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Iterator
from itertools import accumulate

from ..split import prompt_id
from . import tasks_language as language
from . import tasks_reasoning as reasoning
from .text_sampler import PromptSpec, TextSampler

# template -> share of the prompts, per hundred
MIX: dict[Callable[[TextSampler], PromptSpec], int] = {
    reasoning.word_problem: 10,
    reasoning.arithmetic: 6,
    reasoning.competition: 8,
    reasoning.puzzle: 6,
    reasoning.function: 8,
    reasoning.debugging: 4,
    reasoning.query: 4,
    language.summary: 7,
    language.extraction: 8,
    language.translation: 8,
    language.local: 3,
    language.trivia: 8,
    language.case: 12,
    language.chat: 6,
    language.long_context: 2,
}
DOMAINS = (
    "maths", "logic", "code", "summary", "extraction", "translation", "trivia", "law", "medicine",
    "chat", "long_context",
)  # fmt: skip
FAMILIES = (
    "word_problem", "arithmetic", "competition", "seating", "function", "debugging", "sql",
    "report", "letter", "from_english", "to_english", "local_question", "fact", "options", "open",
    "advice", "minutes",
)  # fmt: skip
# domains in which more thinking before the answer pays
REASONING = frozenset({"maths", "logic", "code", "law", "medicine"})


def draw_prompts(sampler: TextSampler) -> Iterator[tuple[str, PromptSpec]]:
    """Endless prompts with their ids, no two of them equal."""
    templates, ends = list(MIX), list(accumulate(MIX.values()))
    seen: set[str] = set()
    while True:
        spec = templates[bisect(ends, sampler.unit() * ends[-1])](sampler)
        key = prompt_id(spec.text)
        if key not in seen:
            seen.add(key)
            yield key, spec


def reworded(text: str) -> str:
    """The same prompt as another client might send it: other case and spaces, a wide character.

    It gets an id of its own, but counts as equal in a split.
    """
    last = max((i for i, char in enumerate(text) if "!" <= char <= "~"), default=None)
    if last is None:
        return f"{text} "
    wide = chr(ord(text[last]) + 0xFEE0)  # the full-width twin, which NFKC maps back
    return f" {text[:last].upper()}{wide}{text[last + 1 :]}"
