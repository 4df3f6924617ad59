"""How far forged feedback moves an arm's share of the traffic, over made-up worlds.

    python -m tests.bench.forged [--worlds 30] [--full] [--scenario NAME]

Each world draws new truths over the same prompts, logs them with forging keys among honest ones,
and retrains twice: on that log, and on the log without the forging keys' reports. The figure is the
largest change of any arm's share among held-out prompts at the default threshold. With `--chance`
stands beside it what leaving out an honest key that sends as much moves. A world whose forging keys
are all flagged needs no training: the log that is learned from is the same. `--full` trains every
method instead of cluster tables and ridge.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data.simulation.world import SimulationConfig, simulate
from data.tables import load_tables
from router import Policy, Router
from router.types import Doubles
from tests.conftest import TINY
from tests.worlds.forged import Forgery, forged_traffic
from training.config import TrainConfig
from training.evaluation.evaluate import bundle_inputs
from training.methods.base import Inputs
from training.pipeline import train
from training.prepare.cache import CACHE
from training.progress import Timings
from training.retrain.feedback_outliers import FlaggedKey, accepted, flagged_keys
from training.retrain.log_rows import Traffic
from training.retrain.retrain import retrain

POOL, HELD, ARMS = 3600, 600, 5
ONE = Forgery(n=1500, arms=ARMS)
SCENARIOS = {
    "one key, 5 %, 900 reports": replace(ONE, n=900),
    "one key, 5 %": ONE,
    "one key, 5 %, 3,000 reports": replace(ONE, n=3000),
    "one key, 2 %": replace(ONE, share=0.02),
    "one key, 20 %": replace(ONE, share=0.2),
    "half of its reports are lies": replace(ONE, strength=0.5),
    "half, 3,000 reports": replace(ONE, strength=0.5, n=3000),
    "a quarter of its reports are lies": replace(ONE, strength=0.25),
    "three keys, 5 % together": replace(ONE, keys=3),
    "three keys, 3,000 reports": replace(ONE, keys=3, n=3000),
    "strict and lenient judges": replace(ONE, leniency=0.15, opinion=0.05),
    "20 honest keys": replace(ONE, honest=20),
    "keys of one domain each": replace(ONE, by_domain=True),
}


@dataclass(frozen=True)
class Bench:
    """A base that knows nothing, and embedded prompts."""

    base: Router
    inputs: Inputs
    config: TrainConfig

    def log(self, plan: Forgery, seed: int) -> Traffic:
        rows = np.random.default_rng([seed, 7]).permutation(POOL - HELD)[: plan.n]
        inputs = Inputs(self.inputs.embedding[rows], self.inputs.features[rows])
        scores = self.base.bundle.scorer.score(
            inputs.embedding, inputs.features, np.full(plan.n, 200)
        )
        made = forged_traffic(plan, seed, inputs, scores.quality)
        return replace(made, arms=self.base.arms, expected_usd=scores.cost_usd)

    def shares(self, traffic: Traffic) -> Doubles:
        """(a,) of the held-out prompts, by a candidate that learned from the log."""
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out"
            retrain(traffic, self.base.bundle, out, CACHE, Timings(), config=self.config)
            router = Router.load(out)
        held = Inputs(self.inputs.embedding[-HELD:], self.inputs.features[-HELD:])
        scores = router.bundle.scorer.score(held.embedding, held.features, np.full(HELD, 200))
        everyone = np.ones(scores.quality.shape, dtype=np.bool_)
        chosen = router.rule(Policy()).choose(scores, everyone)
        return np.bincount(chosen, minlength=len(router.arms)) / HELD


def silent(traffic: Traffic, keys: set[str]) -> Traffic:
    return accepted(traffic, [FlaggedKey(key, "", 0.0, 0) for key in keys])


def one_world(bench: Bench, plan: Forgery, seed: int) -> dict[str, float]:
    """Whether the forging keys were found, honest ones wronged, and how far shares moved."""
    log = bench.log(plan, seed)
    forging = {key for key in log.keys if key.startswith("forger")}
    flagged = {found.key for found in flagged_keys(log)}
    wronged = {key for key in flagged if not key.startswith("forger")}
    clean = silent(log, forging)
    row = {"found": len(flagged & forging) / len(forging), "wronged": float(len(wronged)),
           "moved": 0.0}  # fmt: skip
    if flagged != forging:
        row["moved"] = float(np.abs(bench.shares(log) - bench.shares(clean)).max())
    return row


def by_chance(bench: Bench, plan: Forgery, seed: int) -> float:
    """How far shares move when an honest key that sends as much is left out."""
    log = bench.log(replace(plan, strength=0.0), seed)
    forging = {key for key in log.keys if key.startswith("forger")}
    return float(np.abs(bench.shares(log) - bench.shares(silent(log, forging))).max())


def opened(folder: Path, *, full: bool) -> Bench:
    world = simulate(SimulationConfig(n_prompts=POOL, seed=5, arms=ARMS))
    rng_rows = world.outcomes.filter(
        world.outcomes["prompt_id"].is_in(world.prompts["prompt_id"].head(200).implode())
    )
    rng_rows.with_columns(quality=rng_rows["quality"].shuffle(seed=1)).write_parquet(
        folder / "o.parquet"
    )
    world.prompts.head(200).write_parquet(folder / "p.parquet")
    tables = load_tables(folder / "o.parquet", folder / "p.parquet")
    lean = replace(TINY, predictors=("cluster", "kernel"))
    train(tables, lean, folder / "base", CACHE, Timings())
    base = Router.load(folder / "base")
    inputs = bundle_inputs(base, tuple(world.prompts["prompt"]), CACHE, Timings())
    return Bench(base, inputs, TINY if full else lean)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=30)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--scenario", action="append", choices=list(SCENARIOS))
    parser.add_argument("--chance", action="store_true", help="measure leaving out an honest key")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = opened(Path(folder), full=args.full)
        for name in args.scenario or SCENARIOS:
            begun, plan = time.monotonic(), SCENARIOS[name]
            rows = [one_world(bench, plan, seed) for seed in range(args.worlds)]
            moved = np.array([row["moved"] for row in rows])
            found = {
                "scenario": name,
                "found": float(np.mean([row["found"] for row in rows])),
                "wronged": float(np.mean([row["wronged"] for row in rows])) / plan.honest,
                "moved_mean": float(moved.mean()),
                "moved_p95": float(np.percentile(moved, 95)),
                "moved_worst": float(moved.max()),
                "over_2_points": float((moved > 0.02).mean()),
            }
            if args.chance:
                chance = [by_chance(bench, plan, seed) for seed in range(args.worlds)]
                found["chance_p95"] = float(np.percentile(chance, 95))
                found["chance_worst"] = float(max(chance))
            found["s_per_world"] = (time.monotonic() - begun) / args.worlds
            rounded = {k: v if isinstance(v, str) else round(v, 4) for k, v in found.items()}
            print(json.dumps(rounded), flush=True)


if __name__ == "__main__":
    main()
