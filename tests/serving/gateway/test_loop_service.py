"""The loop by itself: traffic with a judge, retrain, gate, promote; nobody calls /feedback."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
import urllib.request
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from data.events import read_log
from data.simulation.world import SimulationConfig, World, simulate
from data.tables import load_tables
from router.cli.main import main
from router.core.store import Store
from router.types import Doubles
from serving.gateway.stub import Stub
from tests.serving.gateway.conftest import serving
from tests.serving.gateway.test_judge import PARTS
from tests.worlds.processes import Service
from training.config import FoldsConfig, KernelConfig, TrainConfig
from training.pipeline import train
from training.prepare.cache import CACHE
from training.progress import Timings

pytestmark = [pytest.mark.service, pytest.mark.slow]
BASE, ROUTED, LATER = 250, 1100, 250  # prompts: those that the base saw, the log's, and new ones
THRESHOLDS = (0.5, 0.75, 1.0)
ERRS = 0.1  # share of the judge's verdicts that are wrong
HOLDOUT = "0.5"
SMALL = TrainConfig(
    predictors=("cluster", "kernel"), folds=FoldsConfig(folds=3),
    kernel=KernelConfig(landmarks=64, width=(1.0,), alpha=(3.0,)),
)  # fmt: skip


@dataclass(frozen=True)
class Known:
    """Prompts, and how likely each model is to answer each of them right.

    Two cheap models know one half of the domains each; the dear one knows all of them a little.
    """

    place: dict[str, int]  # text -> row
    models: tuple[str, ...]  # the cheapest first
    p: Doubles  # (n, 3)

    @classmethod
    def of(cls, world: World) -> Known:
        texts, domains = world.prompts["prompt"], world.prompts["domain"]
        names = sorted(set(domains))
        own = np.array([names.index(name) % 2 for name in domains])
        usd = world.outcomes.group_by("model").agg(pl.col("cost_usd").mean()).sort("cost_usd")
        p = np.column_stack([np.where(own == 0, 0.9, 0.2), np.where(own == 1, 0.9, 0.2),
                             np.full(len(own), 0.75)])  # fmt: skip
        return cls({text: i for i, text in enumerate(texts)}, tuple(usd["model"]), p)

    def reply(self, body: dict[str, Any], _place: int) -> str:
        """An answer that says whether it is right; of the judge, which of two is."""
        asked = str(body["messages"][-1]["content"])
        if body["model"] == "judge-1":
            found = PARTS.search(asked)
            assert found is not None
            return self.verdict(found[2], found[3])
        at = (self.place[asked], self.models.index(body["model"]))
        right = luck(asked, body["model"]) < self.p[at]
        return ("right" if right else "wrong") + f" answer {at[0]}" + " and so on" * 20

    def verdict(self, first: str, second: str) -> str:
        """The truth, or its contrary; the same of both orders."""
        lead = first.startswith("right") - second.startswith("right")
        if luck(*sorted((first, second))) < ERRS:
            lead = -lead
        return {1: "[[A]]", -1: "[[B]]", 0: "[[TIE]]"}[lead]


def luck(*words: str) -> float:
    """A number in [0, 1) that goes with some words."""
    return zlib.crc32("/".join(words).encode()) / 2**32


@contextmanager
def upstream(stub: Stub) -> Iterator[int]:
    """A stub in a thread of its own."""
    loop, found, ready = asyncio.new_event_loop(), [0], threading.Event()
    stop = asyncio.Event()

    async def serve() -> None:
        async with serving(stub) as port:
            found[0] = port
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(20)
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()


def averages_alone(world: World, known: Known, folder: Path) -> Path:
    """A bundle that knows how good models are on the whole, and nothing of when."""
    rng, n = np.random.default_rng(0), BASE
    rows = world.prompts.head(n).drop("split", strict=False)
    parts = []
    for j, model in enumerate(known.models):
        right = rng.permutation(rng.random(n) < known.p[:n, j]).astype(np.float64)
        own = world.outcomes.filter(
            (pl.col("model") == model) & pl.col("prompt_id").is_in(rows["prompt_id"].implode())
        )
        parts.append(
            own.with_columns(quality=pl.Series(right[: own.height]), split=pl.lit("train"))
        )
    pl.concat(parts).write_parquet(folder / "o.parquet")
    rows.write_parquet(folder / "p.parquet")
    out = folder / "base"
    tables = load_tables(folder / "o.parquet", folder / "p.parquet")
    train(tables, SMALL, out, CACHE, Timings())
    return out


def ask_all(port: int, texts: Sequence[str]) -> list[tuple[str, float]]:
    """Ask everything, four at a time; who answered and for how many dollars."""

    def ask(each: tuple[int, str]) -> tuple[str, float]:
        i, text = each
        body = {"model": f"auto:{THRESHOLDS[i % len(THRESHOLDS)]}",
                "messages": [{"role": "user", "content": text}]}  # fmt: skip
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("POST", "/v1/chat/completions", json.dumps(body),
                           {"content-type": "application/json"})  # fmt: skip
        answer = connection.getresponse()
        said = answer.read()
        connection.close()
        assert answer.status == 200, said
        own = {name: answer.getheader(f"x-tierwise-{name}") for name in ("model", "cost-usd")}
        return str(own["model"]), float(own["cost-usd"] or "nan")

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(ask, enumerate(texts)))


def earned(
    known: Known, texts: Sequence[str], answers: list[tuple[str, float]]
) -> tuple[float, float]:
    """Mean true quality, and mean dollars."""
    rows = [known.place[text] for text in texts]
    models = [known.models.index(model) for model, _ in answers]
    return float(known.p[rows, models].mean()), float(np.mean([usd for _, usd in answers]))


def get(port: int, path: str) -> Any:  # noqa: ANN401
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return json.loads(answer.read())


def judged_all(service: Service) -> None:
    """Wait until no comparison is under way any more."""
    before, until = -1.0, time.monotonic() + 60
    while True:
        series = service.series()
        now = sum(v for name, v in series.items() if "judge_comparisons_total" in name)
        if now == before:
            return
        assert time.monotonic() < until
        before = now
        time.sleep(0.5)


def command(*words: object) -> str:
    run = CliRunner().invoke(main, [str(word) for word in words])
    assert run.exit_code == 0, run.output
    return run.output


def test_quality_per_dollar_rises_and_nobody_said_a_word(tmp_path: Path) -> None:
    world = simulate(SimulationConfig(n_prompts=BASE + ROUTED + LATER, seed=11, arms=3))
    known = Known.of(world)
    texts = world.prompts["prompt"].to_list()
    seen, new = texts[BASE : BASE + ROUTED], texts[BASE + ROUTED :]
    store, log, candidate = tmp_path / "store", tmp_path / "log", tmp_path / "candidate"
    command("promote", averages_alone(world, known, tmp_path), "--store", store)
    stub = Stub(models=[*known.models, "judge-1"], reply=known.reply)
    with upstream(stub) as port:
        file = tmp_path / "upstreams.toml"
        file.write_text(
            f'[upstreams.stub]\nurl = "http://127.0.0.1:{port}/v1"\n[judge]\nmodel = "judge-1"\n'
            "usd_per_day = 1e6\nshare = 1.0\nusd_per_1m_input = 0.1\nusd_per_1m_output = 0.4\n"
        )
        env = {"TIERWISE_UPSTREAMS": str(file), "TIERWISE_LOG_DIR": str(log),
               "TIERWISE_LOG_FLUSH_S": "0.05", "TIERWISE_POLL_S": "0.1"}  # fmt: skip
        with Service(store, **env) as service:
            while len(get(service.port, "/v1/models")["data"]) < 4:
                time.sleep(0.05)
            ask_all(service.port, seen)
            judged_all(service)
            before = earned(known, new, ask_all(service.port, new))
            judged_all(service)
            told = command("retrain", "--log", log, "--base", store, "--out", candidate,
                           "--holdout", HOLDOUT)  # fmt: skip
            page = tmp_path / "gate.html"
            command("gate", candidate, "--incumbent", store, "--log", log, "--holdout", HOLDOUT,
                    "--html", page)  # fmt: skip
            assert "value by comparisons at 0.5" in page.read_text()
            command("promote", candidate, "--store", store)
            current = Store(store).current
            until = time.monotonic() + 20
            while get(service.port, "/frontier")["bundle_id"] != current:
                assert time.monotonic() < until
                time.sleep(0.1)
            after = earned(known, new, ask_all(service.port, new))
    assert "preferences" in told
    (quality, usd), (better, cheaper) = before, after
    assert better > quality + 0.05
    assert better / cheaper > 1.2 * quality / usd
    sources = Counter(source for _, source in read_log(log).feedback)
    assert set(sources) == {"gateway", "judge"}
    assert sources["judge"] > 0.8 * ROUTED
