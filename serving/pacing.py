"""The budgets that this process paces: grant, charge, correct, and tell the other processes.

Everything but the exchange happens on the event loop, without a wait between a grant and its
charge. The exchange runs in a thread every so often; a medium that is down is counted and tried
again, and requests are paced by what is known.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

from router.budget.pace import Frontier, Quote, charged, reconciled
from router.core.rules import BudgetGrant
from router.engine import Router
from router.events import FeedbackEvent
from router.types import Decision, Reason

from .account import Account, clock
from .budgets import Budget, account_of
from .ledger import (
    Charge,
    Document,
    Files,
    Medium,
    Redis,
    Report,
    Share,
    ended,
    merged,
    process_name,
)
from .metrics import Metrics
from .problems import Problem
from .settings import Settings
from .token_price import TokenPrice

log = logging.getLogger("tierwise.serving")

MAX_CHARGES = 50_000  # charges that wait for their real cost
MAX_CHARGES_PUBLISHED = 2_000  # of them are published for whoever follows on this machine
MAX_REPORTS = 2_000  # reports of foreign decisions that are passed on
REPORT_S = 60.0  # for so long
REPUBLISH_S = 10.0  # what has not changed is told again, to a medium that may have forgotten it
MAX_REPORT_RATIO = 100.0  # a report counts at most so many times the charge
MAX_FRONTIERS = 8
FIELDS = {"declared": "budget", "own": "budget_usd"}  # of a request, by the kind of its account
ROUNDING = 1e-5  # costs in decisions have six digits


@dataclass(frozen=True, slots=True)
class Paced:
    """A request that a budget paces: what it is granted, and what to charge it to."""

    account: Account
    quote: Quote
    grant: BudgetGrant
    now: float


class Pacer:
    """All accounts of one process."""

    def __init__(
        self, settings: Settings, metrics: Metrics, time_of: Callable[[], float] = time.time
    ) -> None:
        self._settings, self._metrics, self.time_of = settings, metrics, time_of
        self.process = process_name()
        self._accounts: dict[str, Account] = {}
        self._charges: OrderedDict[str, Charge] = OrderedDict()
        self._reports: deque[Report] = deque(maxlen=MAX_REPORTS)
        self._heard: set[tuple[str, str]] = set()
        self._peers: dict[str, Document] = {}
        self._frontiers: dict[str, Frontier] = {}
        self._media = media(settings)
        self._down: set[str] = set()
        self._dirty, self._published = False, 0.0
        metrics.budgets.name(budget for budget in settings.budgets if not budget.per_key)

    def check(self, budget: Budget) -> None:
        """Refuse at once, before anything is scored, what a hard stop would refuse anyway.

        Raises:
            Problem: `budget_exhausted`, or `too_many_budgets`.
        """
        account, now = self.account(budget), self.time_of()
        account.turn(now)
        if budget.hard_stop and account.whole(now).spent_usd >= budget.usd:
            raise self.exhausted(account, 0.0, now)

    def grant(self, budget: Budget, router: Router) -> Paced:
        """λ, and the most that is left, for one request.

        Raises:
            Problem: `too_many_budgets`.
        """
        account, now = self.account(budget), self.time_of()
        account.budget = budget  # the latest word on how much there is
        quote = account.quote(self.frontier(router), now)
        grant = BudgetGrant(
            cost_weight=quote.cost_weight,
            reason=Reason("budget", account.detail(quote, now)),
            cap_usd=quote.remaining_usd / quote.correction,
        )
        return Paced(account, quote, grant, now)

    def charge(self, paced: Paced, decision_id: str, decision: Decision, router: Router) -> None:
        """Spend what the decision is expected to cost.

        Raises:
            Problem: `budget_exhausted`, and nothing is spent: even the cheapest arm costs more
                than is left, and the budget has a hard stop.
        """
        account, quote = paced.account, paced.quote
        predicted = decision.predicted.cost_usd
        cost = predicted * quote.correction
        over = cost > quote.remaining_usd * (1.0 + ROUNDING)
        if over and account.budget.hard_stop:
            raise self.exhausted(account, quote.remaining_usd, paced.now)
        account.own = charged(account.own, quote, cost, paced.now)
        self._remember(decision_id, paced, decision, router)
        self._dirty = True
        self._metrics.budgets.requests["cheapest" if over else "paced"].inc()
        self._metrics.budgets.spent(account.budget, quote.remaining_usd, cost)

    def _remember(self, decision_id: str, paced: Paced, decision: Decision, router: Router) -> None:
        if decision_id in self._charges:
            return
        price = TokenPrice.of(router, decision.arm.id)
        self._charges[decision_id] = Charge(
            account=paced.account.budget.account,
            window=paced.account.own.window.start,
            charge_usd=decision.predicted.cost_usd * paced.quote.correction,
            predicted_usd=decision.predicted.cost_usd,
            owner=paced.account.budget.owner,
            input_tokens=decision.predicted.input_tokens,
            usd_per_input=None if price is None else price.usd_per_input,
            usd_per_output=None if price is None else price.usd_per_output,
            usd_per_cached=None if price is None else price.usd_per_cached,
            usd_per_cache_write=None if price is None else price.usd_per_cache_write,
        )
        while len(self._charges) > MAX_CHARGES:
            self._charges.popitem(last=False)

    def reconcile(self, event: FeedbackEvent) -> bool:
        """Correct a charge by a reported cost, once; False where no charge was corrected here."""
        report = Report(
            decision_id=event.decision_id,
            at=event.time,
            owner=event.key,
            cost_usd=event.cost_usd,
            input_tokens=event.input_tokens,
            output_tokens=event.output_tokens,
            cached_tokens=event.cached_tokens,
            cache_write_tokens=event.cache_write_tokens,
        )
        if report.cost_usd is None and report.output_tokens is None:
            return False
        if event.decision_id in self._charges:
            return self._correct(report)
        if self._media and self._accounts_anywhere():
            self._reports.append(report)
            self._dirty = True
        return False

    def _accounts_anywhere(self) -> bool:
        return bool(self._accounts) or any(peer.shares for peer in self._peers.values())

    def _correct(self, report: Report) -> bool:
        charge = self._charges.get(report.decision_id)
        if charge is None or charge.owner not in ("", report.owner):
            return False
        account, realised = self._accounts.get(charge.account), charge.usd(report)
        if account is None or realised is None:
            return False
        del self._charges[report.decision_id]
        self.settle(
            account,
            charge_usd=charge.charge_usd,
            predicted_usd=charge.predicted_usd,
            realised_usd=min(realised, MAX_REPORT_RATIO * charge.charge_usd),
            window=charge.window,
        )
        self._metrics.budgets.corrections.inc()
        return True

    def settle(
        self,
        account: Account,
        *,
        charge_usd: float,
        predicted_usd: float,
        realised_usd: float,
        window: float,
    ) -> None:
        """Spend what something cost in place of what was charged in the window that began then."""
        running = account.turn(self.time_of())
        account.own = reconciled(
            account.own,
            charge_usd=charge_usd,
            predicted_usd=predicted_usd,
            realised_usd=realised_usd,
            same_window=window == running.start,
        )
        self._dirty = True

    def view(self, router: Router, caller: str) -> dict[str, Any]:
        """What GET /budgets says: the operator's budgets and the caller's own."""
        now, frontier = self.time_of(), self.frontier(router)
        for declared in self._settings.budgets:
            self.account(account_of(declared, caller))
        seen = [a for a in self._accounts.values() if a.budget.owner in ("", caller)]
        return {"budgets": [account.view(frontier, now) for account in seen]}

    def frontier(self, router: Router) -> Frontier:
        """The frontier of a bundle, read once."""
        bundle_id = router.manifest.bundle_id
        found = self._frontiers.get(bundle_id)
        if found is None:
            if len(self._frontiers) >= MAX_FRONTIERS:
                self._frontiers.clear()
            found = self._frontiers[bundle_id] = Frontier.of(router.manifest)
        return found

    def account(self, budget: Budget) -> Account:
        """The account of a budget, opened where it is new; refuses as `grant` does."""
        found = self._accounts.get(budget.account)
        if found is not None:
            return found
        limit, now = self._settings.max_budgets, self.time_of()
        if len(self._accounts) >= limit:
            self._drop(now)
        if not budget.declared and len(self._accounts) >= limit:
            raise Problem(
                "too_many_budgets",
                f"{limit} budgets are kept (TIERWISE_MAX_BUDGETS); one that nobody spends "
                "from in two periods makes room",
                field="budget_key",
            )
        account = self._accounts[budget.account] = Account(budget, now, self._shares(budget))
        return account

    def changed(self) -> None:
        """Some account was spent from: tell the other processes soon."""
        self._dirty = True

    def _shares(self, budget: Budget) -> list[Share]:
        found = (peer.shares.get(budget.account) for peer in self._peers.values())
        return [share for share in found if share is not None]

    def exhausted(self, account: Account, left: float, now: float) -> Problem:
        """The refusal of what an account does not pay for."""
        budget, end = account.budget, account.own.window.end
        return Problem(
            "budget_exhausted",
            f"the budget {budget.name} has ${left:.4g} left of ${budget.usd:g} per "
            f"{budget.period}; it resumes at {clock(end)}",
            field=FIELDS.get(_parts(budget.account)[0]),
            headers=((b"retry-after", b"%d" % max(ceil(end - now), 1)),),
        )

    async def open(self) -> None:
        """Read what earlier and other processes published, before the first request."""
        self._published = self.time_of()
        for process, document in (await self._exchange(None)).items():
            if document.charges and ended(process):
                self._charges.update(document.charges)
                for account_id in {charge.account for charge in document.charges.values()}:
                    self._reopen(account_id)

    def _reopen(self, account_id: str) -> None:
        """Open an account that only reports may come for; the next request says its size."""
        if account_id not in self._accounts:
            kind, name, period, owner = _parts(account_id)
            usd = {b.name: b.usd for b in self._settings.budgets}.get(name, 1.0)
            self.account(
                Budget(
                    account=account_id, name=name, declared=kind == "declared", owner=owner,
                    usd=usd, period=period, hard_stop=False,
                )
            )  # fmt: skip

    async def run(self) -> None:
        """Exchange, for as long as the process lives."""
        while True:
            await asyncio.sleep(self._settings.budget_sync_s)
            await self.sync()

    async def sync(self) -> None:
        """Publish what is new and take in what others published."""
        if not self._media:
            return
        now = self.time_of()
        self._drop(now)
        if not self._accounts and not self._reports and not self._peers:
            return
        due = self._dirty or self._down or now - self._published > REPUBLISH_S
        if due:
            self._published = now
        await self._exchange(self._document(now) if due else None)
        for peer in self._peers.values():
            for report in peer.reports:
                self._hear(peer.process, report)

    def _hear(self, process: str, report: Report) -> None:
        key = (process, report.decision_id)
        if key not in self._heard:
            self._heard.add(key)
            self._correct(report)

    async def _exchange(self, mine: Document | None) -> dict[str, Document]:
        self._dirty, now = False, self.time_of()
        found: list[Document] = []
        for medium in self._media:
            try:
                found += await asyncio.to_thread(medium.exchange, mine, now)
            except OSError as err:
                self._failed(medium.name, err)
                found += self._peers.values()
            else:
                self._down.discard(medium.name)
                self._metrics.budgets.syncs[medium.name, "ok"].inc()
        self._peers = merged(found)
        self._peers.pop(self.process, None)
        for account in self._accounts.values():
            account.hear(self._shares(account.budget), now)
        return self._peers

    def _failed(self, name: str, err: OSError) -> None:
        self._metrics.budgets.syncs[name, "failed"].inc()
        if name not in self._down:  # once, not for every exchange that fails
            self._down.add(name)
            why = err.strerror or err
            log.error(
                "budgets are paced by what is known here, %s cannot be reached: %s", name, why
            )

    def _document(self, now: float) -> Document:
        while self._reports and self._reports[0].at < now - REPORT_S:
            self._reports.popleft()
        latest = list(self._charges.items())[-MAX_CHARGES_PUBLISHED:]
        ends = [a.own.window.end + a.own.window.seconds for a in self._accounts.values()]
        return Document(
            process=self.process,
            at=now,
            expires=max([now + 2 * REPORT_S, *ends]),
            shares={key: Share.of(account.own) for key, account in self._accounts.items()},
            reports=list(self._reports),
            charges=dict(latest),
        )

    def _drop(self, now: float) -> None:
        """Forget accounts that nobody spent from in two periods, and what was heard long ago."""
        for key, account in list(self._accounts.items()):
            idle = now - account.own.at
            if not account.budget.declared and idle > 2 * account.own.window.seconds:
                del self._accounts[key]
        heard = {(p.process, r.decision_id) for p in self._peers.values() for r in p.reports}
        self._heard &= heard

    async def close(self) -> None:
        """Publish the last state."""
        await self.sync()
        for medium in self._media:
            medium.close()


def media(settings: Settings) -> list[Medium]:
    """What the settings say processes meet by."""
    found: list[Medium] = []
    if settings.budget_dir is not None:
        found.append(Files(settings.budget_dir))
    if settings.redis_url is not None:
        found.append(Redis(settings.redis_url))
    return found


def _parts(account_id: str) -> tuple[str, str, str, str]:
    """(kind, name, period, owner) of an account's id."""
    kind, first, second, rest = account_id.split("/", 3)
    if kind != "own":
        return kind, first, second, rest
    return kind, rest, second, first
