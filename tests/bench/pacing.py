"""Online pacing against the offline optimum, with the picture, and what it costs per request.

    python -m tests.bench.pacing [--requests 20000] [--seeds 5] [--figure PNG]

A day's stream of requests gets harder and 1.5 times as long at 40 %, and its dearer arms get twice
as dear at 65 %; answers cost 1.15 times what is predicted, which half of the requests report, 200
requests late. The optimum is the knapsack over the whole day, seen beforehand with all its prices,
from the predictions that pacing has. Quality is the true chance of a right answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import altair as alt
import numpy as np
from rich.console import Console
from rich.table import Table

from serving.app import App
from serving.settings import Settings
from tests.worlds.processes import ROOT
from tests.worlds.stream import Run, Stream, StreamConfig, best, make_stream, next_day, offline, run
from training.reports.themes import NEUTRAL, PALETTE, ROUTER, chart_config

POINTS = 400  # drawn of each line
SCENARIOS: dict[str, dict[str, Any]] = {
    "price change and shift": {},
    "the same, true chances known": {"error": 0.0},
    "the same, new price not known": {"known_price": False},
    "the same, nothing reported": {"reported": 0.0, "bias": 1.0},
    "a small budget": {"exponent": 0.2},
    "a large budget": {"exponent": 0.7},
    "busy at noon, the first day": {"swing": 0.8},
}
SPEND, POINT = 0.02, 0.01  # what must hold for the first row


def outcome(stream: Stream, done: Run, *, truth: bool) -> tuple[float, float]:
    """Spend over budget, less 1, and quality below the optimum."""
    return done.spent_usd / stream.budget_usd - 1, best(stream, truth=truth) - done.quality


def measure(n: int, seeds: int, console: Console) -> bool:
    """One row per scenario; whether the first holds for every seed."""
    table = Table("scenario", "spend - budget", "quality below the optimum", title="Pacing")
    table.caption = f"{n:,} requests, mean and worst of {seeds} seeds"
    held = True
    for name, changes in SCENARIOS.items():
        rows, second = [], []
        for seed in range(seeds):
            stream = make_stream(StreamConfig(**{"n": n, "seed": seed} | changes))
            done, truth = run(stream), changes.get("error") == 0.0
            rows.append(outcome(stream, done, truth=truth))
            if "swing" in changes:
                later = run(stream, next_day(done))
                second.append(outcome(stream, later, truth=truth))
        add_row(table, name, rows)
        if second:
            add_row(table, "busy at noon, the second day", second)
        if not changes:
            held = all(abs(spend) <= SPEND and short <= POINT for spend, short in rows)
    console.print(table)
    console.print(f"first row within {SPEND:.0%} and {100 * POINT:g} point: {held}")
    return held


def add_row(table: Table, name: str, rows: list[tuple[float, float]]) -> None:
    spend, short = zip(*rows, strict=True)
    worst = max(spend, key=abs)
    table.add_row(
        name,
        f"{statistics.fmean(spend):+.2%} (worst {worst:+.2%})",
        f"{100 * statistics.fmean(short):+.2f} points (worst {100 * max(short):+.2f})",
    )


def picture(config: StreamConfig, path: Path) -> None:
    """Spend and price of money along the stream, beside those of the optimum."""
    stream = make_stream(config)
    done, found = run(stream), offline(stream, truth=False)
    spent = np.cumsum(stream.mean_cost[np.arange(config.n), found.arm])
    at = np.linspace(0, config.n - 1, POINTS).astype(int)
    names = ("paced", "optimum in hindsight")
    spend_rows, price_rows = [], []
    for i in at.tolist():
        share = i / config.n
        for name, total in zip(names, (done.spend[i], spent[i]), strict=True):
            spend_rows.append({"request": i, "of": name, "usd": total / stream.budget_usd})
        spend_rows.append({"request": i, "of": "even", "usd": share})
        for name, price in zip(names, (done.price[i], found.cost_weight), strict=True):
            price_rows.append({"request": i, "of": name, "price": price})
    marks = [
        {"request": config.harder_at * config.n, "what": "prompts get harder and longer"},
        {"request": config.repriced_at * config.n, "what": "dear arms get dearer"},
    ]
    short = 100 * (best(stream, truth=False) - done.quality)
    said = (
        f"{config.n:,} requests, one budget of ${stream.budget_usd:.0f}: spent "
        f"{done.spent_usd / stream.budget_usd:.1%} of it, quality {done.quality:.4f}, "
        f"{short:.2f} points below the optimum"
    )
    chart = alt.vconcat(
        panel(spend_rows, "usd", "spent, share of the budget", marks, said=True),
        panel(price_rows, "price", "price of money, quality per $ (log)", marks, said=False),
    ).properties(title=said)
    config_ = chart_config(dark=False) | {"background": "white"}
    path.parent.mkdir(parents=True, exist_ok=True)
    chart.configure(**config_).save(path, scale_factor=2)


def panel(
    rows: list[dict[str, Any]], field: str, title: str, marks: list[dict[str, Any]], *, said: bool
) -> alt.LayerChart:
    colour = alt.Scale(
        domain=["paced", "optimum in hindsight", "even"], range=[ROUTER, PALETTE[0], NEUTRAL]
    )
    scale = alt.Scale(type="linear") if said else alt.Scale(type="log", nice=False)
    x = alt.X("request:Q", title="request", axis=alt.Axis(format=",d", tickCount=5))
    lines = (
        alt.Chart(alt.Data(values=rows))
        .mark_line(strokeWidth=2)
        .encode(
            x=x,
            y=alt.Y(f"{field}:Q", title=title, scale=scale,
                    axis=alt.Axis(format="%") if said else alt.Axis(format="~g")),
            color=alt.Color("of:N", title=None, scale=colour,
                            legend=alt.Legend(orient="top", labelFontSize=12)),
        )
    )  # fmt: skip
    base = alt.Chart(alt.Data(values=marks)).encode(x=x)
    rules = base.mark_rule(strokeDash=[4, 4], color=NEUTRAL)
    text = base.mark_text(
        align="left", dx=5, y=12, fontSize=12, color="#59636e"
    ).encode(text="what:N")  # fmt: skip
    layers = [rules, lines, text] if said else [rules, lines]
    return alt.layer(*layers).properties(width=720, height=220)


async def timed(app: App, bodies: list[bytes]) -> float:
    """Seconds that the application takes to answer, from the body to the last byte."""
    scope = {"type": "http", "path": "/route", "method": "POST", "headers": []}

    async def send(message: Any) -> None:  # noqa: ANN401
        assert message.get("status", 200) == 200

    begun = perf_counter()
    for body in bodies:
        inbox: Iterator[dict[str, Any]] = iter(
            [{"type": "http.request", "body": body, "more_body": False}]
        )

        async def receive(inbox: Iterator[dict[str, Any]] = inbox) -> dict[str, Any]:
            return next(inbox)

        await app(scope, receive, send)
    return perf_counter() - begun


async def overhead(bundle: Path, console: Console, rounds: int = 15) -> None:
    """A paced request against one by threshold, in one run, cached and not."""
    app = App(Settings(bundle=bundle, log_dir=None, budget_dir=None, timeout_s=60.0))
    app.holder.swap(bundle)
    hot = [f"Is {i} a prime number?" for i in range(32)]
    times: dict[str, list[float]] = {
        "by threshold": [],
        "another threshold": [],
        "paced": [],
        "new prompt": [],
    }
    for serial in range(rounds + 1):
        jobs = {
            "another threshold": [
                {"prompt": hot[i % 32], "threshold": 0.3 + 1e-3 * (i // 32) + 1e-5 * serial}
                for i in range(1000)
            ],
            "by threshold": [{"prompt": hot[i % 32], "threshold": 0.5} for i in range(1000)],
            "paced": [{"prompt": hot[i % 32], "budget_usd": 1} for i in range(1000)],
            "new prompt": [
                {"prompt": f"Is {serial} to the power of {i} odd?", "threshold": 0.5}
                for i in range(100)
            ],
        }
        for name, job in jobs.items():
            bodies = [json.dumps(body).encode() for body in job]
            seconds = await timed(app, bodies)
            if serial:  # the first round fills the cache
                times[name].append(1e6 * seconds / len(bodies))
    await app.stop()
    middle = {name: statistics.median(found) for name, found in times.items()}
    more = middle["paced"] - middle["another threshold"]
    console.print(
        f"cached prompt: {middle['by threshold']:.0f} us by the threshold asked for before, "
        f"{middle['another threshold']:.0f} us by another one, {middle['paced']:.0f} us paced: "
        f"{more:+.0f} us for the budget, {more / middle['new prompt']:.2%} of a new prompt's "
        f"{middle['new prompt']:.0f} us"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--figure", type=Path, default=ROOT / "serving" / "figures" / "pacing.png")
    parser.add_argument("--bundle", type=Path, default=ROOT / "artifacts" / "starter")
    args, console = parser.parse_args(), Console(width=110)
    held = measure(args.requests, args.seeds, console)
    picture(replace(StreamConfig(), n=args.requests), args.figure)
    console.print(f"drawn in {args.figure}")
    if (args.bundle / "manifest.json").is_file():
        asyncio.run(overhead(args.bundle.resolve(), console))
    raise SystemExit(0 if held else 1)


if __name__ == "__main__":
    main()
