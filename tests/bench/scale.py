"""What the offline steps take: by engine and number of workers, and at 10^9 rows.

    python -m tests.bench.scale BUNDLE PROMPTS.parquet [steps|engines]

`steps` counts processor time of the local engine, which other work on the machine moves little;
`engines` counts the clock, start-up apart from the work, and is right on an idle machine alone.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

from data.ingest import ingest
from training.batch.decide import decide_all
from training.batch.score import score_sharded

ROWS = 3000
SPEND_LOGS, FILES = 20_000, 4
SCORED = 600
RUNS = (("local", 1), ("local", 2), ("ray", 1), ("ray", 2))


def steps(bundle: Path, prompts: Path) -> None:
    """Processor time of ingest, and of embedding, scoring and the statistics of outcomes."""
    texts = pl.read_parquet(prompts).select("prompt_id", "prompt").head(SCORED)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("step                          rows  rows/core-second  core-hours at 10^9")
        logs = spend_logs(folder / "logs", texts["prompt"].to_list())
        spent = processor()
        ingest(logs, folder / "tables")
        told("ingest of spend logs", SPEND_LOGS, processor() - spent)
        texts.write_parquet(folder / "prompts.parquet")
        spent = processor()
        score_sharded([bundle], folder / "prompts.parquet", folder / "scores")
        told("embed, score, statistics", SCORED, processor() - spent)
        spent = processor()
        decide_all(folder / "prompts.parquet", folder / "decided", bundle, workers=1)
        told("decide", SCORED, processor() - spent)


def spend_logs(folder: Path, prompts: list[str]) -> list[Path]:
    """Files of LiteLLM spend logs, without scores."""
    folder.mkdir()
    paths = [folder / f"{i}.jsonl" for i in range(FILES)]
    for number, path in enumerate(paths):
        with path.open("w") as file:
            for i in range(number, SPEND_LOGS, FILES):
                text = f"{prompts[i % len(prompts)]} {i}"
                row = {"request_id": str(i), "model": f"model {i % 5}", "spend": 0.001,
                       "prompt_tokens": 40, "completion_tokens": 200, "status": "success",
                       "messages": [{"role": "user", "content": text}]}  # fmt: skip
                file.write(json.dumps(row) + "\n")
    return paths


def processor() -> float:
    """Seconds of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def told(step: str, rows: int, seconds: float) -> None:
    rate = rows / seconds
    print(f"{step:<26}{rows:>8}{rate:>18.0f}{1e9 / rate / 3600:>20,.0f}")


def engines(bundle: Path, prompts: Path) -> None:
    """Time every engine on the same prompts, start-up apart from the work."""
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "small.parquet", Path(folder) / "large.parquet"
        table = pl.read_parquet(prompts).select("prompt_id", "prompt")
        times = -(-ROWS // table.height)
        pl.concat([table] * times).head(ROWS).write_parquet(large)
        table.head(ROWS // 10).write_parquet(small)
        print("engine  workers  start s  rows/s  rows/s and core  core-hours at 10^9")
        for engine, workers in RUNS:
            out = Path(folder) / f"{engine}{workers}"
            few = timed(small, out.with_suffix(".few"), bundle, engine, workers)
            many = timed(large, out, bundle, engine, workers)
            rate = (ROWS - ROWS // 10) / (many - few)  # the start is in both
            start = max(0.0, few - ROWS // 10 / rate)
            hours = 1e9 / (rate / workers) / 3600
            print(
                f"{engine:<8}{workers:>7}{start:>9.1f}{rate:>8.0f}{rate / workers:>17.0f}"
                f"{hours:>20,.0f}"
            )


def timed(prompts: Path, out: Path, bundle: Path, engine: str, workers: int) -> float:
    """Seconds for one run."""
    began = time.perf_counter()
    decide_all(prompts, out, bundle, engine=engine, workers=workers)
    return time.perf_counter() - began


if __name__ == "__main__":
    which = {"steps": steps, "engines": engines}
    for name in sys.argv[3:] or which:
        which[name](Path(sys.argv[1]), Path(sys.argv[2]))
