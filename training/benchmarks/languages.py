"""Does a question get the same arm in every language?

    python -m training.benchmarks.languages --bundle artifacts/starter \
        --datasets ../shared/datasets [--multilingual artifacts/multilingual]

The same questions, in our own words, in twelve languages (`languages.json`). In a language that the
encoder does not know, the bundle must choose what it chooses in English, or say that it does not
know the prompt. --multilingual is a bundle of the same collection with the multilingual encoder, as
`make multilingual` assembles it: what it brings, and what it costs on the collection's test prompts
in English.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import polars as pl

from data.collection import Source
from router import Router
from router.types import Arm

from ..measure.draws import Difference, interval
from .ordinary import Asks, flagged
from .ordinary_prompts import language_of, questions
from .shown import Goal, Shown, Table, signed
from .starter_options import PATH, Asked, starter_command

LEAST, ENGLISH = 0.85, "en"
AT = (0.3, 0.5, 0.7)
TEXT = """\
The same questions in twelve languages, in our own words. *Same*: the arm that the English question
gets at that threshold; *flagged*: the answer says that the prompt is out of distribution. A goal is
met where either is so for 85 % of the questions, at threshold 0.5 in every language."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What the questions of one language get: arms and flags by threshold, in one order."""

    arms: dict[float, list[Arm]]
    far: list[bool]

    @classmethod
    def of(cls, router: Router, texts: list[str]) -> Spoken:
        """Ask the live router."""
        asks = Asks.of(router, texts)
        decisions = {t: asks.decisions(t) for t in AT}
        arms = {t: [d.arm for d in found] for t, found in decisions.items()}
        return cls(arms, [flagged(d) for d in decisions[0.5]])

    def same(self, english: Spoken, threshold: float) -> list[bool]:
        """Which of them get the arm that they get in English."""
        pairs = zip(self.arms[threshold], english.arms[threshold], strict=True)
        return [ours is theirs or ours == theirs for ours, theirs in pairs]

    def good(self, english: Spoken, threshold: float) -> float:
        """The share that gets the same arm or is flagged."""
        return float(np.mean(np.array(self.same(english, threshold)) | np.array(self.far)))


def by_language(router: Router, asked: dict[str, list[str]], title: str) -> tuple[Goal, Table]:
    """How often every language gets what English gets."""
    spoken = {name: Spoken.of(router, texts) for name, texts in asked.items()}
    english, rows, good = spoken[ENGLISH], [], []
    for name, found in spoken.items():
        same, far = (f"{np.mean(v):.0%}" for v in (found.same(english, 0.5), found.far))
        rows.append((name, same, far, *(f"{found.good(english, t):.0%}" for t in AT)))
        if name != ENGLISH:
            good.append(found.good(english, 0.5))
    lowest = min(good, default=0.0)
    goal = Goal(
        what=f"questions with the same arm as in English, or flagged, in each language{title}",
        asked=f"at least {LEAST:.0%}",
        found=f"{np.mean(good):.0%} on average, {lowest:.0%} at worst",
        met=lowest >= LEAST,
    )
    head = ("language", "same at 0.5", "flagged", *(f"same or flagged at {t:g}" for t in AT))
    return goal, Table(title=f"by language{title}", head=head, rows=tuple(rows))


def english_cost(asked: Asked, other: Router) -> Table:
    """AIQ of the bundle and of another encoder's, source by source, on sources in English."""
    rows = []
    for source in asked.sources:
        if not in_english(asked, source):
            continue
        arms = sorted({*asked.router.arm_ids} & {*other.arm_ids})
        ours, theirs = (asked.on(router, source, arms).found for router in (asked.router, other))
        if ours is None or theirs is None:
            continue
        aiq = [found.router.measures.aiq for found in (ours, theirs)]
        drawn = [found.resampled.draws("router", "aiq") for found in (ours, theirs)]
        change = Difference(aiq[1] - aiq[0], interval(drawn[1] - drawn[0]))
        rows.append((source.name, *(f"{a:.4f}" for a in aiq), signed(change)))
    changes = [float(row[2]) - float(row[1]) for row in rows]
    if changes:
        rows.append(("mean", "", "", f"{np.mean(changes):+.4f}"))
    head = ("source in English", "AIQ", "AIQ of the multilingual bundle", "change")
    return Table(title="what the multilingual encoder costs", head=head, rows=tuple(rows))


def in_english(asked: Asked, source: Source) -> bool:
    """Whether most of a source's test prompts read as English."""
    mine = (pl.col("source") == source.name) & (pl.col("split") == "test")
    texts = asked.tables.prompts.filter(mine)["prompt"].head(50).to_list()
    return bool(texts) and float(np.mean([language_of(text) == ENGLISH for text in texts])) > 0.5


@starter_command
@click.option("--questions", "path", type=PATH, help="JSON: language -> questions, in one order.")
@click.option("--multilingual", type=PATH, help="A bundle with the multilingual encoder.")
def main(asked: Asked, *, path: Path | None, multilingual: Path | None) -> Shown:
    """Ask BUNDLE the same in twelve languages."""
    said = questions() if path is None else questions(path)
    parts = [by_language(asked.router, said, "")]
    tables = []
    if multilingual is not None:
        other = Router.load(multilingual)
        parts.append(by_language(other, said, " (multilingual encoder)"))
        tables.append(english_cost(asked, other))
    return Shown(
        name="languages",
        title="Languages",
        text=TEXT,
        bundle_id=asked.router.manifest.bundle_id,
        goals=tuple(goal for goal, _ in parts),
        tables=(*(table for _, table in parts), *tables),
    )


if __name__ == "__main__":
    main()
