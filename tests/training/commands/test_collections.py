"""Several tables through the command line: what is learned, what is only measured, what is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner

from router.cli.main import main
from router.core.bundle import Bundle
from tests.training.collection import TOML
from training.bundle.oof_predictions import read_oof_predictions
from training.prepare.cache import CACHE


def run(*arguments: object) -> str:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def folder(collection: Path) -> Path:
    return collection


@pytest.fixture
def bundle(collection: Path) -> Path:
    return collection / "bundle"


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


def test_where_effort_pays_is_told_by_kind_of_work(folder: Path, bundle: Path) -> None:
    written = folder / "effort.json"
    options = ["--cache", CACHE, "--json", written, "--html", folder / "effort.html"]
    shown = run("evaluate", bundle, "--data", folder / "all.toml", "--split", "all", *options)
    steps: list[dict[str, Any]] = json.loads(written.read_text())["effort"]
    assert {(s["model"], s["lower"], s["upper"]) for s in steps} == {
        ("cinder-base", "default", "high")
    }
    # thinking pays in mathematics, and loses the point where that is to be short
    verdicts = {s["work"]: s["gain"]["value"] for s in steps}
    assert verdicts["maths"] > max(verdicts["chat"], 0.0)
    assert "default → high" in shown
    assert "Where effort pays" in (folder / "effort.html").read_text()


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


def test_a_model_is_added_from_the_tables_of_a_collection(folder: Path, bundle: Path) -> None:
    arm = Bundle.load(bundle).manifest.arms[-1].arm
    run("remove-model", bundle, arm.model, "--out", folder / "without")
    given = ["--data", folder / "all.toml", "--cache", CACHE]
    said = run("add-model", folder / "without", *given, "--out", folder / "again")
    infos = {info.arm: info for info in Bundle.load(folder / "again").manifest.arms}
    assert infos[arm].rows == 480, "all of both sources, and nothing of what only measures"
    assert f"{arm.id}: 480 labels" in said


def test_score_says_that_it_takes_no_collection(folder: Path, bundle: Path) -> None:
    asked = ["score", "--bundle", bundle, "--prompts", folder / "all.toml", "--out", folder / "s"]
    done = CliRunner().invoke(main, [str(argument) for argument in asked])
    assert done.exit_code == 1
    assert "`tierwise evaluate` measures a bundle on every source" in " ".join(done.output.split())
