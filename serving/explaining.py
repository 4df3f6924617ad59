"""POST /explain: the body is that of /route; nothing is logged, counted or drawn."""

from __future__ import annotations

import asyncio
from typing import Any

from router.cli.explain_text import render
from router.engine import Router
from router.errors import PolicyError
from router.explain import explain
from router.types import Scores

from .problems import Problem
from .reading import RouteBody, encode, policy_problem, read_route
from .worker import Worker


async def explain_prompt(worker: Worker, body: bytes, deadline: float) -> bytes:
    """The decision on one prompt, and what would change it.

    Raises:
        Problem: the request cannot be read, asks for a budget, or nobody may answer it.
    """
    live = await worker.loaded(deadline)
    read = await worker.read(read_route, body, deadline)
    check_knobs(read)
    entry = await worker.scoring.conversation(live, read.view, deadline)
    return encode(await asyncio.to_thread(_explained, live.router, read, entry.scores))


def check_knobs(read: RouteBody) -> None:
    """Refuse what cannot be explained.

    Raises:
        Problem: `unsupported_knob`, a budget is asked for.
    """
    for name in ("budget", "budget_usd"):
        if getattr(read.knobs, name) is not None:
            raise Problem(
                "unsupported_knob",
                f"{name} depends on what was spent before; explain one of the other knobs",
                field=name,
            )


def _explained(router: Router, read: RouteBody, scores: Scores) -> dict[str, Any]:
    """The decision, how the rule saw every arm, what would change it, and all that in words."""
    try:
        found = explain(router, read.view, scores, read.policy)
    except PolicyError as err:
        raise policy_problem(err) from None
    return {**found.to_dict(), "text": render(found)}
