"""Replay several outcome tables as one-arm feedback, and draw their curves side by side.

python -m training.benchmarks.replay_all --datasets ../shared/datasets
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click

from .curve import write_curve
from .replay import share_of_gain

PATH = click.Path(path_type=Path)
NAMES = ("dcrouter", "mmlu_pro")


@click.command()
@click.option("--datasets", type=PATH, required=True, help="Folder of NAME.parquet tables.")
@click.option("--out", type=PATH, default=Path("artifacts/replay"), show_default=True)
@click.option("--only", "names", multiple=True, default=NAMES, show_default=True)
@click.option("--seed", "seeds", type=int, multiple=True, default=(0,), show_default=True)
def main(datasets: Path, out: Path, names: tuple[str, ...], seeds: tuple[int, ...]) -> None:
    """Replay every table of NAMES; figures as JSON, one picture of all."""
    out.mkdir(parents=True, exist_ok=True)
    found = {}
    for name in names:
        path = out / f"{name}.json"
        tables = ["--data", f"{datasets}/{name}.parquet", "--prompts",
                  f"{datasets}/{name}.prompts.parquet"]  # fmt: skip
        asked = [arg for seed in seeds for arg in ("--seed", str(seed))]
        replay = [sys.executable, "-m", "training.benchmarks.replay", *tables, "--out", str(path)]
        subprocess.run([*replay, *asked], check=True)
        found[name] = json.loads(path.read_text("utf-8"))
    write_curve(out / "replay.png", found)
    for name, figures in found.items():
        for cells, share in share_of_gain(figures).items():
            told = "no gain to share" if share is None else f"{share:.0%}"
            click.echo(f"{name}: {cells} cells, logs alone reach {told} of full information's gain")


if __name__ == "__main__":
    main()
