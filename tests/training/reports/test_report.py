"""The report: complete, escaped, honest about losses, and silent on the network."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from router.types import Arm
from tests.training.measured import World, make_world
from training.measure.draws import Difference
from training.measure.effort import Step
from training.measure.outcomes import Outcomes, Sweep
from training.measure.result import Evaluation, evaluate_sweeps
from training.measure.summarise import summarise
from training.reports.frontier_chart import frontier_png
from training.reports.headlines import headlines, verdict
from training.reports.report import render, write_report
from training.reports.sweep_table import write_csv
from training.reports.wording import arm_name, money, percent


@pytest.fixture(scope="module")
def page(evaluation: Evaluation) -> str:
    return render(evaluation, title="Report of <one>", notes="bundle abc")


@pytest.fixture(scope="module")
def own_text(page: str) -> str:
    """The page without the bundled chart library."""
    scripts = re.findall(r"<script>.*?</script>", page, flags=re.DOTALL)
    return page.replace(max(scripts, key=len), "")


def specs(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="specs">(.*?)</script>', page, re.DOTALL)
    assert found
    loaded: dict[str, Any] = json.loads(found[1])
    return loaded


def test_nothing_in_the_page_points_to_the_network(page: str, own_text: str) -> None:
    assert not re.search(r"https?://", own_text)
    assert not re.search(r"""\b(src|href|action|data-src)\s*=|@import|url\(|fetch\(""", own_text)
    assert "default-src 'none'" in page
    assert "vega.github.io/editor" not in page


def test_the_page_carries_the_library_that_draws(page: str) -> None:
    assert len(page) > 500_000
    assert "vegaEmbed" in page


def test_each_figure_of_the_summary_is_on_the_page(evaluation: Evaluation, own_text: str) -> None:
    summary = summarise(evaluation)
    router = summary.router
    assert percent(router.aiq) in own_text
    assert percent(router.max_quality) in own_text
    assert f"{100 * router.ece:.1f} points" in own_text
    assert f"{router.saving_at_best_single:.0%} cheaper" in own_text
    assert money(summary.best_single.cost) in own_text
    for method in summary.baselines.values():
        assert percent(method.aiq) in own_text
    for arm in summary.per_arm:
        assert percent(arm.quality) in own_text
    for row in summary.per_domain:
        assert f"<td>{escape(row.domain)}</td><td>{row.n}</td>" in own_text


def test_all_charts_are_there_with_both_themes(page: str) -> None:
    found = specs(page)
    assert set(found["charts"]["frontier"]) == {"linear", "log"}
    assert set(found["themes"]) == {"light", "dark"}
    assert set(found["charts"]) == {"frontier", "shares", "calibration"}
    for name in found["charts"]:
        assert f'<div id="{name}" class="chart">' in page


def test_the_frontier_chart_shows_every_method_and_every_arm(
    evaluation: Evaluation, page: str
) -> None:
    rows = [
        row
        for rows in specs(page)["charts"]["frontier"]["linear"]["datasets"].values()
        for row in rows
    ]
    assert {row["method"] for row in rows if "method" in row} == {
        *("router", "zero router", "knn", "random mix", "domain oracle", "oracle")
    }
    assert len({row["arm"] for row in rows if "arm" in row}) == len(evaluation.outcomes.arms)


def test_titles_and_labels_from_outside_are_escaped(page: str) -> None:
    assert "<title>Report of &lt;one&gt;</title>" in page
    assert "trivia &lt;&amp;&gt;" in page
    assert "trivia <&>" not in page


def test_the_page_says_where_effort_pays(evaluation: Evaluation, page: str) -> None:
    gain = Difference(0.123, (0.05, 0.2))
    step = Step(
        model="<m>", work="SQL", lower="effort=low", upper="effort=high", prompts=1234,
        quality=0.5, gain=gain, cost_ratio=3.25,
    )  # fmt: skip
    told = render(evaluation, title="t", notes="", effort=[step])
    row = re.search(r"<tr><td>&lt;m&gt;</td>.*?</tr>", told)
    assert row
    for text in ("SQL", "effort=low → effort=high", "1,234", "50.0%", "+12.3", "×3.2"):
        assert text in row[0]
    assert 'class="good"' in row[0]
    assert "Where effort pays" not in page, "no model of several tiers, no table"


def test_what_would_end_the_data_block_is_escaped_in_it() -> None:
    world = make_world(n=80, arms=2)
    arms = (Arm("</script><b>"), Arm("<!--", "a'b"))
    outcomes = Outcomes(arms, world.outcomes.quality, world.outcomes.cost_usd)
    found = evaluate_sweeps(outcomes, world.informed("router"), resamples=10)
    page = render(found, title="t", notes="")
    assert "</script><b>" not in page
    assert "&lt;/script&gt;&lt;b&gt;" in page
    assert arm_name("</script><b>") in json.dumps(specs(page))


def test_a_router_without_probabilities_gets_no_calibration_chart(
    two_arm_evaluation: Evaluation,
) -> None:
    page = render(two_arm_evaluation, title="t", notes="")
    assert 'id="calibration"' not in page
    assert "predicts no probabilities" in page
    assert "no domain labels" in page


def test_few_prompts_are_warned_about(two_arm_evaluation: Evaluation) -> None:
    assert any("Only 60 prompts" in s for s in verdict(summarise(two_arm_evaluation)))


def test_headlines_do_not_hide_losses(evaluation: Evaluation) -> None:
    summary = summarise(evaluation)
    ends = {"saving_at_best_single": (-0.2, -0.05), "gain": (-0.05, -0.01)}
    router = replace(
        summary.router,
        saving_at_best_single=-0.12,
        gain=-0.03,
        ci95=summary.router.ci95 | ends,
    )
    saving, gain, *_ = headlines(replace(summary, router=router))
    assert (saving.figure, saving.tone) == ("12% dearer", "bad")
    assert saving.interval == "95% interval 20% dearer to 5% dearer"
    assert (gain.figure, gain.tone) == ("−3.0 points", "bad")


def test_a_quality_never_reached_is_said_so(evaluation: Evaluation) -> None:
    summary = summarise(evaluation)
    router = replace(summary.router, saving_at_best_single=None, saving_at_95=0.4)
    saving = headlines(replace(summary, router=router))[0]
    assert saving.figure == "Not reached"
    assert "At 95% of that quality it is 40% cheaper." in saving.text


def test_the_verdict_names_who_is_ahead_and_who_is_behind(evaluation: Evaluation) -> None:
    summary = summarise(evaluation)
    leads = {"knn": Difference(-0.02, (-0.03, -0.01)), "cheapest": Difference(0.0, (-0.01, 0.01))}
    moved = {n: replace(summary.baselines[n], aiq_difference=lead) for n, lead in leads.items()}
    first = verdict(replace(summary, baselines=summary.baselines | moved))[0]
    assert "clearly ahead of best single" in first
    assert "level with cheapest; behind knn" in first


def test_the_report_is_one_file(tmp_path: Path, evaluation: Evaluation) -> None:
    write_report(tmp_path / "r.html", evaluation)
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]
    assert (tmp_path / "r.html").read_text("utf-8").startswith("<!doctype html>")


def test_the_picture_is_a_png(tmp_path: Path, two_arm_evaluation: Evaluation) -> None:
    frontier_png(tmp_path / "f.png", two_arm_evaluation, scale=0.5)
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")


def test_the_csv_has_a_row_per_setting_and_a_share_per_arm(tmp_path: Path, world: World) -> None:
    plain = world.informed()
    levels = len(plain.choices)
    thresholds = np.linspace(0, 1, levels)
    sweep = Sweep("router", plain.choices, thresholds, None, thresholds * 0.5, None)
    write_csv(tmp_path / "s.csv", sweep, world.outcomes)
    with (tmp_path / "s.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == levels
    assert [float(row["threshold"]) for row in rows] == pytest.approx(thresholds.tolist())
    assert float(rows[-1]["expected_quality"]) == 0.5
    assert rows[0]["expected_cost_usd"] == ""
    for row in rows:
        shares = [float(v) for k, v in row.items() if k.startswith("share:")]
        assert len(shares) == len(world.outcomes.arms)
        assert sum(shares) == pytest.approx(1)
