"""What the published methods are measured on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from data.tables import Tables
from router import Router
from training.config import TrainConfig
from training.evaluation.evaluate import published_inputs, score_split
from training.prepare.cache import CACHE
from training.prepare.dataset import dataset_of
from training.prepare.encoder import export_encoder
from training.progress import Timings


def test_published_methods_get_the_encoder_whole(
    tiny_bundle: Path, tiny_config: TrainConfig, world_tables: Tables
) -> None:
    router = Router.load(tiny_bundle)
    assert router.manifest.encoder.depth < 1.0  # ours reads a layer before the last
    data = dataset_of(world_tables, list(router.arms))
    scored = score_split(router, data, "test", CACHE, Timings())
    texts = data.texts[:3]
    train, test = published_inputs(router, texts, scored, CACHE, Timings())
    whole = export_encoder(replace(tiny_config.encoder, depth=1.0), CACHE / "encoders").open()
    assert np.array_equal(train.embedding, whole.encode(texts))
    assert np.array_equal(test.embedding[:2], whole.encode(scored.data.texts[:2]))
    assert not np.allclose(test.embedding, scored.inputs.embedding, atol=0.01)
