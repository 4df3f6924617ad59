"""`tierwise retrain`: a decision log in, a candidate bundle out."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from data.errors import DataError
from data.events import read_log
from data.tables import load_tables
from router.core.bundle import Bundle
from router.errors import RouterError

from ..config import load_config
from ..errors import TrainingError
from ..retrain.log_rows import HELD_OUT, read_traffic
from .train import CACHE, report_rejects

PATH = click.Path(path_type=Path)


@click.command()
@click.option("--log", "log_dir", type=PATH, required=True, help="The service's TIERWISE_LOG_DIR.")
@click.option("--base", type=PATH, required=True, help="Bundle, or store, that routed.")
@click.option("--out", type=PATH, required=True, help="The candidate's folder.")
@click.option("--data", "data_path", type=PATH, help="Outcome tables to learn from as well.")
@click.option("--prompts", type=PATH, help="Prompts of --data.")
@click.option("--pairs", type=PATH, help="Preferences between two arms, on prompts of --prompts.")
@click.option("--config", type=PATH, help="TOML; the base's own configuration by default.")
@click.option(
    "--holdout",
    type=click.FloatRange(0, 1, max_open=True),
    default=HELD_OUT,
    show_default=True,
    help="Share of logged prompts that is left to the gate.",
)
@click.option("--cache", type=PATH, default=CACHE, show_default=True, help="Embeddings of --data.")
def retrain(
    log_dir: Path,
    base: Path,
    out: Path,
    data_path: Path | None,
    prompts: Path | None,
    pairs: Path | None,
    config: Path | None,
    holdout: float,
    cache: Path,
) -> None:
    """Train a candidate for the arms of --base from its decision log."""
    from ..progress import ConsoleReporter
    from ..retrain.retrain import retrain as run

    console = Console(stderr=True)
    if (data_path is None) != (prompts is None):
        raise click.ClickException("--data and --prompts belong together")
    if pairs is not None and data_path is None:
        raise click.ClickException("--pairs needs --data and --prompts")
    try:
        bundle = Bundle.load(base)
        traffic = read_traffic(read_log(log_dir), bundle.manifest)
        tables = None
        if data_path is not None and prompts is not None:
            tables = load_tables(data_path, prompts, pairs)
            report_rejects(console, tables)
        settings = None if config is None else load_config(config)
        found = run(
            traffic,
            bundle,
            out,
            cache,
            ConsoleReporter(console),
            tables=tables,
            config=settings,
            holdout=holdout,
        )
    except (DataError, TrainingError, RouterError) as err:
        raise click.ClickException(str(err)) from err
    for reason, count in sorted(traffic.rejected.items()):
        console.print(f"left out {count}: {reason}")
    for suspect in found.suspects:
        console.print(
            f"set aside {suspect.rows} rewards by key {suspect.key}: those of {suspect.arm} differ "
            f"from everybody else's by {suspect.errors} standard errors"
        )
    candidate = found.trained.manifest.bundle_id
    click.echo(
        f"candidate {candidate} in {out}, from {found.logged} logged decisions"
        f"{f', {found.battles} preferences' if found.battles else ''} and "
        f"{found.full} prompts of tables; base {bundle.manifest.bundle_id}"
    )
