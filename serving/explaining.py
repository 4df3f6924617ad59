"""POST /explain: the body is that of /route; nothing is logged, counted or drawn."""

from __future__ import annotations

import asyncio
from typing import Any

from router.cli.explain_text import render
from router.core.policy import Policy
from router.engine import Router
from router.errors import PolicyError
from router.explain import explain
from router.request.view import PromptView
from router.types import Scores

from .problems import Problem
from .reading import encode, parse, policy_problem, read_policy, read_view
from .worker import Worker


async def explain_prompt(worker: Worker, body: bytes, deadline: float) -> bytes:
    """The decision on one prompt, and what would change it.

    Raises:
        Problem: the request cannot be read, asks for a budget, or nobody may answer it.
    """
    live, request = await worker.loaded(deadline), parse(body)
    for name in ("budget", "budget_usd"):
        if getattr(request, name) is not None:
            raise Problem(
                "unsupported_knob",
                f"{name} depends on what was spent before; explain one of the other knobs",
                field=name,
            )
    policy, view = read_policy(request, worker.settings), read_view(request, worker.settings)
    entry = await worker.scoring.conversation(live, view, deadline)
    return encode(await asyncio.to_thread(_explained, live.router, view, entry.scores, policy))


def _explained(router: Router, view: PromptView, scores: Scores, policy: Policy) -> dict[str, Any]:
    """The decision, how the rule saw every arm, what would change it, and all that in words."""
    try:
        found = explain(router, view, scores, policy)
    except PolicyError as err:
        raise policy_problem(err) from None
    return {**found.to_dict(), "text": render(found)}
