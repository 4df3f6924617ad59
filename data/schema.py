"""The canonical tables: column names, dtypes, units and ranges.

Validity by row lives in the schemas; what a table may leave out, and what fills it, in OPTIONAL.
Columns beyond these are ignored, never refused.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

ARM = r"^[^|]+\|[^|]+$"
# what a judge may have said -> the preference that it amounts to
PREFERENCES = {"a": 1.0, "b": 0.0, "tie": 0.5, "both_bad": 0.5}


class Outcomes(dy.Schema):
    """How well one arm answered one prompt."""

    prompt_id = dy.String(nullable=False, min_length=1)
    model = dy.String(nullable=False, min_length=1, regex=r"^[^|]*$")  # arms are `model|tier`
    tier = dy.String(nullable=False, min_length=1)
    quality = dy.Float32(nullable=False, min=0.0, max=1.0, allow_nan=False, allow_inf=False)
    input_tokens = dy.Int32(nullable=True, min=0)
    output_tokens = dy.Int32(nullable=True, min=0)
    cost_usd = dy.Float64(nullable=False, min=0.0, allow_nan=False, allow_inf=False)
    split = dy.String(nullable=True, check=lambda split: split.is_in(["train", "test"]))

    @dy.rule()
    def one_row_per_cell(cls) -> pl.Expr:  # noqa: N805
        """An arm answers a prompt once; of several usable rows the first counts."""
        usable = (
            pl.col("quality").is_between(0.0, 1.0).fill_null(value=False)
            & (pl.col("cost_usd").is_finite() & (pl.col("cost_usd") >= 0)).fill_null(value=False)
            & (pl.col("input_tokens").fill_null(0) >= 0)
            & (pl.col("output_tokens").fill_null(0) >= 0)
            & pl.col("split").fill_null("train").is_in(["train", "test"])
        )
        return _first(usable, "prompt_id", "model", "tier")


class Samples(dy.Schema):
    """One of several answers of one arm to one prompt."""

    prompt_id = dy.String(nullable=False, min_length=1)
    model = dy.String(nullable=False, min_length=1, regex=r"^[^|]*$")
    tier = dy.String(nullable=False, min_length=1)  # at which each single sample was drawn
    sample_no = dy.Int32(nullable=False, min=0)
    round = dy.Int32(nullable=False, min=1)  # 1 is the first answer, 2 its first revision
    quality = dy.Float32(nullable=False, min=0.0, max=1.0, allow_nan=False, allow_inf=False)
    input_tokens = dy.Int32(nullable=False, min=0)
    output_tokens = dy.Int32(nullable=False, min=0)
    verifier_score = dy.Float64(nullable=True, allow_nan=False, allow_inf=False)
    split = dy.String(nullable=True, check=lambda split: split.is_in(["train", "test"]))

    @dy.rule()
    def one_row_per_sample(cls) -> pl.Expr:  # noqa: N805
        """A sample is drawn once; of several usable rows the first counts."""
        usable = pl.col("quality").is_between(0.0, 1.0).fill_null(value=False)
        return _first(usable, "prompt_id", "model", "tier", "sample_no", "round")


class Prompts(dy.Schema):
    """The text of one prompt."""

    prompt_id = dy.String(nullable=False, min_length=1)
    prompt = dy.String(nullable=False, regex=r"\S")
    domain = dy.String(nullable=True)
    split = dy.String(nullable=True, check=lambda split: split.is_in(["train", "test"]))

    @dy.rule()
    def one_row_per_prompt(cls) -> pl.Expr:  # noqa: N805
        """An id names one prompt; of several usable rows the first counts."""
        usable = pl.col("prompt").str.contains(r"\S").fill_null(value=False) & pl.col(
            "split"
        ).fill_null("train").is_in(["train", "test"])
        return _first(usable, "prompt_id")


class Pairs(dy.Schema):
    """Which of two arms' answers to one prompt was preferred, by one judge."""

    prompt_id = dy.String(nullable=False, min_length=1)
    arm_a = dy.String(nullable=False, min_length=1, regex=ARM)  # `model|tier`
    arm_b = dy.String(nullable=False, min_length=1, regex=ARM)
    preference = dy.Float64(nullable=False, min=0.0, max=1.0, allow_nan=False, allow_inf=False)
    outcome = dy.String(nullable=True, check=lambda said: said.is_in(list(PREFERENCES)))
    source = dy.String(nullable=True)  # who judged: people, a model; null is one source
    length_a = dy.Int64(nullable=True, min=0)  # of the answers, characters or tokens
    length_b = dy.Int64(nullable=True, min=0)
    split = dy.String(nullable=True, check=lambda split: split.is_in(["train", "test"]))

    @dy.rule()
    def two_arms(cls) -> pl.Expr:  # noqa: N805
        """An arm has nothing to win against itself."""
        return pl.col("arm_a") != pl.col("arm_b")

    @dy.rule()
    def outcome_agrees(cls) -> pl.Expr:  # noqa: N805
        """Where a winner or a tie is named, the preference must say the same."""
        return _agrees()

    @dy.rule()
    def one_judgement(cls) -> pl.Expr:  # noqa: N805
        """A source judges two answers once in each order; of several usable rows the first counts.

        The other order is a judgement of its own: judges favour sides, and both orders cancel that.
        """
        usable = (
            pl.col("preference").is_between(0.0, 1.0).fill_null(value=False)
            & (pl.col("arm_a") != pl.col("arm_b")).fill_null(value=False)
            & (pl.col("outcome").is_null() | pl.col("outcome").is_in(list(PREFERENCES)))
            & _agrees()
            & (pl.col("length_a").fill_null(0) >= 0)
            & (pl.col("length_b").fill_null(0) >= 0)
            & pl.col("split").fill_null("train").is_in(["train", "test"])
        )
        return _first(usable, "prompt_id", "arm_a", "arm_b", "source")


def _agrees() -> pl.Expr:
    """Whether outcome and preference lean to the same side; true where there is no outcome."""
    said = pl.col("outcome").replace_strict(PREFERENCES, default=None, return_dtype=pl.Float64)
    leans = (pl.col("preference") - 0.5).sign()
    return ((said - 0.5).sign() == leans).fill_null(value=True)


def _first(usable: pl.Expr, *keys: str) -> pl.Expr:
    """False from the second usable row of a key on: an unusable row costs no other its place."""
    return ~usable | pl.struct(*keys, usable.alias("usable")).is_first_distinct()


# what a column holds where a table leaves it out; every other column is needed
OPTIONAL: dict[type[dy.Schema], dict[str, str | int | None]] = {
    Outcomes: {
        "tier": "default",
        "input_tokens": None,
        "output_tokens": None,
        "cost_usd": None,
        "split": None,
    },
    Samples: {"tier": "default", "round": 1, "verifier_score": None, "split": None},
    Prompts: {"domain": None, "split": None},
    Pairs: {"outcome": None, "source": None, "length_a": None, "length_b": None, "split": None},
}

# rule of a schema -> the machine-readable reason that users see
REASONS = {
    "quality|nullability": "missing_quality",
    "quality|min": "quality_out_of_range",
    "quality|max": "quality_out_of_range",
    "quality|nan": "non_finite",
    "quality|inf": "non_finite",
    "cost_usd|nullability": "unpriced",
    "cost_usd|min": "negative_cost",
    "cost_usd|nan": "non_finite",
    "cost_usd|inf": "non_finite",
    "input_tokens|min": "negative_tokens",
    "output_tokens|min": "negative_tokens",
    "split|check": "unknown_split",
    "one_row_per_cell": "duplicate_cell",
    "one_row_per_prompt": "duplicate_prompt_id",
    "one_row_per_sample": "duplicate_sample",
    "two_arms": "same_arm",
    "outcome_agrees": "contradictory_outcome",
    "one_judgement": "duplicate_pair",
    "arm_a|regex": "invalid_arm",
    "arm_b|regex": "invalid_arm",
    "outcome|check": "unknown_outcome",
    "length_a|min": "negative_length",
    "length_b|min": "negative_length",
    "prompt|regex": "empty_prompt",
    "prompt|nullability": "empty_prompt",
    "verifier_score|nan": "non_finite",
    "verifier_score|inf": "non_finite",
    "preference|min": "preference_out_of_range",
    "preference|max": "preference_out_of_range",
    "preference|nullability": "missing_preference",
    "preference|nan": "non_finite",
    "preference|inf": "non_finite",
}


def reason(rule: str) -> str:
    """The reason that a broken rule gives: `missing_<column>` where nothing better is known."""
    column, _, kind = rule.partition("|")
    if rule in REASONS:
        return REASONS[rule]
    return f"missing_{column}" if kind in {"nullability", "min_length"} else f"invalid_{column}"
