"""The body of POST /route/batch: many prompts with one policy, and perhaps one budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from router.budget.batch import Batch, route_batch
from router.core.policy import Policy
from router.core.prompt import PromptView
from router.engine import Router
from router.errors import PolicyError
from router.types import Scores

from .problems import Problem
from .schemas import (
    BATCH,
    BatchRequest,
    RouteRequest,
    parse_as,
    policy_problem,
    read_policy,
    read_view,
)
from .settings import Settings


@dataclass(frozen=True, slots=True)
class Asked:
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


def read_batch(body: bytes, settings: Settings) -> Asked:
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
    return Asked(_views(request, settings), policy, budget)


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
