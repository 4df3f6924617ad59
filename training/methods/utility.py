"""One utility behind both kinds of evidence: battles by what a judge says, labels by a logit.

u(x, a) = c_a + (w_0 + w_a)·x, x the prompt's embedding and text features in their leading
principal components; w_0 is the difficulty that all arms share. A label is acceptable with
P = σ(s·u + b), a scale and an offset for the table of labels, because an exam is not a judge. A
battle of source k sees t_k·u, and the log ratio of the answers' lengths as a covariate: a
judge's liking of long answers is learned apart and left out of what is predicted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from router.types import Arm, Bools, Doubles, Floats, Ints

from ..config import LinearConfig, TrainConfig, UtilityConfig
from .base import Candidate, Design, Inputs, Settings, Task, counted, leading_axes
from .linear import LinearHead, sigmoid
from .pair_likelihood import battle_slopes, chances
from .pairs import Battles

PULL = 10.0  # pseudo-rows that hold scales at 1, and offset, ties and lengths at 0
LEVEL_PULL = 1e-2  # the same for the arms' intercepts: next to nothing
ALL_SOURCES = "battles"  # setting: what a battle of any source counts beside a label
SHARED = 0.1  # of the penalty, on what all arms share


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """How one source of battles reads utilities."""

    name: str
    scale: float  # t > 0
    tie: float | None  # η; null where a winner had to be named
    length: float  # utility per unit of log(length a / length b)


@dataclass(frozen=True, slots=True, kw_only=True)
class Utility:
    """A fitted utility of A arms: the routed ones first."""

    arms: tuple[Arm, ...]
    design: Design
    weights: Doubles  # (d + f, A)
    intercept: Doubles  # (A,)
    scale: float  # s > 0 of the labels
    offset: float  # b
    judges: tuple[Judge, ...]

    def latent(self, inputs: Inputs) -> Doubles:
        """U of every arm: (n, A)."""
        return np.asarray(self.design.matrix(inputs) @ self.weights + self.intercept)

    def head(self, arms: int) -> LinearHead:
        """P(acceptable) of the first `arms` arms, as a prediction method."""
        return LinearHead(
            design=self.design,
            weights=self.scale * self.weights[:, :arms],
            intercept=self.scale * self.intercept[:arms] + self.offset,
            logistic=True,
        )

    def judged(self, inputs: Inputs, row: Ints, first: Ints, second: Ints, source: int) -> Doubles:
        """What a judge would say of answers of equal length: (b, 4), P of a, b, tie, both bad.

        Args:
            inputs: prompts.
            row: (b,) which prompt.
            first: (b,) arm indices.
            second: (b,) arm indices.
            source: index of the judge.
        """
        judge = self.judges[source]
        u = judge.scale * self.latent(inputs)
        a, b = u[row, first], u[row, second]
        if judge.tie is not None:
            return chances(a, b, np.full(len(a), judge.tie))
        won = sigmoid(a - b)
        return np.stack([won, 1.0 - won, np.zeros_like(won), np.zeros_like(won)], axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """The arrays of one fit: (n + m, k) prompts, the first n with labels of the first a arms."""

    points: Doubles
    quality: Doubles  # (n, a), 0 where missing
    counts: Doubles  # (n, a) how much labels count, 0 where missing
    battles: Battles
    weight: Doubles  # (b,)
    length: Doubles  # (b,) log ratio of the answers' lengths
    forced: Bools  # (b,)
    shares: Doubles  # (1 + sources,) of the evidence, labels first
    alpha: float

    @property
    def arms(self) -> int:
        return len(self.battles.arms)

    def sizes(self) -> list[int]:
        """Of the parts of the parameter vector; see `parts`."""
        k, sources = self.points.shape[1], len(self.battles.sources)
        return [k * self.arms, k, self.arms, 2, 3 * sources]

    def parts(self, flat: Doubles) -> list[Doubles]:
        """w_a (k, A), w_0 (k,), c (A,), (log s, b), (log t, η, γ) by source (3, sources)."""
        found = np.split(flat, np.cumsum(self.sizes())[:-1])
        found[0] = found[0].reshape(-1, self.arms)
        found[4] = found[4].reshape(3, -1)
        return found

    def loss(self, flat: Doubles) -> tuple[float, Doubles]:
        """The penalised negative log-likelihood and its gradient.

        The penalty is on what the evidence sees, weights times scale, each kind of evidence by its
        share: on the weights alone, scales would grow and empty it.
        """
        own, shared, level, label, judges = self.parts(flat)
        u = self.points @ (own + shared[:, None]) + level
        total, slope, d_label = self._labels(u, label)
        lost, d_judges = self._battles(u, judges, slope)
        d_own = self.points.T @ slope
        read = self.shares * np.exp(2.0 * np.concatenate([label[:1], judges[0]]))
        alpha = self.alpha * float(read.sum())
        pulls = [alpha, SHARED * alpha, LEVEL_PULL, PULL, PULL]
        parts = [own, shared, level, label, judges]
        gradient = [d_own, d_own.sum(axis=1), slope.sum(axis=0), d_label, d_judges]
        total += lost + sum(0.5 * p * (x**2).sum() for p, x in zip(pulls, parts, strict=True))
        size = self.alpha * float((own**2).sum() + SHARED * (shared**2).sum())
        d_label[0] += size * read[0]
        d_judges[0] += size * read[1:]
        moved = [(g + p * x).ravel() for g, p, x in zip(gradient, pulls, parts, strict=True)]
        return float(total), np.concatenate(moved)

    def _labels(self, u: Doubles, label: Doubles) -> tuple[float, Doubles, Doubles]:
        """Loss of the labels, its slopes by u (n + m, A) and by (log s, b)."""
        n, a = self.quality.shape
        scale = np.exp(label[0])
        raw = scale * u[:n, :a] + label[1]
        value = (self.counts * (np.logaddexp(0.0, raw) - self.quality * raw)).sum()
        gap = self.counts * (sigmoid(raw) - self.quality)
        slope = np.zeros_like(u)
        slope[:n, :a] = scale * gap
        return float(value), slope, np.array([(gap * scale * u[:n, :a]).sum(), gap.sum()])

    def _battles(self, u: Doubles, judges: Doubles, slope: Doubles) -> tuple[float, Doubles]:
        """Loss of the battles; adds its slopes by u to `slope`, gives those by the judges."""
        fought, source = self.battles, self.battles.source
        if len(fought) == 0:
            return 0.0, np.zeros_like(judges)
        scale = np.exp(judges[0, source])
        longer = 0.5 * judges[2, source] * self.length
        row = fought.row + len(self.quality)
        a, b = u[row, fought.first], u[row, fought.second]
        found = battle_slopes(
            scale * a + longer, scale * b - longer, judges[1, source], fought.said, self.forced
        )
        first, second = self.weight * found.first, self.weight * found.second
        np.add.at(slope, (row, fought.first), scale * first)
        np.add.at(slope, (row, fought.second), scale * second)
        by_source = np.zeros_like(judges)
        np.add.at(by_source[0], source, scale * (first * a + second * b))
        np.add.at(by_source[1], source, self.weight * found.tie)
        np.add.at(by_source[2], source, 0.5 * self.length * (first - second))
        return float((self.weight * found.loss).sum()), by_source


def fit_utility(
    inputs: Inputs,
    quality: Floats,
    battles: Battles,
    config: UtilityConfig,
    linear: LinearConfig,
    *,
    alpha: float,
    weight: Doubles,
    counts: Doubles | None = None,
) -> Utility:
    """Fit utilities to labels and battles at once, by L-BFGS.

    Args:
        inputs: n prompts with labels.
        quality: (n, a) of the first a arms, NaN where missing; between 0 and 1 are soft labels.
        battles: of a or more arms.
        config: principal components and iterations.
        linear: the design's settings.
        alpha: > 0, penalty on the squared weights.
        weight: (sources,) what a battle counts beside a label.
        counts: (n, a) how much labels count; null is 1.
    """
    everything = Inputs(
        np.concatenate([inputs.embedding, battles.inputs.embedding]),
        np.concatenate([inputs.features, battles.inputs.features]),
    )
    design = Design.fit(everything, linear.feature_scale)
    matrix = design.matrix(everything)
    centre = matrix.mean(axis=0)
    axes = leading_axes(matrix - centre, config.components)
    share = counted(quality, counts)
    heard = np.bincount(battles.source, minlength=len(battles.sources)) * weight
    evidence = np.array([float(share.sum()), *heard])
    problem = _Problem(
        points=(matrix - centre) @ axes,
        quality=np.where(share > 0, quality, 0.0).astype(np.float64),
        counts=share,
        battles=battles,
        weight=weight[battles.source],
        length=battles.length if config.length else np.zeros(len(battles)),
        forced=battles.forced()[battles.source],
        shares=evidence / max(float(evidence.sum()), 1.0),
        alpha=alpha,
    )
    start, steps = np.zeros(sum(problem.sizes())), {"maxiter": config.iterations}
    found = minimize(problem.loss, start, jac=True, method="L-BFGS-B", options=steps).x
    return _utility(problem, found, design, centre, axes)


def _utility(
    problem: _Problem, found: Doubles, design: Design, centre: Doubles, axes: Doubles
) -> Utility:
    """The utility of a parameter vector, on the design instead of its centred components."""
    own, shared, level, label, judges = problem.parts(found)
    battles, weights = problem.battles, axes @ (own + shared[:, None])
    forced = battles.forced()
    return Utility(
        arms=battles.arms,
        design=design,
        weights=weights,
        intercept=level - centre @ weights,
        scale=float(np.exp(label[0])),
        offset=float(label[1]),
        judges=tuple(
            Judge(
                name=name,
                scale=float(np.exp(judges[0, i])),
                tie=None if forced[i] else float(judges[1, i]),
                length=float(judges[2, i]),
            )
            for i, name in enumerate(battles.sources)
        ),
    )


def utility_candidates(task: Task, config: TrainConfig) -> list[Candidate]:
    """Utilities of labels and battles: at every penalty, then at what battles may count.

    First of all sources alike, then of each source on its own; none where there are no battles.
    """
    if task.battles is None or len(task.battles[0]) == 0:
        return []
    battles, fought = task.battles
    found: list[Candidate] = []

    def tried(settings: Settings) -> None:
        if all(settings != candidate.settings for candidate in found):
            found.append(_candidate(task, battles, fought, config, settings))

    for alpha in config.utility.alpha:
        tried({"alpha": alpha, ALL_SOURCES: config.utility.weights[0]})
    sources = [f"{ALL_SOURCES}:{name}" for name in battles.sources]
    for key in [ALL_SOURCES, *(sources if len(sources) > 1 else ())]:
        best = min(found, key=lambda candidate: task.score(candidate.oof_quality)).settings
        for weight in config.utility.weights:
            tried({**best, key: weight})
    return found


def source_weights(battles: Battles, settings: Settings) -> Doubles:
    """(sources,) what a battle of each counts beside a label."""
    common = settings[ALL_SOURCES]
    own = [settings.get(f"{ALL_SOURCES}:{name}", common) for name in battles.sources]
    return np.array(own, dtype=np.float64)


def _candidate(
    task: Task, battles: Battles, fought: Ints, config: TrainConfig, settings: Settings
) -> Candidate:
    arms = task.quality.shape[1]

    def fitted(left_out: int) -> LinearHead:
        rows = task.folds.of != left_out
        return fit_utility(
            task.inputs.rows(rows),
            task.outcomes[rows],
            battles.prompts(fought != left_out),
            config.utility,
            config.linear,
            alpha=settings["alpha"],
            weight=source_weights(battles, settings),
            counts=task.counts_of(rows),
        ).head(arms)

    asked = task.judged
    oof_quality = task.folds.held_out(
        lambda fold, places: fitted(fold).predict(asked.rows(places)), arms
    )
    return Candidate(settings, oof_quality, lambda: fitted(task.folds.count))
