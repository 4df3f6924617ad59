"""The canonical tables: column names, dtypes, units and ranges.

Validity by row lives in the schemas; what a table may leave out, and what fills it, in OPTIONAL.
Columns beyond these are ignored, never refused.
"""

from __future__ import annotations

import dataframely as dy
import polars as pl

CELL = ("prompt_id", "model", "tier")
ARM = r"^[^|]+\|[^|]+$"
# what a judge may have said -> the preference that it amounts to
PREFERENCES = {"a": 1.0, "b": 0.0, "tie": 0.5, "both_bad": 0.5}


class Outcomes(dy.Schema):
    """How well one arm answered one prompt."""

    prompt_id = dy.String(nullable=False, min_length=1)
    # arms are `model|tier`; what begins as a list or an object is no name
    model = dy.String(nullable=False, min_length=1, regex=r"^([^|\[{][^|]*)?$")
    tier = dy.String(nullable=False, min_length=1)
    quality = dy.Float32(nullable=False, min=0.0, max=1.0, allow_nan=False, allow_inf=False)
    input_tokens = dy.Int32(nullable=True, min=0)
    output_tokens = dy.Int32(nullable=True, min=0)
    cost_usd = dy.Float64(nullable=False, min=0.0, allow_nan=False, allow_inf=False)
    samples = dy.Int32(nullable=False, min=1)  # answers that quality averages
    run = dy.String(nullable=True)  # which of several runs; null is one of its own
    split = dy.String(nullable=True, check=lambda split: split.is_in(["train", "test"]))


class Averages(Outcomes):
    """The same with what is beside it in tables that were not made of a log."""

    family = dy.String(nullable=True)  # what links snapshots of a model


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


class Prompts(dy.Schema):
    """The text of one prompt."""

    prompt_id = dy.String(nullable=False, min_length=1)
    prompt = dy.String(nullable=False, regex=r"\S")
    domain = dy.String(nullable=True)
    split = dy.String(nullable=True, check=lambda split: split.is_in(["train", "test"]))


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


def _agrees() -> pl.Expr:
    """Whether outcome and preference lean to the same side; true where there is no outcome."""
    said = pl.col("outcome").replace_strict(PREFERENCES, default=None, return_dtype=pl.Float64)
    leans = (pl.col("preference") - 0.5).sign()
    return ((said - 0.5).sign() == leans).fill_null(value=True)


# what tells rows apart, and the reason of a row that repeats a usable one before it; an outcome
# without a `run` repeats none. A judge's two orders of a pair are two judgements: judges favour
# sides, and both orders cancel that.
KEYS: dict[type[dy.Schema], tuple[tuple[str, ...], str]] = {
    Outcomes: ((*CELL, "run"), "duplicate_cell"),
    Averages: ((*CELL, "run"), "duplicate_cell"),
    Samples: ((*CELL, "sample_no", "round"), "duplicate_sample"),
    Prompts: (("prompt_id",), "duplicate_prompt_id"),
    Pairs: (("prompt_id", "arm_a", "arm_b", "source"), "duplicate_pair"),
}

# what a column holds where a table leaves it out; every other column is needed
_OF_OUTCOMES: dict[str, str | int | None] = {
    "tier": "default",
    "input_tokens": None,
    "output_tokens": None,
    "cost_usd": None,
    "samples": 1,
    "run": None,
    "split": None,
}
OPTIONAL: dict[type[dy.Schema], dict[str, str | int | None]] = {
    Outcomes: _OF_OUTCOMES,
    Averages: {**_OF_OUTCOMES, "family": None},
    Samples: {"tier": "default", "round": 1, "verifier_score": None, "split": None},
    Prompts: {"domain": None, "split": None},
    Pairs: {"outcome": None, "source": None, "length_a": None, "length_b": None, "split": None},
}

# rule of a schema -> the machine-readable reason that users see, where its kind does not tell
REASONS = {
    "cost_usd|nullability": "unpriced",
    "cost_usd|min": "negative_cost",
    "input_tokens|min": "negative_tokens",
    "output_tokens|min": "negative_tokens",
    "length_a|min": "negative_length",
    "length_b|min": "negative_length",
    "split|check": "unknown_split",
    "outcome|check": "unknown_outcome",
    "two_arms": "same_arm",
    "outcome_agrees": "contradictory_outcome",
    "arm_a|regex": "invalid_arm",
    "arm_b|regex": "invalid_arm",
    "prompt|regex": "empty_prompt",
    "prompt|nullability": "empty_prompt",
}
KINDS_OF_REASON = {
    "nullability": "missing_{}",
    "min_length": "missing_{}",
    "min": "{}_out_of_range",
    "max": "{}_out_of_range",
    "nan": "non_finite",
    "inf": "non_finite",
}


def reason(rule: str) -> str:
    """The reason that a broken rule gives."""
    column, _, kind = rule.partition("|")
    return REASONS.get(rule) or KINDS_OF_REASON.get(kind, "invalid_{}").format(column)
