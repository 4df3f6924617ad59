"""A world of long conversations: agents and chats of 30 turns, with prompt caches as they are sold.

Prices are those of LiteLLM's list of 2025: Anthropic reads a cache at a tenth of the input price
and writes it at 1.25 of it, OpenAI reads it at a quarter or a half and writes it for nothing. Every
turn has a task of some difficulty that is known; tasks change with the topic alone. The caller
names the arm of the turn before, as a gateway would.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from router import Policy, Router
from router.core.choice import choose
from router.core.manifest import ThresholdMap
from router.request.types import Call, Request, Result, Turn
from router.request.view import PromptView, view_of
from router.types import Doubles, Scores
from tests.router.catalogued import with_manifest

TURNS = 30
ANSWER_TOKENS = 400.0
UNSURE = 0.15  # logits by which an ask's predicted difficulty misses the task's


@dataclass(frozen=True, slots=True)
class Offer:
    """One model: ability in logits, and US dollars per million tokens."""

    name: str
    ability: float
    input: float
    output: float
    cached: float
    write: float | None = None


OFFERS = (
    Offer("claude-opus", 3.0, 5.0, 25.0, 0.5, 6.25),
    Offer("claude-sonnet", 2.4, 3.0, 15.0, 0.3, 3.75),
    Offer("claude-haiku", 1.4, 1.0, 5.0, 0.1, 1.25),
    Offer("gpt-5", 2.6, 1.25, 10.0, 0.125),
    Offer("gpt-4.1", 1.9, 2.0, 8.0, 0.5),
    Offer("gpt-4o-mini", 0.8, 0.15, 0.6, 0.075),
)
OTHERS = (  # the best arm is not the dearest
    Offer("o3", 3.0, 2.0, 8.0, 0.5),
    Offer("claude-opus-4", 2.8, 5.0, 25.0, 0.5, 6.25),
    Offer("claude-sonnet-4", 2.4, 3.0, 15.0, 0.3, 3.75),
    Offer("claude-haiku-4", 1.4, 1.0, 5.0, 0.1, 1.25),
    Offer("gpt-4.1-mini", 0.8, 0.4, 1.6, 0.1),
    Offer("gpt-5-nano", 0.2, 0.05, 0.4, 0.005),
)
BY_NAME = {offer.name: offer for offer in (*OFFERS, *OTHERS)}


@dataclass(frozen=True, slots=True)
class Step:
    """One request of a session: what is sent, how hard it is, and whether a new task begins."""

    view: PromptView
    difficulty: float
    fresh: bool


@dataclass(frozen=True, slots=True)
class Played:
    """What one session came to: dollars, arms by step, and switches that no new task explains."""

    usd: float
    arms: tuple[int, ...]
    unexplained: int


def sold(router: Router, offers: Sequence[Offer] = OFFERS) -> Router:
    """A bundle whose arms are these offers; it keeps as many as it has arms."""
    infos = tuple(
        replace(
            info,
            model=offer.name,
            tier="default",
            usd_per_1m_input=offer.input,
            usd_per_1m_output=offer.output,
            metered_in="tokens",
            context_tokens=1_000_000,
            tools=True,
            mean_quality=float(sigmoid(offer.ability)),
            mean_output_tokens=ANSWER_TOKENS,
        )
        for info, offer in zip(router.manifest.arms, offers, strict=False)
    )
    prices = {
        offer.name: {
            "price": {
                "usd_per_1m_input": offer.input,
                "usd_per_1m_output": offer.output,
                "usd_per_1m_cached_input": offer.cached,
                **({} if offer.write is None else {"usd_per_1m_cache_write": offer.write}),
            }
        }
        for offer in offers
    }
    best = int(np.argmax([info.mean_quality for info in infos]))
    decision = replace(router.manifest.decision, best_single=best, default_arm=best)
    manifest = replace(
        router.manifest,
        arms=infos,
        decision=decision,
        catalogue={"models": prices},
        threshold_map=swept(offers[: len(infos)]),
    )
    return with_manifest(router, manifest)


def swept(offers: Sequence[Offer]) -> ThresholdMap:
    """The map of thresholds over single prompts of 300 tokens, as training makes it."""
    difficulty = np.random.default_rng(0).normal(0.5, 1.5, 500)
    quality = sigmoid(np.array([offer.ability for offer in offers]) - difficulty[:, None])
    usd = np.array([300 * offer.input + ANSWER_TOKENS * offer.output for offer in offers]) / 1e6
    cost, everything = np.broadcast_to(usd, quality.shape), np.ones(quality.shape, dtype=np.bool_)
    rows = np.arange(len(quality))
    knots: dict[float, tuple[float, float]] = {}
    for weight in (1e12, *np.geomspace(1e5, 1e-1, 120).tolist(), 0.0):
        arm = choose(quality, cost, eligible=everything, cost_weight=weight)
        knots.setdefault(float(cost[rows, arm].mean()), (weight, float(quality[rows, arm].mean())))
    spent = np.array(sorted(knots))
    share = (spent - spent[0]) / (spent[-1] - spent[0])
    return ThresholdMap(
        threshold=tuple(share.tolist()),
        money_price=tuple(knots[usd][0] for usd in spent.tolist()),
        quality=tuple(knots[usd][1] for usd in spent.tolist()),
        cost_usd=tuple(spent.tolist()),
    )


def sigmoid(x: float | Doubles) -> Doubles:
    """The share of answers that are right at so many logits above the difficulty."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.asarray(x))))


def session(seed: int) -> list[Step]:
    """One session of an agent (odd seeds) or a chat (even ones)."""
    rng = np.random.default_rng(seed)
    turns: list[Turn] = [Turn(role="system", texts=(_text(rng, 800 if seed % 2 else 100),))]
    steps: list[Step] = []
    difficulty, number = 0.0, 0
    while len(steps) < TURNS:
        fresh = not steps or rng.random() < 0.15
        if fresh:
            difficulty, number = float(rng.normal(0.5, 1.5)), len(steps)
        turns.extend(_asked(rng, turns, number, fresh=fresh))
        view = view_of(Request(wire="chat", turns=tuple(turns)))
        steps.append(Step(view, difficulty, fresh))
        turns.append(_answer(rng, len(steps), agent=bool(seed % 2)))
    return steps


def _asked(
    rng: np.random.Generator, turns: Sequence[Turn], number: int, *, fresh: bool
) -> Iterator[Turn]:
    calls = turns[-1].calls
    if calls:
        size = int(rng.lognormal(5.5, 1.0))
        yield Turn(role="tool", results=(Result(text=_text(rng, size), id=calls[0].id),))
        if not fresh:
            return
    draw = rng.random()
    if fresh:
        text = f"Task {number}: {_text(rng, int(rng.lognormal(4.0, 0.8)))}"
    elif draw < 0.4:
        text = str(rng.choice(["yes", "continue", "go ahead", "ok, do it", "the second one"]))
    else:
        text = f"And what of part {len(turns)} of task {number}? {_text(rng, 15)}"
    yield Turn(role="user", texts=(text,))


def _answer(rng: np.random.Generator, step: int, *, agent: bool) -> Turn:
    text = _text(rng, int(ANSWER_TOKENS))
    if agent and rng.random() < 0.7:
        call = Call(name="run", arguments=f'{{"step": {step}}}', id=str(step))
        return Turn(role="assistant", texts=(text,), calls=(call,))
    return Turn(role="assistant", texts=(text,))


def _text(rng: np.random.Generator, tokens: int) -> str:
    words = ("moss", "fern", "reed", "sedge", "birch", "alder", "heath", "larch")
    return " ".join(rng.choice(words, max(tokens, 1)))


def truth(step: Step, router: Router) -> Doubles:
    """(a,) the quality that each arm has on the task of a step."""
    ability = np.array([BY_NAME[arm.model].ability for arm in router.arms])
    return sigmoid(ability - step.difficulty)


class Predictor:
    """Scores every text of a session by its task's difficulty, missed by a little."""

    def __init__(self, router: Router, steps: Sequence[Step], seed: int) -> None:
        self._router, self._rng = router, np.random.default_rng([seed, 1])
        self._known: dict[str, Scores] = {}
        self._tasks: dict[str, float] = {}
        for step in steps:
            self._tasks.setdefault(step.view.text, step.difficulty)

    def __call__(self, turn: PromptView) -> Scores:
        """Of one text; the same each time."""
        if turn.text not in self._known:
            self._known[turn.text] = self._made(self._tasks[turn.text])
        return self._known[turn.text]

    def _made(self, difficulty: float) -> Scores:
        ability = np.array([BY_NAME[arm.model].ability for arm in self._router.arms])
        miss = self._rng.normal(0.0, UNSURE, ability.shape)
        shape = (1, len(ability))
        return Scores(
            quality=sigmoid(ability - difficulty + miss).reshape(shape),
            quality_se=np.full(shape, 0.03),
            output_tokens=np.full(shape, ANSWER_TOKENS),
            cost_usd=np.zeros(shape),
            input_tokens=np.zeros(shape),
            cluster=np.zeros(1, dtype=np.int64),
            distance=np.zeros(1),
            in_distribution=np.ones(1),
        )


def played(router: Router, steps: Sequence[Step], seed: int, threshold: float) -> Played:
    """Route a session turn by turn, and bill it."""
    predict, current, arms = Predictor(router, steps, seed), None, []
    unexplained = 0
    for step in steps:
        scores = router.score(step.view, predict)
        decision = router.decide(
            step.view, scores, Policy(threshold=threshold, current_arm=current)
        )
        codes = {reason.code for reason in decision.reasons}
        switched = current is not None and decision.arm.id != current
        assert switched == ("switch" in codes)
        unexplained += switched and not step.fresh
        current = decision.arm.id
        arms.append(router.arms.index(decision.arm))
    return Played(billed(router, steps, arms), tuple(arms), unexplained)


def billed(router: Router, steps: Sequence[Step], arms: Sequence[int]) -> float:
    """US dollars of a session whose steps these arms answered.

    What the arm of the step before was sent is read from its cache, if it stays; what is new is
    written to it, at the price of that.
    """
    counter, total = router.admission.pool.session.counter, 0.0
    for i, (step, arm) in enumerate(zip(steps, arms, strict=True)):
        offer = BY_NAME[router.arms[arm].model]
        sent = float(counter.tokens(step.view.asked.tally)[arm])
        held = 0.0
        if i and arms[i - 1] == arm:
            held = float(counter.tokens(steps[i - 1].view.asked.tally)[arm])
        new = offer.input if offer.write is None else offer.write
        total += held * offer.cached + (sent - held) * new + ANSWER_TOKENS * offer.output
    return total / 1e6
