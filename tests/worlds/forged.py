"""Logs of made-up worlds in which some keys forge: arrays alone, no bundle and no encoder."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from router.core import features
from router.types import Arm, Doubles
from training.methods.base import Inputs
from training.retrain.log_rows import Traffic

DIMENSION, DOMAINS = 24, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgery:
    """Who lies, how much, and who else reports.

    Attributes:
        n: decisions with feedback.
        share: of it that forging keys send.
        keys: forging keys, with equal parts of that share.
        strength: chance that a forging key's report is a lie: 1 for the target, 0 for the others.
        honest: honest keys, with equal parts of the rest.
        leniency: spread of what honest judges add to every report.
        opinion: the same for each arm on its own.
        by_domain: whether honest keys ask about one domain each.
        informed: whether the base knows the truth; otherwise it knows the arms' means alone.
    """

    n: int = 1500
    share: float = 0.05
    keys: int = 1
    strength: float = 1.0
    honest: int = 4
    leniency: float = 0.0
    opinion: float = 0.0
    by_domain: bool = False
    informed: bool = False
    arms: int = 5
    level: float = 0.6  # mean logit of a right answer


def truth(points: Doubles, plan: Forgery, rng: np.random.Generator) -> Doubles:
    """(n, a) chances of a right answer: a level, a common difficulty and leanings of each arm."""
    scaled, width = points / points.std(), points.shape[1]
    level = rng.normal(plan.level, 0.7, plan.arms)
    hard = scaled @ rng.normal(0.0, 1.2 / np.sqrt(width), width)
    own = scaled @ rng.normal(0.0, 0.8 / np.sqrt(width), (width, plan.arms))
    return np.asarray(1.0 / (1.0 + np.exp(-(level + hard[:, None] + own))))


def forged_traffic(
    plan: Forgery, seed: int, inputs: Inputs | None = None, expected: Doubles | None = None
) -> Traffic:
    """A log of `plan`; forging keys are called `forger 0`, …, honest ones `honest 0`, ….

    Args:
        plan: of the world.
        seed: of all draws.
        inputs: of plan.n prompts; null draws prompts of a few domains.
        expected: (n, a) what a base predicts; null is what `plan.informed` says.
    """
    rng = np.random.default_rng(seed)
    if inputs is None:
        centres = 2.0 * rng.normal(size=(DOMAINS, DIMENSION))
        domain = rng.integers(0, DOMAINS, plan.n)
        points = centres[domain] + rng.normal(size=(plan.n, DIMENSION))
        unit = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
        inputs = Inputs(unit, np.zeros((plan.n, len(features.NAMES)), dtype=np.float32))
    else:
        domain = (inputs.embedding[:, :2] > inputs.embedding[:, :2].mean(axis=0)) @ np.array([1, 2])
    p = truth(inputs.embedding.astype(np.float64), plan, rng)
    propensity = rng.dirichlet(np.full(plan.arms, 2.0), plan.n)
    drawn = (rng.random(plan.n)[:, None] > propensity.cumsum(axis=1)).sum(axis=1)
    arm = np.minimum(drawn, plan.arms - 1).astype(np.int64)
    if expected is None:
        expected = p if plan.informed else np.tile(p.mean(axis=0), (plan.n, 1))
    blank = np.full(plan.n, np.nan)
    traffic = Traffic(
        arms=tuple(Arm(f"m{i}") for i in range(plan.arms)),
        decision_ids=tuple(f"{seed}-{i}" for i in range(plan.n)),
        hashes=tuple(f"h{seed}-{i}" for i in range(plan.n)),
        time=np.arange(plan.n, dtype=np.float64),
        inputs=inputs,
        n_chars=np.full(plan.n, 200),
        cluster=domain.astype(np.int64),
        distance=np.zeros(plan.n),
        arm=arm,
        drawn=np.ones(plan.n, dtype=np.bool_),
        propensity=propensity,
        expected=expected,
        expected_usd=np.full(p.shape, 1e-3),
        quality=(rng.random(plan.n) < p[np.arange(plan.n), arm]).astype(np.float64),
        input_tokens=blank,
        output_tokens=blank,
        cost_usd=blank,
        keys=("",) * plan.n,
        rejected=Counter(),
        considered=blank,
    )
    return report(traffic, plan, rng)


def report(traffic: Traffic, plan: Forgery, rng: np.random.Generator) -> Traffic:
    """The same decisions with who reports them, and what."""
    n, arms = len(traffic), len(traffic.arms)
    forging = rng.random(n) < plan.share
    liar = rng.integers(0, max(plan.keys, 1), n)
    by = traffic.cluster % plan.honest if plan.by_domain else rng.integers(0, plan.honest, n)
    shift = rng.normal(0, plan.leniency, (plan.honest, 1)) + rng.normal(
        0, plan.opinion, (plan.honest, arms)
    )
    told = np.clip(traffic.quality + shift[by, traffic.arm], 0.0, 1.0)
    target = int(rng.integers(0, arms))
    lies = forging & (rng.random(n) < plan.strength)
    told = np.where(forging, traffic.quality, told)
    told = np.where(lies, (traffic.arm == target).astype(np.float64), told)
    keys = [f"forger {liar[i]}" if forging[i] else f"honest {by[i]}" for i in range(n)]
    return replace(traffic, quality=told, keys=tuple(keys))
