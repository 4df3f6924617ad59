"""`tierwise calibrate` with outcomes: a certificate, on rows that nobody trained on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result

from data.tables import Tables
from router import Policy, Router
from router.cli.main import main
from router.core.bundle import Bundle, find_bundle
from router.core.manifest import read_manifest
from router.core.store import Store
from training.benchmarks.coverage import bootstrap, halves, resample
from training.certify.certify import Request, along_the_grid, usable_rows
from training.errors import TrainingError
from training.prepare.cache import CACHE
from training.progress import Timings

LOOSE = ("--max-quality-drop", "0.2", "--date", "2026-11-24")


def calibrate(bundle: Path, files: Path, *options: str) -> Result:
    data, prompts = files / "outcomes.parquet", files / "prompts.parquet"
    arguments = ["calibrate", str(bundle), "--data", str(data), "--prompts", str(prompts)]
    return CliRunner().invoke(main, [*arguments, "--cache", str(CACHE), *options])


@pytest.fixture(scope="module")
def certified(
    tiny_bundle: Path, world_files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("certified") / "bundle"
    done = calibrate(tiny_bundle, world_files, *LOOSE, "--out", str(out))
    assert done.exit_code == 0, done.output
    return out


def test_the_certificate_is_in_a_whole_new_bundle_that_decides_the_same(
    certified: Path, tiny_bundle: Path
) -> None:
    old, new = Router.load(tiny_bundle), Router.load(certified)
    promise = new.manifest.certificate
    assert promise is not None
    assert promise.certifies == old.manifest.bundle_id != new.manifest.bundle_id
    assert promise.best_single == old.manifest.arms[old.manifest.decision.best_single].arm.id
    assert promise.quality_drop <= promise.upper_bound <= promise.max_quality_drop == 0.2
    assert promise.issued == "2026-11-24"
    assert sum(promise.population.clusters) == promise.population.prompts
    policy = Policy(threshold=1.0)
    a, b = (router.route("Prove that 7 is prime.", policy) for router in (old, new))
    assert a.arm == b.arm
    assert "certified" in {reason.code for reason in b.reasons}
    assert "## Certificate" in (certified / "card.md").read_text()


def test_verify_passes_and_the_same_command_gives_the_same_bundle(
    certified: Path, tiny_bundle: Path, world_files: Path, tmp_path: Path
) -> None:
    assert CliRunner().invoke(main, ["verify", str(certified)]).exit_code == 0
    again = calibrate(tiny_bundle, world_files, *LOOSE, "--out", str(tmp_path / "again"))
    assert again.exit_code == 0
    assert read_manifest(tmp_path / "again") == read_manifest(certified)


def test_without_out_the_bundle_itself_is_certified(
    tiny_bundle: Path, world_files: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(find_bundle(tiny_bundle), tmp_path / "bundle"))
    done = calibrate(copy, world_files, *LOOSE, "--json", str(tmp_path / "c.json"))
    assert done.exit_code == 0, done.output
    told = json.loads((tmp_path / "c.json").read_text())
    assert told["bundle_id"] == Bundle.load(copy).manifest.bundle_id
    assert told["state"] == "valid"
    low, high = told["saving_interval"]
    assert low <= told["saving"] <= high


def test_a_loss_that_cannot_be_bounded_is_refused_with_what_would_do(
    tiny_bundle: Path, world_files: Path
) -> None:
    before = read_manifest(find_bundle(tiny_bundle))
    done = calibrate(tiny_bundle, world_files, "--max-quality-drop", "0", "--confidence", "0.9999")
    assert done.exit_code == 1
    assert "no threshold can be certified" in done.output
    assert "would be needed" in done.output or "would not help" in done.output
    assert read_manifest(find_bundle(tiny_bundle)) == before


def test_rows_that_were_trained_on_certify_nothing(tiny_bundle: Path, world_files: Path) -> None:
    done = calibrate(tiny_bundle, world_files, *LOOSE, "--split", "train")
    assert done.exit_code == 1
    assert "neither training nor selection used" in done.output


def test_a_training_prompt_that_slipped_into_the_test_split_is_left_out(
    tiny_bundle: Path, world_files: Path, world_tables: Tables, tmp_path: Path
) -> None:
    sides = world_tables.prompts.with_row_index().with_columns(
        split=pl.when(pl.col("index") % 2 == 0).then(pl.lit("test")).otherwise("split")
    )
    sides.drop("index").write_parquet(tmp_path / "prompts.parquet")
    world_tables.outcomes.drop("split").write_parquet(tmp_path / "outcomes.parquet")
    done = calibrate(tiny_bundle, tmp_path, *LOOSE, "--out", str(tmp_path / "bundle"))
    assert done.exit_code == 0, done.output
    assert "prompts that the bundle was trained on" in done.output
    promise = read_manifest(tmp_path / "bundle").certificate
    assert promise is not None
    fresh = world_tables.prompts.filter(split="test").height
    assert promise.population.prompts == fresh


def test_a_store_is_not_changed_behind_its_back(
    tiny_bundle: Path, world_files: Path, tmp_path: Path
) -> None:
    Store(tmp_path / "store").promote(tiny_bundle, gate=None, force=None, time=0.0)
    done = calibrate(tmp_path / "store", world_files, *LOOSE)
    assert done.exit_code == 1
    assert "name --out, then promote" in done.output


def test_on_resampled_rows_of_the_world_the_promise_holds(
    tiny_bundle: Path, world_tables: Tables
) -> None:
    router = Router.load(tiny_bundle)
    usable = usable_rows(router, world_tables, "test", CACHE, Timings())
    rows = along_the_grid(router, usable.scored, seed=0)
    request = Request(max_quality_drop=0.15)
    n = rows.loss.shape[1]
    found = resample(rows, bootstrap(n, n, 100, 0), rows.loss.mean(axis=1), request)
    assert found.certified > 50
    assert found.rate <= 0.05
    assert 0.0 < (found.threshold or 0.0) <= 1.0
    split = halves(rows, 20, request)
    assert split.worlds == 20
    assert rows.loss.shape == (101, n)
    assert np.allclose(rows.loss[:, 0] + rows.quality[:, 0], (rows.loss + rows.quality)[0, 0])


@pytest.mark.parametrize(("drop", "confidence"), [(-0.1, 0.95), (1.0, 0.95), (0.02, 1.0)])
def test_promises_that_mean_nothing_are_refused(drop: float, confidence: float) -> None:
    with pytest.raises(TrainingError, match="must lie in"):
        Request(max_quality_drop=drop, confidence=confidence)
