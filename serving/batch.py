"""POST /route/batch: many prompts with one policy, and perhaps one budget."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from router.budget.batch import Batch, route_batch
from router.core.policy import Policy
from router.engine import Router
from router.errors import PolicyError
from router.request import names
from router.request.view import PromptView
from router.types import Scores

from .problems import Problem
from .reading import (
    NULL,
    OURS,
    decode_value,
    encode,
    policy_problem,
    read_fields,
    read_policy,
    read_view,
)
from .recorder import Asked, Routed
from .routing import answer_to
from .schemas import Knobs
from .settings import Settings
from .worker import Worker

KNOBS = OURS - {"metadata"}
STREAM_KNOBS = ("budget", "budget_key", "budget_period", "budget_hard_stop")


@dataclass(frozen=True, slots=True)
class BatchAsked:
    """What a batch asks for."""

    views: tuple[PromptView, ...]
    policy: Policy
    budget_usd: float | None

    def decide(self, router: Router, scores: Sequence[Scores]) -> Batch:
        """Decide, once every prompt has its scores.

        Raises:
            Problem: the filters or the budget leave some prompt without an arm.
        """
        try:
            return route_batch(router, self.views, scores, self.policy, self.budget_usd)
        except PolicyError as err:
            raise policy_problem(err) from None


async def route_prompts(worker: Worker, body: bytes, key: str, deadline: float) -> bytes:
    """The answer to one batch; all of it or a refusal.

    Args:
        worker: whose bundle and log.
        body: the request's.
        key: fingerprint of the caller's API key.
        deadline: by `perf_counter`; each prompt adds `Settings.batch_prompt_s` to it.

    Raises:
        Problem: as `read_batch` and `BatchAsked.decide`; or the key's limit is spent, or the answer
            would come too late.
    """
    worker.limits.check(key)
    live, each_s = await worker.loaded(deadline), worker.settings.batch_prompt_s
    longest = deadline + each_s * worker.settings.max_batch
    asked = await worker.read(read_batch, body, longest)
    deadline += each_s * len(asked.views)
    entries = [await worker.scoring.conversation(live, view, deadline) for view in asked.views]
    batch = await asyncio.to_thread(asked.decide, live.router, [entry.scores for entry in entries])
    worker.limits.check(key, sum(one.predicted.cost_usd for one in batch.decisions))
    grants = batch.grants or [None] * len(entries)
    decisions = []
    for view, entry, decision, grant in zip(
        asked.views, entries, batch.decisions, grants, strict=True
    ):
        made = worker.recorder.ids.new()
        one = Asked(decision_id=made, router=live.router, view=view, policy=asked.policy)
        worker.limits.reserve(key, made, decision.predicted.cost_usd)
        worker.metrics.decided(decision)
        routed = Routed(one, entry, decision, grant=grant)
        worker.recorder.decided(routed)
        decisions.append(answer_to(routed))
    return encode({**batch.totals(), "decisions": decisions})


def read_batch(body: bytes, settings: Settings) -> BatchAsked:
    """Read a body.

    Raises:
        Problem: it is not JSON, has no prompts or too many, or one of them or a knob is wrong.
    """
    knobs, fields = read_fields(body)
    prompts = decode_value(fields.pop("prompts", NULL), "prompts")
    if fields.keys() & set(names.PROMPTS) or not isinstance(prompts, list) or not prompts:
        raise Problem(
            "invalid_request",
            "give prompts, a list of texts, of lists of messages or of bodies; one alone goes to "
            "POST /route",
            field="prompts",
        )
    if len(prompts) > settings.max_batch:
        raise Problem(
            "batch_too_large",
            f"prompts has {len(prompts)} entries, the limit is {settings.max_batch} "
            "(TIERWISE_MAX_BATCH)",
            field="prompts",
        )
    policy = read_policy(knobs, settings)
    return BatchAsked(_views(prompts, fields, settings), policy, _budget_usd(knobs))


def _budget_usd(knobs: Knobs) -> float | None:
    for name in STREAM_KNOBS:
        if getattr(knobs, name) is not None:
            raise Problem(
                "unsupported_knob",
                f"{name} paces a stream of POST /route; a batch takes budget_usd for all of it",
                field=name,
            )
    usd = knobs.budget_usd
    if usd is not None and not usd > 0:
        raise Problem(
            "invalid_policy", f"budget_usd must be > 0 US dollars, got {usd}", field="budget_usd"
        )
    return usd


def _views(
    prompts: Sequence[Any], shared: Mapping[str, Any], settings: Settings
) -> tuple[PromptView, ...]:
    """What the models see of each prompt; what stands beside `prompts` is part of every body."""
    views = []
    for i, item in enumerate(prompts):
        try:
            views.append(read_view(_body(item, shared), settings))
        except Problem as problem:
            place = f"prompts[{i}]"
            raise Problem(problem.code, f"{place}: {problem.detail}", field=place) from None
    return tuple(views)


def _body(item: object, shared: Mapping[str, Any]) -> object:
    """One prompt as a body of its own.

    Raises:
        Problem: it has knobs, which are those of the whole batch.
    """
    if isinstance(item, str | list):
        return {**shared, "prompt" if isinstance(item, str) else "messages": item}
    if not isinstance(item, dict):
        raise Problem("invalid_prompt", "a prompt is a text, a list of messages or a body")
    own = sorted(name for name in KNOBS if item.get(name) is not None)
    if own:
        raise Problem(
            "unsupported_knob",
            f"{', '.join(own)} cannot differ within a batch; put it beside prompts",
        )
    return {**shared, **item}
