"""What a bundle keeps of its training rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.tables import Tables
from router.core.bundle import find_bundle
from router.core.manifest import read_manifest
from training.bundle.oof_predictions import (
    OOF_PREDICTIONS,
    OofPredictions,
    oof_predictions,
    read_oof_predictions,
)
from training.config import FoldsConfig
from training.errors import TrainingError
from training.selection.crossfit import MAX_JUDGED, split_folds


@pytest.fixture(scope="module")
def oof(tiny_bundle: Path) -> OofPredictions:
    found = read_oof_predictions(tiny_bundle)
    assert found is not None
    return found


def test_a_bundle_knows_the_prompts_that_it_was_trained_on(
    oof: OofPredictions, world_tables: Tables
) -> None:
    sides = {
        side: world_tables.prompts.filter(split=side)["prompt"].to_list()
        for side in ("train", "test")
    }
    assert oof.trained_on(sides["train"]).all()
    assert not oof.trained_on(sides["test"]).any()
    assert oof.trained_on([f"  {sides['train'][0].upper()} "]).all()


def test_the_map_is_made_of_the_kept_predictions_bit_for_bit(
    oof: OofPredictions, tiny_bundle: Path
) -> None:
    manifest = read_manifest(tiny_bundle)
    found = oof.threshold_map(manifest.arms, manifest.decision.tie_band)
    assert found == manifest.threshold_map


def test_kept_predictions_are_those_of_the_training_rows(
    oof: OofPredictions, tiny_bundle: Path
) -> None:
    manifest = read_manifest(tiny_bundle)
    assert len(oof) == manifest.training["prompts"]
    best = np.nanmean(oof.realised, axis=0)
    assert best == pytest.approx([arm.mean_quality for arm in manifest.arms], abs=1e-3)
    assert (oof.quality >= 0).all()
    assert (oof.quality <= 1).all()
    assert (oof.output_tokens > 0).all()


def test_the_file_is_hashed_like_every_other_and_holds_no_text(
    oof: OofPredictions, tiny_bundle: Path, world_tables: Tables
) -> None:
    folder = find_bundle(tiny_bundle)
    assert OOF_PREDICTIONS in read_manifest(folder).files
    content = (folder / OOF_PREDICTIONS).read_bytes()
    assert not any(text[:40].encode() in content for text in world_tables.prompts["prompt"])


def test_arms_can_be_taken_out_and_every_trained_prompt_is_known(oof: OofPredictions) -> None:
    assert oof.arms([2, 0]).quality.tolist() == oof.quality[:, [2, 0]].tolist()
    texts = [str(i) for i in range(25_000)]
    folds = split_folds(tuple(texts), FoldsConfig())
    column = np.zeros((len(folds.judged), 1), dtype=np.float32)
    large = oof_predictions(
        [texts[i] for i in folds.judged],
        texts,
        quality=column,
        quality_se=column,
        output_tokens=column,
        realised=column,
        n_chars=folds.judged,
        cluster=np.zeros(len(column), dtype=np.int64),
    )
    assert len(large) == MAX_JUDGED
    assert large.trained_on(["1", "24999", "25000"]).tolist() == [True, True, False]


def test_what_is_read_is_what_was_written(oof: OofPredictions, tmp_path: Path) -> None:
    gap = replace(oof, realised=np.where(oof.realised > 0.5, np.nan, oof.realised))
    (tmp_path / OOF_PREDICTIONS).write_bytes(gap.to_onnx())
    back = read_oof_predictions(tmp_path)
    assert back is not None
    for name in OofPredictions.__slots__:
        assert np.array_equal(getattr(back, name), getattr(gap, name), equal_nan=True), name


def test_the_file_of_an_older_bundle_is_read_too(oof: OofPredictions, tmp_path: Path) -> None:
    halves = {
        name: getattr(oof, name).astype(np.float16)
        for name in ("quality", "quality_se", "realised")
    }
    (tmp_path / "validation.onnx").write_bytes(replace(oof, **halves).to_onnx())
    back = read_oof_predictions(tmp_path)
    assert back is not None
    assert back.quality.dtype == np.float32
    assert np.allclose(back.quality, oof.quality, atol=1e-3)
    assert back.trained_on(["no such prompt"]).tolist() == [False]


def test_a_bundle_may_have_none_and_damage_is_said(tmp_path: Path) -> None:
    assert read_oof_predictions(tmp_path) is None
    (tmp_path / OOF_PREDICTIONS).write_bytes(b"\xff\xff nonsense")
    with pytest.raises(TrainingError, match=r"oof_predictions\.onnx is damaged"):
        read_oof_predictions(tmp_path)
