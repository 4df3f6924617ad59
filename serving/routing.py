"""POST /route in four steps: admit the request, score it, decide, record.

`Scoring.conversation` is the second one. Between the grant of a budget and its charge nothing
waits, so that no two requests are granted the same dollars.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any
from weakref import ref

from router.core.explore import OFF, draw
from router.core.rules import BudgetGrant
from router.engine import Router
from router.errors import PolicyError
from router.types import Decision

from .budgets import Budget, read_budget
from .cache import Entry
from .holder import Live, Trial
from .reading import RouteBody, encode, policy_problem, read_route
from .recorder import Asked, Recorder, Routed
from .worker import Worker


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that may be answered: by which bundle, whose it is, and by which budget, if any."""

    asked: Asked
    live: Live
    key: str
    budget: Budget | None


async def route(worker: Worker, body: bytes, key: str, deadline: float) -> bytes:
    """The answer to one request.

    Args:
        worker: whose bundle, budgets and log.
        body: the request's.
        key: fingerprint of the caller's API key.
        deadline: when an answer comes too late, by `perf_counter`.

    Raises:
        Problem: the request cannot be read, or nobody may answer it, or not in time.
    """
    await worker.loaded(deadline)
    read = await worker.read(read_route, body, deadline)
    routed = await choose(worker, read, key, deadline)
    return encode(answer_to(routed))


async def choose(
    worker: Worker,
    read: RouteBody,
    key: str,
    deadline: float,
    *,
    through: Callable[[Live], Router] = lambda live: live.router,
    named: bool = False,
    drawn: bool = True,
) -> Routed:
    """The decision on a request that was read, written down.

    Args:
        worker: whose bundle, budgets and log.
        read: the request.
        key: fingerprint of the caller's API key.
        deadline: when a decision comes too late, by `perf_counter`.
        through: which router of a loaded bundle decides.
        named: whether the caller named the model, so that there is nothing to draw.
        drawn: whether another arm may be tried in the chosen one's place.

    Raises:
        Problem: nobody may answer it, or not in time.
    """
    live, trial = await worker.loaded(deadline), None if named else worker.holder.trial
    admitted = admit(worker, read, key, live, trial)
    asked = replace(admitted.asked, router=through(admitted.live), drawn=drawn and not named)
    admitted = replace(admitted, asked=replace(asked, role="named") if named else asked)
    entry = await worker.scoring.conversation(admitted.live, asked.view, deadline)
    scored = perf_counter()
    routed = decide(worker, admitted, entry)
    record(worker, routed, None if trial is None else through(trial.live))
    worker.metrics.steps["decide"].observe(perf_counter() - scored)
    return routed


def admit(worker: Worker, read: RouteBody, key: str, live: Live, trial: Trial | None) -> Admitted:
    """Refuse what could not be answered anyway, and draw who answers.

    Raises:
        Problem: the budget cannot be used, or it or the key's limit is spent.
    """
    settings = worker.settings
    worker.limits.check(key)
    budget = read_budget(read.knobs, settings.budgets, key)
    if budget is not None:
        worker.pacer.check(budget)
    decision_id, role = worker.recorder.ids.new(), "live"
    if trial is not None and draw(settings.seed, f"{decision_id}/canary") < trial.share:
        live, role = trial.live, "canary"
    asked = Asked(
        decision_id=decision_id,
        router=live.router,
        view=read.view,
        policy=read.policy,
        session=read.knobs.session_id,
        role=role,
    )
    return Admitted(asked, live, key, budget)


def decide(worker: Worker, admitted: Admitted, entry: Entry) -> Routed:
    """Choose an arm: by the caller's knob and perhaps a draw, or by what a budget grants.

    Raises:
        Problem: the filters leave no arm, or the budget or the key's limit is spent.
    """
    asked, budget, pacer = admitted.asked, admitted.budget, worker.pacer
    limits, key = worker.limits, admitted.key
    if budget is None:
        exploring = worker.recorder.exploration.rate > 0 and asked.drawn
        number = draw(worker.settings.seed, asked.decision_id) if exploring else None
        decision = _cached_decision(worker.recorder, asked, entry, number)
        limits.check(key, decision.predicted.cost_usd)
        limits.reserve(key, asked.decision_id, decision.predicted.cost_usd)
        return Routed(asked, entry, decision, number=number)
    paced = pacer.grant(budget, asked.router)
    decision = _decision(worker.recorder, asked, entry, grant=paced.grant)
    limits.check(key, decision.predicted.cost_usd)
    pacer.charge(paced, asked.decision_id, decision, asked.router)
    limits.reserve(key, asked.decision_id, decision.predicted.cost_usd)
    return Routed(asked, entry, decision, grant=paced.grant)


def record(worker: Worker, routed: Routed, tried: Router | None) -> None:
    """Log and count a decision, and have a candidate decide it, too."""
    worker.recorder.decided(routed)
    worker.metrics.decided(routed.decision)
    if tried is not None and routed.asked.role == "live":
        worker.scoring.shadow(partial(shadow, tried, routed, worker.recorder))


def answer_to(routed: Routed) -> dict[str, Any]:
    """A decision as its caller gets it."""
    return {"decision_id": routed.asked.decision_id, **routed.decision.to_dict()}


def shadow(router: Router, routed: Routed, recorder: Recorder) -> None:
    """Write down what a candidate would have answered; embeddings of one encoder are shared."""
    asked, entry = routed.asked, routed.entry
    turns = asked.view.conversation
    readings = (entry.reading, *entry.earlier)
    if asked.router.manifest.encoder_sha256 != router.manifest.encoder_sha256:
        readings = tuple(router.read(turn) for turn in turns)
    known = dict(zip(turns, readings, strict=True))
    scores = router.score(asked.view, lambda turn: router.score_reading(known[turn]))
    try:
        decision = router.decide(asked.view, scores, asked.policy, grant=routed.grant)
    except PolicyError:  # it has no arm that this request allows
        return
    again = replace(asked, router=router, role="shadow")
    remade = Entry(scores, readings[0], readings[1:])
    recorder.decided(Routed(again, remade, decision, grant=routed.grant))


def _cached_decision(
    recorder: Recorder, asked: Asked, entry: Entry, number: float | None
) -> Decision:
    """Without a draw, one policy has one decision on a prompt: the latest one is kept."""
    if number is not None:
        return _decision(recorder, asked, entry, number=number)
    latest, request = entry.latest, hash(asked.view.asked.request)
    router = None if latest.router is None else latest.router()
    same = router is asked.router and latest.policy == asked.policy
    if latest.decision is None or not same or latest.request != request:
        latest.decision = _decision(recorder, asked, entry)
        latest.router, latest.policy, latest.request = ref(asked.router), asked.policy, request
    return latest.decision


def _decision(
    recorder: Recorder,
    asked: Asked,
    entry: Entry,
    *,
    number: float | None = None,
    grant: BudgetGrant | None = None,
) -> Decision:
    exploration = OFF if number is None else recorder.exploration
    try:
        return asked.router.decide(
            asked.view, entry.scores, asked.policy, exploration, number, grant=grant
        )
    except PolicyError as err:
        raise policy_problem(err) from None
