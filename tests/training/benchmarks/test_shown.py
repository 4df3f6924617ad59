"""What commands show, and decisions held against one arm for all prompts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from router.types import Arm
from training.benchmarks.against_arms import held_against
from training.benchmarks.shown import NOTHING, Goal, Shown, Table, signed
from training.measure.draws import Difference
from training.measure.outcomes import Outcomes, Sweep

ARMS = (Arm("weak"), Arm("strong"), Arm("dear"))


def shown() -> Shown:
    return Shown(
        name="one",
        title="One",
        text="What is measured.",
        bundle_id="b",
        goals=(Goal.share("cases", [True, False], 0.5), Goal.share("nothing", [])),
        tables=(Table(title="rows", head=("arm", "figure"), rows=(("a|b", "1"),)),),
        figures={"x": 1},
    )


def test_what_is_shown_is_read_as_it_was_written(tmp_path: Path) -> None:
    shown().write(tmp_path / "new")
    assert Shown.read(tmp_path / "new" / "one.json") == shown()


def test_a_goal_without_cases_is_neither_met_nor_missed() -> None:
    met, nothing = shown().goals
    assert (met.met, met.found) == (True, "1 of 2, 50%")
    assert Goal.share("cases", [True, False]).met is False
    assert (nothing.met, nothing.cells()[-1]) == (None, NOTHING)


def test_a_cell_does_not_end_at_what_an_arm_is_called() -> None:
    assert r"| a\|b | 1 |" in shown().markdown()


def test_differences_as_text() -> None:
    assert signed(Difference(0.01, (-0.001, 0.02))) == "+0.0100 [-0.0010, +0.0200]"
    assert signed(None) == signed(Difference(None, None)) == NOTHING


def worlds(quality: tuple[float, float, float], n: int = 60) -> Outcomes:
    return Outcomes(ARMS, np.tile(quality, (n, 1)), np.tile([1.0, 3.0, 9.0], (n, 1)))


def test_decisions_are_held_against_the_best_arm_that_costs_no_more() -> None:
    # half weak, half dear: $5 a prompt, for which the strong arm may be had, but not the dear one
    half = np.tile([0, 2], 30)
    outcomes = worlds((0.2, 0.5, 0.9))
    (held,) = held_against(outcomes, Sweep("s", half[None], np.array([0.5])))
    assert (held.arm, held.quality) == ("strong|default", pytest.approx(0.55))
    assert held.gap.value == pytest.approx(0.05)
    assert held.holds
    (lost,) = held_against(worlds((0.2, 0.5, 0.3)), Sweep("s", half[None], np.array([0.5])))
    assert lost.gap.value == pytest.approx(-0.25)


def test_what_is_surely_worse_does_not_hold() -> None:
    everything_dear = np.full((1, 60), 2)
    (held,) = held_against(worlds((0.2, 0.9, 0.3)), Sweep("s", everything_dear, np.array([1.0])))
    assert held.gap.value == pytest.approx(-0.6)
    assert not held.holds
    assert held.cell().endswith("▼")
