"""Matrices of a collection: what every row and arm says of where it comes from."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from data.collection import Source
from data.tables import Tables, load_sources
from router.types import Arm
from tests.training.small import small_dataset
from training.prepare.dataset import Dataset, dataset_of

ARMS = [Arm("gpt-4o-2024-08-06"), Arm("gpt-4o-2024-11-20", "high")]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """Two prompts in each of two sources; the second counts a half and averages attempts."""
    folder, sources = tmp_path_factory.mktemp("sources"), []
    for name, more in {"a": {}, "b": {"weight": 0.5, "group": "tools", "kind": "chat"}}.items():
        prompts = {
            "prompt_id": ["x", "y"],
            "prompt": [f"{name} x", f"{name} y"],
            "tools": ["t"] * 2,
        }
        pl.DataFrame(prompts).write_parquet(folder / f"{name}.prompts.parquet")
        rows = {
            "prompt_id": ["x", "x", "y"],
            "model": [ARMS[0].model, ARMS[1].model, ARMS[0].model],
            "tier": ["default", "high", "default"],
            "quality": [1.0, 0.5, 0.0],
            "cost_usd": [1.0, 2.0, 1.0],
            "samples": [4, 1, 2] if name == "b" else [1, 1, 1],
        }
        pl.DataFrame(rows).write_parquet(folder / f"{name}.parquet")
        paths = {
            "outcomes": str(folder / f"{name}.parquet"),
            "prompts": str(folder / f"{name}.prompts.parquet"),
        }
        sources.append(Source(name=name, **paths, **more))  # type: ignore[arg-type]
    return load_sources(sources)


@pytest.fixture(scope="module")
def data(tables: Tables) -> Dataset:
    return dataset_of(tables, ARMS)


def test_rows_know_source_group_and_kind(data: Dataset) -> None:
    assert data.prompt_ids == ("a/x", "a/y", "b/x", "b/y")
    assert data.sources == ("a", "a", "b", "b")
    assert data.kinds == (None, None, "chat", "chat")
    assert data.groups[:2] == ("a x", "a y"), "without siblings a prompt is its own group"
    assert data.groups[2] == data.groups[3] != "b x"
    assert data.families == ("gpt-4o", "gpt-4o")


def test_outcomes_weigh_attempts_times_their_source(data: Dataset) -> None:
    assert data.weight.tolist() == [[1.0, 1.0], [1.0, 1.0], [2.0, 0.5], [1.0, 0.5]]
    seen = ~np.isnan(data.quality)
    counts, prompts = data.counts, data.prompt_counts
    assert counts is not None
    assert prompts is not None
    assert counts[seen].mean() == pytest.approx(1.0)
    assert prompts[2] == pytest.approx(1.25 * prompts[0])


def test_some_rows_and_arms_keep_what_is_theirs(data: Dataset) -> None:
    part = data.rows(np.array([3, 2])).of_arms(np.array([False, True]))
    assert part.sources == ("b", "b")
    assert part.weight.tolist() == [[0.5], [0.5]]
    assert part.arms == (ARMS[1],)
    assert part.families == ("gpt-4o",)
    assert part.collection == data.collection


def test_one_table_counts_everything_alike() -> None:
    plain = small_dataset(np.ones((3, 2), dtype=np.float32), np.ones((3, 2)))
    assert plain.counts is None
    assert plain.prompt_counts is None
    assert plain.groups == plain.texts
    assert set(plain.sources) == {""}
