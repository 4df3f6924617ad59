"""A made-up collection whose truth is known: abilities by kind of work, and ladders of effort."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.core import features
from router.types import Arm, Doubles, Ints
from training.methods.base import Folds, Inputs
from training.prepare.dataset import Dataset

FAMILIES = 14
TIERS = ("effort=none", "effort=high")
KINDS = ("tool call", "tool call", "chat", "chat", "tool call")
DIMENSION = 16


@dataclass(frozen=True)
class MadeUp:
    """Sources of two kinds of work.

    Attributes:
        ability: (s, a) true mean quality of every arm in every source.
        tried: (s, a) whether the source asked the arm.
        source: (n,) number of each row's.
        shift: (n, a) what the prompt does for the arm, beside its ability.
    """

    data: Dataset
    inputs: Inputs
    folds: Folds
    ability: Doubles
    tried: np.ndarray
    source: Ints
    shift: Doubles

    @property
    def contrasts(self) -> Doubles:
        """(s, a) truth above the mean of the arms that the source tried."""
        mean = np.array([a[t].mean() for a, t in zip(self.ability, self.tried, strict=True)])
        return np.asarray(self.ability - mean[:, None])


def made_up(
    seed: int,
    *,
    rows: int = 120,
    pays: tuple[float, float] = (0.15, -0.08),
    share: float = 0.5,
    per_prompt: float = 0.0,
) -> MadeUp:
    """Draw a collection.

    Args:
        seed: of everything.
        rows: prompts of each source.
        pays: what the highest rung brings in tool calls and in chat.
        share: of the families that a source tried; the last source tried four.
        per_prompt: how much a prompt's place moves some arms against others.
    """
    rng = np.random.default_rng(seed)
    arms = tuple(Arm(f"{chr(97 + f)}lpha-{f}", tier) for f in range(FAMILIES) for tier in TIERS)
    family = np.repeat(np.arange(FAMILIES), len(TIERS))
    high = np.tile([0.0, 1.0], FAMILIES)
    by_kind = {kind: rng.normal(0.0, 0.1, FAMILIES) for kind in sorted(set(KINDS))}
    gain = {"tool call": pays[0], "chat": pays[1]}
    ability = np.stack(
        [0.55 + by_kind[k][family] + gain[k] * high + rng.normal(0, 0.02, len(arms)) for k in KINDS]
    )
    tried = np.stack([(rng.random(FAMILIES) < share)[family] for _ in KINDS])
    tried[-1] = np.isin(family, rng.choice(FAMILIES, 2, replace=False))
    source = np.repeat(np.arange(len(KINDS)), rows)
    inputs, place = _inputs(rng, source)
    lean = np.where(family % 2 == 0, 1.0, -1.0)
    shift = per_prompt * np.sign(place)[:, None] * lean
    chance = np.clip(ability[source] + shift + rng.normal(0, 0.1, (len(source), 1)), 0.02, 0.98)
    quality = (rng.random(chance.shape) < chance).astype(np.float32)
    quality[~tried[source]] = np.nan
    cost = np.tile(1e-4 * (1.0 + family) * (1.0 + 3.0 * high), (len(source), 1))
    data = _dataset(arms, source, quality, np.where(np.isnan(quality), np.nan, cost))
    folds = Folds(np.arange(len(source)) % 5, np.arange(len(source)))
    return MadeUp(data, inputs, folds, ability, tried, source, shift)


def _inputs(rng: np.random.Generator, source: Ints) -> tuple[Inputs, Doubles]:
    """Prompts around their source's own direction, and where along another one they lie (n,)."""
    place = rng.normal(size=len(source))
    around = np.eye(DIMENSION)[source] * 2.0 + rng.normal(0, 0.2, (len(source), DIMENSION))
    around[:, -1] += place
    unit = around / np.linalg.norm(around, axis=1, keepdims=True)
    text = rng.normal(size=(len(source), len(features.NAMES)))
    return Inputs(unit.astype(np.float32), text.astype(np.float32)), place


def _dataset(
    arms: tuple[Arm, ...], source: Ints, quality: np.ndarray, cost_usd: Doubles
) -> Dataset:
    n = len(source)
    tokens = np.where(np.isnan(quality), np.nan, 100.0)
    return Dataset(
        arms=arms,
        prompt_ids=tuple(str(i) for i in range(n)),
        texts=tuple(f"prompt {i}" for i in range(n)),
        domains=(None,) * n,
        n_chars=np.full(n, 40),
        quality=quality,
        input_tokens=tokens,
        output_tokens=tokens,
        cost_usd=cost_usd,
        test=np.zeros(n, dtype=np.bool_),
        dropped_arms={},
        sources=tuple(f"source {s}" for s in source),
        kinds=tuple(KINDS[s] for s in source),
    )
