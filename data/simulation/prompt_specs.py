"""The mix of simulated prompts: which templates there are, and how often each is used."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Iterator
from itertools import accumulate

from ..split import prompt_id
from .tasks_language import (
    case,
    chat,
    extraction,
    local,
    long_context,
    summary,
    translation,
    trivia,
)
from .tasks_reasoning import (
    arithmetic,
    competition,
    debugging,
    function,
    puzzle,
    query,
    word_problem,
)
from .text_sampler import Dice, Draft

# template -> share of the prompts, per hundred
MIX: tuple[tuple[Callable[[Dice], Draft], int], ...] = (
    (word_problem, 10),
    (arithmetic, 6),
    (competition, 8),
    (puzzle, 6),
    (function, 8),
    (debugging, 4),
    (query, 4),
    (summary, 7),
    (extraction, 8),
    (translation, 8),
    (local, 3),
    (trivia, 8),
    (case, 12),
    (chat, 6),
    (long_context, 2),
)
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


def drafts(dice: Dice) -> Iterator[tuple[str, Draft]]:
    """Endless prompts with their ids, no two of them equal."""
    templates = [template for template, _ in MIX]
    ends = list(accumulate(share for _, share in MIX))
    seen: set[str] = set()
    while True:
        draft = templates[bisect(ends, dice.unit() * ends[-1])](dice)
        key = prompt_id(draft.text)
        if key not in seen:
            seen.add(key)
            yield key, draft


def reworded(text: str) -> str:
    """The same prompt as another client might send it: other case and spaces, a wide character.

    It gets an id of its own, but counts as equal in a split.
    """
    last = max((i for i, char in enumerate(text) if "!" <= char <= "~"), default=None)
    if last is None:
        return f"{text} "
    wide = chr(ord(text[last]) + 0xFEE0)  # the full-width twin, which NFKC maps back
    return f" {text[:last].upper()}{wide}{text[last + 1 :]}"
