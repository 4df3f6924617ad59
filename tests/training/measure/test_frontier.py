"""Frontiers worked out by hand, and the laws of the hull."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.measure.frontier import Frontier, interpolate, joined_frontier, upper_hull

UNIT = st.floats(0, 1, allow_nan=False, width=32)
POINTS = st.lists(st.tuples(UNIT, UNIT), min_size=1, max_size=30)


def hull(*points: tuple[float, float]) -> Frontier:
    cost, quality = np.array(points, dtype=np.float64).T
    return upper_hull(cost, quality)


def test_points_under_a_chord_and_points_worse_than_cheaper_ones_are_no_vertices() -> None:
    found = hull((1, 0.2), (2, 0.3), (3, 0.8), (4, 0.7))
    assert found.cost_usd.tolist() == [1, 3]
    assert found.quality.tolist() == [0.2, 0.8]


def test_of_points_with_one_cost_the_best_stays() -> None:
    found = hull((1, 0.2), (1, 0.5), (1, 0.4))
    assert (found.cost_usd.tolist(), found.quality.tolist()) == ([1], [0.5])


def test_aiq_is_the_area_that_the_eye_sees() -> None:
    # A ramp from 0 to 1 over [0, 2], then flat up to 4: half of the first half, all of the second.
    assert hull((0, 0), (2, 1)).mean_over(0, 4) == pytest.approx(0.75)


def test_aiq_clips_what_lies_outside_the_interval() -> None:
    assert hull((0, 0), (4, 1)).mean_over(1, 2) == pytest.approx(0.375)


def test_aiq_of_an_interval_without_width_is_the_quality_there() -> None:
    assert hull((0, 0), (2, 1)).mean_over(1, 1) == pytest.approx(0.5)


def test_aiq_refuses_an_interval_that_starts_before_the_frontier() -> None:
    with pytest.raises(ValueError, match=r"starts at \$2, right of \$1"):
        hull((2, 0.5), (3, 0.6)).mean_over(1, 3)


def test_aiq_refuses_a_reversed_interval() -> None:
    with pytest.raises(ValueError, match="reversed"):
        hull((1, 0.5)).mean_over(3, 1)


def test_a_frontier_does_not_exist_left_of_its_start_and_stays_flat_at_its_end() -> None:
    quality = hull((1, 0.2), (3, 0.8)).quality_at(np.array([0.5, 1, 2, 9]))
    assert np.isnan(quality[0])
    assert quality[1:].tolist() == pytest.approx([0.2, 0.5, 0.8])


@pytest.mark.parametrize(("quality", "cost"), [(0.1, 1.0), (0.2, 1.0), (0.5, 2.0), (0.8, 3.0)])
def test_the_least_cost_of_a_quality_is_read_off_the_hull(quality: float, cost: float) -> None:
    assert hull((1, 0.2), (3, 0.8)).cost_at(quality) == pytest.approx(cost)


def test_a_quality_above_the_hull_has_no_cost() -> None:
    assert np.isnan(hull((1, 0.2), (3, 0.8)).cost_at(0.81))


def test_a_method_that_starts_dear_is_joined_by_the_cheapest_arm() -> None:
    found = joined_frontier(hull((3.0, 0.8)), 1.0, 0.2)
    assert found.cost_usd.tolist() == [1, 3]
    assert found.mean_over(1, 5) == pytest.approx((0.5 + 0.8) / 2)


def test_a_method_that_starts_cheap_is_left_alone() -> None:
    found = joined_frontier(hull((0.5, 0.1)), 1.0, 0.2)
    assert found.quality.tolist() == [0.1]


@given(POINTS)
def test_the_hull_rises_and_bends_down_only(points: list[tuple[float, float]]) -> None:
    found = hull(*points)
    cost, quality = np.diff(found.cost_usd), np.diff(found.quality)
    assert (cost > 0).all()
    assert (quality > 0).all()
    assert (quality[1:] * cost[:-1] <= quality[:-1] * cost[1:]).all()


@given(POINTS)
def test_no_point_lies_above_the_hull(points: list[tuple[float, float]]) -> None:
    cost, quality = np.array(points, dtype=np.float64).T
    assert (upper_hull(cost, quality).quality_at(cost) >= quality - 1e-9).all()


@given(st.lists(POINTS, min_size=1, max_size=4))
def test_many_hulls_at_once_are_the_hulls_one_by_one(sets: list[list[tuple[float, float]]]) -> None:
    points = np.array([np.resize(np.array(points), (30, 2)) for points in sets])
    together = upper_hull(points[..., 0], points[..., 1])
    goals = np.linspace(0, 1, 7)
    for i, (cost, quality) in enumerate(np.moveaxis(points, 2, 1)):
        alone, row = upper_hull(cost, quality), together.row(i)
        assert row.cost_usd.tolist() == alone.cost_usd.tolist()
        assert row.quality.tolist() == alone.quality.tolist()
        at = together.quality_at(goals)[i]
        assert at == pytest.approx(alone.quality_at(goals), nan_ok=True)
        for goal in goals:
            costs = together.cost_at(np.full(len(sets), goal))
            assert costs[i] == pytest.approx(alone.cost_at(goal), nan_ok=True)


@given(POINTS, st.lists(UNIT, min_size=1, max_size=5))
def test_interpolation_is_numpys(points: list[tuple[float, float]], at: list[float]) -> None:
    x, index = np.unique([x for x, _ in points], return_index=True)
    y = np.array([y for _, y in points])[index]
    assert interpolate(x, y, np.array(at)) == pytest.approx(np.interp(at, x, y))


@given(POINTS)
def test_every_vertex_is_one_of_the_points(points: list[tuple[float, float]]) -> None:
    found = hull(*points)
    assert set(zip(found.cost_usd, found.quality, strict=True)) <= set(points)


@given(POINTS, st.tuples(UNIT, UNIT))
def test_one_more_point_never_lowers_the_aiq(
    points: list[tuple[float, float]], more: tuple[float, float]
) -> None:
    start = (0.0, 0.0)
    assert hull(start, *points, more).mean_over(0, 1) >= hull(start, *points).mean_over(0, 1) - 1e-9
