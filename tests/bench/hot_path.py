"""The hot path as ratios in one run: service against bare loop, hits against misses, and more.

    python -m tests.bench.hot_path [BUNDLE] [--fp32 model.onnx] [--rounds 7] [--requests 50000]

Everything that is compared is interleaved in short rounds and the medians over rounds count,
because absolute times drift with whatever else the machine does. Needs Linux (memory maps).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from router.core.bundle import ENCODER, Bundle
from router.engine import Router
from serving.reading import read_route
from serving.settings import Settings
from tests.worlds.processes import ROOT, Bare, Load, Service
from tests.worlds.prompts import make_prompts

from .encoders import int8_against_fp32, scoring_share

PROMPTS = 120  # distinct ones per round; more than CACHE, so that they never hit
CACHE = 64
HOT = 32  # prompts that always hit
STEPS = ("parse", "wait", "score", "decide")


@dataclass(frozen=True)
class Figure:
    """One measured figure and what it must reach."""

    name: str
    value: float | None
    unit: str
    goal: str
    met: bool | None
    note: str = ""


def at_least(name: str, value: float, goal: float, unit: str = "x", note: str = "") -> Figure:
    return Figure(name, value, unit, f">= {goal:g}", value >= goal, note)


def at_most(name: str, value: float, goal: float, unit: str, note: str = "") -> Figure:
    return Figure(name, value, unit, f"<= {goal:g}", value <= goal, note)


@dataclass(frozen=True)
class Round:
    """What one interleaved round measured."""

    bare: dict[str, Any]
    misses: Load
    single: Load
    hits: Load
    steps_ms: dict[str, float]


def one_round(serial: int, service: Service, bare: Bare) -> Round:
    prompts = make_prompts(PROMPTS, seed=1000 + serial)
    hot = make_prompts(HOT, seed=3)
    service.load(hot, concurrency=1)
    hits = service.load(hot, concurrency=8, repeat=60)
    plain = bare.run(prompts)
    misses = service.load(prompts, concurrency=8)
    before = service.series()
    single = service.load(prompts, concurrency=1)
    steps = step_means(before, service.series(), single)
    return Round(plain, misses, single, hits, steps)


def step_means(before: dict[str, float], after: dict[str, float], load: Load) -> dict[str, float]:
    """Milliseconds per request between two readings; `transport` is what the client saw more."""

    def gain(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    missed = gain('tierwise_cache_lookups_total{result="miss"}')
    if missed != PROMPTS:
        raise SystemExit(f"{missed:g} of {PROMPTS} prompts missed the cache; all must")
    means = {
        step: 1e3 * gain(f'tierwise_step_seconds_sum{{step="{step}"}}') / PROMPTS for step in STEPS
    }
    inside = 1e3 * gain("tierwise_route_seconds_sum") / PROMPTS
    means["rest"] = inside - sum(means.values())
    means["transport"] = load.mean_ms - inside
    return means


def throughput(rounds: list[Round]) -> list[Figure]:
    bare = [PROMPTS / r.bare["seconds"] for r in rounds]
    ratio = [r.misses.per_second / b for r, b in zip(rounds, bare, strict=True)]
    extra = [r.single.p50_ms - statistics.median(r.bare["per_prompt_ms"]) for r in rounds]
    gain = [r.hits.per_second / r.misses.per_second for r in rounds]
    middle = statistics.median
    both = f"{middle(r.misses.per_second for r in rounds):.0f} of {middle(bare):.0f} /s"
    single = f"p50 {middle(r.single.p50_ms for r in rounds):.2f} ms"
    hits = f"{middle(r.hits.per_second for r in rounds):.0f} /s"
    return [
        at_least("service / bare loop, c=8", middle(ratio), 0.90, note=both),
        at_most("p50 over the bare decision, c=1", middle(extra), 0.7, "ms", note=single),
        at_least("cache hits / misses, c=8", middle(gain), 30, note=hits),
    ]


def growth(service: Service, requests: int) -> tuple[Figure, dict[str, float]]:
    """Resident memory over many requests, one in 50 of a prompt never seen before."""
    hot, fresh = make_prompts(HOT, seed=3), make_prompts(requests // 50, seed=77)
    mixed = [
        text for i, new in enumerate(fresh) for text in [*(hot * 2)[i % HOT :][:31], *hot[:18], new]
    ]
    service.load(mixed[:2000], concurrency=8)
    before = service.memory()["worker_rss"]
    service.load(mixed, concurrency=8)
    after = service.memory()
    share = after["worker_rss"] / before - 1
    name = f"resident memory over {len(mixed):,} requests"
    note = f"{before:.0f} to {after['worker_rss']:.0f} MB"
    return at_most(name, 100 * share, 20, "% more", note), after


def encoder_figures(bundle: Bundle, fp32: Path | None, rounds: int) -> list[Figure]:
    part = scoring_share(bundle, rounds=rounds)
    alone = f"as served; {100 * part['alone']:.1f} % with warm caches"
    share = at_most("scoring / 20-token embedding", 100 * part["served"], 10, "%", alone)
    if fp32 is None:
        none = "no fp32 export at hand; give --fp32"
        return [Figure("int8 / fp32 encoder speed", None, "x", ">= 2.4", None, none), share]
    found = int8_against_fp32(bundle, fp32, rounds=rounds)
    real = bundle.manifest.encoder.cosine_to_fp32
    note = "on real prompts, at export" if real is not None else "on the golden prompts"
    return [
        at_least("int8 / fp32 encoder speed", found["speed"], 2.4, note="20 to 100 tokens"),
        at_least("mean cosine int8 to fp32", real or found["cosine"], 0.99, "",
                 f"{note}; {found['cosine']:.4f} on the golden prompts"),
        share,
    ]  # fmt: skip


def reading_figures(bundle: Path, rounds: int) -> list[Figure]:
    """What reading and counting a whole request costs, beside scoring it."""
    router, found = Router.load(bundle), {}
    for tokens in (2_000, 200_000):
        body, scored, read = chat_body(tokens), [], []
        for _ in range(3 * rounds):
            begun = time.perf_counter()
            view = read_route(body, Settings()).view
            ended = time.perf_counter()
            router.score(view)
            read.append(1e3 * (ended - begun))
            scored.append(1e3 * (time.perf_counter() - begun))
        found[tokens] = statistics.median(read), statistics.median(scored)
    short, decision = found[2_000]
    note = f"{short:.2f} of {decision:.1f} ms"
    return [
        at_most("reading / decision, 2,000 tokens", 100 * short / decision, 5, "%", note),
        at_most("reading, 200,000 tokens", found[200_000][0], 60, "ms"),
    ]


def chat_body(tokens: int) -> bytes:
    """A Chat body of about so many tokens: a session of turns with prose, and five tools."""
    words = " ".join(make_prompts(40, seed=5) * (1 + tokens // 2000)).split()
    schema = {"type": "object", "properties": {"path": {"type": "string"}}}
    tool = {"name": "edit", "description": " ".join(words[:40]), "parameters": schema}
    turns = [
        {"role": "assistant" if i % 2 else "user", "content": " ".join(words[: tokens // 14])}
        for i in range(9)
    ]
    tools = [{"type": "function", "function": tool}] * 5
    return json.dumps({"messages": turns, "tools": tools, "threshold": 0.5}).encode()


def shares(rounds: list[Round]) -> dict[str, dict[str, float]]:
    """Milliseconds per prompt by step, medians over rounds: bare loop, then service at c=1."""

    def medians(rows: list[dict[str, float]]) -> dict[str, float]:
        return {step: statistics.median(row[step] for row in rows) for step in rows[0]}

    return {
        "bare loop": medians([r.bare["steps_ms"] for r in rounds]),
        "service, c=1": medians([r.steps_ms for r in rounds]),
    }


def measure(args: argparse.Namespace, console: Console) -> tuple[list[Figure], dict[str, Any]]:
    bundle = Bundle.load(args.bundle)
    starts = []
    for _ in range(3):
        with Service(args.bundle) as service:
            starts.append(service.start_s)
    console.print(f"started three times: {', '.join(f'{s:.1f}' for s in starts)} s")
    rounds = []
    with Service(args.bundle, TIERWISE_CACHE_SIZE=str(CACHE)) as service, Bare(args.bundle) as bare:
        for serial in range(args.rounds + 1):
            done = one_round(serial, service, bare)
            console.print(
                f"round {serial}: bare {PROMPTS / done.bare['seconds']:.0f} /s, service "
                f"{done.misses.per_second:.0f} /s, hits {done.hits.per_second:.0f} /s"
            )
            rounds += [done] if serial else []  # the first one warms up
        console.print(f"sending {args.requests:,} requests")
        grown, memory = growth(service, args.requests)
    figures = [
        *throughput(rounds),
        *reading_figures(args.bundle, args.rounds),
        *encoder_figures(bundle, args.fp32, args.rounds),
        at_most("worker memory (PSS)", memory["worker_pss"], 250, "MB",
                f"RSS {memory['worker_rss']:.0f}, parent {memory['parent_pss']:.0f} MB"),
        at_most("start to ready", statistics.median(starts), 4, "s"),
        grown,
    ]  # fmt: skip
    return figures, {"steps_ms": shares(rounds), "rounds": [asdict(r) for r in rounds]}


def show(figures: list[Figure], steps: dict[str, dict[str, float]], console: Console) -> None:
    table = Table("figure", "value", "goal", "verdict", "note", title="Hot path")
    words = {True: "met", False: "MISSED", None: "not measured"}
    for f in figures:
        value = "" if f.value is None else f"{f.value:.3g} {f.unit}".strip()
        table.add_row(f.name, value, f.goal, words[f.met], f.note)
    console.print(table)
    for name, row in steps.items():
        total = sum(row.values())
        parts = ", ".join(f"{step} {ms:.3f} ms ({ms / total:.1%})" for step, ms in row.items())
        console.print(f"{name}: {total:.2f} ms per prompt = {parts}")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("bundle", nargs="?", type=Path, default=ROOT / "artifacts" / "starter")
    parser.add_argument("--fp32", type=Path, help="an fp32 export; found in artifacts/ if there")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=50_000, help="for the memory figure")
    parser.add_argument("--out", type=Path, default=ROOT / "artifacts" / "bench")
    args = parser.parse_args()
    args.bundle = args.bundle.resolve()
    args.fp32 = args.fp32 or unquantised(args.bundle)
    return args


def unquantised(bundle: Path) -> Path | None:
    """The fp32 file that the bundle's own int8 encoder was made from: same layers, same weights."""
    own = (bundle / ENCODER / "model.onnx").read_bytes()
    for fp32 in sorted((ROOT / "artifacts").glob("**/encoders/*/fp32.onnx")):
        if (fp32.parent / "model.onnx").read_bytes() == own:
            return fp32
    return None


def main() -> None:
    args, console = parse_args(), Console()
    begun, busy = time.time(), os.getloadavg()[0]
    if busy > 0.5:
        console.print(f"load is {busy:.1f}: other processes blur what follows")
    figures, raw = measure(args, console)
    show(figures, raw["steps_ms"], console)
    args.out.mkdir(parents=True, exist_ok=True)
    report = {
        "bundle": str(args.bundle.name),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "load": busy},
        "seconds": round(time.time() - begun, 1),
        "figures": [asdict(f) for f in figures],
        **raw,
    }
    path = args.out / "hot_path.json"
    path.write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    console.print(f"written to {path}")
    raise SystemExit(0 if all(f.met is not False for f in figures) else 1)


if __name__ == "__main__":
    main()
