"""Bring long and wide tables of any common naming into one shape: a row per prompt and arm.

Long: a row per prompt and model. Wide: a row per prompt and a column per model, either of scores
(RouterBench: `MODEL`, `MODEL|total_cost`, `MODEL|model_response`) or of structs (SPROUT: `score`,
`num_input_tokens`, ...). A value that cannot be read is null, and the row's `fault` says so.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from contextlib import suppress
from difflib import get_close_matches

import polars as pl

from .errors import ColumnError

# our name -> the names by which it goes elsewhere, the likeliest first
ALIASES: dict[str, tuple[str, ...]] = {
    "prompt_id": ("prompt_id", "sample_id", "question_id", "query_id", "example_id", "id"),
    "prompt": ("prompt", "query", "question", "instruction", "input", "text", "messages"),
    "model": ("model", "model_name", "model_id", "llm"),
    "tier": ("tier", "reasoning_effort", "effort"),
    "quality": ("quality", "score", "performance", "correct", "is_correct", "label"),
    "input_tokens": ("input_tokens", "prompt_tokens", "num_input_tokens", "tokens_in"),
    "output_tokens": ("output_tokens", "completion_tokens", "num_output_tokens", "tokens_out"),
    "cost_usd": ("cost_usd", "cost", "total_cost", "price_usd"),
    "domain": ("domain", "eval_name", "task", "category", "subject", "dataset"),
    "split": ("split",),
}
NUMBERS: dict[str, type[pl.DataType]] = {
    "quality": pl.Float64,
    "input_tokens": pl.Int32,
    "output_tokens": pl.Int32,
    "cost_usd": pl.Float64,
}
TEXTS = ("prompt", "prompt_id", "model", "tier", "domain", "split")
ABOUT_PROMPT = ("prompt", "prompt_id", "domain", "split")
RESPONSES = ("model_response", "response")
CHARS_PER_TOKEN = 4
NEVER_MODELS = ("index", "idx", "level_0", "__index_level_0__", "n_chars", "unnamed: 0", "")
TEXT_PARTS = ("text", "input_text", "output_text", "message")  # of chat messages' parts
LAYOUTS = ("wide", "long", "prompts")


def find_columns(table: pl.DataFrame, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our name -> the table's, for those that it has; names given by the user come first.

    Raises:
        ColumnError: a given name is none of ours, or the table has no such column.
    """
    plain = {name.lower(): name for name in reversed(table.columns)}
    found = {}
    for ours, aliases in ALIASES.items():
        near = next((plain[alias] for alias in aliases if alias in plain), None)
        if near is not None:
            found[ours] = near
    for ours, theirs in (given or {}).items():
        if ours not in ALIASES:
            raise ColumnError(f"{ours!r} is no column of ours; those are {', '.join(ALIASES)}")
        if theirs not in table.columns:
            near_names = get_close_matches(theirs, table.columns, n=3, cutoff=0.4)
            raise ColumnError(f"no column {theirs!r} for {ours}; the nearest are {near_names}")
        found[ours] = theirs
    return found


def wide_models(table: pl.DataFrame, found: Mapping[str, str]) -> list[str]:
    """The columns that stand for models.

    Structs with a score where there are any; else columns `NAME` beside `NAME|...`; else numbers.
    So a year or a level beside telling columns is not taken for a model.
    """
    known = {name for name in table.columns if "|" in name or name.lower() in NEVER_MODELS}
    free = {n: kind for n, kind in table.schema.items() if n not in known | set(found.values())}
    suffixed = {name.rpartition("|")[0] for name in table.columns if "|" in name}
    return (
        [name for name, kind in free.items() if _holds_score(kind)]
        or [name for name in free if name in suffixed]
        or [name for name, kind in free.items() if kind.is_numeric() or kind == pl.Boolean]
    )


def _holds_score(kind: pl.DataType) -> bool:
    if not isinstance(kind, pl.Struct):
        return False
    return any(field.name in ALIASES["quality"] for field in kind.fields)


def detect(table: pl.DataFrame, found: Mapping[str, str]) -> str:
    """`long`, `wide` or `prompts`, by the columns.

    Raises:
        ColumnError: the table is none of them; says what each would need.
    """
    if "model" in found and "quality" in found:
        return "long"
    models = wide_models(table, found)
    if "prompt" in found and "model" not in found:
        if models and "quality" not in found:
            return "wide"
        if not models and "prompt_id" in found:
            return "prompts"
    raise ColumnError(
        "neither long (a model and a score column) nor wide (a prompt column and one score column "
        f"per model); the columns are {table.columns}, of which were recognised {dict(found)}"
    )


def from_long(table: pl.DataFrame, found: Mapping[str, str]) -> pl.DataFrame:
    """A row per row of the table.

    Raises:
        ColumnError: no model, no score, or nothing that tells prompts apart.
    """
    for ours in ("model", "quality"):
        if ours not in found:
            raise ColumnError(
                f"a long table needs a column of {ours}, by one of the names "
                f"{', '.join(ALIASES[ours])}; it has {table.columns}"
            )
    if "prompt" not in found and "prompt_id" not in found:
        raise ColumnError(f"a long table needs prompts or their ids; it has {table.columns}")
    own = {ours: pl.col(theirs) for ours, theirs in found.items()}
    return _standard(_with_text(table, found, lists=False), own, keep_id=_own_ids(found))


def from_wide(table: pl.DataFrame, found: Mapping[str, str]) -> pl.DataFrame:
    """A row per row of the table and model.

    Raises:
        ColumnError: no prompts, or no column that could stand for a model.
    """
    models = wide_models(table, found)
    if "prompt" not in found or not models:
        raise ColumnError(
            "a wide table needs a prompt column and at least one column of scores; "
            f"it has {table.columns}"
        )
    table = _with_text(table, found, lists=True)
    shared = {name: pl.col(found[name]) for name in ABOUT_PROMPT if name in found}
    parts = []
    for model in models:
        own = shared | {"model": pl.lit(model)} | _answer(table, model)
        parts.append(_standard(table, own, keep_id=_own_ids(found)))
    return pl.concat(parts)


def from_records(records: Mapping[str, list[str | None]]) -> pl.DataFrame:
    """A row per record, whose values are all texts and whose ids are good in any file.

    Args:
        records: our columns, `answer` (output tokens are estimated from it where they are null)
            and `fault` (why a record cannot be used, where its format knows).
    """
    table = pl.DataFrame(records, schema=dict.fromkeys(records, pl.String))
    own = {name: pl.col(name) for name in (*TEXTS, *NUMBERS)}
    for tokens, counted in (("input_tokens", "prompt"), ("output_tokens", "answer")):
        own[tokens] = pl.coalesce(tokens, _tokens(pl.col(counted)).cast(pl.String))
    guessed = pl.any_horizontal(
        pl.col(tokens).is_null() & pl.col(counted).is_not_null()
        for tokens, counted in (("input_tokens", "prompt"), ("output_tokens", "answer"))
    )
    own["estimated"] = guessed
    rows = _standard(table, own, keep_id=True)
    return rows.with_columns(fault=pl.coalesce(table["fault"], pl.col("fault")))


def from_prompts(table: pl.DataFrame, found: Mapping[str, str]) -> pl.DataFrame:
    """A row per prompt: prompt, prompt_id, domain, split."""
    own = {name: pl.col(found[name]) for name in ABOUT_PROMPT if name in found}
    table = _with_text(table, found, lists=False)
    return table.select(own.get(n, pl.lit(None)).cast(pl.String).alias(n) for n in ABOUT_PROMPT)


def _answer(table: pl.DataFrame, model: str) -> dict[str, pl.Expr]:
    """Where a wide table keeps what it knows about one model's answers."""
    kind = table.schema[model]
    if isinstance(kind, pl.Struct):
        names = {field.name: pl.col(model).struct.field(field.name) for field in kind.fields}
    else:
        prefix = f"{model}|"
        cut = len(prefix)
        names = {name[cut:]: pl.col(name) for name in table.columns if name.startswith(prefix)}
        names["quality"] = pl.col(model)
    found = {
        ours: names[alias]
        for ours in NUMBERS
        for alias in reversed(ALIASES[ours])
        if alias in names
    }
    response = next((names[name] for name in RESPONSES if name in names), None)
    if response is not None and "output_tokens" not in found:
        found["output_tokens"] = _tokens(response.cast(pl.String))
        found["estimated"] = response.is_not_null()
    return found


def _tokens(written: pl.Expr) -> pl.Expr:
    """About how many tokens a text has, at least 1."""
    return (written.str.len_chars() / CHARS_PER_TOKEN).round().clip(1)


def _own_ids(found: Mapping[str, str]) -> bool:
    """Whether ids are kept: those of other names are only good in their file, the text decides."""
    return found.get("prompt_id") == "prompt_id" or "prompt" not in found


def _standard(table: pl.DataFrame, own: Mapping[str, pl.Expr], *, keep_id: bool) -> pl.DataFrame:
    """Our columns in our types, and `fault` and `estimated`.

    These are the first value that could not be read, and whether a text was counted for tokens.
    """
    texts = [own.get(n, pl.lit(None)).cast(pl.String).alias(n) for n in TEXTS]
    raw = {name: own[name] for name in NUMBERS if name in own}
    # a table read without types may hold numbers as text, and pandas writes missing as NaN
    numbers = {
        name: _number(raw[name], kind) if name in raw else pl.lit(None, kind())
        for name, kind in NUMBERS.items()
    }
    lost = [
        pl.when(_present(raw[name]) & numbers[name].is_null()).then(pl.lit(f"unreadable_{name}"))
        for name in raw
    ]
    fault = pl.coalesce([*lost, pl.lit(None, pl.String)])
    guessed = own.get("estimated", pl.lit(value=False))
    return table.select(
        *texts,
        *(expr.alias(name) for name, expr in numbers.items()),
        fault.alias("fault"),
        guessed.alias("estimated"),
    ).with_columns(
        prompt_id=pl.when(pl.lit(keep_id)).then("prompt_id"),
        tier=pl.col("tier").fill_null("default"),
    )


def _number(value: pl.Expr, kind: type[pl.DataType]) -> pl.Expr:
    return value.cast(pl.Float64, strict=False).fill_nan(None).cast(kind, strict=False)


def _present(value: pl.Expr) -> pl.Expr:
    """Whether the table says anything: not null, not blank, not the word for a missing number."""
    said = value.cast(pl.String).str.strip_chars().str.to_lowercase()
    return value.is_not_null() & ~said.is_in(["", "nan", "null", "none"])


def _with_text(table: pl.DataFrame, found: Mapping[str, str], *, lists: bool) -> pl.DataFrame:
    """The prompt column as plain text; chats become their messages' texts, one after another."""
    if "prompt" not in found:
        return table
    column = table[found["prompt"]]
    if column.dtype == pl.String and not lists:
        return table
    texts = [prompt_text(value, lists=lists) for value in column.to_list()]
    return table.with_columns(pl.Series(column.name, texts, pl.String))


def prompt_text(value: object, *, lists: bool) -> str | None:
    """A prompt's text from a text, a list of texts, chat messages, or (`lists`) such in quotes."""
    if isinstance(value, str):
        shown = value.strip()
        if lists and shown.startswith(("['", '["', "[{")) and shown.endswith("]"):
            for read in (json.loads, ast.literal_eval):
                with suppress(ValueError, SyntaxError):  # it merely looks like a list
                    return prompt_text(read(shown), lists=False)
        return value
    if isinstance(value, dict):
        if value.get("type", "text") not in TEXT_PARTS:
            return None  # an image, a tool call or a thought is no text of the prompt
        inner = (value[key] for key in ("content", "parts", "text") if key in value)
        return prompt_text(next(inner, None), lists=False)
    if isinstance(value, list):
        parts = [prompt_text(part, lists=False) for part in value]
        return "\n".join(part for part in parts if part)
    return None if value is None else str(value)
