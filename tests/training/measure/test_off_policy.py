"""Off-policy estimators: worked by hand, covering what is true, silent where they cannot know."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from tests.worlds.offpolicy import ARMS, certain, repeated, world
from training.measure.off_policy import (
    METHODS,
    Logged,
    difference,
    effective_rows,
    estimate,
    verdict,
)


def by_hand() -> Logged:
    return Logged(
        arm=np.array([0, 1, 0, 1]),
        propensity=np.array([[0.5, 0.5], [0.5, 0.5], [0.8, 0.2], [0.8, 0.2]]),
        reward=np.array([1.0, 0.0, 1.0, 1.0]),
        target=np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]),
        model=np.array([[0.6, 0.2], [0.5, 0.5], [0.7, 0.4], [0.6, 0.8]]),
    )


def test_worked_examples() -> None:
    # weights 1/.5 = 2, 1/.5 = 2, 0/.8 = 0, 1/.2 = 5
    assert estimate(by_hand(), "ips").value == pytest.approx((2 + 0 + 0 + 5) / 4)
    assert estimate(by_hand(), "snips").value == pytest.approx(7 / 9)
    terms = [0.6 + 2 * 0.4, 0.5 + 2 * -0.5, 0.4, 0.8 + 5 * 0.2]
    found = estimate(by_hand(), "dr")
    assert found.value == pytest.approx(np.mean(terms))
    assert found.standard_error == pytest.approx(np.std(terms, ddof=1) / 2)
    assert found.effective == pytest.approx(81 / 33)
    clipped = estimate(by_hand(), "ips", most_weight=3.0)
    assert clipped.value == pytest.approx((2 + 0 + 0 + 3) / 4)


def test_rows_without_feedback_are_left_out_and_counted() -> None:
    logged = by_hand()
    more = replace(
        logged,
        arm=np.append(logged.arm, 0),
        propensity=np.vstack([logged.propensity, [0.5, 0.5]]),
        reward=np.append(logged.reward, np.nan),
        target=np.vstack([logged.target, [1.0, 0.0]]),
        model=np.vstack([logged.model, [0.9, 0.9]]),
    )
    found = estimate(more, "dr")
    assert found.value == estimate(logged, "dr").value
    assert (found.rows, found.unrewarded) == (4, 1)


def test_doubly_robust_covers_the_truth_and_beats_ips() -> None:
    found = repeated(200)
    assert found.coverage["dr"] >= 0.93
    assert found.squared_error["dr"] < found.squared_error["ips"]
    assert found.squared_error["dr"] < found.squared_error["snips"]
    assert abs(found.bias["dr"]) < 0.01
    assert found.refused == 200


def test_without_exploration_there_is_no_verdict() -> None:
    logged, _ = world(0)
    found = verdict(certain(logged))
    assert found.value is None
    assert found.reason is not None
    assert "TIERWISE_EXPLORE_RATE" in found.reason
    assert "26.7%" in found.reason  # 100 effective rows x 4 arms of 1,500


def test_a_policy_that_the_log_supports_gets_one() -> None:
    logged, truth = world(1)
    found = verdict(logged)
    assert found.value == pytest.approx(truth, abs=0.06)
    assert found.reason is None


def test_thin_support_says_how_much_more_is_needed() -> None:
    logged, _ = world(2, n=60)
    found = verdict(logged)
    assert found.value is None
    assert found.reason is not None
    assert "more decisions with feedback" in found.reason
    assert found.more_rows is not None
    longer, _ = world(2, n=60 + found.more_rows)
    assert 80 < verdict(longer).effective < 160  # 60 rows tell the share no better
    assert found.exploration is not None
    assert 0.2 * (ARMS - 1) / ARMS < found.exploration <= 1.0


def test_arms_that_could_not_be_drawn_are_refused() -> None:
    logged, _ = world(3)
    blind = logged.propensity.copy()
    rows = logged.arm != 3
    blind[rows, 3] = 0.0
    blind /= blind.sum(axis=1, keepdims=True)
    found = verdict(replace(logged, propensity=blind))
    assert found.value is None
    assert found.reason is not None
    assert "could not have drawn" in found.reason
    assert found.more_rows is None
    rows = np.arange(len(logged.arm))
    lost = np.flatnonzero((blind <= 0).any(axis=1) & (logged.target.argmax(axis=1) == 3))
    lead = logged.model[rows, blind.argmax(axis=1)] - logged.model[:, 3]
    told = re.search(r"puts (\d\.\d+) between", found.reason)
    assert told is not None
    assert float(told[1]) == pytest.approx(max(np.quantile(lead[lost], 0.95), 0.0), abs=1e-3)


def test_paired_differences_are_of_the_values_and_narrower_where_policies_agree() -> None:
    ours, _ = world(4)
    theirs = replace(ours, target=np.roll(ours.target, 1, axis=0))
    for method in METHODS:
        value, low, high = difference(ours, theirs, method)
        gap = (estimate(ours, method).value or 0) - (estimate(theirs, method).value or 0)
        assert value == pytest.approx(gap)
        assert low < value < high
    same = difference(ours, ours)
    assert same == (0.0, 0.0, 0.0)


def test_effective_rows_are_all_rows_when_policies_agree() -> None:
    assert effective_rows(np.ones(50)) == pytest.approx(50)
    assert effective_rows(np.zeros(5)) == 0.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"propensity": np.full((4, 2), 0.4)}, "sum to 1"),
        ({"model": np.zeros((4, 3))}, "model must be"),
        ({"arm": np.array([0, 1])}, "4 rows"),
        ({"propensity": np.array([[0.0, 1.0]] * 4)}, "probability 0"),
    ],
)
def test_impossible_logs_are_refused(changes: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(by_hand(), **changes)  # type: ignore[arg-type]
