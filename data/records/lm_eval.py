"""EleutherAI's lm-evaluation-harness: `samples_TASK_DATE.jsonl`, written with --log_samples.

The model's name stands in `results_DATE.json` beside it, else in the folder's name. A prompt is
told by task and document: its text may differ by model where a chat template is applied, and the
first one counts. There are no token counts. Layout: evaluation_tracker.py and evaluator.py there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..messages import asked, said
from ..split import prompt_id
from .base import (
    LOST,
    Format,
    Options,
    Outcome,
    choose_metric,
    each,
    first,
    label,
    names_in,
    one_text,
)
from .fields import recognises as has_all
from .files import UNREADABLE, Head, Row, document, rows
from .places import at

NAME = re.compile(r"samples_(?P<task>.+)_(?P<date>\d{4}-\d\d-\d\dT[\d.\-]+)\.jsonl(\.gz)?")
MODEL_ARGUMENT = re.compile(r"(?:^|,)(?:pretrained|model|engine)=(?P<name>[^,]+)")
# the second before 0.4.2, the last of 0.3; chat models get messages as JSON, in a list of one
PROMPTS = ("arguments/gen_args_0/arg_0", "arguments/0/0", "prompt_0", "arguments/0", "doc")
WRITTEN_OUT = re.compile(r"(?:prompt|logit)_\d+|truth")
KNOWN = {
    "doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics",
    "doc_hash", "prompt_hash", "target_hash",
}  # fmt: skip
NEEDS = (("doc_id", "arguments", "resps"), ("doc_id", "prompt_0", "truth"))
USUAL_METRICS = ("exact_match", "acc", "pass@1", "pass_at_1", "prompt_level_strict_acc")


def recognises(head: Head) -> bool:
    """Whether the first row is a logged sample."""
    return has_all(NEEDS, head)


def read(paths: Sequence[Path], options: Options) -> Iterator[Outcome]:
    """One outcome per sample and chosen metric.

    Raises:
        DataError: a file has several metrics and none was chosen, or nothing names its model.
    """
    return one_text(outcome for path in paths for outcome in _file(path, options))


def _file(path: Path, options: Options) -> Iterator[Outcome]:
    task, model = _origin(path, options)
    chosen = choose_metric(names_in(rows(path), _scores), options.metric, USUAL_METRICS, str(path))
    yield from each(rows(path), lambda row: _outcomes(row, chosen, task, model), LOST)


def _outcomes(row: Row, chosen: str | None, task: str, model: str) -> Iterator[Outcome]:
    scores = _scores(row)
    if chosen in scores or not scores:  # other filters tell of the same answer
        yield _outcome(row, scores.get(chosen or ""), task, model)


def _scores(row: Row) -> dict[str, Any]:
    """Scores by the harness's own names: `metric`, or `metric,filter`."""
    if row is UNREADABLE:
        return {}
    listed = row.get("metrics")
    unnamed = [name for name in row if name not in KNOWN and not WRITTEN_OUT.fullmatch(name)]
    names = listed if isinstance(listed, list) else unnamed
    kind = row.get("filter")
    ending = f",{kind}" if kind not in (None, "none") else ""
    found = {f"{name}{ending}": row.get(name) for name in names if name in row}
    # metrics of a whole task keep what they are computed from, which scores no single answer
    return {name: None if isinstance(value, list) else value for name, value in found.items()}


def _outcome(row: Row, quality: object, task: str, model: str) -> Outcome:
    given = asked(first(*(at(row, place) for place in PROMPTS)))
    key = first(row.get("doc_hash"), row.get("prompt_hash"), row.get("doc_id"))
    return Outcome(
        prompt=given,
        prompt_id=prompt_id(f"lm_eval:{task}:{key}"),
        model=model,
        quality=quality,
        answer=_answer(row),
        domain=task,
        record_id=f"{task}:{row.get('doc_id')}",
    )


def _answer(row: Row) -> str | None:
    """The generated text, or of several choices the likeliest."""
    responses = row.get("resps") or [[]]
    choices = row.get("arguments") or {}
    likely = [r[0][0] for r in responses if r and isinstance(r[0], list) and r[0]]
    if len(likely) == len(responses) > 0 and all(_is_number(value) for value in likely):
        best = max(range(len(likely)), key=lambda i: float(likely[i]))
        return label(first(at(choices, f"gen_args_{best}/arg_1"), at(choices, f"{best}/1")))
    return said(responses[0][0]) if responses[0] else None


def _is_number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def _origin(path: Path, options: Options) -> tuple[str, str]:
    """Task and model of a file."""
    named = NAME.fullmatch(path.name)
    task = named["task"] if named else path.name.split(".")[0].removeprefix("samples_")
    if options.model is not None:
        return task, options.model
    model = _stated(path, named["date"] if named else None) or (path.parent.name if named else None)
    if not model:
        raise DataError(
            f"{path} names no model: neither a results file beside it nor its folder does; "
            "give --model NAME"
        )
    return task, model


def _stated(path: Path, date: str | None) -> str | None:
    """The model that the results beside a file name; in older ones an argument of the model."""
    for name in (f"results_{date}.json", "results.json"):
        beside = path.with_name(name)
        if beside.is_file():
            found = document(beside)
            given = MODEL_ARGUMENT.search(str(at(found, "config/model_args") or ""))
            return label(first(at(found, "model_name"), given["name"] if given else None))
    return None


FORMAT = Format(
    name="lm-eval",
    about="lm-evaluation-harness samples_*.jsonl (--log_samples)",
    recognises=recognises,
    read=read,
    needs=NEEDS,
)
