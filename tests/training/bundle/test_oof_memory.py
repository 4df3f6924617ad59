"""What a bundle remembers of its training rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.tables import Tables
from router.core.bundle import find_bundle
from router.core.manifest import read_manifest
from training.bundle.oof_memory import VALIDATION, OutOfFold, out_of_fold, read_out_of_fold
from training.errors import TrainingError


@pytest.fixture(scope="module")
def memory(tiny_bundle: Path) -> OutOfFold:
    found = read_out_of_fold(tiny_bundle)
    assert found is not None
    return found


def test_a_bundle_knows_the_prompts_that_it_was_trained_on(
    memory: OutOfFold, world_tables: Tables
) -> None:
    sides = {
        side: world_tables.prompts.filter(split=side)["prompt"].to_list()
        for side in ("train", "test")
    }
    assert memory.trained_on(sides["train"]).all()
    assert not memory.trained_on(sides["test"]).any()
    assert memory.trained_on([f"  {sides['train'][0].upper()} "]).all()


def test_remembered_predictions_are_those_that_the_map_was_made_of(
    memory: OutOfFold, tiny_bundle: Path
) -> None:
    manifest = read_manifest(tiny_bundle)
    assert len(memory) == manifest.training["prompts"]
    best = np.nanmean(memory.realised, axis=0)
    assert best == pytest.approx([arm.mean_quality for arm in manifest.arms], abs=1e-3)
    assert (memory.quality >= 0).all()
    assert (memory.quality <= 1).all()
    assert (memory.output_tokens > 0).all()


def test_the_file_is_hashed_like_every_other_and_holds_no_text(
    memory: OutOfFold, tiny_bundle: Path, world_tables: Tables
) -> None:
    folder = find_bundle(tiny_bundle)
    assert VALIDATION in read_manifest(folder).files
    content = (folder / VALIDATION).read_bytes()
    assert not any(text[:40].encode() in content for text in world_tables.prompts["prompt"])


def test_arms_can_be_taken_out_and_large_tables_are_sampled(memory: OutOfFold) -> None:
    assert memory.arms([2, 0]).quality.tolist() == memory.quality[:, [2, 0]].tolist()
    n = 20_000
    column = np.zeros((n, 1), dtype=np.float32)
    large = out_of_fold(
        [str(i) for i in range(n)],
        quality=column,
        quality_se=column,
        output_tokens=column,
        realised=column,
        n_chars=np.arange(n),
        cluster=np.zeros(n, dtype=np.int64),
    )
    assert len(large) == 6667
    assert large.trained_on(["1", "19999", "20000"]).tolist() == [True, True, False]


def test_what_is_read_is_what_was_written(memory: OutOfFold, tmp_path: Path) -> None:
    gap = replace(memory, realised=np.where(memory.realised > 0.5, np.nan, memory.realised))
    (tmp_path / VALIDATION).write_bytes(gap.to_onnx())
    back = read_out_of_fold(tmp_path)
    assert back is not None
    for name in OutOfFold.__slots__:
        expected, found = getattr(gap, name), getattr(back, name)
        assert np.allclose(found, expected, atol=1e-3, equal_nan=True), name


def test_old_bundles_remember_nothing_and_damage_is_said(tmp_path: Path) -> None:
    assert read_out_of_fold(tmp_path) is None
    (tmp_path / VALIDATION).write_bytes(b"\xff\xff nonsense")
    with pytest.raises(TrainingError, match=r"validation\.onnx is damaged"):
        read_out_of_fold(tmp_path)
