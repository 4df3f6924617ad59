"""Change a bundle from files: what `add-model`, `remove-model` and `reprice` call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import polars as pl

from data.collection import Source
from data.prices import PriceTable
from data.read import load_prompts, read_table
from data.split import SplitConfig
from data.tables import Tables, load_sources
from router import Router
from router.catalogue.catalogue import Catalogue
from router.core.bundle import HEADS
from router.core.map_rows import MapRows

from ..bundle.oof_predictions import OofPredictions, read_oof_predictions
from ..errors import TrainingError
from ..evaluation.evaluate import bundle_inputs
from ..prepare.catalogue import list_prices
from ..progress import Reporter
from .add import CAUTION, Added, add_arms
from .graph_columns import run
from .labels import Labelled, labelled, new_arms
from .rows import map_rows_of


def new_tables(
    sources: Sequence[Source], prices: PriceTable | None, catalogue: Catalogue
) -> tuple[Tables, PriceTable | None]:
    """Labels of new models, all of them to learn from, and the list prices of these models."""
    names: set[str] = set()
    for source in sources:
        models = read_table(Path(source.outcomes)).get_column("model", default=pl.Series([]))
        names |= set(map(str, models.unique()))
    listed = list_prices(catalogue, prices, sorted(names))
    tables = load_sources(sources, split=SplitConfig(test_share=0.0), prices=listed)
    return tables.learned(), listed


def add_model(
    router: Router,
    tables: Tables,
    models: Sequence[str],
    out: Path,
    cache: Path,
    reporter: Reporter,
    *,
    prices: PriceTable | None = None,
    catalogue: Catalogue,
    caution: float = CAUTION,
) -> tuple[Added, Labelled]:
    """Add the arms of `models`, or all that are new, and write the bundle."""
    oof = read_oof_predictions(router.bundle.path)
    found = labelled(router, tables, new_arms(tables, router, models), oof, cache, reporter)
    added = add_arms(
        router,
        found,
        oof,
        out,
        inputs=bundle_inputs(router, found.data.texts, cache, reporter),
        prices=prices,
        catalogue=catalogue,
        caution=caution,
    )
    return added, found


def map_rows(
    router: Router, prompts: Path | None, cache: Path, reporter: Reporter
) -> tuple[MapRows, OofPredictions | None]:
    """The rows that the new threshold map is made of, and the out-of-fold predictions.

    Raises:
        TrainingError: it has no out-of-fold predictions and no prompts are given.
    """
    oof = read_oof_predictions(router.bundle.path)
    if prompts is not None:
        texts = tuple(load_prompts(prompts).kept["prompt"])
        inputs = bundle_inputs(router, texts, cache, reporter)
        known = run(onnx.load(router.bundle.path / HEADS), inputs)
        lengths = np.array([len(text) for text in texts], dtype=np.int64)
        return map_rows_of(known, lengths), oof
    rows: MapRows | None = router.bundle.map_rows if oof is None else oof
    if rows is None:
        raise TrainingError(
            "this bundle was made before bundles kept predictions for their maps; give --prompts, "
            "a table of a few hundred prompts like your traffic, from which the threshold's map is "
            "made, or retrain it with this version"
        )
    return rows, oof
