"""Which spans of a trace are answers of a model, and which scores are theirs.

Tools score the call itself, the step around it, or the whole trace. A score of something larger
counts for a call where that holds no other call: nobody knows which of several it praises.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

Scores = Mapping[str, object]
DEEPEST = 100  # spans above one another; a circle of parents ends here


@dataclass(slots=True)
class Calls:
    """What the first reading of files found, by span id."""

    parents: dict[str, str] = field(default_factory=dict)
    answers: set[str] = field(default_factory=set)
    scores: dict[str, dict[str, object]] = field(default_factory=dict)
    wrappers: set[str] = field(default_factory=set)  # calls that hold another call
    below: Counter[str] = field(default_factory=Counter)  # answers below a scored span

    def add(self, span: str | None, parent: str | None, *, answer: bool) -> None:
        """Remember a span."""
        if span is None:
            return
        if parent is not None and parent != span:
            self.parents[span] = parent
        if answer:
            self.answers.add(span)

    def score(self, span: str | None, found: Scores) -> None:
        """Remember scores of a span."""
        if span is not None and found:
            self.scores.setdefault(span, {}).update(found)

    def settle(self) -> None:
        """See what holds what; call it once, when all is added."""
        held = {self.parents.get(span) for span in self.answers}
        self.wrappers = {span for span in held if span in self.answers}
        for span in self.answers - self.wrappers:
            self.below.update(above for above in set(self._above(span)) if above in self.scores)

    def scores_of(self, span: str | None) -> Scores:
        """The scores of an answer: its own, else those of the nearest span that holds it alone."""
        if span is None:
            return {}
        if span in self.scores:
            return self.scores[span]
        near = next((above for above in self._above(span) if above in self.scores), None)
        return self.scores[near] if near is not None and self.below[near] == 1 else {}

    def names(self) -> set[str]:
        """The names of all scores."""
        return {name for found in self.scores.values() for name in found}

    def _above(self, span: str) -> list[str]:
        found: list[str] = []
        while len(found) < DEEPEST and (parent := self.parents.get(span)) is not None:
            found.append(parent)
            span = parent
        return found
