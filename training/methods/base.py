"""What every predictor shares: its inputs, its protocol and its design matrix.

Arrays are (n prompts, a arms). Quality is masked with NaN where an arm has no outcome; a mask
never becomes a zero.

Predictions must not jump when an input moves by a rounding, or the exported graph and the
fitted model would disagree on some prompt. Blends therefore taper to zero at their last
neighbour, and the inputs of trees are computed in double precision on both sides.

What is made of prompts alone (standardisation, principal components, landmarks, centroids) is made
once of all training rows. What is made of outcomes is made once per fold, without that fold's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from router.types import Bools, Doubles, Floats, Ints

from ..prepare.inputs import Inputs as Inputs  # noqa: PLC0414  (methods' callers find it here)
from .affine import Affine
from .onnx_graph import Graph

if TYPE_CHECKING:
    from .pairs import Battles

ROWS_AT_ONCE = 4096  # bounds the memory of row-by-centroid and row-by-neighbour matrices


@dataclass(frozen=True, slots=True)
class GraphInputs:
    """The same two, as tensors of a graph under construction."""

    embedding: str  # float32
    features: str  # float32

    def double(self, graph: Graph) -> str:
        """The embedding in double."""
        return graph.cast(self.embedding, np.float64)


class Predictor(Protocol):
    """A fitted method."""

    def predict(self, inputs: Inputs) -> Floats:
        """Quality of every arm: (n, a)."""
        ...

    def add_to(self, graph: Graph, inputs: GraphInputs) -> Affine:
        """Write the method into a graph, but for what is linear at its end: (n, a) float32."""
        ...


Settings = Mapping[str, float | int]


@dataclass(frozen=True, slots=True)
class Folds:
    """Which fold each of n training rows is in, and which rows are predicted out of fold.

    Every choice is made on the judged rows: beyond some thousands an even sample says the same,
    and what grows with candidates times rows stays bounded.
    """

    of: Ints  # (n,)
    judged: Ints  # (j,) row numbers, rising

    @property
    def count(self) -> int:
        """Number of folds."""
        return int(self.of.max()) + 1

    @property
    def of_judged(self) -> Ints:
        """(j,) folds of the judged rows."""
        return self.of[self.judged]

    def held_out(self, predict: Callable[[int, Ints], Doubles | Floats], arms: int) -> Floats:
        """Predictions (j, a) of the judged rows, each by the fit that leaves its fold out.

        Args:
            predict: (fold, places among the judged rows) -> (places, a).
            arms: a.
        """
        out = np.full((len(self.judged), arms), np.nan, dtype=np.float32)
        for fold in np.unique(self.of_judged):
            places = np.flatnonzero(self.of_judged == fold)
            out[places] = predict(int(fold), places)
        return out


def fold_masks(fold: Ints) -> Iterator[tuple[Bools, Bools]]:
    """(training rows, held-out rows) of every fold that holds any."""
    for i in np.unique(fold):
        held = fold == i
        yield ~held, held


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What methods learn from.

    Attributes:
        inputs: the n training prompts.
        quality: (n, a) outcomes, NaN where missing; of sparse tables above the prompt's level.
        outcomes: (n, a) the outcomes themselves.
        folds: of the rows; a method is fitted without each fold and on everything.
        labels: task labels of the n prompts, None where nobody said.
        score: what candidates are chosen by, of (j, a) predictions; smaller is better.
        counts: (n, a) how much outcomes count, 1 on average; null where all count alike.
        battles: of training prompts, and their folds (m,); null where there are no pairs.
    """

    inputs: Inputs
    quality: Floats
    outcomes: Floats
    folds: Folds
    labels: Sequence[str | None]
    score: Callable[[Floats], float]
    counts: Doubles | None = None
    battles: tuple[Battles, Ints] | None = None

    @property
    def judged(self) -> Inputs:
        """The prompts that are predicted out of fold."""
        return self.inputs.rows(self.folds.judged)

    def counts_of(self, rows: Bools | Ints) -> Doubles | None:
        """How much the outcomes of some rows count."""
        return None if self.counts is None else self.counts[rows]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A method with some settings: how it predicts what it did not see, and the final fit."""

    settings: Settings
    oof_quality: Floats  # (j, a)
    fit: Callable[[], Predictor]  # on every row


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """[embedding, standardised text features] as one matrix in double precision."""

    mean: Doubles  # (f,)
    scale: Doubles  # (f,) multiplies the centred feature
    limit: float  # clips the scaled feature, so that an odd prompt stays a prompt

    @classmethod
    def fit(cls, inputs: Inputs, feature_scale: float) -> Design:
        """Standardise by the training rows; a feature's unit becomes `feature_scale`."""
        features = inputs.features.astype(np.float64)
        scale = feature_scale / (features.std(axis=0) + 1e-6)
        return cls(mean=features.mean(axis=0), scale=scale, limit=4.0 * feature_scale)

    def matrix(self, inputs: Inputs) -> Doubles:
        """(n, d + f)."""
        scaled = (inputs.features.astype(np.float64) - self.mean) * self.scale
        clipped = np.clip(scaled, -self.limit, self.limit)
        return np.concatenate([inputs.embedding.astype(np.float64), clipped], axis=1)

    def add_product(
        self,
        graph: Graph,
        inputs: GraphInputs,
        weights: Doubles,
        shift: Doubles,
        kind: type[np.generic] = np.float32,
    ) -> Affine:
        """`matrix` @ weights (d + f, m) + shift (m,), in a dtype."""
        embedding = inputs.embedding if kind is np.float32 else inputs.double(graph)
        size = len(weights) - len(self.mean)
        own = Affine.of(embedding, weights[:size], shift)
        return own + Affine.of(add_features(graph, inputs, [self], kind), weights[size:])


def add_features(
    graph: Graph, inputs: GraphInputs, designs: Sequence[Design], kind: type[np.generic]
) -> str:
    """The text features of designs of one `limit`, side by side, in a dtype."""
    text = graph.cast(inputs.features, np.float64)
    scale = np.hstack([np.diag(design.scale) for design in designs])
    shift = np.hstack([-design.mean * design.scale for design in designs])
    return graph.linear(text, scale, shift, np.float64, limit=designs[0].limit, to=kind)


def counted(values: Floats | Doubles, counts: Doubles | None) -> Doubles:
    """What each of (n, a) values counts: `counts`, or 1 where it is null; 0 where it is missing."""
    return np.where(np.isnan(values), 0.0, 1.0 if counts is None else counts)


def arm_means(quality: Floats | Doubles, counts: Doubles | None = None) -> Doubles:
    """(a,) mean quality of each arm over its observed cells, each as often as it counts."""
    share = counted(quality, counts)
    total = (np.where(share > 0, quality, 0.0) * share).sum(axis=0)
    return np.asarray(total / np.where(share.any(axis=0), share.sum(axis=0), 1.0))


def to_half(values: Doubles | Floats) -> Floats:
    """Round to 16 bits and back: what is fitted afterwards is fitted on what is stored."""
    return np.asarray(values).astype(np.float16).astype(np.float32)


def spaced(n: int, most: int, seed: int) -> Ints:
    """At most `most` of n row numbers, drawn without replacement, in order."""
    if n <= most:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, most, replace=False))


def group_sums(values: Floats | Doubles, groups: Ints, count: int) -> Doubles:
    """Sums of the rows (n, w) of each group, numbered below `count` by (n,): (count, w)."""
    # sums of sorted runs: what `np.add.at` adds up, eight times faster
    order = np.argsort(groups, kind="stable")
    sizes = np.bincount(groups, minlength=count)
    used, starts = np.flatnonzero(sizes), np.cumsum(sizes) - sizes
    sums = np.zeros((count, values.shape[1]))
    if len(used):
        sums[used] = np.add.reduceat(values[order], starts[used], axis=0, dtype=np.float64)
    return sums


def leading_axes(centred: Doubles, components: int) -> Doubles:
    """Orthonormal axes (d, k) of the largest spread of (n, d) rows, k at most `components`."""
    if centred.shape[1] <= components:
        return np.eye(centred.shape[1])
    # eigenvectors of d by d sums: for thousands of rows far cheaper than their SVD
    _, vectors = np.linalg.eigh(centred.T @ centred)
    return np.asarray(vectors[:, ::-1][:, :components])


def prompt_level(values: Floats | Doubles, counts: Doubles | None = None) -> Doubles:
    """What all arms have in common on a prompt: (n,) mean of (n, a), NaN where nothing is known.

    Arms are compared with their own means, so that a prompt is not hard because weak arms were
    asked.
    """
    share = counted(values, counts)
    mean = arm_means(values, counts)
    above = (np.where(share > 0, values - mean, 0.0) * share).sum(axis=1)
    known = share.sum(axis=1)
    return np.where(known > 0, above / np.where(known > 0, known, 1.0) + mean.mean(), np.nan)
