"""Replaying a table as a stream with one outcome each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.tables import Tables
from tests.conftest import CACHE
from training.config import TrainConfig
from training.dataset import build_dataset
from training.progress import Timings
from training.retrain.replay import one_arm_each, replay


def test_a_stream_shows_one_outcome_a_prompt(
    world_tables: Tables, tiny_config: TrainConfig
) -> None:
    data = build_dataset(world_tables, tiny_config.arms)
    seen = one_arm_each(data, 0).quality
    known = ~np.isnan(seen)
    assert known.sum(axis=1).tolist() == [1] * len(data)
    assert (seen[known] == data.quality[known]).all()
    assert known.mean(axis=0) == pytest.approx(
        np.full(len(data.arms), 1 / len(data.arms)), abs=0.06
    )


def test_logs_and_full_rows_are_compared_on_as_many_cells(
    world_tables: Tables, tiny_config: TrainConfig, tmp_path: Path
) -> None:
    found = replay(world_tables, tiny_config, tmp_path, CACHE, Timings(), shares=(1.0,))
    (point,) = found["points"]
    assert point["cells"] == found["prompts"]
    assert point["full_prompts"] == found["prompts"] // found["arms"]
    assert found["zero_router_aiq"] < found["everything_aiq"]
    gained = point["logged_aiq"] - found["zero_router_aiq"]
    full = point["full_aiq"] - found["zero_router_aiq"]
    assert point["share_of_gain"] == pytest.approx(gained / full)
