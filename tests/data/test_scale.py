"""Scales are told from all values of a column; nothing of one is kept as a quality."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import ColumnError
from data.scale import Judge, Range, Scale, Scales

SCALES = st.sampled_from([(1, 5), (0, 5), (1, 10), (0, 10), (0, 100), (1, 7), (-1, 1), (0, 3)])


def column(*values: float) -> pl.Series:
    return pl.Series("quality", values, pl.Float64)


def none(values: pl.Series) -> pl.Series:
    return pl.repeat(False, len(values), dtype=pl.Boolean, eager=True)


@given(SCALES, st.lists(st.floats(0, 1), min_size=6, max_size=40), st.booleans())
def test_a_used_scale_is_refused_and_a_given_one_applied(
    ends: tuple[int, int], shares: list[float], whole: bool
) -> None:
    low, high = ends
    raw = [low, high, high, *(low + share * (high - low) for share in shares)]
    raw += [low + 0.75 * (high - low)] * (len(shares) // 4)
    values = column(*(round(v) if whole else v for v in raw))
    outside = sum(not 0 <= v <= 1 for v in values) / len(values)
    judge = Judge()
    judge.quality("quality", values, none(values))
    if outside > 0.2:
        with pytest.raises(ColumnError, match="values run .*; give --scale"):
            judge.refuse("t.csv")
    given_scale = Judge(Scales(Scale(low, high)))
    found = given_scale.quality("quality", values, none(values))
    given_scale.refuse("t.csv")
    assert found.is_between(0, 1).all()
    assert (found[0], found[1]) == (0, 1)


@given(st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=1, max_size=60))
def test_scores_from_0_to_1_are_never_refused(scores: list[float]) -> None:
    judge = Judge()
    values = column(*scores)
    assert judge.quality("quality", values, none(values)).to_list() == scores
    judge.refuse("t.csv")


@pytest.mark.parametrize(
    ("values", "leaves"),
    [
        ([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2], True),  # ratings of weak models: no 0 anywhere
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1], True),
        ([0, 1] * 50 + [2, 3, 4], True),
        ([0, 1] * 50 + [2], False),
        ([0.5, 0.7, 1.0, 0.1, 1.2], False),
        ([0.5, 0.7, 1.2], True),
        ([8], True),
        ([], False),
    ],
)
def test_the_whole_column_decides(values: list[float], leaves: bool) -> None:
    found = Range()
    found.add(column(*values))
    assert found.leaves() is leaves
    halves = Range()
    for half in (values[::2], values[1::2]):
        part = Range()
        part.add(column(*half))
        halves += part
    assert halves == found


@pytest.mark.parametrize(
    ("low", "high", "advice"),
    [(1, 5, "1:5"), (0, 87.5, "0:100"), (2, 9, "1:10"), (-1, 0.5, "-1:1"), (1, 2, "1:2")],
)
def test_the_advice_is_a_scale_that_people_use(low: float, high: float, advice: str) -> None:
    found = Range()
    found.add(column(low, high))
    assert str(found.advice()) == advice


def test_grades_and_percents_say_by_themselves_what_they_are() -> None:
    values = column(3.0, 1.0)
    declared = pl.Series([False, True])
    scaled = Judge(Scales.parse(["1:5"])).quality("quality", values, declared)
    assert scaled.to_list() == [0.5, 1.0]


def test_a_named_column_has_a_scale_of_its_own() -> None:
    scales = Scales.parse(["1:5", "a=b=0:10"])
    assert scales.of("a=b") == Scale(0, 10)
    assert scales.of("quality") == Scale(1, 5)
    assert Scales.parse(["helpful=-1:1"]).of("quality") is None
