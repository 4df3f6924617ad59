"""`tierwise retrain`: a decision log in, a candidate bundle out."""

from __future__ import annotations

from pathlib import Path

import click

from data.collection import Source
from data.events import read_log
from data.tables import load_sources
from router.core.bundle import Bundle

from ..config import load_config
from ..progress import ConsoleReporter
from ..retrain.log_rows import Traffic, read_traffic
from ..retrain.retrain import Evidence
from ..retrain.retrain import retrain as train_candidate
from ._common import (
    CACHED,
    HOLDOUT,
    PAIRS,
    command,
    known_before,
    note,
    note_rejects,
    note_retired,
    of_sources,
    path_option,
)


@command
@path_option("--log", "log_dir", required=True, about="The service's TIERWISE_LOG_DIR.")
@path_option("--base", required=True, about="Bundle, or store, that routed.")
@path_option("--out", required=True, about="The candidate's folder.")
@of_sources(PAIRS, required=False)
@path_option("--config", about="TOML; the base's own configuration by default.")
@HOLDOUT
@CACHED
def retrain(
    log_dir: Path,
    base: Path,
    out: Path,
    sources: tuple[Source, ...],
    config: Path | None,
    holdout: float,
    cache: Path,
) -> None:
    """Train a candidate for the arms of --base from its decision log."""
    bundle = Bundle.load(base)
    if config is None:
        note_retired(bundle.manifest)
    reporter = ConsoleReporter()
    with reporter.stage("open log"):
        traffic = read_traffic(read_log(log_dir), bundle.manifest)
    tables = None
    if sources:
        tables = load_sources(sources)
        note_rejects(tables.report)
    settings = None if config is None else load_config(config)
    found = train_candidate(
        traffic,
        bundle,
        out,
        cache,
        reporter,
        tables=tables,
        config=settings,
        holdout=holdout,
        known=None if settings is None else known_before(None, settings),
    )
    _tell(traffic, found.evidence)
    used = found.evidence
    click.echo(
        f"candidate {found.trained.manifest.bundle_id} in {out}, from {used.logged} logged "
        f"decisions{f', {used.battles} preferences' if used.battles else ''} and {used.full} "
        f"prompts of tables; base {bundle.manifest.bundle_id}"
    )


def _tell(traffic: Traffic, used: Evidence) -> None:
    """What of the log could not be used, or in part."""
    for reason, count in sorted(traffic.rejected.items()):
        note(f"left out {count}: {reason}")
    if used.undrawn:
        note(
            f"{used.undrawn} decisions were answered by another arm than the drawn one: outcomes "
            "of that arm, without a propensity"
        )
    for flagged in used.flagged:
        note(
            f"set aside {flagged.rows} rewards by key {flagged.key}: those of {flagged.arm} differ "
            f"from everybody else's by {flagged.errors} standard errors"
        )
