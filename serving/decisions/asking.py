"""One body of questions answered: read by its wire, answered by the router, written by its wire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from router.core.choice import near_tie_band
from router.core.scoring import finite, unknown
from router.engine import Router
from router.errors import PolicyError
from router.explain import Case
from router.request.kinds import SMALL_TALK
from router.request.view import PromptView
from router.types import Doubles, Scores

from ..asgi import Call, Response
from ..gateway.names import merged, wanted
from ..gateway.upstreams import AUTO
from ..holder import Live
from ..problems import Problem
from ..reading import (
    RouteBody,
    encode,
    policy_problem,
    read_fields,
    read_policy,
    read_view,
)
from ..routing import choose
from ..schemas import Knobs
from ..settings import Settings
from ..worker import Worker
from .likelihood import choice_confidence, even, levels_of, rounded, score_confidence, shares
from .questions import Difficulty, Question, Refused, Right, Who, meaning

ALIAS = "jev-latest"  # what clients of System One ask for where they name no model
# knobs whose rule compares no utilities, or whose answer depends on what was spent before
UNWEIGHED = ("min_quality", "max_quality_drop", "budget", "budget_usd")


class Row(NamedTuple):
    """One question: its name in the wire, as it came, and as it was read."""

    name: str | None
    raw: Mapping[str, Any]
    question: Question


@dataclass(frozen=True, slots=True)
class Read:
    """A body: what is asked, of which request."""

    route: RouteBody
    rows: Sequence[Row]

    @property
    def views(self) -> tuple[PromptView, ...]:
        """The prompts of the request: this one."""
        return (self.route.view,)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer.

    Attributes:
        probabilities: of each option or level; of yes alone.
        chosen: place of the option, null for other questions.
        decision_id: of the decision that a choice is, null for other questions.
    """

    probabilities: tuple[float, ...]
    chosen: int | None = None
    decision_id: str | None = None

    @property
    def score(self) -> float:
        """The mean level, the lowest one being 0."""
        return round(sum(i * p for i, p in enumerate(self.probabilities)), 6)

    @property
    def confidence(self) -> float:
        """0 to 1, of a choice or a score."""
        of = score_confidence if self.chosen is None else choice_confidence
        return of(self.probabilities)


class Wire(NamedTuple):
    """One of the two wires.

    Attributes:
        path: where it is.
        read: the questions of a body, by the fields that `read_fields` gives.
        view: the request that they ask about, by the same fields.
        write: the document of the answers, with the input tokens and the model that answered.
    """

    path: str
    read: Callable[[Mapping[str, Any]], Sequence[Row]]
    view: Callable[[Mapping[str, Any]], object]
    write: Callable[[Sequence[tuple[Row, Answer]], int, str], dict[str, Any]]


async def ask(worker: Worker, call: Call, wire: Wire) -> Response:
    """The answers to one body.

    Raises:
        Problem: it cannot be read, asks what is not about routing, or nobody may answer.
    """
    body = await call.body(worker.max_body_bytes)
    live = await worker.loaded(call.deadline)

    def reader(raw: bytes, settings: Settings) -> Read:
        return read_body(raw, settings, wire)

    read = await worker.read(reader, body, call.deadline)
    arms, tiers = live.router.arm_ids, worker.settings.tiers
    asked = []
    for row in read.rows:  # all are understood before one is answered
        await _pause(call)
        asked.append(meaning(row.question, arms, tiers))
    answers = []
    for one in asked:
        await _pause(call)
        answers.append(
            await _who(worker, call, read, one)
            if isinstance(one, Who)
            else await _told(worker, live, call, read, one)
        )
    tokens = ceil(live.router.admission.input_tokens(read.route.view).max())
    made = [answer.decision_id for answer in answers if answer.decision_id is not None]
    headers = [(b"x-tierwise-decision", ",".join(made).encode())] if made else []
    model = f"tierwise-{live.router.manifest.bundle_id}"
    told = wire.write(list(zip(read.rows, answers, strict=True)), tokens, model)
    return Response(encode(told), headers=headers)


async def _pause(call: Call) -> None:
    """Let other requests come in between.

    Raises:
        Problem: the answer would come too late.
    """
    await asyncio.sleep(0)
    if perf_counter() > call.deadline:
        raise Problem("timeout", "so many questions take too long; ask fewer at a time")


def read_body(body: bytes, settings: Settings, wire: Wire) -> Read:
    """Read a body of a wire, its `model` and our knobs beside it.

    Raises:
        Problem: as `read_route`; and `Refused` where a question is wrong.
    """
    own, fields = read_fields(body)
    knobs = _knobs(own, fields.get("model", AUTO), settings)
    rows = wire.read(fields)
    view = read_view(wire.view(fields), settings)
    return Read(RouteBody(knobs, read_policy(knobs, settings), view), rows)


def _knobs(own: Knobs, model: object, settings: Settings) -> Knobs:
    routes = {} if settings.upstreams is None else settings.upstreams.routes
    asked = wanted(AUTO if model == ALIAS else model, routes)
    if asked.model is not None:
        known = ", ".join([AUTO, f"{AUTO}:0.7", *routes, ALIAS])
        raise Problem("unknown_model", f"model must be one of {known}", field="model")
    given = {name: getattr(own, name) for name in Knobs.__struct_fields__}
    knobs = Knobs(**merged(given, asked, str(model)))
    for name in UNWEIGHED:
        if getattr(knobs, name) is not None:
            detail = f"{name} weighs no quality against cost; give a threshold or max_cost_usd"
            raise Refused("unsupported_knob", detail, (name,))
    return knobs


async def _told(
    worker: Worker, live: Live, call: Call, read: Read, asked: Difficulty | Right
) -> Answer:
    """What is predicted: nothing is chosen, and nothing logged."""
    view, router = read.route.view, live.router
    entry = await worker.scoring.conversation(live, view, call.deadline)
    if isinstance(asked, Difficulty):
        return Answer(rounded(_difficulty(router, read.route, entry.scores, asked.levels)))
    at = router.arm_ids.index(asked.arm)
    quality = float(entry.scores.quality[0, at])
    if not np.isfinite(quality):
        quality = router.manifest.arms[at].mean_quality
    return Answer((round(quality, 6),))


def _difficulty(router: Router, route: RouteBody, scores: Scores, levels: int) -> Doubles:
    try:
        score = router.decide(route.view, scores, route.policy).difficulty_score
    except PolicyError as err:
        raise policy_problem(err) from None
    if score is None:
        return even(levels)
    # one prompt: the arms' errors go together; what asks for nothing is surely easy
    easy = route.view.asked.kind in SMALL_TALK
    error = 0.0 if easy else float(scores.quality_se[0].mean())
    return levels_of(score, error, router.manifest.decision.difficulty_edges, levels)


async def _who(worker: Worker, call: Call, read: Read, asked: Who) -> Answer:
    """A decision among the options' arms, logged like any other, but never drawn."""
    route = read.route
    if route.policy.allowed_models:
        raise Problem(
            "conflicting_knobs",
            "the options of a choice say who may answer; leave allowed_models out",
            field="allowed_models",
        )
    own = replace(route, policy=replace(route.policy, allowed_models=asked.patterns))
    routed = await choose(worker, own, call.key, call.deadline, drawn=False)
    chosen = next(i for i, arms in enumerate(asked.arms) if routed.decision.arm.id in arms)
    case = Case(routed.asked.router, own.view, routed.entry.scores, own.policy)
    probabilities = _shares(case, asked, chosen)
    return Answer(rounded(probabilities), chosen, routed.asked.decision_id)


def _shares(case: Case, asked: Who, chosen: int) -> Doubles:
    """The probability of each option; that of the chosen one is the largest.

    An option is worth what its best arm is; the chosen one at least nearly ties with the best, and
    the rule takes near ties as equal. Where nothing is known of the prompt, options are alike.
    """
    index = {name: i for i, name in enumerate(case.router.arm_ids)}
    paid = case.charged.cost_usd[0] <= (case.policy.max_cost_usd or np.inf)
    may = case.able[0] & paid
    able = np.array([any(may[index[arm]] for arm in arms) for arms in asked.arms])
    able[chosen] = True
    if not finite(case.scores)[0] or unknown(case.scores)[0]:
        return np.asarray(able / able.sum())
    found = case.rule.utility(case.scores)
    if found is None:  # a kind of request that gets the cheapest arm by any knob
        return np.asarray(np.eye(len(asked.arms))[chosen])
    worth = np.where(may, found[0], -np.inf)
    best = [max((worth[index[arm]] for arm in arms), default=-np.inf) for arms in asked.arms]
    best[chosen] = max(best)
    error = float(near_tie_band(case.scores.quality_se, may[None], 1.0)[0])
    return shares(np.array(best), error)
