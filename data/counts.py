"""What became of the rows that an ingest read: counts of shards, which add up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What became of some rows; counts of shards add up to those of the whole.

    Attributes:
        rows_read: outcomes and battles.
        kept: table -> rows.
        rejected: table -> reason -> rows.
        tokens_estimated: rows with a token count that was estimated from a text.
        arms: of the outcomes, as (model, tier).
        texts: prompts whose text was found, of outcomes or not.
        examples: `table.reason` -> what such a row holds.
        computed: outcomes whose cost a price list gave.
        priced: model -> its name in the list.
        unpriced: models of outcomes without a cost.
        uncounted: outcomes without a cost that lack token counts.
    """

    rows_read: int
    kept: Counter[str]
    rejected: dict[str, Counter[str]]
    tokens_estimated: int
    arms: frozenset[tuple[str, str]]
    texts: int
    examples: dict[str, str]
    computed: int
    priced: dict[str, str]
    unpriced: frozenset[str]
    uncounted: int

    def __add__(self, other: Counts) -> Counts:
        """Counts of both."""
        tables = {**self.rejected, **other.rejected}
        none: Counter[str] = Counter()
        return Counts(
            rows_read=self.rows_read + other.rows_read,
            kept=self.kept + other.kept,
            rejected={t: self.rejected.get(t, none) + other.rejected.get(t, none) for t in tables},
            tokens_estimated=self.tokens_estimated + other.tokens_estimated,
            arms=self.arms | other.arms,
            texts=self.texts + other.texts,
            examples={
                why: min(e[why] for e in (self.examples, other.examples) if why in e)
                for why in {**self.examples, **other.examples}
            },
            computed=self.computed + other.computed,
            priced=self.priced | other.priced,
            unpriced=self.unpriced | other.unpriced,
            uncounted=self.uncounted + other.uncounted,
        )

    def to_dict(self) -> dict[str, Any]:
        """As the report has them."""
        return {
            "rows_read": self.rows_read,
            "kept": {table: self.kept[table] for table in ("outcomes", "prompts", "pairs")},
            "rejected": {t: dict(sorted(reasons.items())) for t, reasons in self.rejected.items()},
            "examples": dict(sorted(self.examples.items())),
            "tokens_estimated": self.tokens_estimated,
            "arms": len(self.arms),
        }
