"""Rows that a candidate learns from: of a log, of tables, and of the base where both lack.

A logged decision has one outcome, so its row has one cell; a table's prompt has many. Cells that
nobody observed are masked, as everywhere. Which arm was asked depends on the prompt alone, as the
models see it, so the observed cells teach P(acceptable | prompt, arm) without bias where a method
is flexible, and weights (`weights`) help those that are not; exploration is what makes them be
there. An arm with little evidence keeps what the base predicts for it, as a few pseudo-rows that
evidence outweighs.

A comparison of two answers tells their difference and no level. Where it must stand in for
outcomes, its row has two cells: 1 and 0 where one clearly won, both at what the base expects of the
two where it is a tie, in between for a preference p in between. They differ by 2p - 1 everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from router.core.bundle import Bundle
from router.core.manifest import Manifest
from router.types import Bools, Doubles, Floats, Ints, Scores

from ..methods.base import Inputs
from ..prepare.dataset import ARRAYS, BY_ROW, Dataset, dataset_of
from ..prepare.encoder import ExportedEncoder
from ..prepare.inputs import embed_inputs
from ..progress import Reporter
from .log_rows import Traffic
from .preferences import Preferred

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
    quality = np.full((len(index), len(traffic.arms)), np.nan, dtype=np.float32)
    quality[np.arange(len(index)), traffic.arm[index]] = traffic.quality[index]
    return _rows_with(traffic, index, base, quality)


def compared_rows(traffic: Traffic, said: Sequence[Preferred], base: Bundle) -> Rows:
    """One row a comparison, with an outcome of both arms that differ as the comparison says."""
    index, every = np.array([p.row for p in said], dtype=np.int64), np.arange(len(said))
    pair = (traffic.arm[index], np.array([p.against for p in said], dtype=np.int64))
    expected = _scores(traffic, index, base).quality
    level = (expected[every, pair[0]] + expected[every, pair[1]]) / 2
    lead = 2 * np.array([p.preference for p in said]) - 1
    quality = np.full((len(index), len(traffic.arms)), np.nan, dtype=np.float32)
    for arm, ahead in zip(pair, (lead, -lead), strict=True):
        quality[every, arm] = (1 - np.abs(lead)) * level + np.maximum(ahead, 0.0)
    return _rows_with(traffic, index, base, quality)


def _scores(traffic: Traffic, index: Ints, base: Bundle) -> Scores:
    """What the base predicts of some decisions."""
    embedding, features = traffic.inputs.embedding[index], traffic.inputs.features[index]
    return base.scorer.score(embedding, features, traffic.n_chars[index])


def _rows_with(traffic: Traffic, index: Ints, base: Bundle, quality: Floats) -> Rows:
    """Rows with these outcomes (n, a), and what every arm costs, as `logged_rows` has it."""
    n, n_chars = len(index), traffic.n_chars[index]
    inputs = Inputs(traffic.inputs.embedding[index], traffic.inputs.features[index])
    scores = _scores(traffic, index, base)
    cost, out = scores.cost_usd.copy(), scores.output_tokens.copy()
    into = np.stack(
        [
            info.input_tokens_base + n_chars * info.input_tokens_per_char
            for info in base.manifest.arms
        ],
        axis=1,
    )
    at = (np.arange(n), traffic.arm[index])
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
