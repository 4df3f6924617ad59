"""POST /route/batch: many prompts with one policy, and perhaps one budget."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from router.budget.batch import Batch, route_batch
from router.core.policy import Policy
from router.engine import Router
from router.errors import PolicyError
from router.request.view import PromptView
from router.types import Scores

from .problems import Problem
from .reading import BATCH, encode, parse_as, policy_problem, read_policy, read_view
from .recorder import Asked, Routed
from .schemas import BatchRequest, RouteRequest
from .settings import Settings
from .worker import Worker


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


async def route_prompts(worker: Worker, body: bytes, deadline: float) -> bytes:
    """The answer to one batch; all of it or a refusal.

    Args:
        worker: whose bundle and log.
        body: the request's.
        deadline: of the whole batch, by `perf_counter`.

    Raises:
        Problem: as `read_batch` and `BatchAsked.decide`; or the answer would come too late.
    """
    live, asked = await worker.loaded(deadline), read_batch(body, worker.settings)
    entries = [await worker.scoring.conversation(live, view, deadline) for view in asked.views]
    batch = await asyncio.to_thread(asked.decide, live.router, [entry.scores for entry in entries])
    grants = batch.grants or [None] * len(entries)
    decisions = []
    for view, entry, decision, grant in zip(
        asked.views, entries, batch.decisions, grants, strict=True
    ):
        made = worker.recorder.ids.new()
        one = Asked(decision_id=made, router=live.router, view=view, policy=asked.policy)
        worker.metrics.decided(decision)
        worker.recorder.decided(Routed(one, entry, decision, grant=grant))
        decisions.append({"decision_id": made, **decision.to_dict()})
    return encode({**batch.totals(), "decisions": decisions})


def read_batch(body: bytes, settings: Settings) -> BatchAsked:
    """Read a body.

    Raises:
        Problem: it is not JSON, has no prompts or too many, or one of them or a knob is wrong.
    """
    request = parse_as(body, BATCH)
    if request.prompt is not None or request.messages is not None or not request.prompts:
        raise Problem(
            "invalid_request",
            "give prompts, a list of texts or of lists of messages; prompt and messages are for "
            "POST /route",
            field="prompts",
        )
    if len(request.prompts) > settings.max_batch:
        raise Problem(
            "batch_too_large",
            f"prompts has {len(request.prompts)} entries, the limit is {settings.max_batch} "
            "(TIERWISE_MAX_BATCH)",
            field="prompts",
        )
    for name in ("budget", "budget_key", "budget_period", "budget_hard_stop"):
        if getattr(request, name) is not None:
            raise Problem(
                "unsupported_knob",
                f"{name} paces a stream of POST /route; a batch takes budget_usd for all of it",
                field=name,
            )
    budget = request.budget_usd
    if budget is not None and not budget > 0:
        raise Problem(
            "invalid_policy", f"budget_usd must be > 0 US dollars, got {budget}", field="budget_usd"
        )
    policy = read_policy(request, settings)
    return BatchAsked(_views(request, settings), policy, budget)


def _views(request: BatchRequest, settings: Settings) -> tuple[PromptView, ...]:
    views = []
    for i, item in enumerate(request.prompts or ()):
        one = RouteRequest(prompt=item) if isinstance(item, str) else RouteRequest(messages=item)
        try:
            views.append(read_view(one, settings))
        except Problem as problem:
            place = f"prompts[{i}]"
            raise Problem(problem.code, f"{place}: {problem.detail}", field=place) from None
    return tuple(views)
