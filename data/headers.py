"""Which column is which by its name alone, however people write it.

`Prompt Text`, `promptText` and `prompt_text` are one name; `gpt-4o_score` beside `gpt-4o_cost` says
what a wide table says of a model; `cost_cents` is a cost in cents.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches

from .errors import ColumnError

# our name -> the names by which it goes elsewhere, the likeliest first
ALIASES: dict[str, tuple[str, ...]] = {
    "prompt_id": ("prompt_id", "sample_id", "question_id", "query_id", "example_id", "id"),
    "prompt": (
        "prompt",
        "query",
        "question",
        "instruction",
        "input",
        "text",
        "messages",
        "prompt_text",
    ),
    "model": ("model", "model_name", "model_id", "llm"),
    "tier": ("tier", "reasoning_effort", "effort"),
    "quality": (
        "quality",
        "score",
        "performance",
        "correct",
        "is_correct",
        "label",
        "passed",
        "accuracy",
        "rating",
        "grade",
    ),
    "input_tokens": ("input_tokens", "prompt_tokens", "num_input_tokens", "tokens_in"),
    "output_tokens": ("output_tokens", "completion_tokens", "num_output_tokens", "tokens_out"),
    "cost_usd": ("cost_usd", "cost", "total_cost", "total_cost_usd", "price_usd"),
    "domain": ("domain", "eval_name", "task", "category", "subject", "dataset"),
    "split": ("split",),
    "samples": ("samples", "n_samples", "num_samples"),
    "run": ("run", "run_id", "sample_no", "epoch", "attempt", "trial"),
    # of the model: `answer` is as often what it should have said, and is taken only when named
    "answer": ("response", "model_response", "completion", "generation", "model_output", "output"),
}
NUMBERS = ("quality", "input_tokens", "output_tokens", "cost_usd", "samples")
TEXTS = ("prompt", "prompt_id", "model", "tier", "domain", "run", "split")
ABOUT_PROMPT = ("prompt", "prompt_id", "domain", "split")
OF_TEXT = frozenset(name for ours in (*TEXTS, "answer") for name in ALIASES[ours])
HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
COSTS = frozenset({"cost", "total_cost", "request_cost", "spend"})  # and the unit that they are in
DOLLARS = frozenset({"in", "us", "usd", "dollar", "dollars"})
UNITS = {
    "cent": 1e-2, "cents": 1e-2, "mills": 1e-3, "milliusd": 1e-3, "millidollars": 1e-3,
    "micro": 1e-6, "micros": 1e-6, "microusd": 1e-6, "microdollar": 1e-6, "microdollars": 1e-6,
}  # fmt: skip
PER_TOKEN = re.compile(r".*per_(\d*_?[km]?_?)?(1000|thousand|million|tokens?|1k|1m|mtok)(_.*)?")
_FIELDS = "|".join(
    sorted((re.escape(n) for o in (*NUMBERS, "answer") for n in ALIASES[o]), key=len, reverse=True)
)
_AFFIXES = (  # what a wide table says of a model, behind its name or before it
    re.compile(rf"(?P<model>.+?)[_.:/ -]+(?P<field>{_FIELDS})", re.IGNORECASE),
    re.compile(rf"(?P<field>{_FIELDS})[_.:/ -]+(?P<model>.+)", re.IGNORECASE),
)


def plain_name(name: str) -> str:
    """A column's name in lower case with `_` between its words; parts of a model's keep their `|`.

    >>> plain_name("Prompt ID"), plain_name("modelName"), plain_name("Cost (USD)")
    ('prompt_id', 'model_name', 'cost_usd')
    """
    if "|" in name:
        return name.lower()
    return re.sub(r"\W+|_+", "_", HUMP.sub("_", name).lower()).strip("_")


def cost_unit(name: str) -> float | None:
    """Dollars for 1 of a column that is a cost by its name; null for one that is none.

    >>> cost_unit("cost (cents)"), cost_unit("Total Cost USD"), cost_unit("cost_per_1k")
    (0.01, 1.0, None)
    """
    words = plain_name(name).replace("micro_", "micro").replace("milli_", "milli").split("_")
    units = [UNITS[word] for word in words if word in UNITS]
    base = "_".join(word for word in words if word not in UNITS and word not in DOLLARS)
    return (units or [1.0])[0] if base in COSTS and len(units) < 2 else None


def find_columns(columns: Sequence[str], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our name -> the table's, for those that it has; names given by the user come first.

    Raises:
        ColumnError: a given name is none of ours, or a price of tokens is called a cost.
    """
    plain = {plain_name(name): name for name in reversed(columns)}
    found = {}
    for ours, aliases in ALIASES.items():
        near = next((plain[alias] for alias in aliases if alias in plain), None)
        if near is not None:
            found[ours] = near
    costs = [name for name in columns if cost_unit(name) is not None]
    if costs:
        found.setdefault("cost_usd", costs[0])
    if "model" in found:
        found |= _nested(columns, found)
    for ours, theirs in (given or {}).items():
        _refuse_given(ours, theirs)
        if theirs in columns:
            found = {name: column for name, column in found.items() if column != theirs}
            found[ours] = theirs
    return found


def _refuse_given(ours: str, theirs: str) -> None:
    if ours not in ALIASES:
        raise ColumnError(f"{ours!r} is no column of ours; those are {', '.join(ALIASES)}")
    if ours == "cost_usd" and PER_TOKEN.fullmatch(plain_name(theirs)):
        raise ColumnError(
            f"{theirs} is a price of tokens by its name, and cost_usd is what a request cost: "
            "give prices with --prices FILE"
        )


def _nested(columns: Sequence[str], found: Mapping[str, str]) -> dict[str, str]:
    """Our numbers inside of objects, such as `usage|prompt_tokens`, where there is one of each."""
    inner = {}
    for ours in NUMBERS:
        values = {f"{alias}|{field}" for alias in ALIASES[ours] for field in ("value", "score")}
        near = [
            name
            for name in columns
            if "|" in name
            and (plain_name(name) in values or name.rpartition("|")[2].lower() in ALIASES[ours])
        ]
        if ours not in found and len(near) == 1:
            inner[ours] = near[0]
    return inner


def rivals(columns: Sequence[str], found: Mapping[str, str]) -> dict[str, list[str]]:
    """Our name -> columns that might have been meant beside the one that is read."""
    taken = set(found.values())
    return {
        ours: near
        for ours in ("prompt", "quality", "cost_usd")
        if ours in found
        and (near := [n for n in columns if n not in taken and plain_name(n) in ALIASES[ours]])
    }


def unread_costs(columns: Sequence[str], found: Mapping[str, str]) -> list[str]:
    """Columns that speak of money and are not read."""
    return [
        name
        for name in columns
        if name not in found.values()
        and {"cost", "costs", "price", "spend"} & set(re.split(r"[_|]", plain_name(name)))
    ]


def parted(columns: Sequence[str], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Columns `MODEL_score`, `cost of MODEL` and the like -> `MODEL|FIELD`, where a table has such.

    >>> parted(["prompt", "o3_score", "o3_cost"])
    {'o3_score': 'o3|score', 'o3_cost': 'o3|cost'}
    >>> parted(["prompt", "model", "human_score", "human_cost"]), parted(["prompt", "a", "b"])
    ({}, {})
    """
    found = find_columns(columns, given)
    if "prompt" not in found or "model" in found:
        return {}
    free = [name for name in columns if name not in found.values() and "|" not in name]
    for affix in _AFFIXES:
        hits = {name: hit for name in free if (hit := affix.fullmatch(name)) is not None}
        fields: dict[str, set[str]] = {name: {"score"} for name in free if name not in hits}
        scored = set()
        for hit in hits.values():
            field = plain_name(hit["field"])
            fields.setdefault(hit["model"], set()).add(field)
            if field in ALIASES["quality"]:
                scored.add(hit["model"])
        models = scored | {m for m, said in fields.items() if m in free and len(said) > 1}
        if len(models) > 1 or any(len(fields[model]) > 1 for model in models):
            return {
                name: f"{hit['model']}|{plain_name(hit['field'])}"
                for name, hit in hits.items()
                if hit["model"] in models
            }
    return {}


def unused(
    asked: Iterable[tuple[str, str]], columns: Collection[str], option: str
) -> ColumnError | None:
    """The error of a named column that no file has, with the nearest; null where all are there."""
    for what, name in asked:
        if name not in columns:
            near = get_close_matches(name, sorted(columns), n=3, cutoff=0.4)
            hint = f"the nearest are {', '.join(near)}" if near else f"there are {shown(columns)}"
            return ColumnError(f"no column {name!r} for {what}; {hint} ({option})")
    return None


def shown(names: Iterable[str], most: int = 12) -> str:
    """Some names for an error, not hundreds."""
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
