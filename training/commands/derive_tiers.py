"""`tierwise derive-tiers`: samples and a catalogue in, an outcome table with more tiers out."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from data.errors import DataError
from data.simulation.samples import load_samples
from data.split import folds
from router.catalogue.catalogue import Catalogue
from router.errors import RouterError

from ..config import TrainConfig, load_config
from ..errors import TrainingError
from ..methods.base import Inputs
from ..prepare.encoder import export_encoder, sample_evenly
from ..progress import ConsoleReporter, Reporter
from ..selection.depth import SAMPLE, embed_inputs
from ..tiers.betabinomial import Beta
from ..tiers.derive import Derived, derive, summary
from ..tiers.passing import fit_pass_model, posterior
from ..tiers.sampled import Sampled, build_sampled
from .train import CACHE

PATH = click.Path(path_type=Path)


def beliefs(sampled: Sampled, inputs: Inputs, config: TrainConfig) -> Beta:
    """Beta of every cell after its own samples, by heads that did not see them: (n, m) each."""
    train = ~sampled.test
    if train.sum() < config.folds.folds:
        raise TrainingError(
            f"pass probabilities are learned on training prompts, and there are {train.sum()}"
        )
    fold = folds(sampled.texts, config.folds.folds, config.folds.seed)[train]
    model, held_out = fit_pass_model(
        inputs.rows(train), sampled.counts.rows(train), fold, config.linear, seed=config.seed
    )
    a, b = model.predict(inputs)
    a[train], b[train] = held_out
    return posterior((a, b), sampled.counts)


def run(
    sampled: Sampled, catalogue: Catalogue, base: str, config: TrainConfig, cache: Path,
    reporter: Reporter,
) -> Derived:  # fmt: skip
    """Embed the prompts, fit, derive."""
    sample = sample_evenly(sampled.texts, SAMPLE)
    depth = config.encoder.depths[-1]  # form says more of difficulty than meaning does
    encoder = export_encoder(config.encoder, cache / "encoders", sample, depth=depth)
    inputs = embed_inputs(sampled.texts, encoder, cache, reporter)
    with reporter.stage("pass probabilities"):
        belief = beliefs(sampled, inputs, config)
    with reporter.stage("derive tiers"):
        return derive(sampled, belief, catalogue, base)


@click.command("derive-tiers")
@click.option("--samples", type=PATH, required=True, help="Several rows per prompt and model.")
@click.option("--prompts", type=PATH, required=True, help="Prompts of the same ids.")
@click.option("--catalogue", type=PATH, required=True, help="TOML of tiers and prices.")
@click.option("--base", default="default", show_default=True, help="Tier of the single samples.")
@click.option("--config", type=PATH, help="TOML, as for training.")
@click.option("--out", type=PATH, required=True, help="Folder for outcomes and prompts.")
@click.option("--cache", type=PATH, default=CACHE, show_default=True)
def derive_tiers(
    samples: Path,
    prompts: Path,
    catalogue: Path,
    base: str,
    config: Path | None,
    out: Path,
    cache: Path,
) -> None:
    """Derive best-of-n, votes and revisions from repeated samples.

    Writes outcomes.parquet and prompts.parquet, which `tierwise train` takes as they are, and
    derive.json, which says what the derived qualities rest on.
    """
    reporter = ConsoleReporter(Console(stderr=True))
    try:
        settings = load_config(config)
        tables = load_samples(samples, prompts, split=settings.split)
        sampled = build_sampled(tables, base)
        found = run(sampled, Catalogue.load(catalogue), base, settings, cache, reporter)
    except (DataError, TrainingError, RouterError) as err:
        raise click.ClickException(str(err)) from err
    out.mkdir(parents=True, exist_ok=True)
    found.outcomes.write_parquet(out / "outcomes.parquet")
    tables.prompts.write_parquet(out / "prompts.parquet")
    text = json.dumps(summary(found), indent=1, allow_nan=False)
    (out / "derive.json").write_text(text + "\n", "utf-8")
    for reason, count in sorted(tables.report.rejected_by_reason().items()):
        click.echo(f"left out {count} rows: {reason}")
    arms = found.outcomes.select("model", "tier").n_unique()
    click.echo(f"{arms} arms on {len(sampled.prompt_ids)} prompts in {out}")
    for model, curves in found.curves.items():
        said = "taken as perfect: no scores" if curves.auc is None else f"AUC {curves.auc:.3f}"
        click.echo(f"{model}: verifier {said}")
    short = {arm: rows for arm, rows in found.estimated.items() if rows}
    for arm, rows in short.items():
        click.echo(f"{arm}: {rows} test rows have too few samples and hold expectations")
