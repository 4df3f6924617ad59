"""How deep to run the encoder: as deep as decisions get better, no deeper.

A sentence encoder's last layers are trained to bring paraphrases together, and forget on the way
what a prompt asks of a model: its form, its length of reasoning, its difficulty. Which layer says
most depends on the traffic, so it is chosen like any other setting, by decision regret on prompts
that the probe never saw. A shallower encoder is also a faster one.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from router.core import features
from router.types import Floats

from ..config import TrainConfig
from ..methods.base import Inputs, spaced
from ..methods.costs import fit_meter, token_targets
from ..prepare.dataset import Dataset
from ..prepare.embed import embed
from ..prepare.encoder import ExportedEncoder, export_encoder
from ..progress import Reporter, Timings
from .criteria import judge
from .crossfit import crossfit, crossfit_costs

PROBES = ("cluster", "knn", "logistic", "kernel")  # quick, and as different as methods get
PROBE_ROWS = 4096  # prompts on which depths are compared


def open_encoder(
    data: Dataset, config: TrainConfig, cache: Path, reporter: Reporter
) -> ExportedEncoder:
    """Export the encoder at the depth that the training prompts ask for.

    Args:
        data: the training rows.
        config: the candidates, `encoder.depths`.
        cache: folder of encoder exports and embeddings.
        reporter: shows the comparison as a stage of its own.
    """
    depths = config.encoder.depths
    with reporter.stage("export encoder", len(depths)) as stage:
        encoders = []
        for depth in depths:
            encoders.append(export_encoder(config.encoder, cache / "encoders", depth=depth))
            stage.advance()
        info = encoders[0].info
        stage.note(f"{info.precision}, cosine to fp32 {info.cosine_to_fp32}")
    if len(encoders) == 1:
        return encoders[0]
    rows = np.zeros(len(data), dtype=np.bool_)
    rows[spaced(len(data), PROBE_ROWS, config.seed)] = True
    part = data.rows(rows)
    regrets = [probe(part, encoder, config, cache, reporter) for encoder in encoders]
    best = int(np.argmin(regrets))
    with reporter.stage("choose depth") as stage:
        stage.note(", ".join(f"{d:g}: {r:.4f}" for d, r in zip(depths, regrets, strict=True)))
    return encoders[best]


def probe(
    data: Dataset, encoder: ExportedEncoder, config: TrainConfig, cache: Path, reporter: Reporter
) -> float:
    """Decision regret of quick methods' mean on this encoder's embeddings, cross-fitted."""
    quick = replace(config, predictors=PROBES)
    inputs = embed_inputs(data.texts, encoder, cache, reporter)
    meter = fit_meter(data, None)
    cost = crossfit_costs(inputs, data, token_targets(data, meter), meter, quick)
    with Timings().stage("probe") as stage:
        found = crossfit(inputs, data, cost, quick, stage)
    mean: Floats = np.mean(list(found.predictions.values()), axis=0)
    return judge(mean, cost, data, found.level)


def embed_inputs(
    texts: tuple[str, ...], encoder: ExportedEncoder, cache: Path, reporter: Reporter
) -> Inputs:
    """Embed the prompts and compute their text features."""
    folder = cache / "embeddings" / encoder.sha256[:16]
    vectors = embed(texts, encoder.open(), folder, reporter)
    return Inputs(vectors, features.extract(texts))
