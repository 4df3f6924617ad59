"""Retrain a bundle on what it routed: logged rows, full rows, and what the base predicts.

A logged decision has one outcome, so its row has one cell; a table's prompt has many. Cells that
nobody observed are masked, as everywhere. Which arm was asked depends on the prompt alone, as the
models see it, so the observed cells teach P(acceptable | prompt, arm) without bias where a method
is flexible, and weights (`weights`) help those that are not; exploration is what makes them be
there. An arm with little evidence keeps what the
base predicts for it, as a few pseudo-rows that evidence outweighs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from router.catalogue.catalogue import Catalogue
from router.core.bundle import ENCODER, Bundle
from router.core.manifest import Manifest
from router.types import Bools, Doubles, Ints

from ..bundle.decision import Origin
from ..config import TrainConfig, recorded
from ..errors import TrainingError
from ..methods.base import Inputs
from ..pipeline import Trained, learn
from ..preferences.evidence import split_battles
from ..preferences.pairs_only_arms import beside
from ..prepare.dataset import Dataset, dataset_of
from ..prepare.encoder import ExportedEncoder
from ..prepare.inputs import embed_inputs
from ..progress import Reporter
from ..threads import single_threaded
from .feedback_outliers import FlaggedKey, accepted, flagged_keys
from .log_battles import logged_battles, together
from .log_rows import HELD_OUT, Traffic, held_out
from .settings import for_rows, with_utility
from .weights import outcome_weights, repeated

if TYPE_CHECKING:
    from data.tables import Tables

PRIOR_ROWS = 100  # cells that an arm without evidence gets from the base
MIN_FEEDBACK = 50  # decisions with accepted feedback


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Prompts with outcomes, and how each matrix row came about."""

    data: Dataset
    inputs: Inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrained:
    """What retraining made, and what it set aside; `battles` are preferences that it used."""

    trained: Trained
    logged: int
    battles: int
    full: int
    flagged: tuple[FlaggedKey, ...]


@single_threaded
def retrain(
    traffic: Traffic,
    base: Bundle,
    out: Path,
    cache: Path,
    reporter: Reporter,
    *,
    tables: Tables | None = None,
    config: TrainConfig | None = None,
    holdout: float = HELD_OUT,
) -> Retrained:
    """Train a candidate for the base's arms on its log, and on full rows where there are any.

    Args:
        traffic: the log, read for the base's arms and encoder.
        base: gives arms, encoder, prices and, where evidence is thin, its opinion.
        out: the candidate's folder.
        cache: folder of embeddings, for the prompts of `tables`.
        reporter: shows stages.
        tables: full-information outcomes, and maybe pairs, to learn from beside the log.
        config: null is the base's own.
        holdout: share of the logged prompts that is left to the gate.
    Raises:
        TrainingError: there is too little feedback.
    """
    settings = config or base_config(base.manifest)
    encoder = base_encoder(base)
    with reporter.stage("read log") as stage:
        flagged = flagged_keys(traffic)
        traffic = accepted(traffic, flagged)
        kept = ~held_out(traffic.hashes, holdout)
        use = kept & ~np.isnan(traffic.quality)
        if use.sum() < MIN_FEEDBACK:
            raise TrainingError(
                f"{int(use.sum())} of {len(traffic)} decisions have feedback that can be learned "
                f"from ({holdout:.0%} are held out for the gate); "
                f"{MIN_FEEDBACK} are needed"
            )
        logged = logged_rows(traffic, use, base)
        parts = [taken(logged, repeated(outcome_weights(traffic, use), settings.seed))]
        battles = logged_battles(traffic, kept)
        compared = 0 if battles is None else len(battles)
        stage.note(f"{int(use.sum())} of {len(traffic)} decisions with feedback")
    if tables is not None:
        parts.append(full_rows(tables, base.manifest, encoder, cache, reporter))
    full = sum(len(part.data) for part in parts[1:])
    rows = with_prior(joined(parts), base, seed=settings.seed)
    record: dict[str, Any] = {
        "base": base.manifest.bundle_id,
        "logged_decisions": int(use.sum()),
        "weighted_rows": len(rows.data) - full,
        "full_prompts": full,
        "preferences": compared,
        "flagged_keys": [each.key for each in flagged],
    }
    if tables is not None:
        fought = split_battles(tables, rows.data, encoder, cache, reporter)
        battles = together(fought, battles)
    settings = for_rows(with_utility(settings, battles), rows.data)
    trained = learn(
        rows.data,
        rows.inputs,
        encoder,
        base_origin(base.manifest, traffic.rejected, record),
        config=settings,
        out=out,
        reporter=reporter,
        joined=None if battles is None else beside(rows.data, battles),
    )
    return Retrained(
        trained=trained,
        logged=int(use.sum()),
        battles=compared,
        full=full,
        flagged=tuple(flagged),
    )


def base_config(manifest: Manifest) -> TrainConfig:
    """The configuration that the base was trained with."""
    return recorded(manifest.config)


def base_encoder(base: Bundle) -> ExportedEncoder:
    """The base's own encoder files; every logged embedding is theirs."""
    manifest = base.manifest
    return ExportedEncoder(base.path / ENCODER, manifest.encoder, manifest.encoder_sha256)


def base_origin(
    manifest: Manifest, rejected: Mapping[str, int], record: Mapping[str, Any]
) -> Origin:
    """Prices' dates, capabilities and tiers as the base has them."""
    known = Catalogue.of(manifest.catalogue)
    models = {
        escape(info.model): replace(
            known.model(info.model),
            context_tokens=info.context_tokens,
            tools=info.tools,
            vision=info.vision,
            json=info.json,
        )
        for info in manifest.arms
    }
    dates = {info.model: info.price_date for info in manifest.arms if info.price_date is not None}
    return Origin(
        prices=None,
        price_dates=dates,
        catalogue=replace(known, models=models),
        rejected=dict(rejected),
        record={"retrained": dict(record)},
    )


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
    data = rows.data
    names = ("n_chars", "quality", "input_tokens", "output_tokens", "cost_usd", "test")
    return Rows(
        data=replace(
            data,
            prompt_ids=tuple(data.prompt_ids[i] for i in index),
            texts=tuple(data.texts[i] for i in index),
            domains=tuple(data.domains[i] for i in index),
            **{name: getattr(data, name)[index] for name in names},
        ),
        inputs=Inputs(rows.inputs.embedding[index], rows.inputs.features[index]),
    )


def full_rows(
    tables: Tables, manifest: Manifest, encoder: ExportedEncoder, cache: Path, reporter: Reporter
) -> Rows:
    """The training rows of outcome tables, for the base's arms."""
    data = dataset_of(tables, [info.arm for info in manifest.arms])
    data = data.rows(~data.test)
    return Rows(data=data, inputs=embed_inputs(data.texts, encoder, cache, reporter))


def joined(parts: list[Rows]) -> Rows:
    """All rows, one part after the other."""
    first = parts[0].data

    def stacked(name: str) -> Any:  # noqa: ANN401
        return np.concatenate([getattr(part.data, name) for part in parts])

    data = replace(
        first,
        prompt_ids=sum((part.data.prompt_ids for part in parts), ()),
        texts=sum((part.data.texts for part in parts), ()),
        domains=sum((part.data.domains for part in parts), ()),
        **{
            name: stacked(name)
            for name in (
                "n_chars", "quality", "input_tokens", "output_tokens", "cost_usd", "test",
            )
        },
    )  # fmt: skip
    return Rows(
        data=data,
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
