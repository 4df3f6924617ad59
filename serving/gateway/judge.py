"""Some answers are compared with another arm's, within a day's dollars, after the caller has his.

A comparison is one more answer and two verdicts. Its dollars are reserved before anything is
asked: the second answer is limited to what it may cost, verdicts are short. Texts stay in memory
until both verdicts are there; written down are who was compared, the preference, its probability
and its cost.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import cached_property

import numpy as np

from router.budget.pace import spent
from router.core.explore import draw
from router.events import JUDGE
from router.request.kinds import HOUSEKEEPING, SMALL_TALK
from router.types import Doubles

from ..account import Account
from ..budgets import Budget
from ..recorder import Routed
from ..token_price import TokenPrice
from ..worker import Worker
from .calls import Calls
from .comparing import CALLS, Comparing, tell_fault
from .draws import Draw, Planner, drawn, worths
from .execution import Execution
from .lines import Lines
from .upstreams import Judge
from .verdicts import FRAME_CHARS, MOST_CHARS
from .wires import Wire

ROOM = 4.0  # times its expected cost that a second answer may take
MOST_PART = 0.1  # of a worker's day, that one comparison may take
LEAST_USD = 1e-12  # where all models are free
MOST_AT_ONCE = 16  # comparisons under way
CHARS, USUAL_CHARS = 2.0, 4.0  # of a token: at least, and as a rule
OTHER = frozenset({"tools", "vision", "audio", "document"})  # what words do not show


class Judging:
    """The judge of one worker."""

    def __init__(self, worker: Worker, judge: Judge, lines: Lines, calls: Calls) -> None:
        self._worker, self._judge, self._lines = worker, judge, lines
        self._comparing = Comparing(judge, lines, calls)
        self._tasks: set[asyncio.Task[None]] = set()
        workers = worker.settings.workers
        self._workers = workers if isinstance(workers, int) else os.cpu_count() or 1
        self._budget = Budget(
            account="judge/judge/day/", name=JUDGE, declared=True, owner="",
            usd=judge.usd_per_day, period="day", hard_stop=True,
        )  # fmt: skip

    @cached_property
    def _planner(self) -> Planner:
        """Of the draws; like the pacer, made inside the worker."""
        return Planner(self._worker.pacer.time_of)

    async def stop(self) -> None:
        """End what is under way; what it reserved counts as spent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def think_of(self, routed: Routed, wire: Wire) -> Draw | None:
        """The comparison for a request that was decided, if it is thought of.

        Its probabilities depend on the request and on who was chosen, never on an answer.
        """
        try:
            return self._thought(routed, wire)
        except Exception as err:  # the caller's answer is none of its business
            tell_fault(err)
            return None

    def _thought(self, routed: Routed, wire: Wire) -> Draw | None:
        judge, decision_id = self._judge, routed.asked.decision_id
        if draw(judge.seed, f"{decision_id}/judge") >= judge.share or not self._suits(routed):
            return None
        router, chosen = routed.asked.router, routed.decision.arm
        seat, price = self._comparing.seat(), self._comparing.price(router)
        first = router.arm_ids.index(chosen.id)
        if seat is None or price is None or len(self._tasks) >= MOST_AT_ONCE:
            return Draw(0.0)
        others = self._others(routed, wire, first, price)
        expected = routed.entry.scores.cost_usd[0, others]
        most = self._most_usd(expected, price)
        if not others or not self._affords(float(most.max())):  # whoever would be drawn
            return Draw(0.0)
        usd = expected + self._verdicts_usd(price, self._tokens(routed, first, others))
        usd = np.maximum(usd, LEAST_USD)
        chances = self._chances(routed, first, others, usd)
        at = drawn(chances, judge.seed, decision_id)
        if at is None:
            return Draw(float(chances.sum()))
        return Draw(
            chance=float(chances.sum()),
            second=router.arms[others[at]],
            each=float(chances[at]),
            expected_usd=float(usd[at]),
            answer_usd=float(ROOM * expected[at]),
            reserved_usd=float(most[at]),
            start=self._reserve(float(most[at])),
        )

    def follow(self, done: Execution, error: str | None) -> None:
        """Compare an answer that has gone out, where that was drawn."""
        found = done.draw
        if found is None or found.second is None:
            return
        if not done.comparable(error):
            self._settle(found, 0.0)
            return
        task = asyncio.get_running_loop().create_task(self._compared(done, found))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _compared(self, done: Execution, found: Draw) -> None:
        event, usd = await self._comparing.compare(done, found)
        self._settle(found, usd)
        self._worker.recorder.feedback(event)
        result = {None: "none", 1.0: "won", 0.0: "lost", 0.5: "tie"}[event.preference]
        failed = event.preference is None and event.against_tokens is None
        self._worker.metrics.judge.compared["failed" if failed else result].inc()

    def _suits(self, routed: Routed) -> bool:
        """Whether words alone show what an answer is worth, and the judge may see them."""
        facts, allowed = routed.asked.view.asked, routed.asked.policy.allowed_models
        seen = not allowed or any(
            fnmatchcase(self._judge.model, pattern.partition("|")[0]) for pattern in allowed
        )
        task = facts.kind not in HOUSEKEEPING | SMALL_TALK and routed.asked.role != "named"
        return seen and task and facts.request.n == 1 and not facts.needs & OTHER

    def _others(self, routed: Routed, wire: Wire, first: int, price: TokenPrice) -> list[int]:
        """Arms that could have answered as well, have a price, and an upstream with room.

        Those of which one comparison may take too much of a day are none of them.
        """
        router = routed.asked.router
        known = [router.arm_ids.index(name) for name in routed.decision.propensities]
        others = [i for i in known if i != first]
        most = self._most_usd(routed.entry.scores.cost_usd[0], price)
        paid = [i for i in others if most[i] <= MOST_PART * self._part]
        if others and not paid:
            self._comparing.say(
                f"usd_per_day pays for no comparison with {self._judge.model}: one may cost "
                f"${float(most[others].min()):.4g}, more than {MOST_PART:.0%} of a worker's day"
            )
        return [
            i for i in paid
            if TokenPrice.of(router, router.arm_ids[i]) is not None
            and any(line.spares(CALLS) for line, _ in self._lines.of(router.arms[i].model, wire))
        ]  # fmt: skip

    def _most_usd(self, expected: Doubles, price: TokenPrice) -> Doubles:
        """What comparisons may cost at most, by what the second answers are expected to."""
        return np.asarray(ROOM * expected + self._verdicts_usd(price, 3 * MOST_CHARS / CHARS))

    def _chances(self, routed: Routed, first: int, others: Sequence[int], usd: Doubles) -> Doubles:
        """(k,) probability of each of the others, of which a comparison costs so much."""
        account, now = self._account, self._worker.pacer.time_of()
        left = self._part - account.whole(now).spent_usd / self._workers
        each = worths(routed.asked.router, routed.entry.scores, first, others, usd)
        ends = account.own.window.end
        return self._planner.chances(each, usd, left_usd=max(left, 0.0), left_s=ends - now)

    def _tokens(self, routed: Routed, first: int, others: Sequence[int]) -> Doubles:
        """(k,) tokens of request and answers that a verdict is expected to read."""
        known = routed.entry.scores.output_tokens[0]
        written = np.minimum(np.nan_to_num(known, nan=np.inf), MOST_CHARS / USUAL_CHARS)
        asked = min(routed.asked.view.asked.n_chars, MOST_CHARS) / USUAL_CHARS
        return np.asarray(asked + written[others] + written[first])

    def _verdicts_usd(self, price: TokenPrice, tokens: float | Doubles) -> float | Doubles:
        """Dollars of both verdicts over so many tokens of texts."""
        read = tokens + FRAME_CHARS / USUAL_CHARS
        written = self._judge.max_tokens
        return 2 * (read * price.usd_per_input + written * price.usd_per_output)

    @property
    def _account(self) -> Account:
        return self._worker.pacer.account(self._budget)

    @property
    def _part(self) -> float:
        """Dollars that this worker may spend in a day: all of them together never spend more."""
        return self._judge.usd_per_day / self._workers

    def _affords(self, usd: float) -> bool:
        """Whether the day has so much left, and this worker's part of it."""
        account, now = self._account, self._worker.pacer.time_of()
        account.turn(now)
        within = account.whole(now).spent_usd + usd <= self._judge.usd_per_day
        return within and account.own.spent_usd + usd <= self._part

    def _reserve(self, usd: float) -> float:
        """Spend dollars before they are; the start of the day that pays."""
        account, now = self._account, self._worker.pacer.time_of()
        account.own = spent(account.own, usd, now)
        self._worker.pacer.changed()
        return account.own.window.start

    def _settle(self, found: Draw, usd: float | None) -> None:
        """Spend what it took in place of what was reserved; an unknown cost is all of that."""
        paid = found.reserved_usd if usd is None else usd
        self._worker.pacer.settle(
            self._account,
            charge_usd=found.reserved_usd,
            predicted_usd=found.expected_usd,
            realised_usd=paid,
            window=found.start,
        )
        self._worker.metrics.judge.usd.inc(paid)
