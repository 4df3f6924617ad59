"""What is kept of one decision, and the sums of one day (UTC)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import TypeVar

from router.catalogue.names import as_asked
from router.events import FeedbackEvent
from router.types import Doubles

from .asked import RIGHT
from .compare import SEEN, UNSUPPORTED, Facts, Sums, zeros
from .follow import Place

DAY_S = 86400
BINS = 10  # of predicted quality
MOST_GROUPS = 64
MOST_KEYS = 256  # of what upstreams say, a day
EVEN = 0.5  # preference of a tie
NAMED = "named"  # role of a request whose caller chose

T = TypeVar("T")


@dataclass(slots=True)
class Kept:
    """One of the latest decisions, with what was reported of it.

    Attributes:
        place: of its line.
        groups: kinds of requests that it counts in.
        quality, cost_usd: the first word on each; null before.
        other: who answered in the chosen arm's place.
        verdict: the judge's preference for its answer; null without one.
        reports: places of its feedback.
        rival: a candidate bundle, and the position in `facts` of the arm that it would have
            chosen; null where this decision could not have gone there.
    """

    id: str
    time: float
    place: Place
    facts: Facts
    arm: str
    kind: str
    role: str
    bundle: str
    session: str | None
    reasons: tuple[str, ...]
    groups: tuple[str, ...]
    threshold: float | None
    quality: float | None = None
    cost_usd: float | None = None
    other: str | None = None
    verdict: float | None = None
    reports: tuple[Place, ...] = ()
    rival: tuple[str, int | None] | None = None

    @property
    def day(self) -> int:
        """Days since 1970, UTC."""
        return int(self.time // DAY_S)

    @property
    def model(self) -> str:
        """Of the chosen arm."""
        return self.arm.partition("|")[0]

    @property
    def predicted_usd(self) -> float:
        """Of the chosen arm."""
        return float(self.facts.cost_usd[self.facts.chosen])

    @property
    def predicted_quality(self) -> float:
        """Of the chosen arm."""
        return float(self.facts.quality[self.facts.chosen])


@dataclass(slots=True)
class Rival:
    """A candidate's choices on the decisions that were made."""

    seen: int = 0
    same: int = 0
    sums: Doubles = field(default_factory=zeros)

    def spent(self, values: Doubles, at: int | None) -> None:
        """Add to the dollars of one decision."""
        if at is not None:
            self.sums[:SEEN] += values[:, at]

    def earned(self, values: Doubles, at: int | None) -> None:
        """Add an outcome; a choice that could not be made there counts as one never tried."""
        if at is not None:
            self.sums[SEEN:] += values[:, at]
        else:
            self.sums[SEEN] += 1
            self.sums[UNSUPPORTED] += 1

    def add(self, other: Rival) -> None:
        """Take in another day's."""
        self.seen, self.same = self.seen + other.seen, self.same + other.same
        self.sums += other.sums


@dataclass(slots=True)
class Day:
    """The sums of one day, or of several.

    Attributes:
        outcomes, elsewhere: decisions with a known quality, of the chosen arm and of another one.
        reported_usd: decisions whose dollars were reported.
        arms, usd: decisions and dollars by arm, reported where they were and else predicted.
        total, groups: against always using one arm.
        sizes: decisions by group.
        bins: by predicted quality: outcomes, sum predicted, sum observed.
        turns, sessions, switches: of requests with a session.
        cache_told, cached_tokens, input_tokens: where a provider said what its cache had.
        explored, explored_usd: draws, and what they cost above the arm that ruled.
        named: requests that named their model: nothing was decided, and they count nowhere else.
        executed, retried, said: requests that the service executed, those that took more than one
            call, and those whose answer said which model it is of.
        calls: (upstream called last, "ok" or a code of `router.events.FAILURES`).
        compared, ties, unsaid: answers that the judge compared, found equal, and said nothing of
            that counts.
        agreed, disputed: answers that it let win or lose, and of which people said the same (right
            or wrong), or the contrary.
        judge_usd, judge_unknown: dollars of comparisons, and how many did not say.
        aliases: (upstream, model asked for, model that answered), where they differ.
    """

    decisions: int = 0
    outcomes: int = 0
    elsewhere: int = 0
    reported_usd: int = 0
    turns: int = 0
    sessions: int = 0
    switches: int = 0
    stalls: int = 0
    cache_told: int = 0
    cached_tokens: int = 0
    input_tokens: int = 0
    explored: int = 0
    named: int = 0
    executed: int = 0
    retried: int = 0
    said: int = 0
    compared: int = 0
    ties: int = 0
    unsaid: int = 0
    agreed: int = 0
    disputed: int = 0
    judge_unknown: int = 0
    judge_usd: float = 0.0
    explored_usd: float = 0.0
    predicted_quality: float = 0.0
    arms: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    thresholds: Counter[float] = field(default_factory=Counter)
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    aliases: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    usd: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    total: Sums = field(default_factory=Sums)
    groups: dict[str, Sums] = field(default_factory=dict)
    rivals: dict[str, Rival] = field(default_factory=dict)
    bins: list[list[float]] = field(default_factory=lambda: [[0.0] * 3 for _ in range(BINS)])

    def spent(self, kept: Kept, values: Doubles) -> None:
        """Add to the dollars of one decision: those at first, or a change of them."""
        for sums in self._sums(kept):
            sums.spent(kept.facts, values)
        if kept.rival is not None:
            self.rival(kept.rival[0]).spent(values, kept.rival[1])

    def earned(self, kept: Kept, quality: float) -> None:
        """Add an outcome of the chosen arm."""
        values = kept.facts.earned(quality)
        for sums in self._sums(kept):
            sums.earned(kept.facts, values)
        if kept.rival is not None:
            self.rival(kept.rival[0]).earned(values, kept.rival[1])
        cell = self.bins[min(int(kept.predicted_quality * BINS), BINS - 1)]
        cell[0] += 1
        cell[1] += kept.predicted_quality
        cell[2] += quality

    def called(self, line: FeedbackEvent) -> None:
        """Add what became of a request that the service executed."""
        upstream, asked, served = line.upstream, line.asked_model, line.served_model
        self.executed += 1
        self.retried += (line.attempts or 0) > 1
        if upstream is not None:
            _count(self.calls, (upstream, line.error or "ok"))
        if upstream is None or asked is None or served is None:
            return
        self.said += 1
        ours = (line.arm or asked).partition("|")[0]
        if not as_asked(served, asked) and not as_asked(served, ours):
            _count(self.aliases, (upstream, asked, served))

    def judged(self, line: FeedbackEvent) -> None:
        """Add a comparison of the service's judge."""
        self.compared += 1
        self.ties += line.preference == EVEN
        self.unsaid += line.preference is None
        self.judge_unknown += line.judge_usd is None
        self.judge_usd += line.judge_usd or 0.0

    def agreement(self, kept: Kept) -> None:
        """Hold a decisive verdict against what people said, once both are there."""
        if kept.quality is not None and kept.verdict not in (None, EVEN):
            same = (kept.verdict > EVEN) == (kept.quality >= RIGHT)
            self.agreed += same
            self.disputed += not same

    def _sums(self, kept: Kept) -> Iterable[Sums]:
        yield self.total
        for group in kept.groups:
            if group not in self.groups and len(self.groups) < MOST_GROUPS:
                self.groups[group] = Sums()
            if group in self.groups:
                yield self.groups[group]

    def rival(self, bundle: str) -> Rival:
        """What is known of a candidate."""
        return self.rivals.setdefault(bundle, Rival())

    def add(self, other: Day) -> None:
        """Take in another day's."""
        for one in fields(Day):
            mine, theirs = getattr(self, one.name), getattr(other, one.name)
            if isinstance(theirs, int | float):
                setattr(self, one.name, mine + theirs)
            elif isinstance(theirs, Counter):
                mine.update(theirs)
        for arm, usd in other.usd.items():
            self.usd[arm] += usd
        self.total.add(other.total)
        for group, sums in other.groups.items():
            self.groups.setdefault(group, Sums()).add(sums)
        for bundle, rival in other.rivals.items():
            self.rival(bundle).add(rival)
        for cell, more in zip(self.bins, other.bins, strict=True):
            cell[:] = [a + b for a, b in zip(cell, more, strict=True)]

    @property
    def cost_usd(self) -> float:
        """Of all decisions."""
        return sum(self.usd.values())


def _count(counter: Counter[T], key: T) -> None:
    """Count a key, unless there are too many already."""
    if key in counter or len(counter) < MOST_KEYS:
        counter[key] += 1


def together(days: Iterable[Day]) -> Day:
    """Several days as one."""
    whole = Day()
    for day in days:
        whole.add(day)
    return whole
