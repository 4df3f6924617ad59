"""RoutingCompendium: RouterBench, SPROUT, EmbedLLM, R2-Bench and FusionBench in one layout.

A row per prompt with two lists, `models_name` and `models_performance`. There are neither tokens
nor answers, so costs need `--tokens IN:OUT` and a price of the model. Layout: as read by public
users of the Hub's Wikit/RoutingCompendium-perf.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..messages import asked
from .base import LOST, Format, Options, Outcome, each, label
from .fields import recognises as has_all
from .files import Head, Row, rows

NEEDS = (("prompt", "models_name", "models_performance"),)


def recognises(head: Head) -> bool:
    """Whether the columns are the compendium's."""
    return has_all(NEEDS, head)


def read(paths: Sequence[Path], options: Options) -> Iterator[Outcome]:  # noqa: ARG001
    """One outcome per prompt and model."""
    for path in paths:
        yield from each(rows(path), _outcomes, LOST)


def _outcomes(row: Row) -> Iterator[Outcome]:
    models, scores = row.get("models_name") or [], row.get("models_performance") or []
    for model, score in zip(models, scores, strict=True):
        yield Outcome(
            prompt=asked(row.get("prompt")),
            model=label(model),
            quality=score,
            domain=label(row.get("dataset")),
        )


FORMAT = Format(
    name="compendium",
    about="RoutingCompendium-perf tables (Parquet)",
    recognises=recognises,
    read=read,
    apart=True,
    needs=NEEDS,
    hint=(
        "RoutingCompendium holds neither answers nor tokens: give --tokens IN:OUT, what a request "
        "takes on average"
    ),
)
