"""The stages of training, in order; nothing else.

tables -> matrices -> encoder and its depth -> embeddings -> costs -> cross-fitted methods ->
stack and calibration -> final fit -> decision constants -> graph and parity -> bundle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from router.core.manifest import Manifest

from .bundle.decision import Origin, arm_infos, decision_constants, mean_quality
from .bundle.export import check_target, write_bundle
from .bundle.fit import combine, final_fit
from .bundle.manifest import describe, training_record
from .bundle.model import Parity, check_parity
from .bundle.oof_predictions import oof_predictions
from .config import TrainConfig
from .methods.base import Inputs
from .methods.cluster import nearest
from .methods.costs import fit_meter, fit_tokens, token_targets
from .preferences.evidence import pairs_record, split_battles
from .preferences.pairs_only_arms import Newcomers, onboard
from .prepare.catalogue import catalogue_of, list_prices, load_catalogue
from .prepare.dataset import Dataset, build_dataset
from .prepare.encoder import ExportedEncoder
from .prepare.inputs import embed_inputs, open_encoder
from .progress import Reporter
from .selection.crossfit import crossfit, split_folds
from .selection.threshold_map import threshold_map
from .selection.validation import validation_metrics
from .threads import single_threaded

if TYPE_CHECKING:
    from data.tables import Tables

PARITY_ROWS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What training made."""

    path: Path
    manifest: Manifest
    parity: Parity


@single_threaded
def train(
    tables: Tables, config: TrainConfig, out: Path, cache: Path, reporter: Reporter
) -> Trained:
    """Train a bundle from the training rows of `tables`.

    Args:
        tables: checked outcomes and prompts with a split.
        config: everything that can be chosen.
        out: the bundle's folder.
        cache: folder of encoder exports and embeddings, reused between runs.
        reporter: shows stages, counts and remaining time.
    Raises:
        TrainingError: the tables cannot be learned from, or the export is not faithful.
    """
    check_target(out)
    with reporter.stage("read tables") as stage:
        data = build_dataset(tables, config.arms)
        data = data.rows(~data.test)
        stage.note(f"{len(data)} training prompts, {len(data.arms)} arms")
    encoder = open_encoder(config.encoder, cache, reporter)
    inputs = embed_inputs(data.texts, encoder, cache, reporter)
    origin = origin_of(tables, config)
    battles = split_battles(tables, data, encoder, cache, reporter)
    joined = None
    if battles is not None:
        with reporter.stage("arms known by battles") as stage:
            joined = onboard(data, inputs, battles, origin.prices, config)
            data = joined.data
            stage.note(f"{len(battles)} battles, {len(joined.fought)} arms by them alone")
    return learn(
        data, inputs, encoder, origin, config=config, out=out, reporter=reporter, joined=joined
    )


def origin_of(tables: Tables, config: TrainConfig) -> Origin:
    """What tables and catalogue say of the models."""
    catalogue = load_catalogue(config.arms.catalogue)
    models = tables.models()
    prices = list_prices(catalogue, tables.prices, models)
    dates = {}
    for model in [] if prices is None else models:
        found = prices.find(model) if prices is not None else None
        if found is not None and found.valid_from is not None:
            dates[model] = found.valid_from.isoformat()
    return Origin(
        prices=prices,
        price_dates=dates,
        catalogue=catalogue,
        rejected=tables.report.rejected_by_reason(),
    )


@single_threaded
def learn(
    data: Dataset,
    inputs: Inputs,
    encoder: ExportedEncoder,
    origin: Origin,
    *,
    config: TrainConfig,
    out: Path,
    reporter: Reporter,
    joined: Newcomers | None = None,
) -> Trained:
    """Everything after the embeddings.

    Args:
        data: the training rows.
        inputs: their embeddings, by `encoder`, and text features.
        encoder: goes into the bundle.
        origin: prices, capabilities and what was left out.
        config: everything that can be chosen.
        out: the bundle's folder.
        reporter: shows stages, counts and remaining time.
        joined: preferences to learn from beside the outcomes, and the arms that only they know.
    """
    battles = None if joined is None else joined.battles
    folds = split_folds(data.texts, config.folds)
    judged, judged_inputs = data.rows(folds.judged), inputs.rows(folds.judged)
    with reporter.stage("cost model"):
        meter = fit_meter(data, origin.prices)
        targets = token_targets(data, meter)
        oof_output_tokens, tokens = fit_tokens(inputs, targets, folds, config)
        oof_cost_usd = meter.cost_usd(judged.n_chars, oof_output_tokens)
    with reporter.stage("cross-fit methods", len(config.predictors)) as stage:
        fitted = crossfit(inputs, data, folds, oof_cost_usd, config, stage, battles)
    with reporter.stage("stack and calibrate") as stage:
        stack, calibration, oof_quality = combine(fitted, data, config)
        stage.note("mean of " + ", ".join(stack.names))
    with reporter.stage("final fit", len(stack.names)) as stage:
        model = final_fit(
            inputs,
            data,
            fitted,
            stack=stack,
            calibration=calibration,
            meter=meter,
            tokens=tokens,
            config=config,
            stage=stage,
        )
        model = model if joined is None else joined.widened(model)
    with reporter.stage("decision constants") as stage:
        mean = mean_quality(data, oof_quality)
        rule = decision_constants(
            model,
            judged_inputs,
            judged,
            oof_quality=oof_quality,
            oof_cost_usd=oof_cost_usd,
            mean=mean,
            config=config,
        )
        seen = judged if joined is None else replace(judged, quality=joined.observed(judged))
        # of the very rows that the bundle keeps: an edit at unchanged prices makes the same map
        table = threshold_map(oof_quality, oof_cost_usd, seen.quality, rule.band)
        stage.note(f"tie band {rule.info.tie_band:g}")
    with reporter.stage("export and check") as stage:
        graph = model.to_onnx(encoder.info.dimension)
        rows = np.linspace(0, len(judged) - 1, min(len(judged), PARITY_ROWS)).astype(int)
        parity = check_parity(model, graph, judged_inputs.rows(rows), judged.rows(rows))
        infos = arm_infos(model, data, origin, mean)
        observed = judged if joined is None else joined.own_labels(judged)
        known = len(observed.arms)
        manifest = describe(
            encoder=encoder.info,
            arms=infos if joined is None else joined.infos(infos),
            rule=rule,
            threshold_map=table,
            training=training_record(
                data if joined is None else joined.own_labels(data),
                origin, fitted, stack, rule, parity,
            )
            | pairs_record(joined, stack),
            metrics=validation_metrics(
                oof_quality[:, :known], oof_cost_usd[:, :known], observed, rule.band
            ),
            config=config,
            catalogue=catalogue_of(origin.catalogue, data.arms),
        )  # fmt: skip
        oof = oof_predictions(
            judged.texts,
            data.texts,
            quality=oof_quality,
            quality_se=model.table.blended(judged_inputs, model.table.errors),
            output_tokens=oof_output_tokens,
            realised=seen.quality,
            n_chars=judged.n_chars,
            cluster=nearest(judged_inputs.embedding, model.table.centroids)[0],
        )
        manifest = write_bundle(out, manifest, graph, encoder, oof)
        stage.note(f"{manifest.bundle_id}, largest gap {parity.quality_gap:.1g}")
    return Trained(path=out, manifest=manifest, parity=parity)
