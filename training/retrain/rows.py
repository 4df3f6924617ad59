"""Rows that a candidate learns from: of a log, of tables, and of the base where both lack.

A logged decision has one outcome, so its row has one cell; a table's prompt has many. Cells that
nobody observed are masked, as everywhere. Which arm was asked depends on the prompt alone, as the
models see it, so the observed cells teach P(acceptable | prompt, arm) without bias where a method
is flexible, and weights (`weights`) help those that are not; exploration is what makes them be
there. An arm with little evidence keeps what the base predicts for it, as a few pseudo-rows that
evidence outweighs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from router.core.bundle import Bundle
from router.core.manifest import Manifest
from router.types import Bools, Doubles, Ints

from ..methods.base import Inputs
from ..prepare.dataset import ARRAYS, BY_ROW, Dataset, dataset_of
from ..prepare.encoder import ExportedEncoder
from ..prepare.inputs import embed_inputs
from ..progress import Reporter
from .log_rows import Traffic

if TYPE_CHECKING:
    from data.tables import Tables

PRIOR_ROWS = 100  # cells that an arm without evidence gets from the base


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Prompts with outcomes, and how each matrix row came about."""

    data: Dataset
    inputs: Inputs


def logged_rows(traffic: Traffic, use: Bools, base: Bundle) -> Rows:
    """One row a decision: quality of the arm that answered, and what every arm would cost.

    Costs of the other arms are what the base predicts; so are tokens that nobody reported.
    """
    index = np.flatnonzero(use)
    n, arms = len(index), len(traffic.arms)
    inputs, n_chars = traffic.inputs.rows(use), traffic.n_chars[index]
    scores = base.scorer.score(inputs.embedding, inputs.features, n_chars)
    cost, out = scores.cost_usd.copy(), scores.output_tokens.copy()
    into = np.stack(
        [
            info.input_tokens_base + n_chars * info.input_tokens_per_char
            for info in base.manifest.arms
        ],
        axis=1,
    )
    at = (np.arange(n), traffic.arm[index])
    quality = np.full((n, arms), np.nan, dtype=np.float32)
    quality[at] = traffic.quality[index]
    told = [known[index] for known in (traffic.input_tokens, traffic.output_tokens)]
    for matrix, known in zip((into, out), told, strict=True):
        matrix[at] = np.where(np.isnan(known), matrix[at], known)
    infos = base.manifest.arms
    price = np.array([(info.usd_per_1m_input, info.usd_per_1m_output) for info in infos]) / 1e6
    paid = traffic.cost_usd[index]
    counted = into[at] * price[traffic.arm[index], 0] + out[at] * price[traffic.arm[index], 1]
    cost[at] = np.where(np.isnan(paid), counted, paid)
    # dollars that were paid for tokens that nobody counted say nothing about prices
    unknown = ~np.isnan(paid) & (np.isnan(told[0]) | np.isnan(told[1]))
    into[at] = np.where(unknown, np.nan, into[at])
    dollars = np.array([info.metered_in == "usd" for info in infos])
    into[:, dollars], out[:, dollars] = np.nan, np.nan
    data = Dataset(
        arms=traffic.arms,
        prompt_ids=tuple(traffic.decision_ids[i] for i in index),
        texts=tuple(traffic.hashes[i] for i in index),  # equal prompts share a fold by it
        domains=(None,) * n,
        n_chars=n_chars,
        quality=quality,
        input_tokens=into,
        output_tokens=out,
        cost_usd=cost,
        test=np.zeros(n, dtype=np.bool_),
        dropped_arms={},
    )
    return Rows(data=data, inputs=inputs)


def taken(rows: Rows, index: Ints) -> Rows:
    """The rows of these numbers, repeats included; repeats share a fold by their text."""
    return Rows(data=rows.data.rows(index), inputs=rows.inputs.rows(index))


def full_rows(
    tables: Tables, manifest: Manifest, encoder: ExportedEncoder, cache: Path, reporter: Reporter
) -> Rows:
    """The training rows of outcome tables, for the base's arms."""
    data = dataset_of(tables.learned(), [info.arm for info in manifest.arms])
    data = data.rows(~data.test)
    return Rows(data=data, inputs=embed_inputs(data.texts, encoder, cache, reporter))


def joined(parts: list[Rows]) -> Rows:
    """All rows, one part after the other."""
    first = parts[0].data

    data: dict[str, Any] = {
        name: sum((getattr(part.data, name) for part in parts), ()) for name in BY_ROW
    }
    data |= {name: np.concatenate([getattr(p.data, name) for p in parts]) for name in ARRAYS}
    return Rows(
        data=replace(first, **data),
        inputs=Inputs(
            np.concatenate([part.inputs.embedding for part in parts]),
            np.concatenate([part.inputs.features for part in parts]),
        ),
    )


def with_prior(rows: Rows, base: Bundle, *, seed: int) -> Rows:
    """Fill some unobserved cells of arms with little evidence with what the base predicts."""
    data = rows.data
    quality = data.quality.copy()
    rng = np.random.default_rng(seed)
    predicted: Doubles | None = None
    for arm in range(len(data.arms)):
        seen = ~np.isnan(quality[:, arm])
        lacking = PRIOR_ROWS - int(seen.sum())
        free = np.flatnonzero(~seen)
        if lacking <= 0 or len(free) == 0:
            continue
        if predicted is None:
            inputs = rows.inputs
            predicted = base.scorer.score(inputs.embedding, inputs.features, data.n_chars).quality
        chosen = rng.choice(free, min(lacking, len(free)), replace=False)
        quality[chosen, arm] = predicted[chosen, arm]
    return Rows(data=replace(data, quality=quality), inputs=rows.inputs)
