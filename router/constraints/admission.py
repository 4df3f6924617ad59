"""Who may answer a request: filters, deadline and cost cap, with words for each refusal.

Stands between the scores and the rule: whatever is asked of an arm is settled here, and the rule
chooses among what is left. Arrays are (n prompts, a arms), n = 1 here; arm order is the
manifest's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from datetime import date

import numpy as np

from ..catalogue.catalogue import Catalogue
from ..core.manifest import ArmInfo
from ..core.policy import Policy
from ..core.rules import Rule
from ..core.session import KIND_REASONS, turn_weights
from ..errors import NoArmAllowed
from ..request.kinds import CHEAP
from ..request.view import PromptView
from ..types import Arm, Bools, Doubles, Reason, Scores
from .abilities import Filter
from .filters import Pool, Reach

SHOWN = 5  # arms that a message names


class Admission:
    """The arms of a bundle, and what a catalogue says of them."""

    def __init__(
        self, catalogue: Catalogue, infos: Sequence[ArmInfo], today: date | None = None
    ) -> None:
        """Look every arm up once; without a day nobody has retired."""
        self.pool = Pool.of(catalogue, infos, today)
        self._arms: tuple[Arm, ...] = tuple(info.arm for info in infos)

    def reaching(self, reach: Reach) -> Admission:
        """The same where only some arms can be called."""
        found = copy(self)
        found.pool = self.pool.reaching(reach)
        return found

    def filters(self, view: PromptView, policy: Policy) -> Iterator[Filter]:
        """The filters of one request that need no scores, in order."""
        return self.pool.filters(view, policy, self.input_tokens(view)[0])

    def input_tokens(self, view: PromptView) -> Doubles:
        """(1, a) tokens of the whole request, in each arm's tokenizer."""
        return self.pool.session.counter.tokens(view.asked.tally)[None, :]

    def eligible(
        self, view: PromptView, scores: Scores, policy: Policy
    ) -> tuple[Bools, list[Reason]]:
        """(1, a) arms that can answer as asked, and a reason for each filter that took some away.

        Raises:
            NoArmAllowed: none is left.
        """
        left = np.ones(len(self._arms), dtype=np.bool_)
        reasons: list[Reason] = []
        passed: list[Filter] = []
        for item in self.filters(view, policy):
            removed = int((left & ~item.passed).sum())
            if removed == left.sum():
                raise NoArmAllowed(self._refusal(item, left, passed))
            left &= item.passed
            passed.append(item)
            if removed:
                what = f"{item.asked}: " if item.name == "capability" else ""
                detail = f"{what}{removed} arms excluded, {int(left.sum())} left"
                reasons.append(Reason(f"{item.name}_filter", detail))
        in_time, late = self._punctual(scores, left[None, :], policy)
        return in_time, [*reasons, *late, *self._retired(in_time[0]), *self._session(view, policy)]

    def _refusal(self, item: Filter, left: Bools, passed: Sequence[Filter]) -> str:
        """Which filter took the last arms, who else could, and what would work.

        Args:
            item: the filter that nobody passes.
            left: (a,) who was left before it.
            passed: the filters before it.
        """
        parts, able = [f"{item.asked} leaves no arm"], item.passed
        for before in passed:
            taken, able = able & ~before.passed, able & before.passed
            if taken.any():
                hint = f" ({before.remedy})" if before.remedy else ""
                parts.append(f"{self._some(taken)} could, but for {before.asked}{hint}")
        unknown = None if item.unknown is None else item.unknown & left
        if unknown is not None and unknown.any():
            where = f"state {item.remedy} in the catalogue where it is so"
            parts.append(f"it is not known of {self._some(unknown)}: {where}")
        elif item.remedy and item.unknown is None:
            parts.append(item.remedy)
        if len(parts) == 1:
            parts.append(f"this bundle has {self._some(np.ones_like(left))}")
        return "; ".join(parts)

    def _some(self, mask: Bools) -> str:
        names = [self._arms[i].id for i in np.flatnonzero(mask)]
        return ", ".join(names[:SHOWN]) + (
            f" and {len(names) - SHOWN} more" if names[SHOWN:] else ""
        )

    def _retired(self, left: Bools) -> list[Reason]:
        """A reason where models that answer no more are among those that may be chosen."""
        there = self.pool.retired & left
        if not there.any():
            return []
        ends = {i.model: i.retired for i, gone in zip(self.pool.infos, there, strict=True) if gone}
        shown = ", ".join(f"{model} since {day}" for model, day in list(ends.items())[:SHOWN])
        more = f" and {len(ends) - SHOWN} more" if len(ends) > SHOWN else ""
        why = "all of this bundle are so" if self.pool.retired.all() else "the request names them"
        return [Reason("retired", f"{shown}{more} answer no more, but {why}")]

    def affordable(self, scores: Scores, eligible: Bools, policy: Policy) -> Bools:
        """(1, a) those of `eligible` that the policy's cap on one request pays for.

        Raises:
            NoArmAllowed: it pays for none.
        """
        cap = policy.max_cost_usd
        if cap is None:
            return eligible
        left: Bools = eligible & (scores.cost_usd <= cap)
        if not left.any():
            need = float(scores.cost_usd[eligible].min())
            raise NoArmAllowed(
                f"max_cost_usd={cap:g} leaves no arm; this prompt needs at least {need:.3g}"
            )
        return left

    def exclusions(self, view: PromptView, scores: Scores, policy: Policy) -> dict[str, str]:
        """Arm id -> the first filter that takes it away; the cost cap is not among them."""
        passed = [(item.name, item.passed) for item in self.filters(view, policy)]
        if policy.max_latency_ms is not None:
            passed.append(("latency", (self.expected_ms(scores) <= policy.max_latency_ms)[0]))
        found: dict[str, str] = {}
        for name, mask in passed:
            for i in np.flatnonzero(~mask).tolist():
                found.setdefault(self._arms[i].id, name)
        return found

    def charged(self, view: PromptView, scores: Scores, policy: Policy) -> Scores:
        """The scores, where staying with the current arm costs what its prompt cache leaves."""
        return self.pool.session.charged(view, scores, policy.current_arm)

    def compared(self, view: PromptView, scores: Scores, policy: Policy, rule: Rule) -> Scores:
        """The scores as a rule compares them: see `Session.compared`.

        Args:
            view: the prompt.
            scores: of it, without `charged`.
            policy: what is asked.
            rule: that decides.
        """
        session, current = self.pool.session, policy.current_arm
        if rule.holds:
            scores = session.favoured(view, scores, current)
        by_ask = rule.threshold is not None
        return session.compared(view, scores, current, by_ask=by_ask)

    def switch_reasons(
        self, view: PromptView, scores: Scores, eligible: Bools, chosen: int, policy: Policy
    ) -> list[Reason]:
        """Why the arm of the turn before was left, if it was: see `Session.switch_reasons`."""
        if policy.current_arm is None or view.asked.housekeeping:
            return []
        return self.pool.session.switch_reasons(scores, eligible, chosen, policy.current_arm)

    def expected_ms(self, scores: Scores) -> Doubles:
        """(n, a) milliseconds to the last token, NaN where unknown."""
        return self.pool.timing.expected_ms(scores.output_tokens)

    def _session(self, view: PromptView, policy: Policy) -> list[Reason]:
        facts = view.asked
        found = self.pool.session.reasons(view, policy.current_arm)
        if facts.kind in KIND_REASONS and facts.kind not in CHEAP:
            found.append(KIND_REASONS[facts.kind])
        if view.earlier:
            share = 1.0 - float(turn_weights(view)[0])
            detail = f"earlier turns have {share:.0%} of the weight in this turn's difficulty"
            found.append(Reason("follow_up", detail))
        if facts.stalled:
            found.append(Reason("stalled", "the same call failed three times in a row; harder"))
        return found

    def _punctual(
        self, scores: Scores, eligible: Bools, policy: Policy
    ) -> tuple[Bools, list[Reason]]:
        """Those expected to answer in time; one whose latency is unknown is not."""
        limit = policy.max_latency_ms
        if limit is None:
            return eligible, []
        left: Bools = eligible & (self.expected_ms(scores) <= limit)
        if not left.any():
            need = self._least(scores, eligible)
            raise NoArmAllowed(f"max_latency_ms={limit:g} leaves no arm; {need}")
        removed = int((eligible & ~left).sum())
        detail = f"{removed} arms excluded, {int(left.sum())} left within {limit:g} ms"
        return left, [Reason("latency_filter", detail)] if removed else []

    def _least(self, scores: Scores, eligible: Bools) -> str:
        """What deadline would suffice, or what the catalogue lacks."""
        found = self.expected_ms(scores)[eligible]
        known = found[np.isfinite(found)]
        names = [self._arms[i].id for i in np.flatnonzero(eligible[0])]
        gaps = sorted({why for n in names if (why := self.pool.timing.unknown.get(n))})
        missing = f"{gaps[0]} in the catalogue" if gaps else "a prediction was not finite"
        if len(gaps) > 1:
            missing += f", and {len(gaps) - 1} more"
        if not known.size:
            return f"no arm's latency is known: {missing}"
        text = f"this prompt needs at least {known.min():.0f} ms"
        return f"{text} ({missing})" if gaps else text
