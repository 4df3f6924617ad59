"""Train and evaluate on every dataset of a folder, and write one table of results.

    python -m training.results --datasets ../shared/datasets

A dataset is NAME.parquet with NAME.prompts.parquet beside it. Everything lands under --out: the
bundles, the figures as JSON, report and picture of the frontier, and results.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

METHOD_ORDER = (
    "zero_router",
    "task_label",
    "avengers_pro",
    "cluster_table",
    "knn",
    "lightgbm",
    "oracle",
)


def run(name: str, datasets: Path, out: Path) -> dict[str, Any]:
    """Train and evaluate one dataset through the command line, as a user would."""
    tables = [
        "--data",
        f"{datasets}/{name}.parquet",
        "--prompts",
        f"{datasets}/{name}.prompts.parquet",
    ]
    bundle = out / name / "bundle"
    figures = out / name / "evaluation.json"
    report = out / name / "report.html"
    tierwise = [sys.executable, "-m", "router"]
    subprocess.run([*tierwise, "train", *tables, "--out", str(bundle)], check=True)
    picture = out / name / "frontier.png"
    asked = ["--baselines", "--json", f"{figures}", "--html", f"{report}", "--png", f"{picture}"]
    subprocess.run([*tierwise, "evaluate", str(bundle), *tables, *asked], check=True)
    found: dict[str, Any] = json.loads(figures.read_text("utf-8"))
    return found


def table(results: dict[str, dict[str, Any]]) -> str:
    """Markdown: one row a method, one column a dataset; AIQ, and saving at the best single arm."""
    names = list(results)
    head = "| AIQ (saving at best single arm) | " + " | ".join(
        f"{name} ({len(found['arms'])} arms, {found['n_prompts']} prompts)"
        for name, found in results.items()
    )
    lines = [f"{head} |", "|---" * (len(names) + 1) + "|"]
    lines.append(_row("**tierwise**", [_cell(results[n]["router"], interval=True) for n in names]))
    for method in METHOD_ORDER:
        cells = [_cell(results[name]["baselines"].get(method)) for name in names]
        lines.append(_row(method.replace("_", " "), cells))
    gaps = [_gap(results[name]) for name in names]
    lines.append(_row("tierwise − best baseline, 95 % interval", gaps))
    return "\n".join(lines) + "\n"


def _row(label: str, cells: list[str]) -> str:
    return f"| {label} | " + " | ".join(cells) + " |"


def _cell(figures: dict[str, Any] | None, *, interval: bool = False) -> str:
    if figures is None:
        return "–"
    saving = figures["saving_at_best_single"]
    text = f"{figures['aiq']:.4f}"
    if interval:
        low, high = figures["ci95"]["aiq"]
        text = f"**{text}** [{low:.3f}, {high:.3f}]"
    return text if saving is None else f"{text} ({round(100 * saving)} %)"


def _gap(found: dict[str, Any]) -> str:
    """The paired difference to the strongest baseline that could be deployed."""
    rivals = {k: v for k, v in found["baselines"].items() if k in METHOD_ORDER and k != "oracle"}
    name = max(rivals, key=lambda key: rivals[key]["aiq"])
    gap = rivals[name]["aiq_difference"]
    low, high = gap["ci95"]
    return f"{gap['value']:+.4f} [{low:+.4f}, {high:+.4f}] over {name.replace('_', ' ')}"


@click.command()
@click.option("--datasets", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("artifacts/results"))
@click.option("--only", multiple=True, help="Dataset name; may be repeated.")
def main(datasets: Path, out: Path, only: tuple[str, ...]) -> None:
    """Train and evaluate every dataset in DATASETS."""
    found = sorted(
        path.name.removesuffix(".prompts.parquet") for path in datasets.glob("*.prompts.parquet")
    )
    results = {}
    for name in only or found:
        click.echo(f"== {name}")
        results[name] = run(name, datasets, out)
    (out / "results.md").write_text(table(results), "utf-8")
    click.echo(table(results))


if __name__ == "__main__":
    main()
