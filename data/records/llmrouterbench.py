"""LLMRouterBench's results: `bench/DATASET/SPLIT/MODEL/TIME.json`, in folders or in its archive.

Of several runs of a model on a set the latest counts; demonstration runs do not. The pool of small
models states costs of 0, which stand for unknown. Layout: README and baselines/data_loader.py of
ynulihao/LLMRouterBench.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ..messages import asked as text_of
from ..split import prompt_id
from .base import LOST, Format, Options, Outcome, each, first, label, one_text
from .files import Head, Row, document, kind_of, tar_documents
from .places import billed

TIME = re.compile(r"(\d{8})_(\d{6})\.json$")
Key = tuple[str, str, str]  # dataset, split, model


def recognises(head: Head) -> bool:
    """Whether the file is an archive, or a run with its records."""
    return head.kind == "tar" or head.keys >= {"performance", "records", "counts"}


def read(paths: Sequence[Path], options: Options) -> Iterator[Outcome]:
    """One outcome per record; those of runs that do not count are rejected.

    Raises:
        FormatError: a file or archive is damaged.
    """
    latest: dict[Key, str] = {}
    for name, run in _runs(paths):
        if not run.get("demo"):
            key = _key(name, run, options)
            latest[key] = max(latest.get(key, ""), _time(name))
    return one_text(
        outcome
        for name, run in _runs(paths)
        for outcome in _records(run, _key(name, run, options), _fault(name, run, options, latest))
    )


def _fault(name: str, run: Row, options: Options, latest: Mapping[Key, str]) -> str | None:
    if run.get("demo"):
        return "demo_run"
    return "superseded_run" if _time(name) != latest[_key(name, run, options)] else None


def _runs(paths: Sequence[Path]) -> Iterator[tuple[str, Row]]:
    for path in paths:
        documents: Iterator[tuple[str, Any]] = (
            tar_documents(path)
            if kind_of(path) == "tar"
            else iter([(path.absolute().as_posix(), document(path))])
        )
        for name, found in documents:
            if isinstance(found, Mapping) and isinstance(found.get("records"), list):
                yield name, found


def _key(name: str, run: Row, options: Options) -> Key:
    """Dataset, split and model, from the run itself or else from its place."""
    folders = ("", "", "", *PurePosixPath(name).parts)[-4:-1]
    stated = (
        run.get("dataset_name"),
        run.get("split"),
        first(run.get("model_name"), options.model),
    )
    dataset, split, model = (str(first(a, b)) for a, b in zip(stated, folders, strict=True))
    return dataset, split, model


def _time(name: str) -> str:
    """When a run was made; files without a time sort before all others, by name."""
    found = TIME.search(name)
    return found[1] + found[2] if found else f"!{name}"


def _records(run: Row, key: Key, fault: str | None) -> Iterator[Outcome]:
    return each(run["records"], lambda record: [_outcome(record, key, fault)], LOST)


def _outcome(record: Row, key: Key, fault: str | None) -> Outcome:
    dataset, split, model = key
    asked = first(record.get("origin_query"), record.get("prompt"))
    place = f"llmrouterbench:{dataset}/{split}/{record.get('index')}:{asked}"
    outputs = record.get("completion_tokens")
    return Outcome(
        prompt=text_of(first(record.get("prompt"), asked)),
        prompt_id=prompt_id(place) if asked else None,
        model=label(model),
        quality=record.get("score"),
        input_tokens=record.get("prompt_tokens"),
        output_tokens=outputs,
        cost_usd=billed(record.get("cost"), outputs),
        domain=label(dataset),
        record_id=label(record.get("index")),
        fault=fault,
    )


FORMAT = Format(
    name="llmrouterbench",
    about="LLMRouterBench runs (TIME.json files, or their .tar.gz)",
    recognises=recognises,
    read=read,
    needs=(("performance", "records", "counts"),),
)
