"""Samples to derived outcomes: embed the prompts, fit the pass probabilities, derive the tiers."""

from __future__ import annotations

from pathlib import Path

from data.split import folds
from router.catalogue.catalogue import Catalogue

from ..config import TrainConfig
from ..errors import TrainingError
from ..methods.base import Inputs
from ..prepare.inputs import embed_inputs, open_encoder
from ..progress import Reporter
from .betabinomial import Beta
from .derive import Derived, derive
from .passing import fit_pass_model, posterior
from .sampled import Sampled


def derive_tables(
    sampled: Sampled,
    catalogue: Catalogue,
    base: str,
    config: TrainConfig,
    cache: Path,
    reporter: Reporter,
) -> Derived:
    """Embed the prompts, fit, derive."""
    encoder = open_encoder(config.encoder, cache, reporter)
    inputs = embed_inputs(sampled.texts, encoder, cache, reporter)
    with reporter.stage("pass probabilities"):
        belief = beliefs(sampled, inputs, config)
    with reporter.stage("derive tiers"):
        return derive(sampled, belief, catalogue, base)


def beliefs(sampled: Sampled, inputs: Inputs, config: TrainConfig) -> Beta:
    """Beta of every cell after its own samples, by heads that did not see them: (n, m) each.

    Raises:
        TrainingError: there are fewer training prompts than folds.
    """
    train = ~sampled.test
    if train.sum() < config.folds.folds:
        raise TrainingError(
            f"pass probabilities are learned on training prompts, and there are {train.sum()}"
        )
    fold = folds(sampled.texts, config.folds.folds, config.folds.seed)[train]
    model, held_out = fit_pass_model(
        inputs.rows(train), sampled.counts.rows(train), fold, config.linear, seed=config.seed
    )
    a, b = model.predict(inputs)
    a[train], b[train] = held_out
    return posterior((a, b), sampled.counts)
