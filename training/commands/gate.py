"""`tierwise gate`: may this candidate replace the incumbent?"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console

from data.errors import DataError
from data.events import read_log
from data.tables import load_tables
from router import Router
from router.errors import RouterError

from ..config import TrainConfig, build
from ..errors import TrainingError
from ..gate.checks import PASSED, Check, Gate, Margins, decide, log_checks, outcome_checks
from ..gate.compare import on_log, on_outcomes
from ..gate.moves import moves_on_log
from ..gate.report import write_page
from ..gate.values import Value, values
from ..progress import ConsoleReporter
from ..retrain.log_rows import read_traffic
from .train import CACHE, report_rejects

PATH = click.Path(path_type=Path)


@click.command()
@click.argument("candidate", type=PATH)
@click.option("--incumbent", type=PATH, required=True, help="Bundle or store that is live.")
@click.option("--data", "data_path", type=PATH, help="Held-out outcomes of every arm.")
@click.option("--prompts", type=PATH, help="Prompts of --data.")
@click.option("--split", default="test", show_default=True, help="Of --data: train, test or all.")
@click.option("--log", "log_dir", type=PATH, help="Decision log; its held-out share is used.")
@click.option("--json", "json_path", type=PATH, help="Write the record that promote asks for.")
@click.option("--html", "html_path", type=PATH, help="Write the page here.")
@click.option("--cache", type=PATH, default=CACHE, show_default=True, help="Embeddings of --data.")
def gate(
    candidate: Path,
    incumbent: Path,
    data_path: Path | None,
    prompts: Path | None,
    split: str,
    log_dir: Path | None,
    json_path: Path | None,
    html_path: Path | None,
    cache: Path,
) -> None:
    """Compare CANDIDATE with the incumbent; exit code 0 only when it passed."""
    console = Console(stderr=True)
    if (data_path is None) != (prompts is None):
        raise click.ClickException("--data and --prompts belong together")
    checks: list[Check] = []
    found, compared, margins = None, None, Margins()
    estimates: tuple[Value, ...] = ()
    try:
        ours, theirs = Router.load(candidate), Router.load(incumbent)
        if data_path is not None and prompts is not None:
            settings = build(TrainConfig, dict(theirs.manifest.config), "")
            tables = load_tables(data_path, prompts, split=settings.split)
            report_rejects(console, tables)
            reporter = ConsoleReporter(console)
            found = on_outcomes(ours, theirs, tables, split=split, cache=cache, reporter=reporter)
            checks += outcome_checks(found.evaluation, margins)
        if log_dir is not None:
            traffic = read_traffic(read_log(log_dir), theirs.manifest)
            compared = on_log(ours, theirs, traffic)
            estimates = values(compared)
            checks += log_checks(estimates, margins)
    except (DataError, TrainingError, RouterError) as err:
        raise click.ClickException(str(err)) from err
    record = decide(ours.manifest.bundle_id, theirs.manifest.bundle_id, checks)
    record = replace(record, values=estimates)
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(record.to_dict(), indent=1) + "\n", "utf-8")
    if html_path is not None:
        html_path.parent.mkdir(parents=True, exist_ok=True)
        logged = None if compared is None else moves_on_log(compared, ours.arms)
        write_page(html_path, record, found, logged)
    for line in told(record):
        click.echo(line)
    raise SystemExit(0 if record.verdict == PASSED else 1)


def told(record: Gate) -> list[str]:
    """The record as text."""
    lines = [f"{record.candidate} against {record.incumbent}: {record.verdict} ({record.summary})"]
    for check in record.checks:
        value = "  –   " if check.value is None else f"{check.value:+.4f}"
        interval = ""
        if check.interval is not None:
            interval = f"[{check.interval[0]:+.4f}, {check.interval[1]:+.4f}]"
        note = "" if check.needed else " (for information)"
        lines.append(
            f"{check.verdict:<10} {check.name:<22} {value} {interval:<20} limit {check.limit:+.4f}"
            f"{note}  {check.detail}"
        )
    return lines
