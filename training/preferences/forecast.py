"""Forecast which of two answers is preferred, on prompts that nobody has seen.

By Bradley and Terry's one strength per arm, or by the utility of labels and battles. Both give the
probability that the first answer wins, given that one of the two does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from data.split import folds
from router.types import Bools, Doubles, Floats

from ..config import TrainConfig
from ..measure.draws import Draws, interval
from ..methods.base import Inputs
from ..methods.bradley_terry import bradley_terry
from ..methods.pairs import Battles
from ..methods.utility import Utility, fit_utility

PLAIN = "Bradley-Terry"
MIN_CHANCE = 1e-6  # of a probability whose logarithm is taken


@dataclass(frozen=True, slots=True)
class Labelled:
    """Prompts with labels to learn from beside the battles; quality (n, a), NaN where missing."""

    inputs: Inputs
    quality: Floats
    counts: Doubles | None  # (n, a) how much labels count; null where all count alike

    def rows(self, mask: Bools) -> Labelled:
        """The prompts where `mask` (n,) is true."""
        counts = None if self.counts is None else self.counts[mask]
        return Labelled(self.inputs.rows(mask), self.quality[mask], counts)


def strengths(seen: Battles) -> Doubles:
    """Bradley and Terry's utilities, the same for every prompt: (A,)."""
    won = np.zeros((1, len(seen.arms), len(seen.arms)))
    np.add.at(won[0], (seen.first, seen.second), _won(seen))
    np.add.at(won[0], (seen.second, seen.first), 1.0 - _won(seen))
    return np.asarray(bradley_terry(won)[0])


def by_utility(model: Utility, asked: Battles) -> Doubles:
    """(b,) P(a wins | somebody does), by the judge of each battle."""
    place = {judge.name: i for i, judge in enumerate(model.judges)}
    out = np.empty(len(asked))
    for i, name in enumerate(asked.sources):
        rows = asked.source == i
        part = asked.where(rows)
        said = model.judged(part.inputs, part.row, part.first, part.second, place.get(name, 0))
        out[rows] = said[:, 0] / np.maximum(said[:, 0] + said[:, 1], MIN_CHANCE)
    return out


def fit_by(seen: Battles, labelled: Labelled, config: TrainConfig, alpha: float) -> Utility:
    """The utility of battles and labels, a battle counting as much as a label."""
    return fit_utility(
        labelled.inputs,
        labelled.quality,
        seen,
        config.utility,
        config.linear,
        alpha=alpha,
        weight=np.ones(len(seen.sources)),
        counts=labelled.counts,
    )


def choose_alpha(
    seen: Battles,
    labelled: Labelled,
    texts: tuple[str, ...],
    config: TrainConfig,
) -> float:
    """The penalty with the least log loss on battles of held-out prompts.

    Args:
        seen: battles that may be learned from.
        labelled: prompts with labels.
        texts: of these; labels of held-out prompts are held out as well.
        config: the candidates and the folds.
    """
    count, seed = config.folds.folds, config.folds.seed
    fought, told = folds(seen.texts, count, seed), folds(texts, count, seed)
    lost = dict.fromkeys(config.utility.alpha, 0.0)
    for fold in np.unique(fought):
        known, held = seen.prompts(fought != fold), seen.prompts(fought == fold)
        for alpha in lost:
            model = fit_by(known, labelled.rows(told != fold), config, alpha)
            lost[alpha] += float(log_loss(by_utility(model, held), held).sum())
    return min(lost, key=lambda alpha: (lost[alpha], -alpha))


def decided(battles: Battles) -> Battles:
    """The battles that one side won, surely or by a grade."""
    return battles.where(battles.said[:, :2].sum(axis=1) > 0.0)


def log_loss(chance: Doubles, battles: Battles) -> Doubles:
    """(b,) of the preference, in nats; 0 where nobody won.

    Args:
        chance: (b,) P(a wins | somebody does).
        battles: what was said.
    """
    sure = np.clip(chance, MIN_CHANCE, 1.0 - MIN_CHANCE)
    return np.asarray(-(battles.said[:, 0] * np.log(sure) + battles.said[:, 1] * np.log1p(-sure)))


def hits(chance: Doubles, battles: Battles) -> Doubles:
    """(b,) 1 where the likelier side is the preferred one, ½ where either is at ½."""
    lean = np.sign(chance - 0.5) * np.sign(battles.said[:, 0] - battles.said[:, 1])
    return np.asarray(0.5 * (1.0 + lean))


def pair_chance(utility: Doubles, battles: Battles) -> Doubles:
    """(b,) σ(u_a - u_b) from utilities (A,) or, by prompt, (m, A)."""
    rows = np.broadcast_to(utility, (len(battles.texts), len(battles.arms)))
    gap = rows[battles.row, battles.first] - rows[battles.row, battles.second]
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * gap)))


def _won(battles: Battles) -> Doubles:
    """(b,) share of the first side, a tie half of it."""
    return np.asarray(battles.said[:, 0] + 0.5 * battles.said[:, 2:].sum(axis=1))


def measured(
    found: dict[str, Doubles], asked: Battles, seed: int, reference: str = PLAIN
) -> dict[str, dict[str, Any]]:
    """Accuracy and log loss of every method, with 95 % intervals over prompts.

    Intervals of differences are paired, against the reference method.
    """
    prompts = len(asked.texts)
    draws = Draws.random(prompts, seed=seed)

    def sums(values: Doubles) -> Doubles:
        """(b,) of the battles of the drawn prompts."""
        total = np.bincount(asked.row, values, prompts).astype(np.float64)
        return draws.means(total[:, None])[:, 0]

    size = sums(np.ones(len(asked)))
    scores = {
        name: {"accuracy": hits(chance, asked), "log_loss": log_loss(chance, asked)}
        for name, chance in found.items()
    }
    drawn = {
        name: {figure: sums(values) / size for figure, values in by.items()}
        for name, by in scores.items()
    }
    return {
        name: {
            figure: {
                "value": float(scores[name][figure].mean()),
                "ci95": list(interval(values)),
                "difference_ci95": list(interval(values - drawn[reference][figure])),
            }
            for figure, values in by.items()
        }
        for name, by in drawn.items()
    }
