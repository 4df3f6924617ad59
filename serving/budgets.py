"""The budget that a request is paced by: one that the operator declared, or one of its own.

A request's own budget belongs to its API key. An account is a budget and whose money it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from router.errors import PolicyError

from .declared import DEFAULT_PERIOD, Declared, checked_period, checked_usd
from .problems import Problem
from .schemas import Knobs

QUALITY_KNOBS = ("threshold", "min_quality", "max_quality_drop")
OWN_FIELDS = ("budget_key", "budget_period", "budget_hard_stop")


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What one request may be paced by; equal `account`s spend from one purse.

    Attributes:
        account: identity, shared by all workers and replicas.
        name: of the declared budget, or the caller's own `budget_key`.
        declared: whether the operator made it.
        owner: fingerprint of the API key whose money it is; "" is everybody's.
        usd: US dollars per period.
        period: a name of `router.budget.periods`, or seconds.
        hard_stop: whether requests are refused when it is spent.
        requests: expected in a period, before one was seen; null where nobody said.
    """

    account: str
    name: str
    declared: bool
    owner: str
    usd: float
    period: str
    hard_stop: bool
    requests: int | None = None


def read_budget(request: Knobs, declared: tuple[Declared, ...], caller: str) -> Budget | None:
    """The budget that a request is paced by, if any.

    Args:
        request: the body.
        declared: the operator's budgets.
        caller: fingerprint of the API key, "" where none is needed.

    Raises:
        Problem: it contradicts a knob, is not known or out of range.
    """
    if request.budget is None and request.budget_usd is None:
        lost = [name for name in OWN_FIELDS if getattr(request, name) is not None]
        if lost:
            raise Problem(
                "invalid_request",
                f"{lost[0]} says how budget_usd is paced; give budget_usd, too",
                field=lost[0],
            )
        return None
    _check_alone(request)
    if request.budget is not None:
        return _named(request.budget, declared, caller)
    return _own(request, caller)


def _check_alone(request: Knobs) -> None:
    field = "budget_usd" if request.budget is None else "budget"
    excluded = QUALITY_KNOBS if request.budget is None else (
        *QUALITY_KNOBS, "budget_usd", *OWN_FIELDS
    )  # fmt: skip
    for name in excluded:
        if getattr(request, name) is not None:
            raise Problem(
                "conflicting_knobs",
                f"{field} cannot be combined with {name}; give one of them",
                field=field,
            )


def _named(name: str, declared: tuple[Declared, ...], caller: str) -> Budget:
    for budget in declared:
        if budget.name == name:
            return account_of(budget, caller)
    raise Problem(
        "unknown_budget",
        "no budget of this name is declared (TIERWISE_BUDGETS); budget_usd gives one of your own",
        field="budget",
    )


def account_of(budget: Declared, caller: str) -> Budget:
    """A declared budget as one caller spends from it."""
    owner = caller if budget.per_key else ""
    return Budget(
        account=f"declared/{budget.name}/{budget.period}/{owner}",
        name=budget.name,
        declared=True,
        owner=owner,
        usd=budget.usd,
        period=budget.period,
        hard_stop=budget.hard_stop,
        requests=budget.requests,
    )


def _own(request: Knobs, caller: str) -> Budget:
    try:
        usd = checked_usd(request.budget_usd or 0.0, "budget_usd")
    except PolicyError as err:
        raise Problem("invalid_policy", str(err), field="budget_usd") from None
    try:
        given = request.budget_period
        period = checked_period(DEFAULT_PERIOD if given is None else given)
    except PolicyError as err:
        raise Problem("invalid_policy", str(err), field="budget_period") from None
    name = request.budget_key or "default"
    return Budget(
        account=f"own/{caller}/{period}/{name}",
        name=name,
        declared=False,
        owner=caller,
        usd=usd,
        period=period,
        hard_stop=bool(request.budget_hard_stop),
    )
