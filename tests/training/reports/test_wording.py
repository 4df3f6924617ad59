"""Numbers and names as people read them."""

from __future__ import annotations

import pytest

from training.reports.wording import (
    arm_name,
    excerpt,
    listing,
    money,
    percent,
    signed_percent,
    signed_points,
    span,
    tone,
)


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (0.0, "$0"),
        (0.000054, "$0.0540"),
        (0.00255, "$2.55"),
        (1.2345, "$1,234"),
        (1e-9, "$1.0e-06"),
    ],
)
def test_money_is_per_thousand_requests(usd: float, text: str) -> None:
    assert money(usd) == text


def test_differences_carry_their_sign_and_zero_carries_none() -> None:
    assert [signed_points(x) for x in (0.047, -0.008, -0.00001)] == ["+4.7", "−0.8", "0.0"]
    assert [signed_percent(x) for x in (0.2, -0.5, -0.001)] == ["20%", "−50%", "0%"]


def test_what_does_not_exist_is_a_dash() -> None:
    assert (percent(None), span(None)) == ("–", "–")
    assert percent(-1e-9) == "0.0%"
    assert span([0.1, 0.25]) == "10.0% to 25.0%"


def test_an_arm_is_named_without_the_default_tier() -> None:
    assert arm_name("gpt|default") == "gpt"
    assert arm_name("gpt|high") == "gpt · high"


def test_lists_read_as_a_sentence() -> None:
    assert [listing(x) for x in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        *("", "a", "a and b", "a, b and c")
    ]


@pytest.mark.parametrize(
    ("interval", "word"),
    [([0.1, 0.2], "good"), ([-0.2, -0.1], "bad"), ([-0.1, 0.1], ""), ([-0.1, -1e-17], "")],
)
def test_only_an_interval_clear_of_zero_has_a_tone(interval: list[float], word: str) -> None:
    assert tone(interval) == word


def test_the_start_of_a_text_is_one_line() -> None:
    assert excerpt("one\n two  three") == "one two three"
    assert excerpt("x" * 200, 10) == "x" * 9 + "…"
