"""The commands that show a bundle, on a collection that is simulated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import polars as pl
import pytest
from click.testing import CliRunner

from data.collection import read_collection
from data.tables import load_sources
from router import Router
from training.benchmarks import (
    effort,
    languages,
    leave_source_out,
    ordinary,
    starter_sources,
)
from training.benchmarks.effort import Ladder
from training.benchmarks.kept_bundles import kept_bundle
from training.benchmarks.ordinary_prompts import (
    LANGUAGES,
    OURS,
    language_of,
    lists,
    open_prompts,
    questions,
)
from training.benchmarks.shown import Shown
from training.benchmarks.starter_options import Asked
from training.bundle.oof_predictions import read_oof_predictions
from training.config import ArmsConfig, TrainConfig
from training.measure.draws import Difference
from training.prepare.cache import CACHE
from training.progress import Timings


def run(command: click.Command, collection: Path, *further: object) -> Shown:
    """Run a command on the collection, and read what it left for the report."""
    out = collection / "shown"
    options = ("--bundle", collection / "bundle", "--collection", collection / "all.toml")
    asked = [*options, "--out", out, "--cache", CACHE, *further]
    before = set(out.glob("*.json"))
    done = CliRunner().invoke(command, [str(argument) for argument in asked])
    assert done.exit_code == 0, done.output
    written = {path: path.stat().st_mtime_ns for path in out.glob("*.json")}
    newest = max(written, key=lambda path: (path not in before, written[path]))
    shown = Shown.read(newest)
    assert shown.markdown() in done.stdout
    return shown


def table(shown: Shown, index: int = 0) -> dict[str, tuple[str, ...]]:
    return {row[0]: row for row in shown.tables[index].rows}


def test_each_source_beside_its_own_bundle(collection: Path) -> None:
    shown = run(starter_sources.main, collection, "--own")
    rows: list[dict[str, Any]] = shown.figures["sources"]
    assert [(r["source"], r["arms"]) for r in rows] == [("chats", 6), ("tools", 6), ("watched", 4)]
    for row in rows:
        low, high = row["lead"]["ci95"]
        assert low <= high
        assert row["aiq"] - row["zero_router_aiq"] == pytest.approx(row["lead"]["value"])
        assert row["best_single_aiq"] <= row["zero_router_aiq"] + 1e-9
        gap = row["shared_lead"]["value"] - row["own_lead"]["value"]
        assert row["behind_own"]["value"] == pytest.approx(gap)
    assert len(shown.goals) == 3
    bundles = sorted((collection / "shown" / "bundles").glob("*/manifest.json"))
    made = [path.stat().st_mtime_ns for path in bundles]
    run(starter_sources.main, collection, "--own", "--sources", "chats")
    assert [path.stat().st_mtime_ns for path in bundles] == made, "kept, not trained again"


def test_a_source_that_is_unknown_is_told(collection: Path) -> None:
    asked = ["--bundle", f"{collection}/bundle", "--collection", f"{collection}/all.toml"]
    done = CliRunner().invoke(starter_sources.main, [*asked, "--sources", "chat"])
    assert done.exit_code == 1
    assert "no source 'chat'; the collection has chats, tools, watched" in done.output


def test_a_source_left_out_was_never_seen(collection: Path) -> None:
    shown = run(leave_source_out.main, collection, "--sources", "tools,watched")
    (bundle,) = (collection / "shown" / "bundles").glob("without-tools-*")
    oof = read_oof_predictions(bundle)
    assert oof is not None
    texts = {
        name: pl.read_parquet(collection / f"{name}.prompts.parquet")["prompt"].to_list()
        for name in ("chats", "tools")
    }
    assert oof.trained_on(texts["chats"]).any()
    assert not oof.trained_on([t for t in texts["tools"] if t not in texts["chats"]]).any()
    tools, watched = shown.figures["sources"]
    assert [held["threshold"] for held in tools["held"]] == [0.3, 0.5, 0.7]
    assert watched["held"], "a source that trains nothing is left out as it is"


def test_a_bundle_of_too_little_says_why_there_is_none(collection: Path) -> None:
    listed = read_collection(collection / "all.toml")
    asked = Asked(
        router=Router.load(collection / "bundle"),
        tables=load_sources(listed),
        sources=listed,
        cache=CACHE,
        out=collection / "none",
        reporter=Timings(),
    )
    found = kept_bundle(asked, listed[:1], TrainConfig(arms=ArmsConfig(min_rows=10_000)), "none")
    assert isinstance(found, str)
    assert "two arms" in found


def test_ordinary_prompts_are_asked_and_judged(collection: Path) -> None:
    shown = run(ordinary.main, collection)
    assert {row[0] for row in shown.tables[0].rows} == set(LANGUAGES)
    assert sum(int(row[1]) for row in shown.tables[0].rows) == 200
    assert set(table(shown, 1)) == set(lists())
    assert list(table(shown, 2)) == ["chats", "tools", "watched"]
    for _, *shares in shown.tables[2].rows:
        live = [int(share.rstrip("%")) for share in shares[:3]]
        assert live == sorted(live), "who may spend more spends no less"
        assert len(shares) == 6
    assert len(shown.tables[3].rows) == 10


def test_prompts_of_somebody_else_take_the_place_of_ours(collection: Path, tmp_path: Path) -> None:
    own = pl.DataFrame({"prompt": ["Name a prime.", "Wie geht es dir und den anderen?"]})
    own.write_parquet(tmp_path / "own.parquet")
    shown = run(ordinary.main, collection, "--prompts", tmp_path / "own.parquet")
    assert [row[:2] for row in shown.tables[0].rows] == [("en", "1"), ("de", "1")]
    assert shown.goals[0].what.startswith("2 ordinary prompts")


def test_small_words_and_scripts_tell_languages() -> None:
    known = ("en", "de", "fr", "es", "zh", "ja")
    assert [language_of(" ".join(questions()[name])) for name in known] == list(known)
    assert language_of("12345") == "other"


def test_open_prompts_are_of_open_sources_and_filled_up(collection: Path) -> None:
    tables = load_sources(read_collection(collection / "all.toml"))
    picked = open_prompts(tables, 60)
    assert len(picked) == 60
    assert {p.origin for p in picked} <= {"chats", OURS}
    texts = set(tables.prompts.filter(pl.col("split") == "train")["prompt"])
    assert not [p for p in picked if p.origin != OURS and p.text in texts]


def test_the_questions_are_the_same_in_twelve_languages() -> None:
    found = questions()
    assert len(found) == 12
    assert {len(set(texts)) for texts in found.values()} == {50}
    numbers = {"17": 7, "180": 37, "SQL": 14, "TCP": 47}
    for texts in found.values():
        assert all(word in texts[at] for word, at in numbers.items())


def test_english_gets_what_english_gets(collection: Path) -> None:
    again = ("--multilingual", collection / "bundle")
    shown = run(languages.main, collection, *again)
    assert table(shown)["en"][1] == "100%"
    assert table(shown, 0) == table(shown, 1), "the same bundle twice"
    costs = table(shown, 2)
    assert all(row[-1].startswith("+0.0000") for row in costs.values())


def test_ladders_are_shown_where_a_model_has_several_tiers(collection: Path) -> None:
    told = "model,tier,answers,completion_tokens,cost_usd,latency_s\n"
    told += "cinder-base,high,50,1234.4,0.002,7.25\nelder-max,default,50,9,0.1,1\n"
    (collection / "efforts.csv").write_text(told)
    toml = (collection / "all.toml").read_text()
    named = toml.replace('name = "tools"\n', 'name = "tools"\nefforts = "efforts.csv"\n')
    (collection / "efforts.toml").write_text(named)
    shown = run(effort.main, collection, "--collection", collection / "efforts.toml")
    assert shown.tables[2].rows == (("cinder-base", "high", "tools", "1,234", "$2.00", "7.2"),)
    rows: list[dict[str, Any]] = shown.figures["ladders"]
    assert {row["model"] for row in rows} == {"cinder-base"}
    assert {row["top"] for row in rows} == {"high"}
    for row in rows:
        assert len(row["bought"]) == len(row["held"]) == 4
    assert {step["upper"] for step in shown.figures["steps"]} == {"high"}


def test_a_top_tier_that_does_not_pay_and_is_bought_is_marked() -> None:
    ladder = Ladder(
        source="s", model="m", top="effort=xhigh", prompts=20, held=(),
        top_pays=Difference(-0.01, (-0.02, 0.0)), bought=(0.0, 0.0, 0.2, 1.0),
    )  # fmt: skip
    assert ladder.useless
    assert not ladder.restrained
    assert ladder.cells()[-1].endswith("▼")
