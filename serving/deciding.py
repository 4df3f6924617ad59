"""From scores to a decision: what the event loop and the scoring thread have done for them."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

from router.engine import Router
from router.errors import PolicyError
from router.explore import OFF, Exploration
from router.policy import Policy, Ration
from router.prompt import PromptView
from router.types import Decision, Reading, Scores

from .cache import Entry
from .recorder import Recorder, Routed
from .schemas import policy_problem


def timed_score(router: Router, view: PromptView) -> tuple[tuple[Scores, Reading], float, float]:
    """The scores of one prompt and what they are made of, with when scoring began and ended."""
    begun = perf_counter()
    reading = router.read(view)
    scores = router.score_reading(reading)
    return (scores, reading), begun, perf_counter()


def shadow_of(router: Router, routed: Routed, recorder: Recorder) -> None:
    """Write down what a candidate would have answered; embeddings of one encoder are shared."""
    known = routed.router.manifest.encoder_sha256 == router.manifest.encoder_sha256
    reading = routed.entry.reading if known else router.read(routed.view)
    scores = router.score_reading(reading)
    try:
        decision = router.decide(routed.view, scores, routed.policy, ration=routed.ration)
    except PolicyError:  # it has no arm that this request allows
        return
    recorder.decided(
        replace(
            routed,
            router=router,
            entry=Entry(scores, reading),
            decision=decision,
            number=None,
            role="shadow",
        )
    )


def decide(
    router: Router,
    view: PromptView,
    entry: Entry,
    policy: Policy,
    exploration: Exploration = OFF,
    number: float | None = None,
    ration: Ration | None = None,
) -> Decision:
    """Apply a policy to cached scores; without draw or ration, one policy has one decision.

    Raises:
        Problem: the filters leave no arm.
    """
    if ration is not None:
        exploration, number = OFF, None
    elif entry.decision is not None and entry.policy == policy and entry.vision == view.vision:
        return entry.decision
    try:
        decision = router.decide(view, entry.scores, policy, exploration, number, ration=ration)
    except PolicyError as err:
        raise policy_problem(err) from None
    if number is None and ration is None:
        entry.policy, entry.vision, entry.decision = policy, view.vision, decision
    return decision
