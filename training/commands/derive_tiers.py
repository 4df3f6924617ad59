"""`tierwise derive-tiers`: samples and a catalogue in, an outcome table with more tiers out."""

from __future__ import annotations

from pathlib import Path

import click

from data.samples import load_samples
from router.catalogue.catalogue import Catalogue

from ..config import load_config
from ..progress import ConsoleReporter
from ..tiers.derive import summary
from ..tiers.derive_tables import derive_tables
from ..tiers.sampled import build_sampled
from ._common import CACHED, PROMPTS, command, note_rejects, path_option, write_json


@command
@path_option("--samples", required=True, about="Several rows per prompt and model.")
@PROMPTS
@path_option("--catalogue", required=True, about="TOML of tiers and prices.")
@click.option("--base", default="default", show_default=True, help="Tier of the single samples.")
@path_option("--config", about="TOML, as for training.")
@path_option("--out", required=True, about="Folder for outcomes and prompts.")
@CACHED
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
    settings = load_config(config)
    tables = load_samples(samples, prompts, split=settings.split)
    note_rejects(tables.report)
    sampled = build_sampled(tables, base)
    models = Catalogue.load(catalogue)
    found = derive_tables(sampled, models, base, settings, cache, ConsoleReporter())
    write_json(out / "derive.json", summary(found))
    found.outcomes.write_parquet(out / "outcomes.parquet")
    tables.prompts.write_parquet(out / "prompts.parquet")
    arms = found.outcomes.select("model", "tier").n_unique()
    click.echo(f"{arms} arms on {len(sampled.prompt_ids)} prompts in {out}")
    for model, curves in found.curves.items():
        said = "taken as perfect: no scores" if curves.auc is None else f"AUC {curves.auc:.3f}"
        click.echo(f"{model}: verifier {said}")
    for arm, rows in found.estimated.items():
        if rows:
            click.echo(f"{arm}: {rows} test rows have too few samples and hold expectations")
