"""All formats by name, and which of them a file has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import FormatError
from ..layouts import LAYOUTS, looks_like_a_table
from ..raw import json_rows, unknown_kind
from . import (
    alpaca_eval,
    arena_hard,
    battles,
    braintrust,
    compendium,
    deepeval,
    embedllm,
    helicone,
    helm,
    inspect_log,
    langfuse,
    langsmith,
    litellm,
    llmrouterbench,
    lm_eval,
    mt_bench,
    openai_evals,
    openai_evals_api,
    openrouter,
    otel,
    promptfoo,
    ragas,
    weave,
)
from .base import Format
from .fields import has
from .files import Head, head, kind_of

# in the order in which a file is tried
MODULES = (
    litellm, langfuse, otel, lm_eval, inspect_log, helm, openai_evals, openai_evals_api,
    promptfoo, langsmith, weave, braintrust, deepeval, ragas, helicone, openrouter, alpaca_eval,
    mt_bench, arena_hard, llmrouterbench, compendium, embedllm, battles,
)  # fmt: skip
FORMATS: dict[str, Format] = {module.FORMAT.name: module.FORMAT for module in MODULES}
# public tables that need no format of their own -> the layout that they have
TABLES = {"routerbench": "wide", "sprout": "wide"}
SOURCES = ("auto", *LAYOUTS, *TABLES, *FORMATS)
# what runs keep beside their results, and is read with these
COMPANIONS = frozenset({"scenario_state.json", "run_spec.json"})
TABULAR = {"csv", "parquet", "jsonl", "json"}


@dataclass(frozen=True, slots=True)
class Sorted:
    """Files by what they are."""

    records: dict[str, list[Path]]  # format -> its files
    tables: list[Path]
    skipped: list[str]  # files in folders that are no results


def sort_files(paths: Sequence[Path], source: str) -> Sorted:
    """Sort files, and the files in folders, by format; `source` names the one that all have.

    Raises:
        FormatError: a file is missing, damaged, or of no known format; says what it holds.
    """
    found = Sorted({}, [], [])
    for path in paths:
        inside = path.is_dir()
        for file in sorted(path.rglob("*")) if inside else [path]:
            hidden = file.name.startswith(".")
            if inside and (hidden or not file.is_file() or kind_of(file) == "unknown"):
                continue
            _sort(file, source, found, inside=inside)
    if not found.records and not found.tables:
        raise FormatError(
            f"nothing to read in {', '.join(map(str, paths))}: {len(found.skipped)} files, of none "
            f"of which the format is known; --from NAME says what they are",
            more=known(),
        )
    return found


def _sort(path: Path, source: str, found: Sorted, *, inside: bool) -> None:
    if source in LAYOUTS or source in TABLES:
        found.tables.append(path)
        return
    seen = head(path)
    name = source if source in FORMATS else recognise(seen)
    if name is not None and (not inside or FORMATS[name].recognises(seen)):
        found.records.setdefault(name, []).append(path)
    elif _is_table(seen, inside=inside):
        found.tables.append(path)
    elif inside and path.name not in COMPANIONS:
        found.skipped.append(path.name)
    elif inside:
        return
    elif seen.kind == "unknown":
        raise FormatError(unknown_kind(path), more=known())
    elif not seen.keys and next(json_rows(path), None) is None:
        raise FormatError(f"{path}: the file holds no row")
    else:
        raise FormatError(
            f"{path}: unknown format; it is {seen.describe()}; {advice(seen)}", more=known()
        )


def _is_table(seen: Head, *, inside: bool) -> bool:
    """Whether a file is a table: by its columns, or because it was named itself."""
    if seen.kind not in TABULAR:
        return False
    if not inside and seen.kind != "json":
        return True
    columns = seen.keys
    if seen.kind == "json":  # whose rows an object may hold
        first = next(json_rows(seen.path), None)
        columns = frozenset(first) if isinstance(first, dict) else frozenset()
    return looks_like_a_table(sorted(columns))


def recognise(seen: Head) -> str | None:
    """The name of a file's format; null where it is none of them."""
    return next((name for name, known in FORMATS.items() if known.recognises(seen)), None)


def known() -> str:
    """All formats, a line each, for those who ask for more."""
    listed = "\n".join(f"{name}: {entry.about}" for name, entry in FORMATS.items())
    return f"known are long and wide tables, and\n{listed}"


def nearest(seen: Head) -> str | None:
    """Which format a first row resembles most, and what it lacks of it."""
    found: list[tuple[tuple[float, int, int], str, list[str]]] = []
    for name, entry in FORMATS.items():
        for needs in entry.needs:
            there = {place for place in needs if has(seen.first, place)}
            depth = sum(place.count("/") + 1 for place in there)
            if 2 * len(there) >= len(needs):
                # the earlier of formats that are as near
                rank = (len(there) / len(needs), depth, -len(found))
                found.append((rank, name, sorted(set(needs) - there)))
    if not found:
        return None
    _, name, lacking = max(found)
    missing = f" and lacks {', '.join(lacking)}" if lacking else ""
    return f"the nearest is {name} ({FORMATS[name].about}), which it resembles{missing}"


def advice(seen: Head) -> str:
    """What to do about a file of no known format."""
    return "; ".join(filter(None, (nearest(seen), "--from NAME says which of them it is")))
