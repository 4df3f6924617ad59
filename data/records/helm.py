"""HELM's run folders: `per_instance_stats.json`, with `scenario_state.json` and `run_spec.json`.

Unperturbed instances of the main split count, which is the valid one where HELM has no answers of
the test split; training trials are repeats and count as their mean. The main metric and split are
those of HELM's leaderboards. Layout: benchmark/metrics/metric.py, benchmark/adaptation, run_spec.py
and benchmark/static/schema_classic.yaml and schema_lite.yaml of stanford-crfm/helm.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

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

# main_name of HELM's schemas -> the run groups that have it
MAIN_METRICS = {
    "f1_score": "narrative_qa natural_qa natural_qa_closedbook natural_qa_openbook_longans quac",
    "exact_match": "hellaswag openbookqa truthful_qa mmlu blimp",
    "quasi_exact_match": (
        "boolq imdb raft civil_comments wikifact babi_qa synthetic_reasoning legalbench "
        "legal_support lsat_qa med_qa entity_data_imputation entity_matching bbq"
    ),
    "exact_match_indicator": "dyck_language",
    "final_number_exact_match exact_match_indicator": "gsm",  # of the lite and the classic schema
    "f1_set_match": "synthetic_reasoning_natural",
    "math_equiv": "math_regular",
    "math_equiv_chain_of_thought": "math_chain_of_thought",
    "test_avg": "code_apps",
    "pass": "code_humaneval",
    "bleu_4": "wmt_14",
    "rouge_2": (
        "summarization_cnndm summarization_xsum billsum_legal_summarization "
        "multilexsum_legal_summarization eurlexsum_legal_summarization"
    ),
    "RR@10": "msmarco_regular",
    "NDCG@10": "msmarco_trec",
}
MAIN_OF = {group: names for names, groups in MAIN_METRICS.items() for group in groups.split()}
VALID = frozenset(
    [
        "boolq",
        "natural_qa",
        "natural_qa_closedbook",
        "natural_qa_openbook_longans",
        "quac",
        "hellaswag",
        "truthful_qa",
        "imdb",
        "msmarco_regular",
        "msmarco_trec",
    ]
)
SHORT = {"natural_qa", "msmarco"}  # of run names, whose mode or track tells the group
NEEDS = (("instance_id", "train_trial_index", "stats"),)
USUAL_METRICS = (
    "exact_match", "quasi_exact_match", "prefix_exact_match", "quasi_prefix_exact_match",
    "math_equiv_chain_of_thought", "math_equiv", "final_number_exact_match", "f1_score",
)  # fmt: skip
OUTPUTS = ("num_output_tokens", "num_completion_tokens")


def recognises(head: Head) -> bool:
    """Whether the first row is the statistics of one instance."""
    return has_all(NEEDS, head)


def read(paths: Sequence[Path], options: Options) -> Iterator[Outcome]:
    """One outcome per instance, the mean of its trials.

    Raises:
        DataError: a run lacks its other files, or has several metrics and none was chosen.
    """
    return one_text(outcome for path in paths for outcome in _run(path, options))


def _run(path: Path, options: Options) -> Iterator[Outcome]:
    state, spec = (_companion(path, name) for name in ("scenario_state", "run_spec"))
    groups = _groups(spec)
    main = [name for group in groups for name in MAIN_OF.get(group, "").split()]
    names = names_in(rows(path), _stats)
    chosen = choose_metric(names, options.metric, (*main, *USUAL_METRICS), str(path.parent))
    split = _main_split(rows(path), groups, chosen)
    states = {
        (str(at(s, "instance/id")), s.get("train_trial_index")): s
        for s in at(state, "request_states") or ()
        if not at(s, "instance/perturbation")
    }

    def outcome(row: Row) -> list[Outcome]:
        trial = (str(row.get("instance_id")), row.get("train_trial_index"))
        return [_outcome(row, states.get(trial), spec, chosen, split)]

    yield from means(each(rows(path), outcome, LOST))


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


def _outcome(row: Row, state: Row | None, spec: Row, chosen: str | None, split: str) -> Outcome:
    stats = _stats(row)
    graded = stats.get(chosen or "")
    adapter = at(spec, "adapter_spec") or {}
    source = json.dumps(at(spec, "scenario_spec"), sort_keys=True)
    question = first(at(state, "instance/input/text"), at(state, "instance/input"))
    return Outcome(
        prompt=asked(first(at(state, "request/prompt"), at(state, "request/messages"))),
        # the same question may be cut to fit one model and not another
        prompt_id=prompt_id(f"helm:{source}:{question}") if question else None,
        model=label(first(adapter.get("model"), adapter.get("model_deployment"))),
        quality=_mean(graded),
        input_tokens=_mean(stats.get("num_prompt_tokens")),
        output_tokens=_mean(first(*(stats.get(name) for name in OUTPUTS))),
        answer=_completion(state),
        domain=str(spec.get("name", "")).split(":")[0].split(",")[0] or None,
        record_id=f"{row.get('instance_id')}:{row.get('perturbation') or ''}".rstrip(":"),
        fault=_fault(row, graded, state, split),
    )


def _stats(row: Row) -> dict[str, Row]:
    return {str(at(stat, "name/name")): stat for stat in row.get("stats") or ()}


def _mean(stat: object) -> object:
    mean = at(stat, "mean")
    return mean if at(stat, "count") else None


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
