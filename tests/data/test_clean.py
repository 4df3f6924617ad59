"""Every row is kept or rejected with a reason; what is missing is never scored."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.clean import REASON, clean_outcomes, clean_pairs, clean_prompts
from data.errors import ColumnError
from data.prices import Price, PriceTable

GOOD = {"prompt_id": "p", "model": "m", "quality": 1.0, "cost_usd": 0.01}
PRICES = PriceTable((Price(model="m", usd_per_1m_input=1.0, usd_per_1m_output=2.0),))


def outcomes(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame([GOOD | {"prompt_id": f"p{i}"} | row for i, row in enumerate(rows)])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"quality": None}, "missing_quality"),
        ({"quality": 1.2}, "quality_out_of_range"),
        ({"quality": -0.1}, "quality_out_of_range"),
        ({"quality": float("nan")}, "non_finite"),
        ({"cost_usd": None}, "unpriced"),
        ({"cost_usd": -1.0}, "negative_cost"),
        ({"cost_usd": float("inf")}, "non_finite"),
        ({"output_tokens": -1}, "negative_tokens"),
        ({"model": None}, "missing_model"),
        ({"prompt_id": ""}, "missing_prompt_id"),
        ({"model": "m|high"}, "invalid_model"),
        ({"split": "valid"}, "unknown_split"),
        ({"quality": None, "cost_usd": None}, "missing_quality"),
    ],
)
def test_a_bad_row_is_rejected_with_its_reason(row: dict[str, object], reason: str) -> None:
    cleaned = clean_outcomes(outcomes(row, {}))
    assert cleaned.counts() == {reason: 1}
    assert cleaned.kept["prompt_id"].to_list() == ["p1"]


def test_a_table_without_optional_columns_gets_nulls_and_the_default_tier() -> None:
    kept = clean_outcomes(outcomes({})).kept
    assert kept.row(0, named=True) == GOOD | {
        "prompt_id": "p0",
        "tier": "default",
        "input_tokens": None,
        "output_tokens": None,
        "samples": 1,
        "run": None,
        "split": None,
    }


def test_the_first_usable_row_of_a_run_counts() -> None:
    same = {"prompt_id": "x", "run": "a"}
    cleaned = clean_outcomes(
        outcomes(same | {"quality": None}, same | {"quality": 0.5}, same | {"quality": 0.9})
    )
    assert cleaned.kept["quality"].to_list() == [0.5]
    assert cleaned.counts() == {"duplicate_cell": 1, "missing_quality": 1}


@pytest.mark.parametrize(
    "bad",
    [
        {"quality": 1.2},
        {"quality": float("nan")},
        {"cost_usd": None},
        {"cost_usd": -1.0},
        {"cost_usd": float("inf")},
        {"output_tokens": -1},
        {"split": "valid"},
    ],
)
def test_a_row_that_is_rejected_costs_no_other_its_place(bad: dict[str, object]) -> None:
    same = {"prompt_id": "x", "quality": 0.5}
    cleaned = clean_outcomes(outcomes(same | bad, same))
    assert cleaned.kept["quality"].to_list() == [0.5]
    assert "duplicate_cell" not in cleaned.counts()


def test_token_counts_of_nan_are_missing() -> None:
    kept = clean_outcomes(outcomes({"input_tokens": float("nan")}, {"input_tokens": 7.0})).kept
    assert kept["input_tokens"].to_list() == [None, 7]


def test_a_missing_cost_is_computed_from_tokens_and_price() -> None:
    row = {"cost_usd": None, "input_tokens": 1000, "output_tokens": 500}
    kept = clean_outcomes(outcomes(row), PRICES).kept
    assert kept["cost_usd"].to_list() == [pytest.approx(0.002)]


def test_a_cost_that_cannot_be_computed_is_unpriced_and_never_free() -> None:
    tokens = {"cost_usd": None, "input_tokens": 1000, "output_tokens": 500}
    rows = [tokens | {"model": "other"}, {"cost_usd": None}]
    assert clean_outcomes(outcomes(*rows), PRICES).counts() == {"unpriced": 2}


def test_a_missing_column_is_named_with_the_nearest_one() -> None:
    with pytest.raises(ColumnError, match=r"lacks 'quality'; .*did you mean 'qualities'"):
        clean_outcomes(outcomes({}).rename({"quality": "qualities"}))


def test_a_column_of_the_wrong_type_is_named() -> None:
    table = outcomes({}).with_columns(quality=pl.lit("good"))
    with pytest.raises(ColumnError, match=r"outcomes.quality holds 'good', where numbers"):
        clean_outcomes(table)


def test_prompts_need_text_and_an_id_of_their_own() -> None:
    table = pl.DataFrame(
        {"prompt_id": ["a", "a", "b", "c"], "prompt": ["x", "y", " \n", None]},
    )
    assert clean_prompts(table).counts() == {"duplicate_prompt_id": 1, "empty_prompt": 2}


def test_a_blank_prompt_costs_no_other_its_id() -> None:
    cleaned = clean_prompts(pl.DataFrame({"prompt_id": ["a", "a"], "prompt": [" ", "text"]}))
    assert cleaned.kept["prompt"].to_list() == ["text"]
    assert cleaned.counts() == {"empty_prompt": 1}


def test_an_arm_does_not_battle_itself() -> None:
    table = pl.DataFrame(
        {"prompt_id": ["a"], "arm_a": ["m|d"], "arm_b": ["m|d"], "preference": [0.5]}
    )
    assert clean_pairs(table).counts() == {"same_arm": 1}


def test_a_preference_is_a_probability() -> None:
    table = pl.DataFrame(
        {
            "prompt_id": ["a"] * 3,
            "arm_a": ["m|d"] * 3,
            "arm_b": ["n|d"] * 3,
            "preference": [0.5, 2.0, None],
        }
    )
    assert clean_pairs(table).counts() == {"missing_preference": 1, "preference_out_of_range": 1}


FIGHT = {"prompt_id": "p", "arm_a": "m|d", "arm_b": "n|d", "preference": 1.0}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"arm_a": "m|"}, "invalid_arm"),
        ({"arm_b": "m|d|e"}, "invalid_arm"),
        ({"arm_a": None}, "missing_arm_a"),
        ({"outcome": "draw"}, "unknown_outcome"),
        ({"outcome": "b"}, "contradictory_outcome"),
        ({"outcome": "both_bad"}, "contradictory_outcome"),
        ({"length_b": -1}, "negative_length"),
        ({"split": "valid"}, "unknown_split"),
        ({"arm_b": "m|d", "preference": 2.0}, "preference_out_of_range"),
    ],
)
def test_a_bad_battle_is_rejected_with_its_reason(row: dict[str, object], reason: str) -> None:
    cleaned = clean_pairs(pl.DataFrame([FIGHT | row, FIGHT]))
    assert cleaned.counts() == {reason: 1}
    assert cleaned.kept["prompt_id"].to_list() == ["p"], "the good row keeps its place"


def test_a_named_outcome_stands_for_a_preference_and_a_bare_model_for_its_default_tier() -> None:
    said = ["a", "b", "tie", "both_bad"]
    table = pl.DataFrame(
        {"prompt_id": list("pqrs"), "arm_a": "m", "arm_b": "n|low", "outcome": said, "judge": "me"}
    )
    kept = clean_pairs(table).kept
    assert kept["preference"].to_list() == [1.0, 0.0, 0.5, 0.5]
    assert kept.select("arm_a", "arm_b", "source").row(0) == ("m|default", "n|low", "me")


def test_a_source_judges_two_answers_once_in_each_order() -> None:
    rows = [
        FIGHT,
        FIGHT | {"preference": 0.0},
        FIGHT | {"arm_a": "n|d", "arm_b": "m|d"},
        FIGHT | {"source": "someone else"},
    ]
    cleaned = clean_pairs(pl.DataFrame(rows))
    assert cleaned.counts() == {"duplicate_pair": 1}
    assert cleaned.kept["preference"].to_list() == [1.0, 1.0, 1.0]


cells = st.fixed_dictionaries(
    {
        "prompt_id": st.sampled_from(["a", "b", ""]),
        "model": st.sampled_from(["m", "n", None]),
        "quality": st.one_of(st.none(), st.floats(-1, 2), st.just(float("nan"))),
        "cost_usd": st.one_of(st.none(), st.floats(-1, 2)),
    }
)
TYPES = {"prompt_id": pl.String, "model": pl.String, "quality": pl.Float64, "cost_usd": pl.Float64}


@given(st.lists(cells, max_size=12))
def test_no_row_is_lost_and_none_is_invented(rows: list[dict[str, object]]) -> None:
    cleaned = clean_outcomes(pl.DataFrame(rows, schema=TYPES))
    assert cleaned.kept.height + cleaned.rejected.height == len(rows)
    assert cleaned.rejected[REASON].null_count() == 0
    assert cleaned.kept["quality"].is_between(0, 1).all()
