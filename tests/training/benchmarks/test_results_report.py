"""The committed report: every number from the runs, significance marked, bounds set apart."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.training.measured import make_world
from training.benchmarks.results_chart import lead_rows, leads_png
from training.benchmarks.results_report import END, START, put_into, render, write
from training.benchmarks.results_tables import (
    mark,
    method_table,
    overview,
    published,
    summary_table,
)
from training.benchmarks.run import dataset_names
from training.measure.result import evaluate_sweeps
from training.measure.summarise import summarise
from training.measure.summary import Summary
from training.measure.sweeps import reference_sweeps


@pytest.fixture(scope="module")
def found() -> Summary:
    """A router among a worse method, a label table and the references."""
    world = make_world(n=300, arms=4)
    methods = [world.noisy("knn", 1, 0.5), world.noisy("task_label", 2, 0.01)]
    baselines = [*methods, *reference_sweeps(world.outcomes)]
    evaluation = evaluate_sweeps(
        world.outcomes, world.informed("router"), baselines, resamples=200,
        not_applicable={"best_route": "every model has one tier"},
    )  # fmt: skip
    return summarise(evaluation)


def own_setting() -> dict[str, Any]:
    figure = {"value": 0.25, "ci95": [0.2, 0.3]}
    row = {"cpt_50": figure, "cpt_80": figure, "apgr": figure}
    part = {
        "n_prompts": 9, "n_train": 30, "quality": {"strong": 0.8, "weak": 0.6},
        "methods": {"tierwise": row, "routellm_mf": row},
    }  # fmt: skip
    return {
        "contaminated": {"listed": 17, "train": 4, "test": 1},
        "in_domain": {"mmlu": part, "gsm8k": part},
        "left_out": {"mmlu": row, "gsm8k": row, "mmlu/STEM": row},
    }


LEFT_OUT = {
    "dataset": "made-up",
    "split": "test",
    "tasks": [
        {
            "task": "maths", "n_prompts": 70, "in_distribution": 0.5, "too_few": False,
            "known_best": {"arm": "b|default", "gap": 0.0, "ci95": [-0.01, 0.01], "worse": False},
            "hindsight_best": {"arm": "c", "gap": -0.05, "ci95": [-0.08, -0.02], "worse": True},
        }
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("figure", "interval", "sign"),
    [
        ("aiq", [0.001, 0.02], " ▲"),
        ("aiq", [-0.02, -0.001], " ▼"),
        ("aiq", [-0.001, 0.02], ""),
        ("regret", [-0.02, -0.001], " ▲"),
        ("regret", [0.001, 0.02], " ▼"),
        ("saving_at_95", None, ""),
        ("aiq", [0.0, 0.0], ""),
    ],
)
def test_a_mark_means_that_the_interval_leaves_no_doubt(
    figure: str, interval: list[float] | None, sign: str
) -> None:
    assert mark(figure, interval) == sign


def test_bounds_and_single_arms_are_no_rivals(found: Summary) -> None:
    assert set(published(found)) == {"knn"}


def test_every_method_has_a_row_and_the_best_comes_first(found: Summary) -> None:
    rows = method_table(found).splitlines()[2:]
    assert len(rows) == len(found.baselines) + 2  # the router and the zero router
    assert rows[0].startswith("| *oracle* († uses hindsight)")
    told = next(row for row in rows if "task label" in row)
    assert "† is told each test prompt’s label" in told
    ours = next(row for row in rows if "tierwise" in row)
    assert f"{found.router.aiq:.4f}" in ours


def test_the_tables_columns_agree(found: Summary) -> None:
    for table in (method_table(found), summary_table({"made-up": found})):
        widths = {line.count("|") for line in table.splitlines()}
        assert len(widths) == 1


def test_the_summary_counts_what_the_router_is_ahead_of(found: Summary) -> None:
    row = summary_table({"made-up": found}).splitlines()[2]
    low = found.baselines["knn"].aiq_difference.ci95[0]
    assert ("1 / 0 / 0" if low > 0 else "0 / 1 / 0") in row
    assert "| 1 of 2 | knn |" in row


def test_the_report_holds_all_its_parts(found: Summary) -> None:
    text = render({"made-up": found}, {"made-up": LEFT_OUT}, own_setting())
    for words in (
        "## made-up", "best route: every model has one tier", "## Leave one task out",
        "−0.0500 [−0.0800, −0.0200] WORSE", "17 evaluation prompts", "5 are in these tables",
        "| RouteLLM SW ranking | Arena | 55.82 % | 80.25 % | 0.473 |",
        "routellm mf, retrained here", "tierwise, without STEM, on it", "Ours trains in-domain",
    ):  # fmt: skip
        assert words in text, words


def test_parts_that_have_not_run_are_left_out(found: Summary) -> None:
    text = render({"made-up": found}, {"made-up": None}, None)
    assert "Leave one task out" not in text
    assert "own setting" not in text


def test_the_picture_shows_rivals_and_marks_what_is_told_the_label(
    found: Summary, tmp_path: Path
) -> None:
    rows = lead_rows(found)
    assert {row["method"] for row in rows} == {"knn", "zero router", "task label †"}
    assert [row["lead"] for row in rows] == sorted(row["lead"] for row in rows)
    leads_png(tmp_path / "leads.png", {"made-up": found, "again": found})
    assert (tmp_path / "leads.png").read_bytes()[:4] == b"\x89PNG"


def test_the_report_is_written_from_whatever_has_run(found: Summary, tmp_path: Path) -> None:
    out = tmp_path / "out" / "made-up"
    out.mkdir(parents=True)
    write(tmp_path / "RESULTS.md", tmp_path / "out", ["made-up", "absent"])
    assert not (tmp_path / "RESULTS.md").exists()
    (out / "evaluation.json").write_text(json.dumps(asdict(found)))
    write(tmp_path / "RESULTS.md", tmp_path / "out", ["made-up", "absent"])
    text = (tmp_path / "RESULTS.md").read_text()
    assert "## made-up" in text
    assert "## absent" not in text
    assert (tmp_path / "figures" / "results.png").is_file()


def test_a_dataset_is_a_table_with_its_prompts(tmp_path: Path) -> None:
    for name in ("b.parquet", "b.prompts.parquet", "a.parquet", "a.prompts.parquet", "c.parquet"):
        (tmp_path / name).touch()
    assert dataset_names(tmp_path) == ["a", "b"]


def test_the_readmes_table_is_written_between_its_marks_and_nothing_else_is(
    found: Summary, tmp_path: Path
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{START}\n| old |\n{END}\nafter\n")
    put_into(readme, overview({"made-up": found, "again": found}))
    text = readme.read_text()
    assert text.startswith(f"before\n{START}\n| AIQ")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    assert f"**{found.router.aiq:.4f}**" in text
    assert "*task label* †" in text
    assert "| – | – |" not in text  # of what no set has there is no row
    readme.write_text("no marks\n")
    put_into(readme, overview({"made-up": found}))
    assert readme.read_text() == "no marks\n"
