"""Train and evaluate one dataset through the command line, as a user would."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

Json = dict[str, Any]
PROMPTS = ".prompts.parquet"
CONFIG = Path(__file__).with_name("reported.toml")
REPORTED = ("alpaca_eval", "dcrouter", "mmlu_pro", "routellm", "zeroeval")  # in the README


def dataset_names(datasets: Path, *, reported: bool = True) -> list[str]:
    """The tables of a folder that are reported; all of them where it has none, or if all are asked.

    A table is NAME.parquet with NAME.prompts.parquet beside it.
    """
    found = (path.name.removesuffix(PROMPTS) for path in datasets.glob(f"*{PROMPTS}"))
    names = sorted(name for name in found if (datasets / f"{name}.parquet").is_file())
    return ([name for name in names if name in REPORTED] if reported else []) or names


def tables(name: str, datasets: Path) -> list[str]:
    """The arguments that name a dataset's tables."""
    return ["--data", f"{datasets}/{name}.parquet", "--prompts", f"{datasets}/{name}{PROMPTS}"]


def run(name: str, datasets: Path, out: Path, *, reuse: bool = False) -> None:
    """Train, evaluate with every baseline, and leave bundle, JSON, HTML and picture in `out/name`.

    Args:
        name: of the dataset.
        datasets: folder of the tables.
        out: folder of the results.
        reuse: keep a bundle and an evaluation that are there already.
    """
    folder = out / name
    bundle, figures = folder / "bundle", folder / "evaluation.json"
    asked = tables(name, datasets)
    if not (reuse and (bundle / "manifest.json").is_file()):
        tierwise("train", *asked, "--config", str(CONFIG), "--out", str(bundle))
        figures.unlink(missing_ok=True)
    if not (reuse and figures.is_file()):
        written = ["--html", f"{folder}/report.html", "--png", f"{folder}/frontier.png"]
        tierwise("evaluate", str(bundle), *asked, "--baselines", "--json", f"{figures}", *written)


def tierwise(*arguments: str) -> None:
    """Run one command in a process of its own, so that memory is given back.

    Raises:
        CalledProcessError: it failed; its own words are on standard error.
    """
    subprocess.run([sys.executable, "-m", "router", *arguments], check=True)


def read(path: Path) -> Json | None:
    """A JSON result, or None where there is none yet."""
    return json.loads(path.read_text("utf-8")) if path.is_file() else None
