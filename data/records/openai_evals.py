"""OpenAI's evals: the event log of one run, as JSON lines.

The first line is the spec; `sampling` events hold prompt, answer and usage, `match` events whether
it was correct, `metrics` events a score of another kind. Layout: record.py and base.py there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..messages import asked, said
from .base import (
    FAILED,
    UNREADABLE_ROW,
    Format,
    Options,
    Outcome,
    choose_metric,
    first,
    label,
)
from .files import UNREADABLE, Head, Row, rows
from .places import at
from .usage import tokens_of

USUAL_METRICS = ("correct", "accuracy", "score")


@dataclass(slots=True)
class _Sample:
    """What the events of one sample tell."""

    sampling: Row = field(default_factory=dict)  # the last one: earlier ones led to it
    calls: int = 0
    scores: dict[str, Any] = field(default_factory=dict)
    failed: bool = False


def recognises(head: Head) -> bool:
    """Whether the first line is a run's spec."""
    return head.keys == {"spec"} and at(head.first, "spec/run_id") is not None


def read(paths: Sequence[Path], options: Options) -> Iterator[Outcome]:
    """One outcome per sample.

    Raises:
        DataError: a log has scores of several names and none was chosen.
    """
    for path in paths:
        yield from _run(path, options)


def _run(path: Path, options: Options) -> Iterator[Outcome]:
    spec: Row = {}
    samples: dict[str, _Sample] = {}
    for row in rows(path):
        if row is UNREADABLE:
            yield Outcome(fault=UNREADABLE_ROW)
        elif "spec" in row:
            spec = row["spec"]
        elif row.get("sample_id") is not None:
            _add(samples.setdefault(str(row["sample_id"]), _Sample()), row)
    names = {name for sample in samples.values() for name in sample.scores}
    chosen = choose_metric(names, options.metric, USUAL_METRICS, str(path))
    for sample_id, sample in samples.items():
        yield _outcome(sample_id, sample, spec, chosen, options)


def _add(sample: _Sample, event: Row) -> None:
    data = event.get("data")
    data = data if isinstance(data, Mapping) else {}
    match event.get("type"):
        case "sampling":
            sample.sampling, sample.calls = data, sample.calls + 1
        case "match":
            sample.scores["correct"] = data.get("correct")
        case "metrics":
            numbers = {k: v for k, v in data.items() if isinstance(v, bool | int | float)}
            sample.scores |= numbers
        case "error":
            sample.failed = True


def _outcome(
    sample_id: str, sample: _Sample, spec: Row, chosen: str | None, options: Options
) -> Outcome:
    data = sample.sampling
    tokens = tokens_of(data.get("usage"))
    answers = data.get("sampled")
    several = sample.calls > 1  # one score for a chain of calls says nothing of a single one
    return Outcome(
        prompt=asked(data.get("prompt")),
        model=label(first(options.model, _model(spec), data.get("model"))),
        quality=sample.scores.get(chosen or ""),
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        answer=said(answers[0] if isinstance(answers, list) and answers else answers),
        domain=label(spec.get("eval_name")),
        record_id=sample_id,
        fault=FAILED if sample.failed else ("several_calls" if several else None),
    )


def _model(spec: Row) -> object:
    """The one completion function; older specs have the model's name."""
    listed = spec.get("completion_fns")
    alone = listed[0] if isinstance(listed, list) and listed else None
    return first(alone, spec.get("model_name"))


FORMAT = Format(
    name="openai-evals",
    about="OpenAI evals event logs (JSONL that begins with a spec)",
    recognises=recognises,
    read=read,
    apart=True,
    needs=(("spec",),),
)
