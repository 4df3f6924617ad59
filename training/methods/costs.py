"""What an answer costs: prices, input tokens and a model of output tokens per arm.

Cost is linear in tokens, so an arm's two prices can be read off its own rows of tokens and
dollars. Arms whose table has dollars but no tokens are metered in dollars instead: their
"tokens" are US micro-dollars at a price of one.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy.optimize import nnls

from router.core.threshold_map import significant
from router.types import Bools, Doubles, Floats, Ints

from ..config import TrainConfig
from ..prepare.dataset import Dataset
from .affine import Affine
from .base import Folds, GraphInputs, Inputs, Predictor, spaced
from .level import Level, fit_level
from .linear import linear_head, ridge_on_design
from .onnx_graph import Graph

if TYPE_CHECKING:
    from data.prices import PriceTable

CHARS_PER_TOKEN = 4.0  # of a prompt whose tokens nobody counted
SMEAR_ROWS = 2048  # whose mean corrects that of the predictions
ALPHA = 10.0  # ridge penalty of the token model; costs vary far less with it than quality does


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """Prices of every arm and its input tokens as a line in characters; all (a,)."""

    input_usd: Doubles  # per million tokens
    output_usd: Doubles
    input_base: Doubles  # tokens
    input_per_char: Doubles
    in_dollars: Bools  # metered in micro-dollars for want of token counts

    def of_arms(self, among: Bools) -> Meter:
        """Some of the arms, by mask (a,)."""
        return Meter(**{f.name: getattr(self, f.name)[among] for f in fields(Meter)})

    def of_prompts(self) -> Meter:
        """The same where prompts alone are sent.

        Arms of several sources were measured behind each source's own instructions and tools, which
        tells nothing of the arms.
        """
        nothing = np.zeros_like(self.input_base)
        return replace(self, input_base=nothing, input_per_char=nothing + 1.0 / CHARS_PER_TOKEN)

    def input_tokens(self, n_chars: Ints) -> Doubles:
        """Expected input tokens (n, a)."""
        return np.asarray(self.input_base + n_chars[:, None] * self.input_per_char)

    def cost_usd(self, n_chars: Ints, output_tokens: Floats) -> Doubles:
        """Expected US dollars (n, a)."""
        tokens = self.input_tokens(n_chars) * self.input_usd + output_tokens * self.output_usd
        return np.asarray(tokens / 1e6)


def fit_meter(data: Dataset, prices: PriceTable | None) -> Meter:
    """Read prices and input-token lines off the training rows.

    Args:
        data: training rows.
        prices: list prices that replace the ones read off the rows, where it names the model.
    """
    arms = len(data.arms)
    rows = np.zeros((5, arms))
    for arm, name in enumerate(data.arms):
        seen = ~np.isnan(data.cost_usd[:, arm])
        tokens = np.stack([data.input_tokens[seen, arm], data.output_tokens[seen, arm]], axis=1)
        known = ~np.isnan(tokens).any(axis=1)
        if known.sum() < 2:
            # a free arm's micro-dollars have no price: what it costs is 0, not next to nothing
            rows[:, arm] = 0.0, float(np.any(data.cost_usd[seen, arm])), 0.0, 0.0, 1.0
            continue
        paid, _ = nnls(tokens[known] / 1e3, data.cost_usd[seen, arm][known] * 1e3)
        price = prices.find(name.model) if prices is not None else None
        if price is not None:
            paid = np.array([price.usd_per_1m_input, price.usd_per_1m_output])
        base, slope = _line(data.n_chars[seen][known], tokens[known, 0])
        # rounded here, so that costs by the manifest are those that training decided by
        rows[:4, arm] = [significant(float(value)) for value in (*paid, base, slope)]
    return Meter(
        input_usd=rows[0],
        output_usd=rows[1],
        input_base=rows[2],
        input_per_char=rows[3],
        in_dollars=rows[4] > 0,
    )


def _line(x: Ints, y: Doubles) -> tuple[float, float]:
    """Least squares with a slope that is not negative: (base, slope)."""
    spread = float(((x - x.mean()) ** 2).sum())
    slope = float(((x - x.mean()) * (y - y.mean())).sum()) / spread if spread > 0 else 0.0
    slope = max(slope, 0.0)
    return float(y.mean() - slope * x.mean()), slope


def token_targets(data: Dataset, meter: Meter) -> Floats:
    """(n, a) what the token model learns: output tokens, or micro-dollars; NaN where missing."""
    dollars = data.cost_usd * 1e6
    return np.where(meter.in_dollars, dollars, data.output_tokens).astype(np.float32)


class Tokens(Protocol):
    """A fitted model of output tokens."""

    def predict(self, inputs: Inputs) -> Floats:
        """Expected output tokens (n, a)."""
        ...

    def add_to(self, graph: Graph, inputs: GraphInputs) -> str:
        """Write the model into a graph."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenModel:
    """The logarithm of output tokens: trees for the prompt's level, ridge for the differences."""

    head: Predictor
    level: Level
    low: Doubles  # (a,) bounds of the logarithm seen in training
    high: Doubles
    smear: Doubles  # (a,) mean of tokens over mean of predictions (Duan 1983)

    def predict(self, inputs: Inputs) -> Floats:
        """Expected output tokens (n, a)."""
        logs = joined_logs(self.head.predict(inputs), self.level.predict(inputs))
        return np.asarray(np.exp(np.clip(logs, self.low, self.high)) * self.smear, dtype=np.float32)

    def add_to(self, graph: Graph, inputs: GraphInputs) -> str:
        """Write the model into a graph."""
        arms, level = len(self.low), self.level.add_to(graph, inputs)
        contrasts = self.head.add_to(graph, inputs).then(np.eye(arms) - 1.0 / arms)
        shift = np.log(self.smear)  # a factor after the exponential is a shift before it
        logs = contrasts.plus(shift) + Affine.of(level, np.ones((1, arms)))
        raised = graph.op("Max", [logs.add_to(graph), graph.const(self.low + shift, np.float32)])
        bounded = graph.op("Min", [raised, graph.const(self.high + shift, np.float32)])
        return graph.op("Exp", [bounded])


def joined_logs(head: Floats, level: Doubles) -> Doubles:
    """The head's differences between arms (n, a) around the level of the prompt (n,)."""
    logs = head.astype(np.float64)
    return np.asarray(logs - logs.mean(axis=1, keepdims=True) + level[:, None])


def fit_tokens(
    inputs: Inputs,
    tokens: Floats,
    folds: Folds,
    config: TrainConfig,
    counts: Doubles | None = None,
) -> tuple[Floats, TokenModel]:
    """Fit the output-token model without each fold in turn, and on everything.

    Args:
        inputs: training prompts.
        tokens: (n, a), > 0, NaN where missing.
        folds: of the rows.
        config: of the design and of the trees.
        counts: (n, a) how much outcomes count; null is 1.
    Returns:
        Out-of-fold tokens of the judged rows (j, a), and the final model.
    """
    logs = np.log(np.maximum(tokens, 1e-3))
    scale = config.linear.feature_scale
    design, (fits,) = ridge_on_design(inputs, logs, folds, scale, (ALPHA,), counts)
    trees = fit_level(
        inputs, logs, folds, config.level, share=False, seed=config.seed, counts=counts
    )

    def fitted(left_out: int) -> TokenModel:
        """By every row that is not in the fold; their mean is corrected on a sample of them."""
        rows = np.flatnonzero(folds.of != left_out)
        low, high = _bounds(logs[rows])
        some = rows[spaced(len(rows), SMEAR_ROWS, config.seed)]
        model = TokenModel(
            head=linear_head(design, fits[left_out]),
            level=trees[left_out],
            low=low,
            high=high,
            smear=np.ones(tokens.shape[1]),
        )
        return replace(model, smear=_smear(tokens[some], model.predict(inputs.rows(some))))

    asked = inputs.rows(folds.judged)
    oof_tokens = folds.held_out(
        lambda fold, places: fitted(fold).predict(asked.rows(places)), tokens.shape[1]
    )
    return oof_tokens, fitted(folds.count)


def _smear(paid: Floats, predicted: Floats) -> Doubles:
    seen = ~np.isnan(paid)
    total = np.where(seen, paid, 0.0).sum(axis=0, dtype=np.float64)
    expected = np.where(seen, predicted, 0.0).sum(axis=0, dtype=np.float64)
    return np.where(seen.any(axis=0), np.maximum(total / np.maximum(expected, 1e-9), 1e-9), 1.0)


def _bounds(logs: Floats) -> tuple[Doubles, Doubles]:
    """The 1st and 99th percentile of each arm's logarithms."""
    columns = [column[~np.isnan(column)] for column in logs.T]
    found = np.array([np.percentile(c, (1, 99)) if len(c) else (0.0, 0.0) for c in columns])
    return found[:, 0], found[:, 1]
