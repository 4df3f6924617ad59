"""Everything that the page counts, kept as sums by day: memory follows days and arms, not lines.

A decision is kept only among the last `KEPT`, where its feedback finds it. Feedback that finds
none, because it came later than that or its decision was never read, is counted.
"""

from __future__ import annotations

from collections import OrderedDict
from sys import intern
from typing import TypeVar

import numpy as np

from router.catalogue.names import find_arm
from router.core import features
from router.events import GATEWAY, JUDGE, BundleEvent, DecisionEvent, FeedbackEvent
from router.types import Ints

from .compare import Facts
from .day import NAMED, Day, Kept, Rival
from .follow import Place
from .lines import Line

DAYS = 92  # that are kept
KEPT = 50_000  # decisions that feedback still finds; the service remembers as many
WAITING = 5_000  # reports, and choices of candidates, that came before their decision
SESSIONS = 20_000
SAMPLE = 600  # of the latest decisions, to decide them again at other thresholds
MOST_ARMS = 512
MOST_BUNDLES = 256
MOST_SHARED = 1024  # sets of arms
MOST_REPORTS = 32  # of one decision
SCRIPT = features.NAMES.index(features.SCRIPT)
FOREIGN = 0.15  # of characters beyond ASCII: accents stay below, other scripts lie above

V = TypeVar("V")


class Tally:
    """The reader's state; one thread changes it, under the reader's lock."""

    def __init__(self) -> None:
        self.days: dict[int, Day] = {}
        self.kept: OrderedDict[str, Kept] = OrderedDict()
        self.columns: dict[str, int] = {}  # arm -> column of `Sums`
        self.sample: OrderedDict[str, DecisionEvent] = OrderedDict()
        self.bundles: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self.unreadable = 0  # lines
        self.lost = 0  # reports that found no decision and wait no more
        self._shared: dict[tuple[str, tuple[int, ...]], tuple[Ints, int]] = {}
        self._reports: OrderedDict[str, list[tuple[Place, FeedbackEvent]]] = OrderedDict()
        self._shadows: OrderedDict[str, DecisionEvent] = OrderedDict()
        self._sessions: OrderedDict[str, str] = OrderedDict()

    @property
    def unjoined(self) -> int:
        """Reports without a decision."""
        return self.lost + sum(map(len, self._reports.values()))

    def add(self, place: Place, line: Line) -> None:
        """Take one line in."""
        if isinstance(line, BundleEvent):
            _put(self.bundles, line.bundle_id, tuple(line.arms), MOST_BUNDLES)
        elif isinstance(line, FeedbackEvent):
            self._report(place, line)
        elif max(line.eligible) >= len(self.bundles.get(line.bundle_id, ())):
            self.unreadable += 1  # nobody said which arms it means
        elif line.role == "shadow":
            self._shadow(line)
        else:
            self._decision(place, line)

    def _decision(self, place: Place, line: DecisionEvent) -> None:
        if line.decision_id in self.kept:
            return
        kept = self._kept(place, line)
        _put(self.kept, kept.id, kept, KEPT)
        if kept.role == NAMED:
            self.day(kept.day).named += 1
        else:
            self._count(self.day(kept.day), kept, line)
        if kept.id in self._shadows:
            self._shadow(self._shadows.pop(kept.id))
        for where, report in self._reports.pop(kept.id, ()):
            self._report(where, report)

    def _kept(self, place: Place, line: DecisionEvent) -> Kept:
        names = self.bundles[line.bundle_id]
        threshold = line.policy.get("threshold")
        kind = intern(line.kind or "unknown")
        foreign = len(line.features) > SCRIPT and line.features[SCRIPT] >= FOREIGN
        script = "not Latin" if foreign else "mostly Latin"
        return Kept(
            id=line.decision_id,
            time=line.time,
            place=place,
            facts=self._facts(names, line),
            arm=names[line.chosen],
            kind=kind,
            role=intern(line.role),
            bundle=intern(line.bundle_id),
            session=line.session,
            reasons=tuple(map(intern, line.reasons)),
            groups=(intern(f"kind {kind}"), intern(f"script {script}")),
            threshold=threshold if isinstance(threshold, float | int) else None,
        )

    def _facts(self, names: tuple[str, ...], line: DecisionEvent) -> Facts:
        chance, quality = np.array(line.propensity), np.array(line.quality, dtype=np.float32)
        chosen = line.eligible.index(line.chosen)
        arms, width = self._arms(names, line.bundle_id, tuple(line.eligible))
        return Facts(
            arms=arms,
            width=width,
            chosen=chosen,
            chance=line.propensity[chosen],
            possible=chance > 0.0,
            quality=quality,
            cost_usd=np.array(line.cost_usd, dtype=np.float32),
            direct=float((chance * quality).sum()),
        )

    def _arms(
        self, names: tuple[str, ...], bundle_id: str, eligible: tuple[int, ...]
    ) -> tuple[Ints, int]:
        """The columns of arms, shared by the decisions that had the same ones, and their width."""
        key = (bundle_id, eligible)
        if key not in self._shared:
            columns = [self._column(names[i]) for i in eligible]
            if len(self._shared) >= MOST_SHARED:
                self._shared.clear()
            self._shared[key] = np.array(columns), max(columns) + 1
        return self._shared[key]

    def _column(self, arm: str) -> int:
        """The column of an arm; names beyond `MOST_ARMS` are compared with nothing."""
        if arm not in self.columns and len(self.columns) >= MOST_ARMS:
            return MOST_ARMS
        return self.columns.setdefault(arm, len(self.columns))

    def _count(self, day: Day, kept: Kept, line: DecisionEvent) -> None:
        _put(self.sample, kept.id, line, SAMPLE)
        day.decisions += 1
        day.arms[kept.arm] += 1
        day.usd[kept.arm] += kept.predicted_usd
        day.predicted_quality += kept.predicted_quality
        day.spent(kept, kept.facts.spent(None, drawn=True))
        day.sizes.update(kept.groups)
        day.stalls += "stalled" in kept.reasons
        if kept.threshold is not None:
            day.thresholds[round(kept.threshold, 2)] += 1
        if "exploration" in kept.reasons:
            ruling = int(np.argmax(line.propensity))
            day.explored += 1
            day.explored_usd += kept.predicted_usd - line.cost_usd[ruling]
        if kept.session is not None:
            before = self._sessions.pop(kept.session, None)
            _put(self._sessions, kept.session, kept.model, SESSIONS)
            day.turns += 1
            day.sessions += before is None
            day.switches += before not in (None, kept.model)

    def _report(self, place: Place, line: FeedbackEvent) -> None:
        kept = self.kept.get(line.decision_id)
        if kept is None:
            self._wait(place, line)
            return
        day = self.day(kept.day)
        kept.reports = (*kept.reports, place)[:MOST_REPORTS]
        if line.arm is not None and kept.other is None:
            meant = find_arm(line.arm, (kept.arm,), self.bundles.get(kept.bundle, ()))
            kept.other = None if meant == kept.arm else line.arm
        if line.source == GATEWAY:
            day.called(line)
        if line.source == JUDGE and line.against is not None and kept.verdict is None:
            day.judged(line)
            kept.verdict = line.preference
            day.agreement(kept)
        if line.cost_usd is not None and kept.cost_usd is None:
            self._paid(day, kept, line.cost_usd)
        if line.quality is not None and kept.quality is None:
            self._judged(day, kept, line.quality)
            day.agreement(kept)
        if line.cached_tokens is not None and line.input_tokens:
            day.cache_told += 1
            day.cached_tokens += line.cached_tokens
            day.input_tokens += line.input_tokens

    def _wait(self, place: Place, line: FeedbackEvent) -> None:
        waiting = self._reports.setdefault(line.decision_id, [])
        waiting.append((place, line))
        self.lost += len(waiting[MOST_REPORTS:])
        del waiting[MOST_REPORTS:]
        if len(self._reports) > WAITING:
            self.lost += len(self._reports.popitem(last=False)[1])

    def _paid(self, day: Day, kept: Kept, usd: float) -> None:
        facts = kept.facts
        kept.cost_usd = usd
        if kept.role == NAMED:
            return
        day.reported_usd += 1
        day.usd[kept.arm] += usd - kept.predicted_usd
        change = facts.spent(usd, drawn=kept.other is None) - facts.spent(None, drawn=True)
        change[0] = 0.0  # the decision was counted before
        day.spent(kept, change)

    def _judged(self, day: Day, kept: Kept, quality: float) -> None:
        kept.quality = quality
        if kept.role == NAMED:
            return
        if kept.other is None:
            day.outcomes += 1
            day.earned(kept, quality)
        else:  # nobody drew who answered
            day.elsewhere += 1

    def _shadow(self, line: DecisionEvent) -> None:
        """What a candidate would have chosen on a decision that was made."""
        kept = self.kept.get(line.decision_id)
        if kept is None:
            _put(self._shadows, line.decision_id, line, WAITING)
            return
        if kept.rival is not None:
            return
        arm, facts = self.bundles[line.bundle_id][line.chosen], kept.facts
        at = np.flatnonzero(facts.arms == self.columns.get(arm, -1))
        kept.rival = (line.bundle_id, int(at[0]) if len(at) else None)
        self._rival(self.day(kept.day).rival(line.bundle_id), kept, same=arm == kept.arm)

    def _rival(self, rival: Rival, kept: Kept, *, same: bool) -> None:
        facts, at = kept.facts, None if kept.rival is None else kept.rival[1]
        rival.seen += 1
        rival.same += same
        rival.spent(facts.spent(kept.cost_usd, drawn=kept.other is None), at)
        if kept.quality is not None and kept.other is None:
            rival.earned(facts.earned(kept.quality), at)

    def day(self, number: int) -> Day:
        """The sums of a day; the oldest go when there are too many."""
        found = self.days.get(number)
        if found is None:
            found = self.days[number] = Day()
            while len(self.days) > DAYS:
                del self.days[min(self.days)]
        return found


def _put(known: OrderedDict[str, V], key: str, value: V, most: int) -> None:
    """Keep a value, and forget the oldest where there are too many."""
    known[key] = value
    while len(known) > most:
        known.popitem(last=False)
