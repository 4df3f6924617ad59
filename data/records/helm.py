"""HELM's run folders: `per_instance_stats.json`, with `scenario_state.json` and `run_spec.json`.

Unperturbed instances of the main split count, which is the valid one where HELM has no answers of
the test split; training trials are repeats and count as their mean. The main metric and split are
those of HELM's leaderboards. Layout: benchmark/metrics/metric.py, benchmark/adaptation, run_spec.py
and benchmark/static/schema_classic.yaml and schema_lite.yaml of stanford-crfm/helm.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import FormatError
from ..messages import asked, said
from ..split import prompt_id
from .base import (
    LOST,
    MISSHAPEN,
    Format,
    Options,
    Outcome,
    choose_metric,
    each,
    first,
    label,
    means,
    names_in,
    one_text,
)
from .fields import recognises as has_all
from .files import Head, Row, document, rows
from .places import at

SCHEMA = tomllib.loads(Path(__file__).with_name("helm.toml").read_text("utf-8"))
MAIN_OF = {group: names.split() for names, groups in SCHEMA["main"].items() for group in groups}
VALID = frozenset(SCHEMA["valid"])
SHORT = {"natural_qa", "msmarco"}  # of run names, whose mode or track tells the group
NEEDS = (("instance_id", "train_trial_index", "stats"),)
TRIAL = ("instance_id", "train_trial_index", "perturbation")
USUAL_METRICS = (
    "exact_match", "quasi_exact_match", "prefix_exact_match", "quasi_prefix_exact_match",
    "math_equiv_chain_of_thought", "math_equiv", "final_number_exact_match", "f1_score",
)  # fmt: skip
DISPLAYED = "display_predictions.json"  # what its site shows of a run, less than the run's own
OUTPUTS = ("num_output_tokens", "num_completion_tokens")
COUNTS = re.compile(  # of statistics: what is counted beside the scores
    r"(num|training|inference|finish_reason|logprob)(_.*)?|batch_size|prompt_truncated|max_prob"
)


def recognises(head: Head) -> bool:
    """Whether the first row is the statistics of one instance, and no file beside has more."""
    full = head.path.with_name("per_instance_stats.json")
    shown = head.path.name == DISPLAYED and full.is_file()
    return has_all(NEEDS, head) and not shown


def read(paths: Sequence[Path], options: Options) -> Iterator[Outcome]:
    """One outcome per instance, the mean of its trials.

    Raises:
        DataError: a run lacks its other files, or has several metrics and none was chosen.
    """
    return one_text(outcome for path in paths for outcome in _run(path, options))


def _run(path: Path, options: Options) -> Iterator[Outcome]:
    spec = _companion(path, "run_spec")
    groups = _groups(spec)
    main = [name for group in groups for name in MAIN_OF.get(group, ())]
    instances = list(_instances(rows(path)))
    names = {n for n in names_in(instances, _stats) if not COUNTS.fullmatch(n)}
    chosen = choose_metric(names, options.metric, (*main, *USUAL_METRICS), str(path.parent))
    split = _main_split(instances, groups, chosen)
    states = {
        (str(at(s, "instance/id")), s.get("train_trial_index")): s
        for s in _states(path)
        if not at(s, "instance/perturbation")
    }

    def outcome(row: Row) -> list[Outcome]:
        trial = (str(row.get("instance_id")), row.get("train_trial_index"))
        return [_outcome(row, states.get(trial), spec, chosen, split)]

    yield from means(each(instances, outcome, LOST))


def _instances(found: Iterable[Row]) -> Iterator[Row]:
    """One row per instance and trial: HELM writes one for each of its metrics' classes."""
    merged: dict[str, dict[str, Any]] = {}
    for row in found:
        stats = row.get("stats")
        if isinstance(stats, Mapping):  # as its site shows them
            stats = [{"name": {"name": n}, "count": 1, "mean": mean} for n, mean in stats.items()]
        if not isinstance(stats, list):
            yield row
            continue
        key = json.dumps([row.get(name) for name in TRIAL], sort_keys=True)
        kept = merged.setdefault(key, {**row, "stats": []})
        kept["stats"].extend(stats)
    yield from merged.values()


def _groups(spec: Row) -> list[str]:
    """The run groups of a run: as it states them, else of the words of its name."""
    stated = at(spec, "groups")
    words = re.split(r"[:,=]", str(spec.get("name", "")))
    mode = next((f"{words[0]}_{word}" for word in words if f"{words[0]}_{word}" in MAIN_OF), None)
    named = [mode] if words[0] in SHORT and mode else words
    return [str(group) for group in [*(stated if isinstance(stated, list) else ()), *named]]


def _main_split(found: Iterable[Row], groups: Sequence[str], chosen: str | None) -> str:
    """The split that counts: by HELM's schema; of others test, else the only one there is."""
    if any(group in VALID for group in groups):
        return "valid"
    with_score = {
        str(at(stats[chosen], "name/split"))
        for row in found
        if chosen is not None and chosen in (stats := _safe_stats(row))
    }
    return "valid" if with_score == {"valid"} and not MAIN_OF.keys() & set(groups) else "test"


def _safe_stats(row: Row) -> dict[str, Row]:
    try:
        return _stats(row)
    except MISSHAPEN:
        return {}


def _companion(path: Path, name: str) -> Row:
    beside = path.with_name(f"{name}.json")
    if not beside.is_file():
        raise FormatError(f"{path} needs {beside.name} beside it, as helm-run writes them")
    found = document(beside)
    return found if isinstance(found, Mapping) else {}


def _states(path: Path) -> list[Row]:
    """Requests with their instances and results; what HELM's site shows has no results."""
    if path.name != DISPLAYED or path.with_name("scenario_state.json").is_file():
        listed = at(_companion(path, "scenario_state"), "request_states")
        return listed if isinstance(listed, list) else []
    instances = {str(at(row, "id")): row for row in _beside(path, "instances")}
    return [
        {
            **row,
            "instance": instances.get(str(at(row, "instance_id")), {"id": at(row, "instance_id")}),
        }
        for row in _beside(path, "display_requests")
    ]


def _beside(path: Path, name: str) -> list[Row]:
    beside = path.with_name(f"{name}.json")
    return list(rows(beside)) if beside.is_file() else []


def _outcome(row: Row, state: Row | None, spec: Row, chosen: str | None, split: str) -> Outcome:
    stats = _stats(row)
    graded = stats.get(chosen or "")
    adapter = at(spec, "adapter_spec") or {}
    source = json.dumps(at(spec, "scenario_spec"), sort_keys=True)
    question = first(at(state, "instance/input/text"), at(state, "instance/input"))
    given = first(at(state, "request/prompt"), at(state, "request/messages"))
    return Outcome(
        # a request for each choice holds the question and that choice alone
        prompt=asked(question if at(state, "reference_index") is not None else given),
        # the same question may be cut to fit one model and not another
        prompt_id=prompt_id(f"helm:{source}:{question}") if question else None,
        model=label(first(adapter.get("model"), adapter.get("model_deployment"))),
        quality=_mean(graded),
        input_tokens=_mean(stats.get("num_prompt_tokens")),
        output_tokens=_written(stats, state),
        answer=said(row.get("predicted_text")) or _completion(state),
        domain=str(spec.get("name", "")).split(":")[0].split(",")[0] or None,
        record_id=f"{row.get('instance_id')}:{row.get('perturbation') or ''}".rstrip(":"),
        fault=_fault(row, graded, state, split),
    )


def _stats(row: Row) -> dict[str, Row]:
    return {str(at(stat, "name/name")): stat for stat in row.get("stats") or ()}


def _mean(stat: object) -> object:
    mean = at(stat, "mean")
    return mean if at(stat, "count") else None


def _written(stats: Mapping[str, Row], state: Row | None) -> object:
    """The answer's tokens; null where HELM had them in one piece, as many APIs give no pieces."""
    pieces, text = at(state, "result/completions/0/tokens"), _completion(state) or ""
    whole = isinstance(pieces, list) and (
        (not pieces and text) or (len(pieces) == 1 and len(text.split()) > 1)
    )
    return None if whole else _mean(first(*(stats.get(name) for name in OUTPUTS)))


def _completion(state: Row | None) -> str | None:
    return said(at(state, "result/completions/0/text"))


def _fault(row: Row, graded: object, state: Row | None, main: str) -> str | None:
    if row.get("perturbation"):
        return "perturbed_prompt"
    split = first(at(graded, "name/split"), at(state, "instance/split"))
    return "other_split" if split not in (None, main) else None


FORMAT = Format(
    name="helm",
    about="HELM run folders (per_instance_stats.json and what lies beside it)",
    recognises=recognises,
    read=read,
    needs=NEEDS,
)
