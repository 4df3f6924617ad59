"""What each step up a model's tiers brings."""

from __future__ import annotations

import numpy as np
import pytest

from router.types import Arm
from training.measure.effort import LEAST_PROMPTS, effort_steps, ladders

ARMS = (Arm("a", "effort=high"), Arm("a", "effort=low"), Arm("a", "default"), Arm("b", "default"))
HEIGHT = np.array([0.8, 0.3, np.nan, np.nan])


def by_hand(n: int = 40) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """High gains half a point in half of the work, and loses it in the other half."""
    rng = np.random.default_rng(0)
    quality = rng.uniform(0.3, 0.5, (n, 4))
    even = np.arange(n) % 2 == 0
    quality[:, 0] = np.clip(quality[:, 1] + np.where(even, 0.4, -0.3), 0, 1)
    cost = np.tile([4.0, 2.0, 1.0, 9.0], (n, 1))
    return quality, cost, ["proofs" if e else "chat" for e in even]


def test_steps_go_up_the_ladder_and_say_what_each_brings() -> None:
    quality, cost, work = by_hand()
    steps = effort_steps(ARMS, quality, cost, work=work, height=HEIGHT)
    assert [(s.work, s.lower, s.upper) for s in steps] == [
        ("chat", "default", "effort=low"),
        ("chat", "effort=low", "effort=high"),
        ("proofs", "default", "effort=low"),
        ("proofs", "effort=low", "effort=high"),
    ]
    high = {s.work: s for s in steps if s.upper == "effort=high"}
    assert high["proofs"].gain.value == pytest.approx(0.4)
    assert high["chat"].gain.value == pytest.approx(-0.3)
    assert (high["proofs"].verdict, high["chat"].verdict) == ("pays", "harms")
    assert {s.verdict for s in steps if s.upper == "effort=low"} == {"not shown to pay"}
    assert high["chat"].cost_ratio == pytest.approx(2.0)
    assert high["chat"].prompts == 20


def test_a_step_is_measured_on_prompts_that_both_tiers_answered() -> None:
    quality, cost, work = by_hand()
    quality[10:, 0] = np.nan
    steps = effort_steps(ARMS, quality, cost, work=work, height=HEIGHT)
    assert {s.prompts for s in steps if s.upper == "effort=high"} == {5}
    quality[2 * LEAST_PROMPTS - 2 :, 0] = np.nan
    steps = effort_steps(ARMS, quality, cost, work=work, height=HEIGHT)
    assert not [s for s in steps if s.upper == "effort=high"]


def test_tiers_that_say_nothing_of_effort_are_ordered_by_cost() -> None:
    quality, cost, work = by_hand()
    arms = (Arm("a", "verbose"), Arm("a", "default"), Arm("a", "concise"), Arm("b", "default"))
    steps = effort_steps(arms, quality, cost, work=work, height=np.full(4, np.nan))
    assert [(s.lower, s.upper) for s in steps[:2]] == [
        ("concise", "default"),
        ("default", "verbose"),
    ]


def test_a_model_of_one_tier_has_no_ladder() -> None:
    assert ladders(ARMS) == {"a": [0, 1, 2]}
