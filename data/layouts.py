"""Which columns of a table hold what: long and wide tables of any common naming.

Long: a row per prompt and model. Wide: a row per prompt and a column per model, either of scores
(RouterBench: `MODEL`, `MODEL|total_cost`, `MODEL|model_response`) or of structs (SPROUT: `score`,
`num_input_tokens`, ...), which were taken apart into `MODEL|FIELD` when they were read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from .errors import ColumnError
from .headers import (
    ALIASES,
    HUMP,
    NUMBERS,
    cost_unit,
    find_columns,
    rivals,
    shown,
    unread_costs,
    unused,
)
from .raw import RawTable
from .scale import Range, Scales
from .survey import Survey
from .texts import encoding
from .values import WHOLE, Reading, read_number

LAYOUTS = ("wide", "long", "prompts")
# columns of numbers that describe a prompt or a request; as plain words and as what names end in
NEVER_MODELS = re.compile(
    r"|index|idx|level_\d+|__index_level_\d+__|unnamed.*|row|no|nr|n|(n|num|is|has|max|min)_.*"
    r"|.*_?(ms|secs?|seconds|tokens|chars|words|len|length|count|ids?|usd|cost|price|time|date)"
    r"|latency|duration|difficulty|level|grade_level|year|month|day|turns?|seed|fold|rank|weight"
    r"|temperature|top_[pk]|timestamp|(created|updated|started|ended|finished)(_.*)?|version|run"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a table is read.

    Attributes:
        layout: of LAYOUTS.
        columns: our name -> the table's.
        models: of a wide table, the columns that stand for models; `left`, columns that might have.
        readings: column -> how its numbers are read.
    """

    layout: str
    columns: Mapping[str, str]
    models: tuple[str, ...]
    left: tuple[str, ...]
    readings: Mapping[str, Reading]

    def fields(self, model: str, columns: Collection[str]) -> dict[str, str]:
        """Our name -> the column of what a wide table says of a model, beside its bare score."""
        prefix = f"{model}|"
        return {
            ours: prefix + alias
            for ours in (*NUMBERS, "answer")
            for alias in reversed(ALIASES[ours])
            if prefix + alias in columns
        }


def looks_like_a_table(columns: Sequence[str]) -> bool:
    """Whether columns alone, without their values, may be those of outcomes or of prompts."""
    found = find_columns(columns)
    if "model" in found:
        return "quality" in found and bool({"prompt", "prompt_id"} & found.keys())
    return (
        "prompt" in found and len(set(columns) - set(found.values())) + ("prompt_id" in found) > 0
    )


def understand(
    survey: Survey,
    layout: str = "auto",
    *,
    given: Mapping[str, str] | None = None,
    models: Sequence[str] = (),
    scales: Scales | None = None,
) -> Plan:
    """Say how a table is read.

    Args:
        survey: what its columns hold.
        layout: one of LAYOUTS where it is known, else `auto`.
        given: our name -> the table's, where the user says so.
        models: columns that are models, where the user says so.
        scales: of scores that do not run from 0 to 1.
    Raises:
        ColumnError: it is of no known layout; says what each would need.
    """
    found = find_columns(survey.columns, given)
    known = {*survey.columns, *models_of(survey.columns)}
    named = [name for name in models if name in known]
    wide, left = _wide_models(survey, found, scales or Scales()) if not named else (named, [])
    try:
        chosen = _detect(survey.columns, found, wide, left) if layout == "auto" else layout
    except ColumnError as err:
        slips = [o for o in (given or {}).items() if get_close_matches(o[1], survey.columns)]
        lost = unused(slips, survey.columns, "--column")
        raise ColumnError(f"{lost}; {err}" if lost else str(err)) from err
    if chosen == "wide" and not named:
        _refuse_doubtful(survey, wide, left, scales or Scales())
    _needed(chosen, survey.columns, found, wide)
    return Plan(
        layout=chosen,
        columns=found,
        models=tuple(wide) if chosen == "wide" else (),
        left=tuple(left) if chosen == "wide" else (),
        readings=_readings(survey, found, wide if chosen == "wide" else []),
    )


def models_of(columns: Collection[str]) -> set[str]:
    """The models of which a table has columns `MODEL|FIELD`."""
    return {name.rpartition("|")[0] for name in columns if "|" in name}


def _wide_models(
    survey: Survey, found: Mapping[str, str], scales: Scales
) -> tuple[list[str], list[str]]:
    """The columns that stand for models, and further columns of numbers that might have.

    `NAME|score` where there are any; else columns `NAME` beside `NAME|...`; else columns of which
    most values are scores. So a year or a level beside telling columns is not taken for a model.
    """
    parts = [name.rpartition("|") for name in survey.columns if "|" in name]
    scored = [name for name, _, field in parts if field.lower() in ALIASES["quality"]]
    if scored:
        return list(dict.fromkeys(scored)), []
    free = [n for n in survey.columns if "|" not in n and n not in found.values()]
    suffixed = {name for name, _, _ in parts}
    if suffixed & set(free):
        return [name for name in free if name in suffixed], []
    grades = survey.grades(free)
    models: list[str] = []
    left: list[str] = []
    for name in free:
        seen = survey.seen.get(name)
        if seen is None or not seen.present:
            continue
        reading = survey.reading(name, whole=False, grades=grades)
        count, numbers = seen.readable(reading, scales.of(name))
        if 2 * count <= seen.present:
            continue
        described = NEVER_MODELS.fullmatch(HUMP.sub("_", name).lower()) is not None
        (left if described or numbers.leaves() else models).append(name)
    return models, left


def _refuse_doubtful(
    survey: Survey, models: Sequence[str], left: Sequence[str], scales: Scales
) -> None:
    """Refuse where columns of another scale may be the models' scores after all.

    Raises:
        ColumnError: names them, and the options that settle it.
    """
    off = [n for n in left if NEVER_MODELS.fullmatch(HUMP.sub("_", n).lower()) is None]
    if not off:
        return
    known = [survey.seen[name].numbers for name in models]
    if len(models) > 1 and any(numbers.low < 1 for numbers in known):
        return
    whole = Range()
    for name in off:
        whole += survey.seen[name].numbers
    scale = scales.common or whole.advice()
    raise ColumnError(
        f"{shown(off)}: values run {whole}; give --scale {scale} (worst:best) if they are scores "
        "of models, and --models NAME,NAME to say which columns are"
        + (f"; from 0 to 1 run {shown(models)}" if models else "")
    )


def _detect(
    columns: Sequence[str], found: Mapping[str, str], models: Sequence[str], left: Sequence[str]
) -> str:
    if not columns:
        raise ColumnError("the file holds no row")
    if "model" in found and "quality" in found:
        return "long"
    if "prompt" in found and "model" not in found:
        if (models or left) and "quality" not in found:
            return "wide"
        if not models and "prompt_id" in found:
            return "prompts"
    if "model" in found:
        raise ColumnError(
            f"no column of scores; there are {shown(columns)}; --column quality=NAME says which",
            more=f"found by themselves are {', '.join(ALIASES['quality'])}",
        )
    known = [name if ours == name.lower() else f"{name} as {ours}" for ours, name in found.items()]
    raise ColumnError(
        "neither long (a model and a score column) nor wide (a prompt column and one score column "
        f"per model); of the columns {shown(columns)} were recognised {shown(known) or 'none'}; "
        + (
            "the first line must hold the names of the columns"
            if not found or any(read_number(name) is not None for name in columns)
            else "--column OURS=THEIRS names others"
        )
    )


def _needed(
    layout: str, columns: Sequence[str], found: Mapping[str, str], models: Sequence[str]
) -> None:
    """Raise ColumnError where a table lacks what its layout needs."""
    has = f"it has {shown(columns)}"
    if layout == "long":
        for ours in ("model", "quality"):
            if ours not in found:
                raise ColumnError(
                    f"a long table needs a column of {ours}, by one of the names "
                    f"{', '.join(ALIASES[ours])}; {has}; --column {ours}=NAME names another"
                )
        if "prompt" not in found and "prompt_id" not in found:
            raise ColumnError(f"a long table needs prompts or their ids; {has}")
    if layout == "wide" and ("prompt" not in found or not models):
        raise ColumnError(
            f"a wide table needs a prompt column and at least one column of scores; {has}"
        )


def _readings(
    survey: Survey, found: Mapping[str, str], models: Sequence[str]
) -> dict[str, Reading]:
    """How every column of numbers is read; letters mean the same in all columns of scores."""
    of_models = [(m, column) for m in models for column in survey.columns if column == m]
    fields = {
        column: column.rpartition("|")[2].lower()
        for column in survey.columns
        if column.rpartition("|")[0] in models
    }
    ours = {theirs: name for name, theirs in found.items() if name in NUMBERS}
    ours |= {
        column: name
        for column, field in fields.items()
        for name in NUMBERS
        if field in ALIASES[name]
    }
    ours |= {column: "quality" for _, column in of_models}
    grades = survey.grades([column for column, name in ours.items() if name == "quality"])
    return {
        column: replace(
            survey.reading(
                column, whole=name in WHOLE, grades=grades if name == "quality" else None
            ),
            unit=(cost_unit(column.rpartition("|")[2]) or 1.0) if name == "cost_usd" else 1.0,
        )
        for column, name in ours.items()
    }


def note_of(table: RawTable, survey: Survey, plan: Plan) -> dict[str, Any]:
    """How a table was understood."""
    found: dict[str, Any] = {
        "path": table.path.name,
        "layout": plan.layout,
        "rows": survey.rows,
        "columns": dict(plan.columns),
    }
    if plan.layout == "wide":
        found |= {"models": list(plan.models), "not_models": list(plan.left)}
    windows = table.kind != "parquet" and encoding(table.path).name == "cp1252"
    notes = {
        "encoding": "cp1252" if windows else None,
        "decimal_mark": "," if survey.mark == "," else None,
        "bad_lines": len(table.bad),
        "repeated": table.repeated,
        "rivals": rivals(survey.columns, plan.columns),
        "unread_costs": unread_costs(survey.columns, plan.columns),
        "units": {n: reading.unit for n, reading in plan.readings.items() if reading.unit != 1},
    }
    return found | {name: value for name, value in notes.items() if value}
