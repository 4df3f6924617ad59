"""A new arm from few labels: what known arms say of a prompt, plus what its cluster adds.

    quality(x) = σ(b + s·m(x) + Σ v_k·d_k(x)) + Σ_c w_c(x)·r_c

m is the mean logit of the known arms' predictions and d_k their deviations from it: the prior, from
which the labels must pull the arm away, is "as hard for it as for the others, shifted". r is its
shrunken error vector over the bundle's clusters (UniRoute, arXiv 2502.08773). Both are pulled with
a usual strength, or with another where cross-validation on the labels is sure that it is better.
The level is uncertain by what the labels leave open (Laplace's approximation); decisions get the
lower end of it, so that no arm is routed above its evidence. Arrays are (n prompts, a known arms,
k clusters).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from router.types import Doubles, Floats, Ints

from ..methods.linear import sigmoid
from ..methods.onnx_graph import Graph
from .graph_columns import Blend

LOW, HIGH = 0.005, 0.995  # predictions beyond are clipped before the logit
SLOPE_PULL = 4.0  # of s towards 1
SHIFT_PULL = 1e-3  # of b towards 0; the labels always tell the level
# of v towards 0, and rows of 0 that r is shrunk by: good on every training table, see README
USUAL_PULLS = (10.0, 100.0)
DEVIATION_PULLS = (1.0, 3.0, 10.0, 30.0, 100.0, 1000.0)  # candidates beside the usual
CELL_PULLS = (10.0, 30.0, 100.0, np.inf)
SURE_ERRORS = 2.0  # standard errors by which held-out error must be less to leave the usual
FOLDS = 10
STEPS = 40
TOKEN_PULL = 10.0  # rows by which the slope of log tokens is pulled to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NewArm:
    """A fitted new arm.

    Attributes:
        weights: (a + 2,) of [1, m, d].
        root: (a + 2, a + 2) with root·rootᵀ the covariance of the weights.
        residual: (k,) quality units.
        cell_se: (k,) standard error of the local mean, from the labels in the cluster.
        token_line: (base, slope) of log output tokens against the known arms' mean log tokens.
        token_bounds: of the log tokens.
        smear: factor to the right mean.
        caution: standard errors of the level that decisions do without.
        chosen: (deviation pull, cell pull).
        errors: squared error, held out: {"mean", "known arms", "chosen"}.
    """

    weights: Doubles
    root: Doubles
    residual: Doubles
    cell_se: Doubles
    token_line: tuple[float, float]
    token_bounds: tuple[float, float]
    smear: float
    caution: float
    chosen: tuple[float, float]
    errors: dict[str, float]

    def expected(self, quality: Floats, weights: Doubles) -> Doubles:
        """(n,) quality, before caution; `weights` (n, k) are the shares of the clusters."""
        level = sigmoid(design(quality) @ self.weights)
        return np.asarray(np.clip(level + weights @ self.residual, LOW, HIGH))

    def level_se(self, quality: Floats) -> Doubles:
        """(n,) standard error of the level that few labels leave."""
        x = design(quality)
        level = sigmoid(x @ self.weights)
        return np.asarray(level * (1 - level) * np.sqrt(((x @ self.root) ** 2).sum(axis=1)))

    def quality(self, quality: Floats, weights: Doubles) -> Doubles:
        """(n,) what decisions get: the lower end of the level."""
        lower = self.expected(quality, weights) - self.caution * self.level_se(quality)
        return np.asarray(np.clip(lower, LOW, HIGH))

    def quality_se(self, quality: Floats, weights: Doubles) -> Doubles:
        """(n,) standard error of the local mean: level and cell together."""
        return np.asarray(np.sqrt(self.level_se(quality) ** 2 + (weights @ self.cell_se) ** 2))

    def output_tokens(self, tokens: Floats) -> Doubles:
        """(n,) from those of the known arms (n, a)."""
        base, slope = self.token_line
        logs = np.clip(base + slope * mean_log(tokens), *self.token_bounds)
        return np.asarray(np.exp(logs) * self.smear)

    def add_to(self, graph: Graph, blend: Blend, quality: str, tokens: str) -> tuple[str, str, str]:
        """Write the arm into a graph: (quality, quality_se, output_tokens), each (n, 1) float32.

        Args:
            graph: grows.
            blend: of the bundle's graph.
            quality: the known arms' column of it there.
            tokens: the same for output tokens.
        """
        x = _add_design(graph, quality)
        level = graph.op("Sigmoid", [graph.op("MatMul", [x, _column(graph, self.weights)])])
        spread = graph.op("MatMul", [x, graph.const(self.root, np.float64)])
        squares = graph.op("Mul", [spread, spread])
        total = graph.op("ReduceSum", [squares, graph.const([1], np.int64)], keepdims=1)
        one = graph.const(1.0, np.float64)
        steepness = graph.op("Mul", [level, graph.op("Sub", [one, level])])
        error = graph.op("Mul", [steepness, graph.op("Sqrt", [total])])
        bounds = [graph.const(bound, np.float64) for bound in (LOW, HIGH)]
        local = graph.op("Add", [level, _blended(graph, blend, self.residual)])
        expected = graph.op("Clip", [local, *bounds])
        withheld = graph.op("Mul", [error, graph.const(self.caution, np.float64)])
        lower = graph.op("Clip", [graph.op("Sub", [expected, withheld]), *bounds])
        cell = _blended(graph, blend, self.cell_se)
        both = graph.op("Add", [graph.op("Mul", [error, error]), graph.op("Mul", [cell, cell])])
        return (
            graph.cast(lower, np.float32),
            graph.cast(graph.op("Sqrt", [both]), np.float32),
            graph.cast(self._add_tokens(graph, tokens), np.float32),
        )

    def _add_tokens(self, graph: Graph, tokens: str) -> str:
        floor = graph.const(1e-3, np.float64)
        logs = graph.op("Log", [graph.op("Max", [graph.cast(tokens, np.float64), floor])])
        mean = graph.op("ReduceMean", [logs], axes=[1], keepdims=1)
        base, slope = self.token_line
        line = graph.op("Mul", [mean, graph.const(slope, np.float64)])
        moved = graph.op("Add", [line, graph.const(base, np.float64)])
        bounds = [graph.const(bound, np.float64) for bound in self.token_bounds]
        raised = graph.op("Exp", [graph.op("Clip", [moved, *bounds])])
        return graph.op("Mul", [raised, graph.const(self.smear, np.float64)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How cautious a new arm is.

    Attributes:
        prior_rows: that a cell's standard error counts beside its labels, as for known arms.
        caution: standard errors of the level that decisions do without.
        seed: of the folds.
    """

    prior_rows: float
    caution: float
    seed: int


def design(quality: Floats) -> Doubles:
    """[1, m, d]: (n, a + 2) from the known arms' predictions (n, a)."""
    clipped = np.clip(quality.astype(np.float64), LOW, HIGH)
    logits = np.log(clipped / (1.0 - clipped))
    mean = logits.mean(axis=1, keepdims=True)
    return np.concatenate([np.ones_like(mean), mean, logits - mean], axis=1)


def _add_design(graph: Graph, quality: str) -> str:
    bounds = [graph.const(bound, np.float64) for bound in (LOW, HIGH)]
    clipped = graph.op("Clip", [graph.cast(quality, np.float64), *bounds])
    one = graph.const(1.0, np.float64)
    logits = graph.op("Log", [graph.op("Div", [clipped, graph.op("Sub", [one, clipped])])])
    mean = graph.op("ReduceMean", [logits], axes=[1], keepdims=1)
    ones = graph.op("Div", [graph.op("Exp", [mean]), graph.op("Exp", [mean])])
    return graph.op("Concat", [ones, mean, graph.op("Sub", [logits, mean])], axis=1)


def _column(graph: Graph, values: Doubles) -> str:
    return graph.const(values[:, None], np.float64)


def _blended(graph: Graph, blend: Blend, values: Doubles) -> str:
    """(n, 1) blend of (k,) values by the cluster weights."""
    picked = graph.op("Gather", [graph.const(values, np.float64), blend.index], axis=0)
    weighted = graph.op("Mul", [picked, blend.weight])
    return graph.op("ReduceSum", [weighted, graph.const([1], np.int64)], keepdims=1)


def mean_log(tokens: Floats) -> Doubles:
    """(n,) mean logarithm of the known arms' tokens."""
    return np.asarray(np.log(np.maximum(tokens.astype(np.float64), 1e-3)).mean(axis=1))


def fit_new_arm(
    known: Floats,
    tokens: Floats,
    weights: Doubles,
    cluster: Ints,
    *,
    label: Doubles,
    answer_tokens: Doubles,
    settings: Settings,
) -> NewArm:
    """Fit a new arm.

    Args:
        known: (n, a) predictions of the labelled prompts by models that did not see them.
        tokens: (n, a) their predicted output tokens.
        weights: (n, k) shares of the clusters.
        cluster: (n,) nearest.
        label: (n,) quality, 0 to 1.
        answer_tokens: (n,) tokens of the arm's own answers, or micro-dollars; NaN where unknown.
        settings: how cautious to be.
    """
    fold = np.random.default_rng(settings.seed).permutation(len(label)) % min(FOLDS, len(label))
    tried = {
        (pull, cell): _held_out(known, weights, cluster, label, fold, pull, cell)
        for pull in DEVIATION_PULLS
        for cell in CELL_PULLS
    }
    best = chosen_pulls(tried)
    x = design(known)
    found, covariance = _logistic(x, label, best[0])
    residual = _residuals(sigmoid(x @ found), cluster, label, weights.shape[1], best[1])
    spread = float(((label - sigmoid(x @ found)) ** 2).mean())
    count = np.bincount(cluster, minlength=weights.shape[1])
    line, bounds, smear = _token_line(mean_log(tokens), answer_tokens)
    return NewArm(
        weights=found,
        root=np.asarray(np.linalg.cholesky(covariance), dtype=np.float64),
        residual=residual,
        cell_se=np.sqrt(spread / (count + settings.prior_rows)),
        token_line=line,
        token_bounds=bounds,
        smear=smear,
        caution=settings.caution,
        chosen=best,
        errors={
            "mean": _mean_error(label, fold),
            "known arms": float(tried[(best[0], np.inf)].mean()),
            "chosen": float(tried[best].mean()),
        },
    )


def chosen_pulls(tried: dict[tuple[float, float], Doubles]) -> tuple[float, float]:
    """The usual pulls, unless others have significantly less error: the luckiest of many would.

    Args:
        tried: pulls -> (n,) squared errors of held-out labels.
    """
    best = min(tried, key=lambda pulls: float(tried[pulls].mean()))
    gap = tried[USUAL_PULLS] - tried[best]
    sure = gap.mean() > SURE_ERRORS * gap.std() / np.sqrt(len(gap))
    return best if sure else USUAL_PULLS


def _held_out(
    known: Floats, weights: Doubles, cluster: Ints, label: Doubles, fold: Ints,
    pull: float, cell: float,
) -> Doubles:  # fmt: skip
    """(n,) squared errors of labels by fits that did not see them."""
    x, out = design(known), np.empty(len(label))
    for i in np.unique(fold):
        held = fold == i
        found, _ = _logistic(x[~held], label[~held], pull)
        level = sigmoid(x @ found)
        residual = _residuals(level[~held], cluster[~held], label[~held], weights.shape[1], cell)
        out[held] = np.clip(level[held] + weights[held] @ residual, LOW, HIGH)
    return np.asarray((out - label) ** 2)


def _mean_error(label: Doubles, fold: Ints) -> float:
    out = np.empty(len(label))
    for i in np.unique(fold):
        out[fold == i] = label[fold != i].mean()
    return float(((out - label) ** 2).mean())


def _logistic(x: Doubles, label: Doubles, pull: float) -> tuple[Doubles, Doubles]:
    """Penalised logistic regression by Newton steps: (weights, their covariance)."""
    arms = x.shape[1] - 2
    start = np.concatenate([[0.0, 1.0], np.zeros(arms)])
    penalty = np.concatenate([[SHIFT_PULL, SLOPE_PULL], np.full(arms, pull)])
    found = start.copy()
    for _ in range(STEPS):
        now = sigmoid(x @ found)
        hessian = (x * (now * (1.0 - now))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(hessian, x.T @ (now - label) + penalty * (found - start))
        found = found - np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-10:
            break
    now = sigmoid(x @ found)
    hessian = (x * (now * (1.0 - now))[:, None]).T @ x + np.diag(penalty)
    return found, np.asarray(np.linalg.inv(hessian), dtype=np.float64)


def _residuals(level: Doubles, cluster: Ints, label: Doubles, k: int, pull: float) -> Doubles:
    """(k,) mean of label minus level in every cluster, shrunk by `pull` rows of 0."""
    if np.isinf(pull):
        return np.zeros(k)
    total = np.bincount(cluster, weights=label - level, minlength=k)
    return np.asarray(total / (np.bincount(cluster, minlength=k) + pull))


def _token_line(
    logs: Doubles, tokens: Doubles
) -> tuple[tuple[float, float], tuple[float, float], float]:
    """Log tokens against the known arms' mean, the bounds seen, and the factor to the mean."""
    seen = ~np.isnan(tokens)
    x, y = logs[seen], np.log(np.maximum(tokens[seen], 1e-3))
    centred = x - x.mean()
    pull = TOKEN_PULL * max(float(x.var()), 1e-3)
    slope = (float(centred @ (y - y.mean())) + pull) / (float(centred @ centred) + pull)
    base = float(y.mean() - slope * x.mean())
    bounds = (float(np.percentile(y, 1)), float(np.percentile(y, 99)))
    predicted = np.exp(np.clip(base + slope * x, *bounds))
    return (base, slope), bounds, float(tokens[seen].mean() / max(float(predicted.mean()), 1e-9))
