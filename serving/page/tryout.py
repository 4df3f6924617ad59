"""A prompt or a conversation tried on the page: why this arm, and what a fixed model would do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from router.engine import Router
from router.errors import PolicyError
from router.explain import ArmView, Change, Explanation, explain
from router.types import Scores

from ..explaining import check_knobs
from ..problems import Problem
from ..reading import RouteBody, policy_problem, read_route
from ..worker import Worker

MOST_BODY_BYTES = 1 << 20
CLOSEST = 6  # changes that are told


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """The answer to one try.

    Attributes:
        fixed: the model that everything is compared with; null where it could not have answered.
        flips: what would change the choice, the smallest change first.
    """

    found: Explanation
    chosen: ArmView | None
    fixed: ArmView | None
    flips: tuple[Change, ...]


def body_of(given: Mapping[str, str]) -> bytes:
    """The form as a body of /route: a text is a prompt, JSON is a client's body or its messages.

    Raises:
        Problem: `invalid_prompt`, there is nothing in it.
    """
    text = given.get("prompt", "")
    if not text.strip():
        raise Problem("invalid_prompt", "write a prompt, or paste a request's body as JSON")
    body: dict[str, Any] = {"prompt": text}
    if text.lstrip()[:1] in ("{", "["):
        try:
            read = json.loads(text)
        except (ValueError, RecursionError):
            read = None  # a prompt that begins with a bracket
        if isinstance(read, dict):
            body = read
        elif isinstance(read, list) and read and all(isinstance(m, dict) for m in read):
            body = {"messages": read}
    knob = given.get("threshold", "").strip()
    if knob:
        try:
            body |= {"threshold": float(knob)}
        except ValueError:
            raise Problem(
                "invalid_policy", f"threshold must be a number from 0 to 1, got {knob[:40]!r}"
            ) from None
    return json.dumps(body, allow_nan=False).encode()


async def tried(worker: Worker, given: Mapping[str, str], against: str, deadline: float) -> Tried:
    """Explain what the form asks; nothing is logged, counted or drawn.

    Raises:
        Problem: it cannot be read, or nobody may answer it.
    """
    live = await worker.loaded(deadline)
    try:
        body = body_of(given)
    except ValueError:  # an infinity is no number of JSON's
        raise Problem("invalid_policy", "threshold must be a number from 0 to 1") from None
    read = await worker.read(read_route, body, deadline)
    check_knobs(read)
    entry = await worker.scoring.conversation(live, read.view, deadline)
    return await asyncio.to_thread(_explained, live.router, read, entry.scores, against)


def _explained(router: Router, read: RouteBody, scores: Scores, against: str) -> Tried:
    try:
        found = explain(router, read.view, scores, read.policy)
    except PolicyError as err:
        raise policy_problem(err) from None
    arms = {arm.id: arm for arm in found.arms}
    changes = sorted(found.changes, key=lambda c: (c.arm is not None, abs(c.flips_at - c.now)))
    return Tried(
        found=found,
        chosen=arms.get(found.decision.arm.id),
        fixed=arms.get(against),
        flips=tuple(changes[: 2 + CLOSEST]),
    )
