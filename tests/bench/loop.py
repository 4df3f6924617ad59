"""The closed loop in a simulated world: route over HTTP, report outcomes, retrain, promote.

    python -m tests.bench.loop [--rounds 3] [--prompts 1500] [--seed 0]

It starts with a bundle that was trained on shuffled outcomes and knows nothing. Regret is against
the optimum of the world that is known here: the mean over prices of money of what the best arm of
each prompt is worth, less what the bundle's choice is worth, on prompts that were never routed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console

from data.events import read_log
from data.simulation.world import SimulationConfig, World, simulate
from data.tables import load_tables
from router import Router
from router.core.bundle import Bundle
from router.core.store import Store
from tests.worlds.processes import Service
from tests.worlds.truth import Truth, regret, truth_of
from training.config import TrainConfig
from training.pipeline import train
from training.prepare.cache import CACHE
from training.progress import Timings
from training.retrain.log_rows import read_traffic
from training.retrain.retrain import retrain

BASE, HELD = 300, 500  # prompts that the base saw, and that regret is measured on
THRESHOLDS = (0.2, 0.5, 0.8)


def poor_bundle(world: World, out: Path, seed: int) -> None:
    """A bundle that learned from outcomes dealt out at random."""
    first = world.prompts["prompt_id"][:BASE]
    part = world.outcomes.filter(pl.col("prompt_id").is_in(first.implode()))
    shuffled = part.with_columns(quality=part["quality"].shuffle(seed=seed), split=pl.lit("train"))
    folder = out.parent
    shuffled.write_parquet(folder / "poor.parquet")
    world.prompts.head(BASE).drop("split", strict=False).write_parquet(
        folder / "poor.prompts.parquet"
    )
    tables = load_tables(folder / "poor.parquet", folder / "poor.prompts.parquet")
    train(tables, TrainConfig(seed=seed), out, CACHE, Timings())


def route_and_report(port: int, truth: Truth, rng: np.random.Generator) -> None:
    """Send every prompt, and report what its answer would have been worth."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def post(path: str, body: dict[str, object]) -> dict[str, object]:
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        answer = connection.getresponse()
        content: dict[str, object] = json.loads(answer.read())
        if answer.status != 200:
            raise SystemExit(f"{path} answered {answer.status}: {content}")
        return content

    for i, text in enumerate(truth.texts):
        made = post("/route", {"prompt": text, "threshold": float(rng.choice(THRESHOLDS))})
        tier = made["tier"]
        arm = truth.arms.index(f"{made['model']}|{tier['name']}")  # type: ignore[index]
        post("/feedback", {
            "decision_id": made["decision_id"],
            "correct": bool(rng.random() < truth.p[i, arm]),
            "output_tokens": max(round(truth.tokens[i, arm] * rng.lognormal(-0.02, 0.2)), 1),
        })  # fmt: skip
    connection.close()


def closed_loop(
    folder: Path, *, rounds: int, prompts: int, seed: int, say: Console | None = None
) -> Sequence[float]:
    """Regret of the first bundle and after every round."""
    world = simulate(SimulationConfig(n_prompts=BASE + rounds * prompts + HELD, seed=seed, arms=6))
    truth, rng = truth_of(world), np.random.default_rng(seed)
    held = truth.rows(slice(-HELD, None))
    store, log_dir = Store(folder / "store"), folder / "log"
    poor_bundle(world, folder / "poor", seed)
    store.promote(folder / "poor", gate=None, force=None, time=0.0)
    found = [regret(Router.load(folder / "poor"), held)]
    env = {
        "TIERWISE_LOG_DIR": str(log_dir),
        "TIERWISE_EXPLORE_RATE": "0.3",
        "TIERWISE_EXPLORE_QUALITY_LOSS": "1",
        "TIERWISE_EXPLORE_COST_RATIO": "1000000",
    }
    for turn in range(rounds):
        begun = time.monotonic()
        start = BASE + turn * prompts
        with Service(folder / "store", **env) as service:
            route_and_report(service.port, truth.rows(slice(start, start + prompts)), rng)
        base = Bundle.load(folder / "store")
        traffic = read_traffic(read_log(log_dir), base.manifest)
        out = folder / f"candidate-{turn}"
        retrain(traffic, base, out, CACHE, Timings(), config=TrainConfig(seed=seed), holdout=0.0)
        store.promote(out, gate=None, force="closed loop", time=float(turn + 1))
        found.append(regret(Router.load(out), held))
        if say is not None:
            say.print(
                f"round {turn + 1}: {len(traffic)} decisions, regret {found[-1]:.4f} "
                f"({found[-1] / found[0]:.0%} of the start), {time.monotonic() - begun:.0f} s"
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prompts", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        found = closed_loop(
            Path(folder), rounds=args.rounds, prompts=args.prompts, seed=args.seed, say=console
        )
    console.print("regret: " + ", ".join(f"{value:.4f}" for value in found))
    falling = all(later < earlier for earlier, later in pairwise(found))
    raise SystemExit(0 if falling and found[-1] <= 0.25 * found[0] else 1)


if __name__ == "__main__":
    main()
