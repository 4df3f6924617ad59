"""The stages of training, in order; nothing else.

tables -> matrices -> encoder -> embeddings -> costs -> cross-fitted methods -> stack and
calibration -> final fit -> decision constants -> graph and parity -> bundle.

Names that begin with `oof_` are predictions of training rows by models that did not see them; what
the tables say is `data`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from data.summary import source_facts
from router.catalogue.catalogue import Catalogue
from router.core.manifest import Manifest
from router.types import Doubles, Floats

from .bundle.decision import Origin, arm_infos, decision_constants, mean_quality
from .bundle.export import check_target, write_bundle
from .bundle.fit import Combined, Costs, OutOfFold, combine, final_fit
from .bundle.manifest import Learned, describe, training_record
from .bundle.model import FittedModel, Parity, check_parity
from .bundle.oof_predictions import OofPredictions, oof_predictions
from .bundle.regions import mapped_by_kind
from .config import TrainConfig
from .methods.base import Folds, Inputs
from .methods.costs import fit_meter, fit_tokens, token_targets
from .methods.runs_as_requests import as_requests
from .preferences.evidence import joined_battles, pairs_record
from .preferences.pairs_only_arms import PairsOnlyArms
from .prepare.catalogue import catalogue_of, joined, list_prices, load_catalogue, table_prices
from .prepare.dataset import Dataset, build_dataset
from .prepare.encoder import ExportedEncoder
from .prepare.inputs import embed_inputs, open_encoder
from .prior.costs import costs_on_base
from .prior.fit import Base, OnBase, config_on_base, on_base
from .prior.model import PriorModel
from .progress import Reporter
from .selection.crossfit import Crossfit, crossfit, split_folds
from .selection.validation import validation_metrics
from .sources.crossfit import (
    combine_sources,
    crossfit_sources,
    sources_of,
)
from .sources.levels import Sources
from .sources.tokens import fit_source_tokens
from .threads import single_threaded

if TYPE_CHECKING:
    from data.tables import Tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What training made."""

    path: Path
    manifest: Manifest
    parity: Parity


@single_threaded
def train(
    tables: Tables,
    config: TrainConfig,
    out: Path,
    cache: Path,
    reporter: Reporter,
    *,
    base: Base | None = None,
) -> Trained:
    """Train a bundle from the training rows of `tables`.

    Args:
        tables: checked outcomes and prompts with a split.
        config: everything that can be chosen.
        out: the bundle's folder.
        cache: folder of encoder exports and embeddings, reused between runs.
        reporter: shows stages, counts and remaining time.
        base: what is known before any row; its encoder is the bundle's.
    Raises:
        TrainingError: the tables cannot be learned from, or the export is not faithful.
    """
    check_target(out)
    if base is not None:
        config = config_on_base(base, tables, config)
    origin = origin_of(tables, config)
    if base is not None:  # what tiers mean, and models can do, unless somebody said so here
        known = Catalogue.of(base.bundle.manifest.catalogue)
        origin = replace(origin, catalogue=joined(origin.catalogue, known))
    tables = tables.learned()
    with reporter.stage("read tables") as stage:
        data = build_dataset(tables, config.arms)
        data = as_requests(data.rows(~data.test), origin.prices)
        stage.note(f"{len(data)} training prompts, {len(data.arms)} arms")
    if base is None:
        encoder = open_encoder(config.encoder, cache, reporter)
    else:
        encoder = ExportedEncoder.of(base.bundle)
    inputs = embed_inputs(data.texts, encoder, cache, reporter)
    fought = joined_battles(tables, data, inputs, encoder, origin, config, cache, reporter)
    return learn(
        data if fought is None else fought.data,
        inputs,
        encoder,
        origin,
        config=config,
        out=out,
        reporter=reporter,
        joined=fought,
        base=base,
    )


def origin_of(tables: Tables, config: TrainConfig) -> Origin:
    """What tables and catalogue say of the models."""
    catalogue = load_catalogue(config.arms.catalogue)
    models = tables.models()
    prices = list_prices(catalogue, table_prices(tables), models)
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
        record={"sources": facts} if (facts := source_facts(tables)) else {},
    )


@dataclass(frozen=True, slots=True)
class _Beside:
    """What there is beside the outcomes of one table; null where there is not."""

    sources: Sources | None
    joined: PairsOnlyArms | None
    based: OnBase | None

    def widened(self, model: FittedModel, inputs: Inputs, fitted: Crossfit) -> FittedModel:
        """The fitted model with what it knows by it."""
        model = model if self.joined is None else self.joined.widened(model)
        if self.based is None:
            return model
        return PriorModel.onto(self.based.prior, model, inputs, fitted, self.based.cells)

    def told(self, origin: Origin) -> Origin:
        """The origin, which says what base there was."""
        if self.based is None:
            return origin
        return replace(origin, record={**origin.record, "base": self.based.record})


def _based(
    base: Base | None,
    data: Dataset,
    inputs: Inputs,
    folds: Folds,
    config: TrainConfig,
    reporter: Reporter,
) -> OnBase | None:
    """What a base says of the training rows; null without."""
    if base is None:
        return None
    with reporter.stage("what the base says") as stage:
        based = on_base(base, data, inputs, folds, config)
        stage.note(based.told)
    return based


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
    joined: PairsOnlyArms | None = None,
    base: Base | None = None,
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
        base: what is known before any row.
    """
    folds, sources = sources_of(inputs, data, split_folds(data.groups, config.folds), config)
    beside = _Beside(sources, joined, _based(base, data, inputs, folds, config, reporter))
    costs, oof_tokens, oof_usd = _costs(data, inputs, folds, origin, config, reporter, beside)
    data = data if sources is None else data.of_arms(sources.offered)  # the others only teach
    judged = data.rows(folds.judged)  # what every choice below is made on, out of fold
    fitted, mixed = _quality(data, inputs, folds, oof_usd, config, reporter, beside)
    oof = OutOfFold(judged, inputs.rows(folds.judged), mixed.oof_quality, oof_usd, oof_tokens)
    with reporter.stage("final fit", len(mixed.stack.names)) as stage:
        found = final_fit(inputs, fitted, mixed, costs, config, stage)
    model = beside.widened(found, inputs, fitted)
    with reporter.stage("decision constants") as stage:
        mean = mean_quality(data, oof.quality)
        rule = decision_constants(model, oof, mean, config, origin.catalogue)
        table = rule.threshold_map(oof, _realised(oof, joined))
        stage.note(f"tie band {rule.info.tie_band:g}")
    with reporter.stage("export and check") as stage:
        graph = model.to_onnx(encoder.info.dimension)
        parity = check_parity(model, graph, oof.inputs, judged)
        learned = Learned(data, fitted, mixed, rule, table, parity, mean)
        manifest = _manifest(model, learned, oof, beside.told(origin), encoder, config, joined)
        kept, among = _kept(model, oof, data, joined), rule.among
        manifest, kept = mapped_by_kind(manifest, model, inputs, data, folds, kept, among, config)
        manifest = write_bundle(out, manifest, graph, encoder, kept)
        stage.note(f"{manifest.bundle_id}, largest gap {parity.quality_gap:.1g}")
    return Trained(path=out, manifest=manifest, parity=parity)


def _costs(
    data: Dataset,
    inputs: Inputs,
    folds: Folds,
    origin: Origin,
    config: TrainConfig,
    reporter: Reporter,
    beside: _Beside,
) -> tuple[Costs, Floats, Doubles]:
    """Prices and token model of the o offered arms; what judged rows take out of fold, (j, o)."""
    sources, based = beside.sources, beside.based
    with reporter.stage("cost model"):
        meter = fit_meter(data, origin.prices)
        if based is not None:
            costs, oof_tokens = costs_on_base(based, meter, inputs, data, folds, config)
        elif sources is not None:
            targets = token_targets(data, meter)
            oof_tokens, tokens = fit_source_tokens(sources, inputs, targets, folds, config)
            costs = Costs(meter.of_arms(sources.offered).of_prompts(), tokens)
        else:
            targets = token_targets(data, meter)
            oof_tokens, own = fit_tokens(inputs, targets, folds, config, data.counts)
            costs = Costs(meter, own)
    return costs, oof_tokens, costs.meter.cost_usd(data.n_chars[folds.judged], oof_tokens)


def _quality(
    data: Dataset,
    inputs: Inputs,
    folds: Folds,
    oof_cost_usd: Doubles,
    config: TrainConfig,
    reporter: Reporter,
    beside: _Beside,
) -> tuple[Crossfit, Combined]:
    """The methods, or the sources and their methods, and the whole that they make."""
    sources = beside.sources
    battles = None if beside.joined is None else beside.joined.battles
    ahead = None if beside.based is None else beside.based.ahead(data)
    steps = len(config.predictors if sources is None else sources.names)
    with reporter.stage("cross-fit methods", steps) as stage:
        if sources is None:
            fitted = crossfit(inputs, data, folds, oof_cost_usd, config, stage, battles, ahead)
        else:
            fitted = crossfit_sources(sources, inputs, data, folds, oof_cost_usd, config, stage)
    with reporter.stage("stack and calibrate") as stage:
        whole = sources is not None
        mixed = combine_sources(fitted, config) if whole else combine(fitted, data, config)
        stage.note("mean of " + ", ".join(mixed.stack.names))
    return fitted, mixed


def _manifest(
    model: FittedModel,
    learned: Learned,
    oof: OutOfFold,
    origin: Origin,
    encoder: ExportedEncoder,
    config: TrainConfig,
    joined: PairsOnlyArms | None,
) -> Manifest:
    """What the bundle says of itself; figures are of outcomes that were observed."""
    infos = arm_infos(model, learned.data, origin, learned.mean, oof.cost_usd)
    own, observed = learned.data, oof.data
    if joined is not None:
        infos = joined.infos(infos)
        own, observed = joined.own_labels(own), joined.own_labels(observed)
    known, band = len(own.arms), learned.rule.band
    record = training_record(replace(learned, data=own), origin)
    return describe(
        encoder=encoder.info,
        arms=infos,
        rule=learned.rule,
        threshold_map=learned.table,
        training=record | pairs_record(joined, learned.combined.stack),
        metrics=validation_metrics(oof.quality[:, :known], oof.cost_usd[:, :known], observed, band),
        config=config,
        catalogue=catalogue_of(origin.catalogue, learned.data.arms),
    )


def _kept(
    model: FittedModel, oof: OutOfFold, data: Dataset, joined: PairsOnlyArms | None
) -> OofPredictions:
    """The out-of-fold predictions that go into the bundle."""
    return oof_predictions(
        oof.data.texts,
        data.texts,
        quality=oof.quality,
        quality_se=model.errors(oof.inputs),
        output_tokens=oof.output_tokens,
        realised=_realised(oof, joined),
        n_chars=oof.data.n_chars,
        cluster=model.table.placed(oof.inputs, oof.data.sources),
    )


def _realised(oof: OutOfFold, joined: PairsOnlyArms | None) -> Floats:
    """(j, a) outcomes; NaN where missing, or predicted for want of any label of the arm.

    The map is made of the very values that the bundle keeps, so that an edit at unchanged prices
    makes the same map.
    """
    return oof.data.quality if joined is None else joined.observed(oof.data)
