"""Several tables through the command line: what is learned, what is only measured, what is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner

from data.read import write_table
from router.cli.main import main
from router.core.bundle import Bundle
from training.bundle.oof_predictions import read_oof_predictions
from training.prepare.cache import CACHE

CONFIG = """
predictors = ["cluster", "kernel", "labels"]
[folds]
folds = 3
[level]
rounds = 20
[kernel]
landmarks = 64
alpha = [3.0]
[labels]
temperature = [4.0]
"""
TOML = """
[[source]]
name = "chats"
outcomes = "chats.parquet"
prompts = "chats.prompts.parquet"
kind = "chat"
licence = "MIT"
weight = 2.0

[[source]]
name = "tools"
outcomes = "tools.parquet"
prompts = "tools.prompts.parquet"
kind_column = "domain"
group = "family"

[[source]]
name = "watched"
outcomes = "watched.parquet"
prompts = "watched.prompts.parquet"
licence = "CC BY-NC 4.0"
use = "measure"
"""


def run(*arguments: object) -> str:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def folder(world_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The simulated world, dealt out to three sources; the last lacks the first two arms."""
    out = tmp_path_factory.mktemp("collection")
    prompts = pl.read_parquet(world_files / "prompts.parquet")
    outcomes = pl.read_parquet(world_files / "outcomes.parquet")
    models = sorted(set(outcomes["model"]))
    parts = {"chats": (0, 240), "tools": (240, 240), "watched": (480, 120)}
    for name, (start, size) in parts.items():
        own = prompts[start : start + size].with_columns(
            family=pl.int_range(size).cast(pl.String).str.slice(0, 2)
        )
        kept = outcomes.join(own, on="prompt_id", how="semi")
        kept = kept.filter(pl.col("model").is_in(models[2:])) if name == "watched" else kept
        write_table(out / f"{name}.parquet", kept)
        write_table(out / f"{name}.prompts.parquet", own)
    (out / "all.toml").write_text(TOML)
    (out / "train.toml").write_text(CONFIG)
    return out


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Path:
    """Trained on the collection."""
    out = folder / "bundle"
    settings = ["--config", folder / "train.toml", "--cache", CACHE]
    run("train", "--data", folder / "all.toml", *settings, "--out", out)
    return out


def test_what_is_only_measured_is_not_learned(folder: Path, bundle: Path) -> None:
    oof = read_oof_predictions(bundle)
    assert oof is not None
    texts = {n: pl.read_parquet(folder / f"{n}.prompts.parquet") for n in ("chats", "watched")}
    assert not oof.trained_on(texts["watched"]["prompt"].to_list()).any()
    seen = oof.trained_on(texts["chats"]["prompt"].to_list())
    assert 0.6 < seen.mean() < 0.9, "its train split"


def test_a_bundle_tells_its_sources_in_facts(bundle: Path) -> None:
    manifest = Bundle.load(bundle).manifest
    told = {source["name"]: source for source in manifest.training["sources"]}
    assert list(told) == ["chats", "tools", "watched"]
    assert told["chats"] | {"split": None} == {
        "name": "chats", "use": "train", "per": "request", "kind": "chat", "licence": "MIT",
        "weight": 2.0, "prompts": 240, "outcomes": 1440, "arms": 6, "split": None,
        "kinds": {"chat": 240},
    }  # fmt: skip
    assert sum(told["chats"]["split"].values()) == 240
    assert len(told["tools"]["kinds"]) > 1
    assert told["watched"]["use"] == "measure"
    card = (bundle / "card.md").read_text()
    assert "| watched | measure | CC BY-NC 4.0 | – |" in card
    assert "| chats | train | MIT | chat | 240" in card


def test_task_labels_of_a_collection_are_not_learned(bundle: Path) -> None:
    assert "labels" not in Bundle.load(bundle).manifest.training["tried"]


def test_every_source_is_evaluated_on_its_own_scale(folder: Path, bundle: Path) -> None:
    written = folder / "figures.json"
    options = ["--cache", CACHE, "--json", written]
    shown = run("evaluate", bundle, "--data", folder / "all.toml", *options)
    sources: list[dict[str, Any]] = json.loads(written.read_text())["sources"]
    assert [(s["source"], s["use"], s["arms"]) for s in sources] == [
        ("chats", "train", 6),
        ("tools", "train", 6),
        ("watched", "measure", 4),
    ]
    for source in sources:
        lead = source["aiq_difference"]
        assert lead["value"] == pytest.approx(source["aiq"] - source["zero_router_aiq"])
        assert lead["ci95"][0] <= lead["ci95"][1]
        assert source["best_single"]["quality"] <= 1.0
        assert source["source"] in shown


def test_repeated_tables_are_a_collection_by_their_names(folder: Path, bundle: Path) -> None:
    pairs = [
        argument
        for name in ("chats", "tools")
        for argument in (
            "--data", folder / f"{name}.parquet", "--prompts", folder / f"{name}.prompts.parquet",
        )
    ]  # fmt: skip
    shown = run("evaluate", bundle, *pairs, "--cache", CACHE, "--json", folder / "two.json")
    assert "each source on its own scale" in shown
    two = json.loads((folder / "two.json").read_text())["sources"]
    assert [source["source"] for source in two] == ["chats", "tools"]
    assert run("sweep", bundle, *pairs, "--cache", CACHE)


def test_check_tells_what_each_source_is(folder: Path) -> None:
    shown = run("data", "check", "--data", folder / "all.toml")
    row = next(line.split() for line in shown.splitlines() if line.startswith("watched"))
    assert row[:5] == ["watched", "measure", "480", "120", "4"]
    found = json.loads(run("data", "check", "--data", folder / "all.toml", "--json"))
    assert [source["name"] for source in found["sources"]] == ["chats", "tools", "watched"]


def test_one_named_source_is_learned_as_its_table_alone(folder: Path) -> None:
    (folder / "one.toml").write_text(TOML.split('[[source]]\nname = "tools"', maxsplit=1)[0])
    rest = ["--config", folder / "train.toml", "--cache", CACHE]
    run("train", "--data", folder / "one.toml", *rest, "--out", folder / "named")
    alone = ["--data", folder / "chats.parquet", "--prompts", folder / "chats.prompts.parquet"]
    run("train", *alone, *rest, "--out", folder / "alone")
    for name in ("router.onnx", "oof_predictions.onnx"):
        assert (folder / "named" / name).read_bytes() == (folder / "alone" / name).read_bytes()
    assert "sources" not in Bundle.load(folder / "alone").manifest.training
