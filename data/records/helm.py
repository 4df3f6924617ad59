"""HELM's run folders: `per_instance_stats.json`, with `scenario_state.json` and `run_spec.json`.

Unperturbed instances of the test split count; training trials are repeats and count as their mean.
Layout: benchmark/metrics/metric.py, benchmark/adaptation and run_spec.py of stanford-crfm/helm.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..errors import FormatError
from ..split import prompt_id
from .base import (
    LOST,
    Format,
    Options,
    Outcome,
    at,
    choose_metric,
    each,
    first,
    label,
    means,
    names_in,
    one_text,
)
from .files import Head, Row, document, rows

USUAL_METRICS = (
    "exact_match", "quasi_exact_match", "prefix_exact_match", "quasi_prefix_exact_match",
    "math_equiv_chain_of_thought", "math_equiv", "final_number_exact_match", "f1_score",
)  # fmt: skip
OUTPUTS = ("num_output_tokens", "num_completion_tokens")


def recognises(head: Head) -> bool:
    """Whether the first row is the statistics of one instance."""
    return head.keys >= {"instance_id", "train_trial_index", "stats"}


def read(paths: Sequence[Path], options: Options) -> Iterator[Outcome]:
    """One outcome per instance, the mean of its trials.

    Raises:
        DataError: a run lacks its other files, or has several metrics and none was chosen.
    """
    return one_text(outcome for path in paths for outcome in _run(path, options))


def _run(path: Path, options: Options) -> Iterator[Outcome]:
    state, spec = (_companion(path, name) for name in ("scenario_state", "run_spec"))
    names = names_in(rows(path), _stats)
    chosen = choose_metric(names, options.metric, USUAL_METRICS, str(path.parent))
    states = {
        (str(at(s, "instance", "id")), s.get("train_trial_index")): s
        for s in at(state, "request_states") or ()
        if not at(s, "instance", "perturbation")
    }

    def outcome(row: Row) -> list[Outcome]:
        trial = (str(row.get("instance_id")), row.get("train_trial_index"))
        return [_outcome(row, states.get(trial), spec, chosen)]

    yield from means(each(rows(path), outcome, LOST))


def _companion(path: Path, name: str) -> Row:
    beside = path.with_name(f"{name}.json")
    if not beside.is_file():
        raise FormatError(f"{path} needs {beside.name} beside it, as helm-run writes them")
    found = document(beside)
    return found if isinstance(found, Mapping) else {}


def _outcome(row: Row, state: Row | None, spec: Row, chosen: str | None) -> Outcome:
    stats = _stats(row)
    graded = stats.get(chosen or "")
    adapter = at(spec, "adapter_spec") or {}
    source = json.dumps(at(spec, "scenario_spec"), sort_keys=True)
    asked = first(at(state, "instance", "input", "text"), at(state, "instance", "input"))
    return Outcome(
        prompt=label(at(state, "request", "prompt")),
        # the same question may be cut to fit one model and not another
        prompt_id=prompt_id(f"helm:{source}:{asked}") if asked else None,
        model=label(first(adapter.get("model"), adapter.get("model_deployment"))),
        quality=_mean(graded),
        input_tokens=_mean(stats.get("num_prompt_tokens")),
        output_tokens=_mean(first(*(stats.get(name) for name in OUTPUTS))),
        answer=_completion(state),
        domain=str(spec.get("name", "")).split(":")[0].split(",")[0] or None,
        record_id=f"{row.get('instance_id')}:{row.get('perturbation') or ''}".rstrip(":"),
        fault=_fault(row, graded, state),
    )


def _stats(row: Row) -> dict[str, Row]:
    return {str(at(stat, "name", "name")): stat for stat in row.get("stats") or ()}


def _mean(stat: object) -> object:
    mean = at(stat, "mean")
    return mean if at(stat, "count") else None


def _completion(state: Row | None) -> str | None:
    completions = at(state, "result", "completions") or [{}]
    return label(completions[0].get("text"))


def _fault(row: Row, graded: object, state: Row | None) -> str | None:
    if row.get("perturbation"):
        return "perturbed_prompt"
    split = first(at(graded, "name", "split"), at(state, "instance", "split"))
    return "other_split" if split not in (None, "test") else None


FORMAT = Format(
    name="helm",
    about="HELM run folders (per_instance_stats.json and what lies beside it)",
    recognises=recognises,
    read=read,
)
