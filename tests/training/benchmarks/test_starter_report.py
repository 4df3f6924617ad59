"""The report of what commands showed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from training.benchmarks.shown import Goal, Shown
from training.benchmarks.starter_report import MARKS, dot, main

GAIN = {"value": 0.02, "ci95": [0.01, 0.03]}
SOURCES = Shown(
    name="sources",
    title="Source by source",
    text="What is measured.",
    bundle_id="b1",
    goals=(Goal(what="mean lead", asked="+0.010", found="+0.020", met=True),),
    tables=(),
    figures={
        "sources": [
            {"source": "chats", "lead": GAIN, "own_lead": None},
            {"source": "thin", "lead": None, "own_lead": None},
        ]
    },
)
STEP = {"model": "m", "work": "SQL", "lower": "effort=low", "upper": "effort=high", "gain": GAIN}
EFFORT = replace(
    SOURCES, name="effort", title="Ladders", goals=(), figures={"ladders": [], "steps": [STEP]}
)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "STARTER.md"
    path.write_text(f"before\n{MARKS[0]}\nold\n{MARKS[1]}\nafter\n")
    return path


def write(report: Path, *sections: Shown) -> str:
    for shown in sections:
        shown.write(report.parent / "out")
    asked = ["--out", f"{report.parent}/out", "--report", f"{report}"]
    done = CliRunner().invoke(main, asked)
    assert done.exit_code == 0, done.output
    return done.output


def test_sections_and_their_pictures_stand_between_the_marks(report: Path) -> None:
    write(report, SOURCES, EFFORT)
    text = report.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert text.index("## Source by source") < text.index("## Ladders")
    assert "| Source by source | mean lead | +0.010 | +0.020 | yes |" in text
    for name in ("sources", "effort"):
        picture = report.parent / "figures" / f"starter_{name}.png"
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert f"figures/{picture.name}" in text


def test_what_shows_another_bundle_is_left_out_and_named(report: Path) -> None:
    told = write(report, SOURCES, replace(EFFORT, bundle_id="b2"))
    assert "left out effort: it shows another bundle than b1" in told
    assert "Ladders" not in report.read_text()


def test_a_report_of_nothing_is_refused(report: Path) -> None:
    asked = ["--out", f"{report.parent}/none", "--report", f"{report}"]
    done = CliRunner().invoke(main, asked)
    assert done.exit_code == 1
    assert "nothing was shown yet" in done.output
    assert "old" in report.read_text()


@pytest.mark.parametrize(
    ("ends", "standing"),
    [((0.01, 0.02), "ahead"), ((-0.02, -0.01), "behind"), ((-0.1, 0.1), "level")],
)
def test_a_dot_is_coloured_by_its_interval(ends: tuple[float, float], standing: str) -> None:
    found = dot("a", {"value": 0.015, "ci95": ends})
    assert (found["standing"], found["lead"]) == (standing, pytest.approx(1.5))
