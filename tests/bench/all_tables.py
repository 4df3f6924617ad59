"""Train on every public table and evaluate what came of it: nothing may fail at its last step.

    python -m tests.bench.all_tables --datasets ../shared/datasets [NAME ...]

Each NAME.parquet with a NAME.prompts.parquet beside it is trained with the default settings and
evaluated on its test split, in a process of its own. Seconds are of the CPU, embedding included
where the cache lacks it. A table with too little to learn from is refused with a reason; anything
else that goes wrong is a failure, and the exit code is then 1.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from data.errors import DataError
from data.tables import load_tables
from router import Router
from router.errors import RouterError
from training.config import TrainConfig
from training.errors import ExportError, TrainingError
from training.evaluation.evaluate import evaluate_bundle
from training.measure.errors import EvaluationError
from training.measure.result import Evaluation
from training.measure.summarise import summarise
from training.pipeline import train
from training.prepare.cache import CACHE
from training.progress import Timings

COLUMNS = f"{'table':<20} {'prompts':>7} {'arms':>4} {'CPU s':>7} {'MB':>6} {'AIQ':>7} {'ece':>7}"


def one(outcomes: Path, prompts: Path) -> dict[str, Any]:
    """Train and evaluate in this process."""
    found: dict[str, Any] = {"refused": None, "failed": None}
    try:
        tables = load_tables(outcomes, prompts)
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "bundle"
            manifest = train(tables, TrainConfig(), out, CACHE, Timings()).manifest
            found |= {"prompts": manifest.training["prompts"], "arms": len(manifest.arms)}
            router = Router.load(out)
            measured, _ = evaluate_bundle(router, tables, cache=CACHE, reporter=Timings())
            found |= {"failed": "nothing to compare"} if measured is None else figures(measured)
    except (DataError, TrainingError, EvaluationError, RouterError) as err:
        found["failed" if "arms" in found or isinstance(err, ExportError) else "refused"] = str(err)
    found["cpu_s"] = time.process_time()
    found["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def figures(found: Evaluation) -> dict[str, float | None]:
    """AIQ of the router and its expected calibration error, each null where there is none."""
    summary = summarise(found)
    return {"aiq": summary.router.aiq, "ece": summary.router.ece}


def measure(outcomes: Path, prompts: Path) -> dict[str, Any]:
    """`one` in a fresh process, so that its peak is its own and a crash is a line."""
    command = [sys.executable, "-m", "tests.bench.all_tables", "--one", str(outcomes), str(prompts)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit {done.returncode}"]
        return {"refused": None, "failed": f"crashed: {last[0]}"}
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def line(name: str, found: dict[str, Any]) -> str:
    """One row of the table; a dash for what there is none of."""

    def shown(key: str, form: str, width: int) -> str:
        value = found.get(key)
        return f"{'-' if value is None else format(value, form):>{width}}"

    cells = [("prompts", "d", 7), ("arms", "d", 4), ("cpu_s", ".1f", 7), ("peak_mb", ".0f", 6)]
    cells += [("aiq", ".4f", 7), ("ece", ".4f", 7)]
    row = " ".join(shown(*cell) for cell in cells)
    return f"{name:<20} {row}  {outcome(found)}"


def outcome(found: dict[str, Any]) -> str:
    """How it ended, in one line."""
    if found["failed"] is not None:
        return f"FAILED: {found['failed']}"
    return "ok" if found["refused"] is None else f"refused: {found['refused']}"


def main() -> None:
    """Print the table and write artifacts/bench/all_tables.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=2, type=Path)
    parser.add_argument("--datasets", type=Path, default=Path("../shared/datasets"))
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(one(*options.one)))
        return
    print(COLUMNS)
    found: dict[str, Any] = {}
    for prompts in sorted(options.datasets.glob("*.prompts.parquet")):
        name = prompts.name.removesuffix(".prompts.parquet")
        outcomes = prompts.with_name(f"{name}.parquet")
        if outcomes.is_file() and name in (options.names or [name]):
            found[name] = measure(outcomes, prompts)
            print(line(name, found[name]), flush=True)
    out = Path("artifacts/bench/all_tables.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    sys.exit(not found or any(row["failed"] is not None for row in found.values()))


if __name__ == "__main__":
    main()
