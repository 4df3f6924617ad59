"""From scores to a decision: what the event loop and the scoring thread have done for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter

from router.core.explore import OFF, Exploration
from router.core.policy import Policy, Ration
from router.core.prompt import PromptView
from router.engine import Router
from router.errors import PolicyError
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


def inherited(router: Router, view: PromptView, own: Entry, earlier: Sequence[Entry]) -> Entry:
    """The entry of a conversation, from those of its turns; of one request, and never cached.

    Its key would be all of the turns, and blending them takes microseconds.
    """
    scores = router.inherit(view, own.scores, [entry.scores for entry in earlier])
    return Entry(scores, own.reading, tuple(entry.reading for entry in earlier))


def seen_of(view: PromptView) -> tuple[bool, int, bool]:
    """What a decision depends on beside scores and policy."""
    return view.vision, view.cached_chars, view.in_tool_loop


def shadow_of(router: Router, routed: Routed, recorder: Recorder) -> None:
    """Write down what a candidate would have answered; embeddings of one encoder are shared."""
    known = routed.router.manifest.encoder_sha256 == router.manifest.encoder_sha256
    view, entry = routed.view, routed.entry
    reading = entry.reading if known else router.read(view)
    earlier = entry.earlier if known else tuple(router.read(turn) for turn in view.earlier)
    parts = [router.score_reading(turn) for turn in (reading, *earlier)]
    scores = router.inherit(view, parts[0], parts[1:])
    try:
        decision = router.decide(view, scores, routed.policy, ration=routed.ration)
    except PolicyError:  # it has no arm that this request allows
        return
    recorder.decided(
        replace(
            routed,
            router=router,
            entry=Entry(scores, reading, earlier),
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
    elif entry.decision is not None and entry.policy == policy and entry.seen == seen_of(view):
        return entry.decision
    try:
        decision = router.decide(view, entry.scores, policy, exploration, number, ration=ration)
    except PolicyError as err:
        raise policy_problem(err) from None
    if number is None and ration is None:
        entry.policy, entry.seen, entry.decision = policy, seen_of(view), decision
    return decision
