"""A seeded world in which the truth is known: prompts, arms, and how well each would do.

It feeds tests (regret against the true optimum, calibration against the truth) and the demo. What
decides success is specs in the prompts: their domain, kind and difficulty.
Arrays are (n prompts, a arms).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import numpy as np
import polars as pl

from router.types import Bools, Doubles, Floats, Ints

from ..progress import Track, untracked
from ..schema import PREFERENCES
from ..split import prompt_id
from .prompt_specs import DOMAINS, FAMILIES, REASONING, draw_prompts, reworded
from .simulated_models import (
    EASY_DIFFICULTY,
    MAX_ARMS,
    TOKEN_SPREAD,
    SimulatedModels,
    draw_models,
)
from .text_sampler import PromptSpec, TextSampler

UNSEEN_LOGITS = 0.5  # spread of a prompt's luck that no text shows
TIE_WEIGHT = 0.5  # of Davidson's model: 0 means that ties never happen
CHARS_PER_TOKEN = 4
GRADE_CONCENTRATION = 4.0  # of graded quality around its mean


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationConfig:
    """The size and shape of a world; the seed decides the rest."""

    n_prompts: int = 2000
    seed: int = 0
    arms: int = 8  # model and tier together
    missing_share: float = 0.0  # of the outcome cells
    duplicates_share: float = 0.0  # of the prompts, which are rewordings of others
    graded: bool = False  # quality anywhere in [0, 1] rather than 0 or 1
    pairs: int = 500

    def __post_init__(self) -> None:
        if self.n_prompts < 1:
            raise ValueError(f"n_prompts must be >= 1, got {self.n_prompts}")
        if not 2 <= self.arms <= MAX_ARMS:
            raise ValueError(f"arms must lie in [2, {MAX_ARMS}], got {self.arms}")
        if self.pairs < 0:
            raise ValueError(f"pairs must be >= 0, got {self.pairs}")
        if not 0.0 <= self.missing_share < 1.0:
            raise ValueError(f"missing_share must lie in [0, 1), got {self.missing_share}")
        if not 0.0 <= self.duplicates_share <= 0.5:
            raise ValueError(f"duplicates_share must lie in [0, 0.5], got {self.duplicates_share}")


@dataclass(frozen=True, slots=True)
class World:
    """The canonical tables, and the truth behind them."""

    outcomes: pl.DataFrame
    prompts: pl.DataFrame
    pairs: pl.DataFrame
    # prompt_id, model, tier, p_correct, expected_output_tokens, expected_cost_usd
    truth: pl.DataFrame
    prices: pl.DataFrame  # model, usd_per_1m_input, usd_per_1m_output


@dataclass(frozen=True, slots=True)
class _Truth:
    logit: Doubles  # (n, a)
    output_tokens: Doubles  # (n, a), expected
    input_tokens: Ints  # (n,)


def simulate(config: SimulationConfig, track: Track = untracked) -> World:
    """Draw a world; equal configs give equal worlds, and more prompts extend fewer.

    `track` is told of every prompt.
    """
    text_rng, model_rng, luck_rng, outcome_rng, pair_rng = _streams(config.seed)
    prompts, specs = _prompts(config, text_rng, track)
    models = draw_models(config.arms, model_rng)
    truth = _truth(prompts, specs, models, luck_rng)
    cells = _cells(prompts, models)
    return World(
        outcomes=_outcomes(cells, truth, models, config, outcome_rng),
        prompts=prompts,
        pairs=_pairs(prompts, truth, models, config.pairs, pair_rng),
        truth=_truth_table(cells, truth, models),
        prices=_prices(models),
    )


def _streams(seed: int) -> list[np.random.Generator]:
    """Independent streams, so that the size of one table moves no other."""
    return [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(5)]


def _prompts(
    config: SimulationConfig, rng: np.random.Generator, track: Track
) -> tuple[pl.DataFrame, list[PromptSpec]]:
    """The table of prompts and, row by row, what their author knows."""
    copies = int(config.n_prompts * config.duplicates_share)
    wanted = config.n_prompts - copies
    found = list(track(islice(draw_prompts(TextSampler(rng)), wanted), "draw prompts", wanted))
    ids, specs = [key for key, _ in found], [spec for _, spec in found]
    texts = [spec.text for spec in specs]
    # without replacement: a second rewording would equal the first
    for i in rng.permutation(len(texts))[:copies].tolist():
        texts.append(reworded(texts[i]))
        ids.append(prompt_id(texts[-1]))
        specs.append(specs[i])
    table = pl.DataFrame(
        {"prompt_id": ids, "prompt": texts, "domain": [spec.domain for spec in specs]}
    )
    return table.with_columns(split=pl.lit(None, pl.String)), specs


def _truth(
    prompts: pl.DataFrame,
    specs: list[PromptSpec],
    models: SimulatedModels,
    rng: np.random.Generator,
) -> _Truth:
    """What each arm would do on each prompt, on average."""
    difficulty = np.array([spec.difficulty for spec in specs])[:, None]
    plain = np.array([spec.answer_tokens for spec in specs])[:, None]
    domain = np.array([DOMAINS.index(spec.domain) for spec in specs])
    family = np.array([FAMILIES.index(spec.family) for spec in specs])
    luck = rng.normal(0.0, UNSEEN_LOGITS, (len(specs), 1))
    logit = (
        models.skill[:, domain].T
        + models.family_skill[:, family].T
        - models.slope * (difficulty - 0.5)
        + models.thinking[:, domain].T * (difficulty - EASY_DIFFICULTY)
        + luck
    )
    thinks = np.array([name in REASONING for name in DOMAINS])[domain][:, None]
    output = np.maximum(8.0, plain * models.wordiness * (1.0 + 0.8 * difficulty * thinks))
    letters = prompts["prompt"].str.len_chars().to_numpy()
    return _Truth(logit, output, np.maximum(1, (letters + 2) // 4).astype(np.int64))


def _cells(prompts: pl.DataFrame, models: SimulatedModels) -> pl.DataFrame:
    """One row per prompt and arm, prompts in blocks of arms."""
    n, a = prompts.height, len(models.arms)
    row = np.repeat(np.arange(n), a)
    model = pl.Series("model", [arm.model for arm in models.arms])
    tier = pl.Series("tier", [arm.tier for arm in models.arms])
    arm = np.tile(np.arange(a), n)
    return pl.DataFrame([prompts["prompt_id"].gather(row), model.gather(arm), tier.gather(arm)])


def _cost(truth: _Truth, output_tokens: Doubles, models: SimulatedModels) -> Doubles:
    """US dollars, (n, a)."""
    spent: Doubles = (
        truth.input_tokens[:, None] * models.usd_per_1m_input
        + output_tokens * models.usd_per_1m_output
    ) / 1e6
    return spent


def _truth_table(cells: pl.DataFrame, truth: _Truth, models: SimulatedModels) -> pl.DataFrame:
    return cells.with_columns(
        p_correct=_probability(truth.logit).ravel(),
        expected_output_tokens=truth.output_tokens.ravel(),
        expected_cost_usd=_cost(truth, truth.output_tokens, models).ravel(),
    )


def _outcomes(
    cells: pl.DataFrame,
    truth: _Truth,
    models: SimulatedModels,
    config: SimulationConfig,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """What happened: quality, tokens and cost drawn around the truth, some cells left out."""
    noise = rng.normal(-(TOKEN_SPREAD**2) / 2, TOKEN_SPREAD, truth.output_tokens.shape)
    tokens = np.maximum(1.0, np.rint(truth.output_tokens * np.exp(noise)))
    table = cells.with_columns(
        quality=_quality(_probability(truth.logit), config.graded, rng).ravel(),
        input_tokens=np.repeat(truth.input_tokens, len(models.arms)).astype(np.int32),
        output_tokens=tokens.ravel().astype(np.int32),
        cost_usd=_cost(truth, tokens, models).ravel(),
        split=pl.lit(None, pl.String),
    )
    if config.missing_share == 0.0:
        return table
    kept: Bools = rng.random(table.height) >= config.missing_share
    return table.filter(pl.Series(kept))


def _quality(chance: Doubles, graded: bool, rng: np.random.Generator) -> Floats:
    if graded:
        return rng.beta(GRADE_CONCENTRATION * chance, GRADE_CONCENTRATION * (1.0 - chance)).astype(
            np.float32
        )
    return (rng.random(chance.shape) < chance).astype(np.float32)


def _pairs(
    prompts: pl.DataFrame,
    truth: _Truth,
    models: SimulatedModels,
    count: int,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Battles between two arms by Bradley and Terry, with Davidson's ties; none is fought twice.

    A tie is of two bad answers as often as two answers that are both right or both wrong are wrong.
    """
    arms = len(models.arms)
    cells = prompts.height * arms * (arms - 1)
    row, rest = np.divmod(rng.choice(cells, min(count, cells), replace=False), arms * (arms - 1))
    first, ahead = np.divmod(rest, arms - 1)
    second = (first + 1 + ahead) % arms
    ours, theirs = truth.logit[row, first], truth.logit[row, second]
    win, loss = np.exp((ours - theirs) / 2.0), np.exp((theirs - ours) / 2.0)
    drawn = rng.random(len(row)) * (win + loss + TIE_WEIGHT)
    bad = rng.random(len(row)) < _probability(-ours - theirs)
    outcome = np.select(
        [drawn < win, drawn >= win + TIE_WEIGHT, bad], ["a", "b", "both_bad"], "tie"
    )
    names = pl.Series("arm", [arm.id for arm in models.arms], pl.String)
    said = pl.Series("outcome", outcome.tolist(), pl.String)
    return pl.DataFrame(
        [
            prompts["prompt_id"].gather(row),
            names.gather(first).alias("arm_a"),
            names.gather(second).alias("arm_b"),
            said.replace_strict(PREFERENCES, return_dtype=pl.Float64).alias("preference"),
            said,
            _length("length_a", truth.output_tokens[row, first]),
            _length("length_b", truth.output_tokens[row, second]),
        ]
    ).with_columns(split=pl.lit(None, pl.String))


def _length(name: str, tokens: Doubles) -> pl.Series:
    """The usual length of such an answer, in characters."""
    return pl.Series(name, np.rint(CHARS_PER_TOKEN * tokens).astype(np.int64))


def _prices(models: SimulatedModels) -> pl.DataFrame:
    table = pl.DataFrame(
        {
            "model": [arm.model for arm in models.arms],
            "usd_per_1m_input": models.usd_per_1m_input,
            "usd_per_1m_output": models.usd_per_1m_output,
        }
    )
    return table.unique(maintain_order=True)


def _probability(logit: Doubles) -> Doubles:
    chance: Doubles = 1.0 / (1.0 + np.exp(-logit))
    return chance
