"""Who may answer a request: filters, deadline and cost cap, with words for each refusal.

Stands between the scores and the rule: whatever is asked of an arm is settled here, and the rule
chooses among what is left. Arrays are (n prompts, a arms), n = 1 here; arm order is the
manifest's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..catalogue.catalogue import Catalogue
from ..core.manifest import ArmInfo
from ..core.policy import Policy
from ..core.session import turn_weights
from ..errors import NoArmAllowed
from ..request.view import PromptView
from ..types import Arm, Bools, Doubles, Reason, Scores
from .filters import Filter, Pool


class Admission:
    """The arms of a bundle, and what a catalogue says of them."""

    def __init__(self, catalogue: Catalogue, infos: Sequence[ArmInfo]) -> None:
        self.pool = Pool.of(catalogue, infos)
        self._arms: tuple[Arm, ...] = tuple(info.arm for info in infos)

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
        for item in self.filters(view, policy):
            removed = int((left & ~item.passed).sum())
            left &= item.passed
            if not left.any():
                raise NoArmAllowed(f"{item.asked} leaves no arm; this bundle has {self._some()}")
            if removed:
                kept = int(left.sum())
                detail = f"{removed} arms excluded, {kept} left"
                reasons.append(Reason(f"{item.name}_filter", detail))
        in_time, late = self._punctual(scores, left[None, :], policy)
        return in_time, [*reasons, *late, *self._session_reasons(view, policy)]

    def _some(self) -> str:
        arms = ", ".join(arm.id for arm in self._arms[:8])
        return arms + (f" and {len(self._arms) - 8} more" if len(self._arms) > 8 else "")

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

    def expected_ms(self, scores: Scores) -> Doubles:
        """(n, a) milliseconds to the last token, NaN where unknown."""
        return self.pool.timing.expected_ms(scores.output_tokens)

    def _session_reasons(self, view: PromptView, policy: Policy) -> list[Reason]:
        found = self.pool.session.reasons(view, policy.current_arm)
        if view.earlier:
            share = 1.0 - float(turn_weights(view)[0])
            detail = f"earlier turns have {share:.0%} of the weight in this turn's difficulty"
            found.append(Reason("follow_up", detail))
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
