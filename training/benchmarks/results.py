"""Train and evaluate on the reported datasets of a folder, and write the report of results.

    python -m training.benchmarks.results --datasets ../shared/datasets

A dataset is NAME.parquet with NAME.prompts.parquet beside it. Bundles, figures as JSON, reports
and pictures land under --out; the report in Markdown and its picture where --report says. The
report is written from what is under --out, so datasets can be run one at a time (--only), in any
order, and a run that was cut off goes on with --reuse.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..prepare.cache import CACHE
from . import leave_task_out as leave_out
from . import routellm
from .results_report import write
from .run import dataset_names, run

REPORT = Path("training/RESULTS.md")
PARTS = ("methods", "leave-out", "routellm")


@click.command()
@click.option("--datasets", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("artifacts/results"))
@click.option("--only", multiple=True, help="Dataset name; may be repeated.")
@click.option(
    "--part", "parts", multiple=True, type=click.Choice(PARTS), help="What to run; default: all."
)
@click.option("--reuse", is_flag=True, help="Keep what an earlier run has finished.")
@click.option("--report-only", is_flag=True, help="Run nothing; write the report anew.")
@click.option("--report", "report", type=click.Path(path_type=Path), default=REPORT)
@click.option(
    "--readme",
    type=click.Path(path_type=Path, exists=True),
    help="Its table of results is written anew, once every dataset has been run.",
)
@click.option("--most", default=5, show_default=True, help="Tasks a dataset that are left out.")
def main(
    datasets: Path,
    out: Path,
    only: tuple[str, ...],
    parts: tuple[str, ...],
    reuse: bool,
    report_only: bool,
    report: Path,
    readme: Path | None,
    most: int,
) -> None:
    """Train and evaluate every dataset in DATASETS."""
    names = list(only) or dataset_names(datasets)
    wanted = () if report_only else parts or PARTS
    for name in names:
        if "methods" in wanted:
            click.echo(f"== {name}: every method")
            run(name, datasets, out, reuse=reuse)
            write(report, out, dataset_names(datasets))
        if "leave-out" in wanted:
            click.echo(f"== {name}: leave one task out")
            found = leave_out.run(name, datasets, out, most=most, reuse=reuse)
            text = json.dumps(found, indent=1, allow_nan=False) + "\n"
            (out / name / "leave_out.json").write_text(text, "utf-8")
        if "routellm" in wanted and name == routellm.DATASET:
            click.echo("== RouteLLM's own setting")
            routellm.run(datasets, out, cache=CACHE, reuse=reuse)
    write(report, out, dataset_names(datasets), readme)
    click.echo(f"wrote {report}")


if __name__ == "__main__":
    main()
