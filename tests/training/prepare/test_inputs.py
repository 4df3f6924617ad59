"""The encoder's depth is a setting: recorded, and served."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from data.tables import Tables
from router import Router
from training.config import MINILM, EncoderConfig, TrainConfig
from training.pipeline import train
from training.prepare.cache import CACHE
from training.prepare.encoder import export_encoder
from training.progress import Timings


def test_a_bundle_serves_the_depth_it_was_trained_at(
    world_tables: Tables, tiny_config: TrainConfig, tmp_path: Path
) -> None:
    shallow = replace(tiny_config, encoder=EncoderConfig(model=MINILM, depth=0.34))
    trained = train(world_tables, shallow, tmp_path / "bundle", CACHE, Timings())
    assert trained.manifest.encoder.depth == 0.34
    served = Router.load(tmp_path / "bundle").bundle.encoder.encode(["What is 17*23?"])
    own = export_encoder(shallow.encoder, CACHE / "encoders").open()
    assert (served == own.encode(["What is 17*23?"])).all()
