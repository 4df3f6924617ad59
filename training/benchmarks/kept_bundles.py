"""Bundles of parts of a collection, trained once and kept until a file or a setting changes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from data.collection import Source
from data.errors import DataError
from data.tables import Tables
from router import Router
from router.catalogue.names import matches
from router.core.bundle import file_sha256

from ..config import TrainConfig
from ..errors import TrainingError
from ..pipeline import train
from ..prepare.dataset import build_dataset
from .starter_options import Asked


def kept_bundle(
    asked: Asked, sources: Sequence[Source], config: TrainConfig, name: str
) -> Router | str:
    """A bundle that learns from some sources, or why there is none.

    The splits stay those of the whole collection. A change of code alone does not make it anew:
    remove its folder.

    Args:
        asked: the collection, and where bundles are kept.
        sources: all are learned from, whatever their `use`.
        config: of the training.
        name: of its folder, before the key of what it was made of.
    """
    learned = [replace(source, use="train") for source in sources]
    tables = asked.tables.of(learned)
    folder = asked.out / "bundles" / f"{name}-{_key(learned, config)}"
    try:
        config = replace(config, arms=replace(config.arms, offered=_offered(tables, config)))
        if not (folder / "manifest.json").is_file():
            train(tables, config, folder, asked.cache, asked.reporter)
    except (TrainingError, DataError) as err:
        return str(err)
    return Router.load(folder)


def _offered(tables: Tables, config: TrainConfig) -> tuple[str, ...]:
    """The patterns of offered arms that some arm fits which the tables know well enough."""
    if not config.arms.offered:
        return ()
    arms = build_dataset(tables, replace(config.arms, offered=())).arms
    return tuple(
        pattern
        for pattern in config.arms.offered
        if any(matches(pattern, arm.model, arm.id) for arm in arms)
    )


def _key(sources: Sequence[Source], config: TrainConfig) -> str:
    files = [(file_sha256(Path(s.outcomes)), file_sha256(Path(s.prompts))) for s in sources]
    told = repr((files, [source.facts() for source in sources], config))
    return hashlib.sha256(told.encode()).hexdigest()[:8]
