"""`tierwise gate`: may this candidate replace the incumbent?"""

from __future__ import annotations

from pathlib import Path

import click

from data.collection import Source
from data.events import read_log
from router import Router
from router.core.store import Store, is_store

from ..gate.checks import PASSED, Gate
from ..gate.gate import judge
from ..gate.report import write_page
from ..progress import ConsoleReporter
from ._common import (
    CACHED,
    HOLDOUT,
    PATH,
    SPLIT,
    command,
    load_for,
    of_sources,
    parent_of,
    path_option,
    print_table,
    write_json,
)


@command
@click.argument("candidate", type=PATH)
@path_option("--incumbent", required=True, about="Bundle or store that is live.")
@of_sources(required=False)
@SPLIT
@path_option("--log", "log_dir", about="Decision log; its held-out share is used.")
@HOLDOUT
@path_option("--json", "json_path", about="Write the record that promote asks for.")
@path_option("--html", "html_path", about="Write the page here.")
@CACHED
def gate(
    candidate: Path,
    incumbent: Path,
    sources: tuple[Source, ...],
    split: str,
    log_dir: Path | None,
    holdout: float,
    json_path: Path | None,
    html_path: Path | None,
    cache: Path,
) -> None:
    """Compare CANDIDATE with the incumbent; exit code 0 only when it passed.

    A store that is the incumbent keeps the record, so that promote needs none.
    """
    ours, theirs = Router.load(candidate), Router.load(incumbent)
    tables = load_for(theirs, sources) if sources else None
    log, reporter = None, ConsoleReporter()
    if log_dir is not None:
        with reporter.stage("read log"):
            log = read_log(log_dir)
    found = judge(
        ours,
        theirs,
        tables=tables,
        split=split,
        log=log,
        cache=cache,
        reporter=reporter,
        holdout=holdout,
    )
    where = {"incumbent_path": str(theirs.bundle.path.resolve())}
    record = found.record.to_dict() | where
    write_json(json_path, record)
    if is_store(incumbent):  # the page shows it there, and promote finds it
        Store(incumbent).keep_gate(record)
    if html_path is not None:
        write_page(parent_of(html_path), found.record, found.on_outcomes, found.moves)
    _print_record(found.record)
    raise SystemExit(0 if found.record.verdict == PASSED else 1)


def _print_record(record: Gate) -> None:
    click.echo(
        f"{record.candidate} against {record.incumbent}: {record.verdict} ({record.summary})"
    )
    rows = []
    for check in record.checks:
        value = "–" if check.value is None else f"{check.value:+.4f}"
        low_high = check.interval
        interval = "" if low_high is None else f"[{low_high[0]:+.4f}, {low_high[1]:+.4f}]"
        note = "" if check.needed else "for information; "
        rows.append(
            (check.verdict, check.name, value, interval, check.passes_if, note + check.detail)
        )
    print_table(rows, "verdict", "check", "value", "95 %", "passes if", "")
