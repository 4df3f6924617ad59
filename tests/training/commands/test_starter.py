"""The committed starter router: complete, private, and what its card says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from router import BundleError, Policy, Router
from router.core.manifest import read_manifest
from tests.conftest import ROOT
from training.commands.starter import main
from training.prepare.cache import CACHE
from training.prepare.golden import GOLDEN_PROMPTS
from training.starter import HEAD_FILES, assemble

HEADS = ROOT / "serving" / "starter"


def test_assembled_heads_are_a_bundle_that_routes(tmp_path: Path) -> None:
    manifest = assemble(HEADS, tmp_path / "starter", CACHE)
    router = Router.load(tmp_path / "starter")
    decision = router.route("What is 17*23?", Policy(threshold=0.3))
    assert decision.arm in {info.arm for info in manifest.arms}
    assert len(manifest.arms) == 29


def test_the_committed_heads_are_small_and_hold_no_prompt(datasets: Path) -> None:
    assert sum((HEADS / name).stat().st_size for name in HEAD_FILES) < 2_000_000
    prompts = pl.read_parquet(datasets / "zeroeval.prompts.parquet")["prompt"]
    own = {text.lower() for text in GOLDEN_PROMPTS}
    files = {path.name for path in HEADS.iterdir()}
    assert files == {*HEAD_FILES, "train.toml", "catalogue.toml"}  # no outcomes row by row
    contents = [(HEADS / name).read_bytes() for name in files]
    for text in prompts:
        if text.lower() not in own:
            assert not any(text[:60].encode() in content for content in contents)


def test_a_damaged_head_is_refused_by_name(tmp_path: Path) -> None:
    heads = Path(shutil.copytree(HEADS, tmp_path / "heads"))
    content = bytearray((heads / "router.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (heads / "router.onnx").write_bytes(content)
    with pytest.raises(BundleError, match="router.onnx"):
        assemble(heads, tmp_path / "starter", CACHE)
    assert not (tmp_path / "starter").exists()


@pytest.mark.slow
def test_rebuilding_the_heads_gives_the_metrics_of_the_card(
    datasets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    arguments = ["build", "--datasets", str(datasets), "--out", str(tmp_path / "heads")]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    committed, rebuilt = read_manifest(HEADS), read_manifest(tmp_path / "heads")
    assert [arm.arm for arm in rebuilt.arms] == [arm.arm for arm in committed.arms]
    for name, value in committed.metrics.items():
        # a saving is where a stepped frontier crosses a line: rounding on another CPU moves it more
        tolerance = 0.03 if name.startswith("saving") else 0.005
        expected = pytest.approx(value, abs=tolerance) if isinstance(value, float) else value
        assert rebuilt.metrics[name] == expected, name
    card = (HEADS / "card.md").read_text()
    for name, value in committed.metrics.items():
        assert f"| {name} | {value} |" in card
    assert json.loads((HEADS / "manifest.json").read_text())["training"]["prompts"] == 1217
