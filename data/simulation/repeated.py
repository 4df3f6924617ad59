"""A seeded world of repeated samples: every prompt's pass probability is known.

A mixture like that of Snell et al. (arXiv:2408.03314): on many prompts nearly every sample
passes, on many hardly any ever does, and extra samples pay on the few between. Which kind a prompt
is can be read off its text (a sum, a query to write, a seating puzzle), but every prompt has some
luck that no text shows. Arrays are (n prompts, m models, N samples).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import numpy as np
import polars as pl
from scipy.special import ndtri

from router.types import Doubles, Ints

from .prompt_specs import draw_prompts
from .simulated_models import TOKEN_SPREAD
from .text_sampler import PromptSpec, TextSampler

MODELS = ("brook-mini", "dune-base", "grove-max")
USD_PER_1M = ((0.15, 0.6), (0.6, 2.4), (2.5, 10.0))  # input, output
MODEL_GAIN = (0.0, 1.0, 2.0)  # logits that a dearer model adds
DEFAULT = "default"
EASY, MEDIUM, HOPELESS = range(3)
KIND_OF_FAMILY = {
    "debugging": MEDIUM, "sql": MEDIUM, "competition": HOPELESS, "seating": HOPELESS,
    "options": HOPELESS, "minutes": HOPELESS, "function": HOPELESS,
}  # fmt: skip
# kind -> logit of passing at no effort, and what full effort takes from it
PASS_LOGITS = ((3.4, -1.4), (-1.0, -2.0), (-7.0, -2.0))
LUCK_LOGITS = 0.3  # logits, of a prompt alone


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplesConfig:
    """The size of a world of repeated samples; the seed decides the rest."""

    n_prompts: int = 2000
    samples: int = 8  # of every model on every prompt
    models: int = 2  # 1 to 3, cheap ones first
    seed: int = 0
    verifier_auc: float = 0.85  # of the scores that come with the samples
    rounds: int = 1  # answers in sequence that every sample starts, each a revision of the last
    mend: float = 0.5  # a revision mends a wrong answer with mend·p
    spoil: float = 0.1  # and spoils a right one with spoil·(1 - p)

    def __post_init__(self) -> None:
        for name in ("n_prompts", "samples", "rounds"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")
        if not 1 <= self.models <= len(MODELS):
            raise ValueError(f"models must lie in [1, {len(MODELS)}], got {self.models}")
        if not 0.5 <= self.verifier_auc < 1.0:
            raise ValueError(f"verifier_auc must lie in [0.5, 1), got {self.verifier_auc}")


@dataclass(frozen=True, slots=True)
class SampledWorld:
    """Samples and prompts as tables, and the truth behind them."""

    samples: pl.DataFrame
    prompts: pl.DataFrame
    truth: pl.DataFrame  # prompt_id, model, tier, p_correct, expected tokens and cost of one sample
    prices: pl.DataFrame  # model, usd_per_1m_input, usd_per_1m_output


def simulate_samples(config: SamplesConfig) -> SampledWorld:
    """Draw a world; equal configs give equal worlds."""
    streams = np.random.SeedSequence(config.seed).spawn(4)
    text_rng, luck_rng, sample_rng, score_rng = (np.random.default_rng(s) for s in streams)
    found = list(islice(draw_prompts(TextSampler(text_rng)), config.n_prompts))
    specs = [spec for _, spec in found]
    prompts = pl.DataFrame(
        {
            "prompt_id": [key for key, _ in found],
            "prompt": [spec.text for spec in specs],
            "domain": [spec.domain for spec in specs],
        }
    ).with_columns(split=pl.lit(None, pl.String))
    chance = _chances(specs, config.models, luck_rng)
    tokens_in = np.array([max(1, (len(d.text) + 2) // 4) for d in specs])
    tokens_out = np.maximum(8.0, [d.answer_tokens for d in specs])
    passed = _passes(chance, config, sample_rng)
    samples = _table(prompts, passed, tokens_in, tokens_out, sample_rng)
    scores = score_rng.normal(size=samples.height) + samples["quality"].to_numpy() * (
        np.sqrt(2.0) * ndtri(config.verifier_auc)
    )
    return SampledWorld(
        samples=samples.with_columns(verifier_score=pl.Series(scores)),
        prompts=prompts,
        truth=_truth(prompts, chance, tokens_in, tokens_out),
        prices=pl.DataFrame(
            {
                "model": MODELS[: config.models],
                "usd_per_1m_input": [price[0] for price in USD_PER_1M[: config.models]],
                "usd_per_1m_output": [price[1] for price in USD_PER_1M[: config.models]],
            }
        ),
    )


def _chances(specs: list[PromptSpec], models: int, rng: np.random.Generator) -> Doubles:
    """Chance of one sample passing: (n, m)."""
    kind = np.array([KIND_OF_FAMILY.get(spec.family, EASY) for spec in specs])
    effort = np.array([spec.difficulty for spec in specs])
    level = np.array(PASS_LOGITS)
    raw = level[kind, 0] + level[kind, 1] * effort + rng.normal(0.0, LUCK_LOGITS, len(specs))
    chance: Doubles = 1.0 / (1.0 + np.exp(-(raw[:, None] + np.array(MODEL_GAIN[:models]))))
    return chance


def _passes(chance: Doubles, config: SamplesConfig, rng: np.random.Generator) -> Doubles:
    """0/1 (n, m, N, rounds): first answers, and what revision made of them."""
    n, m = chance.shape
    p = chance[:, :, None]
    passed = np.empty((n, m, config.samples, config.rounds))
    passed[..., 0] = rng.random((n, m, config.samples)) < p
    for i in range(1, config.rounds):
        before, drawn = passed[..., i - 1], rng.random((n, m, config.samples))
        right = drawn >= config.spoil * (1.0 - p)
        passed[..., i] = np.where(before > 0, right, drawn < config.mend * p)
    return passed


def _table(
    prompts: pl.DataFrame,
    passed: Doubles,
    tokens_in: Ints,
    tokens_out: Doubles,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """One row per (prompt, model, sample, round)."""
    models = passed.shape[1]
    row, model, sample, turn = (axis.ravel() for axis in np.indices(passed.shape))
    noise = rng.normal(-(TOKEN_SPREAD**2) / 2, TOKEN_SPREAD, passed.size)
    out = np.maximum(1.0, np.rint(tokens_out[row] * np.exp(noise))).astype(np.int32)
    # a revision reads the answer before it
    read = tokens_in[row] + np.where(turn > 0, np.rint(tokens_out[row]), 0.0)
    price = np.array(USD_PER_1M)[model]
    return pl.DataFrame(
        {
            "prompt_id": prompts["prompt_id"].gather(row),
            "model": pl.Series(MODELS[:models], dtype=pl.String).gather(model),
            "tier": pl.Series([DEFAULT]).gather(np.zeros(len(row), dtype=np.int64)),
            "sample_no": sample.astype(np.int32),
            "round": (turn + 1).astype(np.int32),
            "quality": passed.ravel().astype(np.float32),
            "input_tokens": read.astype(np.int32),
            "output_tokens": out,
            "cost_usd": (read * price[:, 0] + out * price[:, 1]) / 1e6,
        }
    )


def _truth(
    prompts: pl.DataFrame, chance: Doubles, tokens_in: Ints, tokens_out: Doubles
) -> pl.DataFrame:
    n, m = chance.shape
    row, model = (axis.ravel() for axis in np.indices((n, m)))
    price = np.array(USD_PER_1M)[model]
    return pl.DataFrame(
        {
            "prompt_id": prompts["prompt_id"].gather(row),
            "model": pl.Series(MODELS[:m], dtype=pl.String).gather(model),
            "tier": pl.Series([DEFAULT]).gather(np.zeros(len(row), dtype=np.int64)),
            "p_correct": chance.ravel(),
            "input_tokens": tokens_in[row],
            "expected_output_tokens": tokens_out[row],
            "expected_cost_usd": (tokens_in[row] * price[:, 0] + tokens_out[row] * price[:, 1])
            / 1e6,
        }
    )
