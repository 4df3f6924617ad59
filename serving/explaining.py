"""The body of POST /explain: that of /route; nothing is logged, counted or drawn."""

from __future__ import annotations

from typing import Any

from router.cli.explain_text import render
from router.core.policy import Policy
from router.core.prompt import PromptView
from router.engine import Router
from router.errors import PolicyError
from router.explain import explain
from router.types import Scores

from .problems import Problem
from .schemas import RouteRequest, policy_problem


def refuse_budget(request: RouteRequest) -> None:
    """Refuse what cannot be explained.

    Raises:
        Problem: a budget is asked for, whose price of money depends on the requests before.
    """
    for name in ("budget", "budget_usd"):
        if getattr(request, name) is not None:
            raise Problem(
                "unsupported_knob",
                f"{name} depends on what was spent before; explain one of the other knobs",
                field=name,
            )


def explained(router: Router, view: PromptView, scores: Scores, policy: Policy) -> dict[str, Any]:
    """The decision, how the rule saw every arm, what would change it, and all that in words.

    Raises:
        Problem: the filters leave no arm.
    """
    try:
        found = explain(router, view, scores, policy)
    except PolicyError as err:
        raise policy_problem(err) from None
    return {**found.to_dict(), "text": render(found)}
