"""Combine the methods: a mean of them for what decides, with trees for what does not.

A prompt's overall difficulty moves all arms together and never changes a choice. Methods are
therefore averaged as *contrasts*, an arm's quality minus the mean over the prompt's arms. A mean of
predictions is too timid even where none of them is (Ranjan and Gneiting 2010), so its contrasts are
spread by one factor around those of the arms' means; where the evidence on a table is thin, by less
(`selection.trust`). The level of a prompt is the methods' mean level and that of `methods.level`,
half and half.

Every weighting by past regret that was tried is level with the plain mean (EXPERIMENTS.md), so the
mean is plain. Only a method that is clearly behind is left out of it: labels that are sources say
nothing of a prompt, and where labels of quality are few, battles say more than all other methods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from router.types import Doubles, Floats

from ..config import StackConfig
from ..methods.affine import Affine
from ..methods.base import arm_means
from ..methods.onnx_graph import Graph


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A plain mean of methods, its contrasts spread, its level shared with the trees."""

    names: tuple[str, ...]
    base: Doubles  # (a,) contrast of the arms' means, what methods say where they know nothing
    means: Doubles  # (a,) the same pulled to what an arm of its price brings
    config: StackConfig
    trust: float = 1.0  # share of the spread contrasts that is followed; 0 leaves the arms' means

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        quality: Floats,
        config: StackConfig,
        counts: Doubles | None = None,
        *,
        means: Doubles | None = None,
        trust: float = 1.0,
    ) -> Stack:
        """The stack of some methods, for arms with outcomes (n, a), NaN where missing.

        Args:
            names: of the methods.
            quality: what they learned.
            config: how they are combined.
            counts: (n, a) how much outcomes count; null is 1.
            means: (a,) contrasts of `selection.price_trend`; null is those of the outcomes.
            trust: 0 to 1.
        """
        mean = arm_means(quality, counts)
        base = mean - mean.mean()
        pulled = base if means is None else means
        return cls(names=tuple(names), base=base, means=pulled, config=config, trust=trust)

    def predict(self, predictions: Mapping[str, Floats], level: Doubles) -> Floats:
        """Combine (n, a) predictions by name with the trees' level (n,)."""
        parts = np.concatenate([predictions[name] for name in self.names], axis=1)
        mixing, shift = self._affine()
        mixed = parts.astype(np.float32) @ mixing + shift
        own = (self.config.level_share * level[:, None]).astype(np.float32)
        return np.asarray(mixed + own, dtype=np.float32)

    def _affine(self) -> tuple[Floats, Floats]:
        """Methods to quality, as one matrix (m·a, a) and a shift (a,).

        A method adds trust·sharpness·(prediction - its level) + what the trees leave of its level,
        over m; its level is a mean over arms, so both are linear in its a predictions.
        """
        arms, spread = len(self.base), self.trust * self.config.sharpness
        level = np.full((arms, arms), 1.0 / arms)
        one = spread * (np.eye(arms) - level) + (1.0 - self.config.level_share) * level
        shift = self.means - spread * self.base
        mixing = np.tile(one / len(self.names), (len(self.names), 1))
        return mixing.astype(np.float32), shift.astype(np.float32)

    def mixed(self, predictions: Mapping[str, Affine]) -> Affine:
        """The combination in a graph, but for the trees' level."""
        mixing, shift = self._affine()
        first, *rest = (predictions[name] for name in self.names)
        one = mixing[: len(shift)].astype(np.float64)  # every method counts alike
        return sum(rest, first).then(one).plus(shift.astype(np.float64))

    def add_to(self, graph: Graph, predictions: Mapping[str, Affine], level: str) -> str:
        """Write the combination into a graph: (n, a) float32; `level` is (n, 1)."""
        own = Affine.of(level, np.full((1, len(self.base)), self.config.level_share))
        return (self.mixed(predictions) + own).add_to(graph)


def leading(scores: Mapping[str, Mapping[str, float]], within: float) -> list[str]:
    """The methods whose least criterion is at most `within`, a share, above the least of all.

    Args:
        scores: method -> settings -> what they were chosen by, smaller is better.
        within: >= 0.
    """
    least = {name: min(tried.values()) for name, tried in scores.items()}
    bar = min(least.values()) * (1.0 + within)
    return [name for name, value in least.items() if value <= bar]
