"""The encoder's depth is chosen by regret, recorded, and served."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from data.tables import Tables
from router import Router
from training.config import EncoderConfig, TrainConfig
from training.errors import ConfigError
from training.pipeline import train
from training.prepare.cache import CACHE
from training.prepare.dataset import build_dataset
from training.prepare.encoder import export_encoder
from training.progress import Timings
from training.selection.depth import open_encoder, probe

DEPTHS = (1.0, 0.34)


@pytest.fixture(scope="module")
def config(tiny_config: TrainConfig) -> TrainConfig:
    return replace(tiny_config, encoder=replace(tiny_config.encoder, depths=DEPTHS))


def test_the_depth_with_the_least_regret_is_taken(
    world_tables: Tables, config: TrainConfig
) -> None:
    data = build_dataset(world_tables, config.arms)
    data = data.rows(~data.test)
    taken = open_encoder(data, config, CACHE, Timings())
    regret = {}
    for depth in DEPTHS:
        encoder = export_encoder(config.encoder, CACHE / "encoders", depth=depth)
        regret[depth] = probe(data, encoder, config, CACHE, Timings())
    assert regret[1.0] != regret[0.34]
    assert taken.info.depth == min(regret, key=lambda depth: regret[depth])


def test_a_bundle_serves_the_depth_it_was_trained_at(
    world_tables: Tables, tiny_config: TrainConfig, tmp_path: Path
) -> None:
    shallow = replace(tiny_config, encoder=replace(tiny_config.encoder, depths=(0.34,)))
    trained = train(world_tables, shallow, tmp_path / "bundle", CACHE, Timings())
    assert trained.manifest.encoder.depth == 0.34
    served = Router.load(tmp_path / "bundle").bundle.encoder.encode(["What is 17*23?"])
    own = export_encoder(shallow.encoder, CACHE / "encoders", depth=0.34).open()
    assert (served == own.encode(["What is 17*23?"])).all()


@pytest.mark.parametrize("depths", [(), (0.0,), (1.5,)])
def test_a_depth_must_be_a_share(depths: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="shares of the layers"):
        EncoderConfig(depths=depths)
