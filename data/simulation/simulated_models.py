"""Made-up arms: prices, wordiness, and how their skill falls with difficulty.

Arrays are (a arms, ...) in the order of `SimulatedModels.arms`, cheap models first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.types import Arm, Doubles

from .prompt_specs import DOMAINS, FAMILIES, REASONING

MODEL_NAMES = (
    "aster", "brook", "cinder", "dune", "elder", "fjord", "grove", "harbor", "iris", "juniper",
    "krill", "lagoon",
)  # fmt: skip
MODEL_SIZES = ("nano", "mini", "base", "plus", "max")
MODEL_TIERS = (
    ("default",),
    ("default",),
    ("default", "high"),
    ("default",),
    ("concise", "default", "high"),
)
CHEAPEST_USD, PRICE_RATIO = 0.12, 50.0  # per million output tokens; dearest over cheapest
MAX_ARMS = 60
# tier -> factor on output tokens, and the gain in logits from no to full difficulty: where
# thinking pays, and elsewhere, where long answers lose the point and short ones are liked
TIER_EFFECTS = {"concise": (0.45, -1.4, 0.6), "default": (1.0, 0.0, 0.0), "high": (3.5, 1.6, -0.9)}
TOKEN_SPREAD = 0.35  # of the log of realised output tokens
EASY_DIFFICULTY = 0.2  # the difficulty below which thinking harms


@dataclass(frozen=True, slots=True)
class SimulatedModels:
    """Arms with their true parameters."""

    arms: tuple[Arm, ...]
    usd_per_1m_input: Doubles  # (a,)
    usd_per_1m_output: Doubles  # (a,)
    skill: Doubles  # (a, domains): logit of passing at difficulty 0.5
    family_skill: Doubles  # (a, families): what a kind of prompt adds to it
    slope: Doubles  # (a,): logits lost over the range of difficulty
    thinking: Doubles  # (a, domains): logits gained per difficulty beyond EASY_DIFFICULTY
    wordiness: Doubles  # (a,): output tokens over those of an ordinary answer


def draw_models(count: int, rng: np.random.Generator) -> SimulatedModels:
    """Draw `count` arms; a model's tiers share price and skill.

    Args:
        count: 2 to 60 arms.
        rng: decides everything but names and tiers.
    """
    tiers = _tiers(count)
    models = len(tiers)
    rank = np.linspace(0.0, 1.0, models)
    price = CHEAPEST_USD * PRICE_RATIO**rank * np.exp(_inner_noise(rng, models, 0.25))
    strength = rank**0.8 + _inner_noise(rng, models, 0.12)
    skill = -0.4 + 2.0 * strength[:, None] + rng.normal(0.0, 0.75, (models, len(DOMAINS)))
    home = rng.permutation(max(models, len(DOMAINS)))[:models] % len(DOMAINS)
    skill[np.arange(models), home] += 1.6
    owner = np.repeat(np.arange(models), [len(names) for names in tiers])
    names = [name for group in tiers for name in group]
    effect = np.array([TIER_EFFECTS[name] for name in names])
    pays = np.array([domain in REASONING for domain in DOMAINS])
    words = np.exp(rng.normal(0.0, 0.3, models))
    return SimulatedModels(
        arms=tuple(Arm(_name(o, models), t) for o, t in zip(owner.tolist(), names, strict=True)),
        usd_per_1m_input=np.round(price / 4.0, 4)[owner],
        usd_per_1m_output=np.round(price, 4)[owner],
        skill=skill[owner],
        family_skill=rng.normal(0.0, 0.5, (models, len(FAMILIES)))[owner],
        slope=(6.5 - 1.5 * strength + rng.normal(0.0, 0.4, models))[owner],
        thinking=np.where(pays, effect[:, 1:2], effect[:, 2:3]),
        wordiness=words[owner] * effect[:, 0],
    )


def _tiers(count: int) -> list[tuple[str, ...]]:
    """Tiers of each model, until there are `count` arms."""
    found: list[tuple[str, ...]] = []
    left = count
    while left > 0:
        names = MODEL_TIERS[len(found) % len(MODEL_TIERS)]
        found.append(names if len(names) <= left else ("default",))
        left -= len(found[-1])
    return found


def _inner_noise(rng: np.random.Generator, count: int, scale: float) -> Doubles:
    """Noise for all but the first and the last, whose ratio is to stay."""
    noise: Doubles = rng.normal(0.0, scale, count)
    noise[[0, -1]] = 0.0
    return noise


def _name(index: int, models: int) -> str:
    size = MODEL_SIZES[index * len(MODEL_SIZES) // models]
    return f"{MODEL_NAMES[index % len(MODEL_NAMES)]}-{size}"
