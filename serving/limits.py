"""What a key may spend in a period: refused beyond it, reserved before, corrected by what was paid.

A limit is an account like a budget's, so that processes share it as they share budgets, but nothing
is paced by it. Only what the gateway measured itself corrects a reservation: whoever is limited
cannot report his way out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from router.budget.pace import spent

from .account import Account
from .budgets import Budget
from .keys import Key, Keys
from .metrics import Metrics
from .pacing import MAX_CHARGES, Pacer


@dataclass(frozen=True, slots=True)
class Reserved:
    """What a request is believed to cost until it has ended."""

    account: Account
    window: float  # start of the period that pays
    charge_usd: float
    predicted_usd: float


class Limits:
    """Of one worker; used on its event loop, without a wait between a check and what it allows."""

    def __init__(self, keys: Keys, pacer: Pacer, metrics: Metrics) -> None:
        self._keys, self._pacer, self._left = keys, pacer, metrics.budgets.left
        self._reserved: OrderedDict[str, Reserved] = OrderedDict()

    def of(self, owner: str) -> Account | None:
        """The account of a key's limit; null where it has none."""
        name, key = self._keys.of(owner) or ("", None)
        budget = None if key is None else limit_of(name, key)
        return None if budget is None else self._pacer.account(budget)

    @property
    def all(self) -> Sequence[Account]:
        """Those of all keys that have one."""
        found = (self.of(owner) for owner in self._keys.owners)
        return [account for account in found if account is not None]

    def check(self, owner: str, usd: float = 0.0) -> None:
        """Refuse what a key's limit does not pay for.

        Args:
            owner: fingerprint of the key.
            usd: predicted; 0 where that is not known yet.

        Raises:
            Problem: `budget_exhausted`.
        """
        account = self.of(owner)
        if account is None:
            return
        now = self._pacer.time_of()
        account.turn(now)
        whole = account.whole(now)
        left = max(account.budget.usd - whole.spent_usd, 0.0)
        self._left(account.budget, left)
        if left <= 0.0 or usd * whole.correction > left:
            raise self._pacer.exhausted(account, left, now)

    def reserve(self, owner: str, decision_id: str, usd: float) -> None:
        """Spend what a decision is predicted to cost."""
        account = self.of(owner)
        if account is None:
            return
        now = self._pacer.time_of()
        charge = usd * account.whole(now).correction
        account.own = spent(account.own, charge, now)
        self._pacer.changed()
        window = account.own.window.start
        self._reserved[decision_id] = Reserved(account, window, charge, usd)
        while len(self._reserved) > MAX_CHARGES:
            self._reserved.popitem(last=False)

    def settle(self, decision_id: str, usd: float | None) -> None:
        """Spend what an executed request cost in place of what was reserved; null leaves that."""
        held = self._reserved.pop(decision_id, None)
        if held is None or usd is None:
            return
        self._pacer.settle(
            held.account,
            charge_usd=held.charge_usd,
            predicted_usd=held.predicted_usd,
            realised_usd=usd,
            window=held.window,
        )


def limit_of(name: str, key: Key) -> Budget | None:
    """A key's limit as a budget of its own; null without one."""
    if key.usd is None:
        return None
    return Budget(
        account=f"limit/{name}/{key.period}/{key.owner}",
        name=f"key/{name}",
        declared=True,
        owner=key.owner,
        usd=key.usd,
        period=key.period,
        hard_stop=True,
    )
