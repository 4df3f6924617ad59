"""Inspect's evaluation logs: `.eval` archives, or the same log as `.json`.

Epochs are repeats of a sample and count as their mean. C, I, P and N are Inspect's own grades:
correct, incorrect, half, and no answer, which Inspect counts as 0; NaN is a withheld score. A
grader may be the very model that is graded: the tokens of answers are those of the output where
there is one turn, else of the events before scoring, and unknown where neither tells them apart.
Layout: log/_log.py and scorer/_metric.py of UKGovernmentBEIS/inspect_ai.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import FormatError
from ..messages import asked, said
from ..values import GRADES
from .base import (
    FAILED,
    LOST,
    Format,
    Options,
    Outcome,
    choose_metric,
    each,
    first,
    label,
    means,
    names_in,
)
from .fields import recognises as has_all
from .files import UNREADABLE, Head, Row, document, zip_documents
from .places import at
from .usage import tokens_of

LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
NEEDS = (("version", "eval", "samples"), ("version", "eval", "plan", "status"))
MODEL_GRADED = "model_graded"  # the beginning of the names of Inspect's own graders


def recognises(head: Head) -> bool:
    """Whether the file is an archive, or a JSON log with samples."""
    return head.kind == "zip" or has_all(NEEDS, head)


def read(paths: Sequence[Path], options: Options) -> Iterator[Outcome]:
    """One outcome per sample, the mean of its epochs.

    Raises:
        DataError: a log has several scorers and none was chosen.
    """
    for path in paths:
        header, samples = _log(path)
        names = names_in(samples, _scores)
        chosen = choose_metric(names, options.metric, (), str(path))
        yield from means(each(samples, _outcome_of(header, chosen), LOST))


def _outcome_of(header: Row, chosen: str | None) -> Callable[[Row], list[Outcome]]:
    return lambda sample: [_outcome(sample, header, chosen)]


def _log(path: Path) -> tuple[Row, list[Row]]:
    if path.suffix != ".eval":
        log = document(path)
        return log, _thin(log.get("samples") or ())
    headers = dict(zip_documents(path, "header.json")) or dict(
        zip_documents(path, "_journal/start")
    )
    if not headers:
        raise FormatError(f"{path} has no header: the evaluation did not get so far")
    samples = _thin(sample for _, sample in zip_documents(path, "samples/"))
    return next(iter(headers.values())), samples


def _thin(samples: Iterable[Row]) -> list[Row]:
    """Samples without their events and messages, which are most of a log."""
    kept = (
        "id", "epoch", "input", "choices", "scores", "score", "model_usage", "error", "output",
        "invalidation", "attachments", "role_usage",
    )  # fmt: skip
    return [
        {key: sample[key] for key in kept if key in sample}
        | {"turns": _turns(sample), "answering": _answering(sample)}
        if isinstance(sample, Mapping)
        else UNREADABLE
        for sample in samples
    ]


def _turns(sample: Row) -> int:
    """How often the model spoke."""
    listed = sample.get("messages")
    roles = [at(message, "role") for message in listed] if isinstance(listed, list) else []
    return roles.count("assistant")


def _answering(sample: Row) -> list[Row]:
    """Usage and model of every call before scoring; a call in a role is no answer."""
    found: list[Row] = []
    listed = sample.get("events")
    for event in listed if isinstance(listed, list) else ():
        kind = at(event, "type")
        if at(event, "event") in {"span_begin", "step"} and kind in {"scorer", "scorers"}:
            break
        if at(event, "event") == "model" and not at(event, "role"):
            usage = at(event, "output/usage")
            if isinstance(usage, Mapping):
                found.append({"model": at(event, "model"), **usage})
    return found


def _scores(sample: Row) -> dict[str, Any]:
    """Score values by scorer; those of a scorer that gives several are `scorer.name`."""
    listed = sample.get("scores") or {}
    if not listed and sample.get("score"):  # logs of before 2024-05 have a single one
        listed = {"score": sample["score"]}
    found: dict[str, Any] = {}
    for name, score in listed.items():
        value = score.get("value")
        if isinstance(value, Mapping):
            found |= {f"{name}.{key}": inner for key, inner in value.items()}
        else:
            found[name] = value
    return found


def _quality(value: object) -> object:
    if isinstance(value, str):
        return LETTERS.get(value, GRADES.get(value.lower(), value))
    return value


def _outcome(sample: Row, header: Row, chosen: str | None) -> Outcome:
    model = label(at(header, "eval/model"))
    used = _usage(sample, model)
    tokens = tokens_of(used)
    fault = FAILED if sample.get("error") else None
    return Outcome(
        prompt=_prompt(sample),
        model=model,
        tier=label(at(header, "eval/model_generate_config/reasoning_effort")),
        quality=_quality(_scores(sample).get(chosen or "")),
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        cost_usd=used.get("total_cost"),
        answer=said(first(at(sample, "output/completion"), at(sample, "output"))),
        domain=label(at(header, "eval/task")),
        record_id=str(sample.get("id")),
        fault="invalidated" if sample.get("invalidation") else fault,
    )


def _usage(sample: Row, model: str | None) -> Row:
    """What answering took; nothing where a grader's calls cannot be told from it."""
    output = at(sample, "output/usage")
    if sample["turns"] <= 1 and isinstance(output, Mapping):
        return output
    calls = [call for call in sample["answering"] if call["model"] in {None, model}]
    if calls:
        names = {name for call in calls for name in call} - {"model"}
        return {name: _total(call.get(name) for call in calls) for name in sorted(names)}
    usage = at(sample, "model_usage") or {}
    graded = any(name.startswith(MODEL_GRADED) for name in _scores(sample))
    if graded and len(usage) == 1:  # no other model graded
        return {}
    return usage.get(model) or (next(iter(usage.values())) if len(usage) == 1 else {})


def _total(values: Iterable[object]) -> float | None:
    numbers = [value for value in values if isinstance(value, int | float)]
    return sum(numbers) if numbers else None


def _prompt(sample: Row) -> str | None:
    given = asked(sample.get("input"))
    if given is not None and given.startswith("attachment://"):  # long texts are kept apart
        given = asked(sample["attachments"].get(given.removeprefix("attachment://")))
    options = first(sample.get("choices"))
    if given is None or not isinstance(options, list):
        return given
    lettered = (f"{chr(ord('A') + i)}) {choice}" for i, choice in enumerate(options))
    return "\n".join([given, *lettered])


FORMAT = Format(
    name="inspect",
    about="Inspect evaluation logs (.eval, or .json)",
    recognises=recognises,
    read=read,
    apart=True,
    needs=NEEDS,
    hint="a log without samples was written with log_samples off, or before the first one ran",
)
