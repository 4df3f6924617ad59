"""Ordinary prompts: what a bundle knows of them, where it sends them, and what it spends.

    python -m training.benchmarks.ordinary --bundle artifacts/starter --datasets ../shared/datasets

Decisions are those of the live router. The lists of our own prompts are in `ordinary.toml`;
--prompts takes another table in the place of those of open instruction sources.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import polars as pl

from data.collection import Source
from router import Policy, Router
from router.request.view import PromptView, read_prompt
from router.types import Decision, Doubles, Scores

from ..certify.thresholds import OwnTraffic
from ..evaluation.evaluate import at_the_ask, score_texts
from ..methods.base import spaced
from .against_arms import THRESHOLDS, decided
from .ordinary_prompts import Prompt, lists, open_prompts, read_prompts
from .shown import NOTHING, Goal, Shown, Table
from .starter_options import PATH, Asked, starter_command

MOST_FLAGGED = 0.35
CHEAP, DEAR = 1 / 3, 1 / 2  # shares of the arms, by what they are expected to cost
WANTED = {"greetings": CHEAP, "chores": CHEAP, "proofs": DEAR, "coding": DEAR, "agents": DEAR}
OFF = 0.10  # that a share of spend may be off
MOST_PROMPTS = 500  # of a source, for its shares of spend
TENTHS = tuple(round(0.1 * i, 1) for i in range(1, 11))
TEXT = """\
Live decisions. *Flagged*: the answer says that the prompt is out of distribution. The 200 prompts
are of the open instruction sources' test splits, evenly in six languages; where those have too few
in a language, questions of our own fill up. Arms are ranked by what they are expected to cost for
the prompt, 0 the cheapest and 1 the dearest. The share of spend is how far the expected dollars of
a threshold lie from those of threshold 0 to those of threshold 1, on test prompts of each source
at what they cost as single requests; beside it the same of realised dollars, where a request allows
the source's arms alone."""


@dataclass(frozen=True, slots=True)
class Asks:
    """Prompts as the live router reads them."""

    router: Router
    views: tuple[PromptView, ...]
    scores: tuple[Scores, ...]

    @classmethod
    def of(cls, router: Router, texts: Sequence[str]) -> Asks:
        """Read and score them, one by one."""
        views = tuple(read_prompt(text) for text in texts)
        return cls(router, views, tuple(router.score(view) for view in views))

    def decisions(self, threshold: float) -> list[Decision]:
        """What the router answers at a threshold."""
        policy = Policy(threshold=threshold)
        pairs = zip(self.views, self.scores, strict=True)
        return [self.router.decide(view, scores, policy) for view, scores in pairs]

    def ranks(self, decisions: Sequence[Decision]) -> Doubles:
        """(n,) where the chosen arms stand by expected cost, 0 the cheapest and 1 the dearest."""
        index = {arm: i for i, arm in enumerate(self.router.arms)}
        present = self.router.present
        found = []
        for decision, scores in zip(decisions, self.scores, strict=True):
            cost = scores.cost_usd[0]
            cheaper = (cost[present] < cost[index[decision.arm]] * (1 - 1e-9)).sum()
            found.append(cheaper / max(int(present.sum()) - 1, 1))
        return np.array(found)


def flagged(decision: Decision) -> bool:
    """Whether an answer says that nothing like the prompt was seen in training."""
    return any(reason.code == "out_of_distribution" for reason in decision.reasons)


def known_of(router: Router, prompts: Sequence[Prompt]) -> tuple[Goal, Table]:
    """How many of the prompts are flagged, by language."""
    decisions = Asks.of(router, [p.text for p in prompts]).decisions(0.5)
    far: dict[str, list[bool]] = defaultdict(list)
    origins: dict[str, Counter[str]] = defaultdict(Counter)
    for prompt, decision in zip(prompts, decisions, strict=True):
        far[prompt.language].append(flagged(decision))
        origins[prompt.language][prompt.origin] += 1
    everything = [f for found in far.values() for f in found]
    share = float(np.mean(everything)) if everything else 0.0
    goal = Goal(
        what=f"{len(everything)} ordinary prompts that are flagged",
        asked=f"at most {MOST_FLAGGED:.0%}",
        found=f"{share:.0%}",
        met=share <= MOST_FLAGGED if everything else None,
    )
    rows = [
        (
            name,
            str(len(f)),
            f"{np.mean(f):.0%}",
            ", ".join(f"{o} {n}" for o, n in origins[name].items()),
        )
        for name, f in far.items()
    ]
    head = ("language", "prompts", "flagged", "from")
    return goal, Table(title="flagged, by language", head=head, rows=tuple(rows))


def sent_where(router: Router, groups: dict[str, list[str]]) -> tuple[list[Goal], Table]:
    """Where our own prompts go at threshold 0.5."""
    goals, rows = [], []
    for name, texts in groups.items():
        asks = Asks.of(router, texts)
        decisions = asks.decisions(0.5)
        rank, far = asks.ranks(decisions), np.mean([flagged(d) for d in decisions])
        chosen = Counter(f"{d.arm.model} {d.arm.tier}" for d in decisions).most_common(2)
        often = ", ".join(f"{arm} ({n})" for arm, n in chosen)
        span = f"{np.median(rank):.2f} ({rank.min():.2f} to {rank.max():.2f})"
        rows.append((name, span, f"{far:.0%}", often))
        if name in WANTED:
            cheap = WANTED[name] == CHEAP
            good = rank <= CHEAP if cheap else rank >= DEAR
            where = "cheapest third" if cheap else "dearest half"
            goals.append(Goal.share(f"{name} at 0.5 in the {where} of arms", [*map(bool, good)]))
    head = ("prompts", "rank of the arm: median (least to most)", "flagged", "most frequent arms")
    return goals, Table(title="our own prompts at threshold 0.5", head=head, rows=tuple(rows))


def hard_above_greetings(
    router: Router, hard: Sequence[str], greetings: Sequence[str]
) -> tuple[Goal, Table]:
    """Whether short hard questions get dearer arms than greetings, by the arms' mean costs."""
    mean = np.array([info.mean_cost_usd for info in router.manifest.arms])
    cost = {arm: mean[i] for i, arm in enumerate(router.arms)}
    asked = [Asks.of(router, texts) for texts in (hard, greetings)]
    rows, good = [], []
    for threshold in TENTHS:
        above, below = (np.array([cost[d.arm] for d in a.decisions(threshold)]) for a in asked)
        gap = np.subtract.outer(above, below)
        good.append(bool((gap >= 0).all() and above.mean() > below.mean()))
        shares = (f"{(gap > 0).mean():.0%}", f"{(gap >= 0).mean():.0%}")
        rows.append((f"{threshold:g}", *(f"{1e3 * v.mean():.4g}" for v in (above, below)), *shares))
    goal = Goal.share("thresholds 0.1 to 1 at which hard questions rank above greetings", good)
    head = ("threshold", "hard, $ per 1,000", "greetings", "pairs dearer", "pairs no cheaper")
    return goal, Table(title="short hard questions and greetings", head=head, rows=tuple(rows))


def spent(asked: Asked, source: Source) -> tuple[float, ...] | None:
    """The shares of spend on a source's test prompts, by threshold; null without a prompt."""
    mine = (pl.col("source") == source.name) & (pl.col("split") == "test")
    texts = asked.tables.prompts.filter(mine).sort("prompt_id")["prompt"].to_list()
    if not texts:
        return None
    kept = tuple(texts[i] for i in spaced(len(texts), MOST_PROMPTS, seed=0))
    scores = score_texts(asked.router, kept, asked.cache, asked.reporter)
    own = OwnTraffic(asked.router, scores, at_the_ask(asked.router, kept, scores))
    return _shares([own.at(t).usd_per_1k for t in (0.0, *THRESHOLDS, 1.0)])


def spent_among(asked: Asked, source: Source) -> tuple[float, ...] | None:
    """The same of realised dollars, where a request allows the source's arms alone."""
    on = asked.on(asked.router, source)
    if on.found is None or on.scored is None:
        return None
    sweep = decided(asked.router, on.scored, (0.0, *THRESHOLDS, 1.0))
    return _shares([float(usd.mean()) for usd in sweep.earned(on.found.outcomes)[0]])


def _shares(usd: Sequence[float]) -> tuple[float, ...]:
    """How far each lies from the first to the last."""
    low, *between, high = usd
    return tuple((each - low) / (high - low) if high > low else 0.0 for each in between)


def spend_shares(asked: Asked) -> tuple[list[Goal], Table]:
    """Whether a threshold is the same share of spend on every source."""
    live = [spent(asked, source) for source in asked.sources]
    among = [spent_among(asked, source) for source in asked.sources]
    what = "sources whose shares of spend at {} are within 10 points{}"
    named = ", ".join(f"{t:g}" for t in THRESHOLDS)
    goals = [
        Goal.share(what.format(named, of), [_near(shares) for shares in column if shares])
        for column, of in ((live, ""), (among, ", among their own arms, in realised dollars"))
    ]
    rows = tuple(
        (source.name, *_percents(own), *_percents(alone))
        for source, own, alone in zip(asked.sources, live, among, strict=True)
    )
    head = ("source", *(f"at {t:g}" for t in THRESHOLDS), *(f"own arms, {t:g}" for t in THRESHOLDS))
    return goals, Table(title="share of spend, by source", head=head, rows=rows)


def _near(shares: tuple[float, ...]) -> bool:
    return all(abs(s - t) <= OFF + 1e-9 for s, t in zip(shares, THRESHOLDS, strict=True))


def _percents(shares: tuple[float, ...] | None) -> list[str]:
    return [NOTHING] * len(THRESHOLDS) if shares is None else [f"{s:.0%}" for s in shares]


@starter_command
@click.option("--prompts", type=PATH, help="Table with `prompt` and maybe `language`.")
def main(asked: Asked, *, prompts: Path | None) -> Shown:
    """Ask BUNDLE about ordinary prompts."""
    router, groups = asked.router, lists()
    everyday = open_prompts(asked.tables) if prompts is None else read_prompts(prompts)
    known, by_language = known_of(router, everyday)
    goals, where = sent_where(router, groups)
    spend, shares = spend_shares(asked)
    above, pairs = hard_above_greetings(router, groups["hard"], groups["greetings"])
    return Shown(
        name="ordinary",
        title="Ordinary prompts",
        text=TEXT,
        bundle_id=router.manifest.bundle_id,
        goals=(known, *goals, *spend, above),
        tables=(by_language, where, shares, pairs),
    )


if __name__ == "__main__":
    main()
