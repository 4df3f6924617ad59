"""Rungs of effort, read off tiers as tables name them."""

from __future__ import annotations

import pytest

from router.types import Arm
from training.sources.ladder import rung


@pytest.mark.parametrize(
    ("tier", "height"),
    [
        ("effort=none", 0.0),
        ("no_thinking", 0.0),
        ("thinking=0", 0.0),
        ("effort=low", 0.3),
        ("thinking", 0.6),
        ("fc_thinking", 0.6),
        ("thinking=64k", 1.0),
        ("thinking=64000", 1.0),
        ("effort=xhigh", 1.0),
    ],
)
def test_tiers_stand_on_rungs(tier: str, height: float) -> None:
    assert rung(Arm("m", tier)) == pytest.approx(height)


@pytest.mark.parametrize("tier", ["default", "concise", "verbose", "n=5"])
def test_other_tiers_are_on_no_ladder(tier: str) -> None:
    assert rung(Arm("m", tier)) is None


def test_a_larger_budget_is_a_higher_rung() -> None:
    budgets = [rung(Arm("m", f"thinking={k}k")) or 0.0 for k in (1, 4, 10, 16, 32, 64)]
    assert budgets == sorted(budgets)
    assert len(set(budgets)) == len(budgets)
