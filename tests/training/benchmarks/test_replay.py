"""Replaying a table as a stream with one outcome each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.tables import Tables
from training.benchmarks.curve import write_curve
from training.benchmarks.replay import (
    one_arm_each,
    open_stream,
    paired_variance,
    replay,
    share_of_gain,
)
from training.config import TrainConfig
from training.prepare.cache import CACHE
from training.prepare.dataset import build_dataset
from training.retrain.settings import MIN_K, for_rows


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
    config = replace(tiny_config, predictors=("cluster", "kernel"))
    stream, told = open_stream(world_tables, config, CACHE), []
    arrived, full = stream.part(0.5, 0)
    assert not (stream.part(0.5, 1)[0] == arrived).all()
    assert (arrived | full).sum() == arrived.sum() == len(stream.data) // 2
    found = replay(
        stream, [1.0], [0], everything=True, tell=lambda f: told.append(len(f["points"]))
    )
    (point,) = found["points"]
    assert point["cells"] == found["prompts"]
    assert point["full_prompts"] == found["prompts"] // found["arms"]
    assert found["zero_router_aiq"] < found["everything_aiq"]
    assert told == [1, 1]
    gained = point["logged_aiq"] - found["zero_router_aiq"]
    whole = point["full_aiq"] - found["zero_router_aiq"]
    assert share_of_gain(found)[point["cells"]] == pytest.approx(gained / whole)
    write_curve(tmp_path / "curve.png", {"simulated": found, "without": found})
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_the_variance_of_pairs_by_hand() -> None:
    alike = np.array([[1, 1], [0, 0], [1, 1], [0, 0]], dtype=np.float32)
    apart = np.array([[1, 1], [0, 1], [1, 0], [0, 0]], dtype=np.float32)
    assert paired_variance(alike) == pytest.approx(0.0)
    assert paired_variance(apart) == pytest.approx(1.0)
    # variances 1/3 each, covariance 1/6: the third column half goes with the first
    half = np.array([[1, 1], [1, 1], [1, 0], [0, 0], [0, 0], [0, 1]], dtype=np.float32)
    assert paired_variance(half) == pytest.approx(1.0 - 1.0 / 3.0)


def test_shares_of_no_gain_are_unknown_and_seeds_are_meaned() -> None:
    def point(cells: int, logged: float, full: float) -> dict[str, float]:
        return {"cells": cells, "logged_aiq": logged, "full_aiq": full}

    points = [point(10, 0.5, 0.4), point(20, 0.7, 0.7), point(20, 0.6, 0.8)]
    found = share_of_gain({"zero_router_aiq": 0.5, "points": points})
    assert found == {10: None, 20: pytest.approx(0.15 / 0.25)}


def test_logs_get_wide_neighbourhoods_and_tables_keep_their_settings(
    world_tables: Tables, tiny_config: TrainConfig
) -> None:
    data = build_dataset(world_tables, tiny_config.arms)
    assert for_rows(tiny_config, data) is tiny_config
    seen = for_rows(tiny_config, one_arm_each(data, 0))
    assert max(seen.knn.k) == max(len(data) // 4, MIN_K)
    assert replace(seen, knn=tiny_config.knn) == tiny_config
