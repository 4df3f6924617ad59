"""The real service before a real stub, each in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from data.events import read_log
from router.core.manifest import read_manifest
from router.core.store import Store
from router.engine import Router
from tests.serving.conftest import ROOT, Service
from tests.worlds.processes import free_port
from training.bundle.export import finish
from training.retrain.log_rows import read_traffic

pytestmark = pytest.mark.service
ASKED = {"model": "auto", "messages": [{"role": "user", "content": "What is 17*23?"}]}
CHAT = "/v1/chat/completions"


@pytest.fixture(scope="module")
def upstreams(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A stub whose streams take half a second, and the three lines that name it."""
    port = free_port()
    named = [f"--model={model}" for model in {a.model for a in Router.load(tiny_bundle).arms}]
    arguments = ["--port", str(port), "--piece-s", "0.05", *named]
    stub = subprocess.Popen(
        [sys.executable, "-m", "serving.gateway.stub", *arguments],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("upstreams") / "upstreams.toml"
    path.write_text(
        f'[upstreams.stub]\nurl = "http://127.0.0.1:{port}/v1"\n'
        'wires = ["chat", "responses", "messages"]\n'
    )
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=2).close()
            break
        except OSError:
            time.sleep(0.1)
    yield path
    stub.terminate()
    stub.wait(10)


def start(run_service: Callable[..., Service], upstreams: Path, bundle: Path, log: Path) -> Service:
    service = run_service(
        ["router", "serve", str(bundle)], TIERWISE_UPSTREAMS=str(upstreams),
        TIERWISE_LOG_DIR=str(log), TIERWISE_LOG_FLUSH_S="0.05", TIERWISE_POLL_S="0.05",
    )  # fmt: skip
    service.wait(200)
    until = time.monotonic() + 20
    while len(json.loads(service(path="/v1/models").body)["data"]) < 2:
        assert time.monotonic() < until, service.log
        time.sleep(0.05)
    return service


def streams(service: Service, pool: ThreadPoolExecutor, count: int) -> list[object]:
    """So many streams that have been asked for."""
    body = {**ASKED, "stream": True}
    return [pool.submit(service, body, path=CHAT) for _ in range(count)]


def test_three_lines_and_a_key_less_stub_answer(
    run_service: Callable[..., Service], upstreams: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    service = start(run_service, upstreams, tiny_bundle, tmp_path / "log")
    reply = service(ASKED, path=CHAT)
    assert (reply.status, reply.json()["choices"][0]["message"]["role"]) == (200, "assistant")
    assert float(reply.headers["x-tierwise-cost-usd"]) > 0
    assert service({"prompt": "What is 17*23?"}).status == 200
    assert not service.socket_log.exists()
    service.process.terminate()
    service.process.wait(20)
    traffic = read_traffic(read_log(tmp_path / "log"), read_manifest(tiny_bundle))
    # nobody called /feedback
    assert (~np.isnan(traffic.cost_usd)).tolist() == [True, False]
    assert traffic.output_tokens[0] > 0


def test_a_promotion_leaves_streams_alone(
    run_service: Callable[..., Service], upstreams: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    store, versions = Store(tmp_path / "store"), []
    for note in ("one", "two"):
        copy = Path(shutil.copytree(tiny_bundle, tmp_path / note))
        finish(copy, replace(read_manifest(copy), metrics={"note": note}))
        versions.append(copy)
    store.promote(versions[0], gate=None, force=None, time=0.0)
    service = start(run_service, upstreams, tmp_path / "store", tmp_path / "log")
    with ThreadPoolExecutor(16) as pool:
        before = streams(service, pool, 8)
        time.sleep(0.15)
        store.promote(versions[1], gate=None, force="test", time=1.0)
        time.sleep(0.15)
        after = streams(service, pool, 8)
        replies = [future.result() for future in (*before, *after)]  # type: ignore[attr-defined]
    assert all(reply.body.endswith(b"data: [DONE]\n\n") for reply in replies)
    until = time.monotonic() + 10
    wanted = read_manifest(versions[1]).bundle_id
    while service({"prompt": "Who?"}).json()["bundle_id"] != wanted:
        assert time.monotonic() < until
    service.process.terminate()
    service.process.wait(20)
    log = read_log(tmp_path / "log")
    assert not log.rejected
    booked = [event for event in log.feedback.values() if event.source == "gateway"]
    assert len(booked) == 16
    assert all(event.error is None for event in booked)


def test_a_kill_under_streams_leaves_a_log_that_can_be_read(
    run_service: Callable[..., Service], upstreams: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    service = start(run_service, upstreams, tiny_bundle, tmp_path / "log")
    with ThreadPoolExecutor(16) as pool:
        first = [future.result() for future in streams(service, pool, 8)]  # type: ignore[attr-defined]
        time.sleep(0.5)
        broken = streams(service, pool, 8)
        time.sleep(0.2)
        parent = psutil.Process(service.process.pid)
        for process in (*parent.children(recursive=True), parent):
            os.kill(process.pid, signal.SIGKILL)
        for future in broken:
            assert future.exception() is not None  # type: ignore[attr-defined]
    assert all(reply.body.endswith(b"data: [DONE]\n\n") for reply in first)
    log = read_log(tmp_path / "log")
    assert not log.rejected.keys() - {"cut off by the end of its process"}
    assert sum(event.source == "gateway" for event in log.feedback.values()) == 8


def test_the_command_line_takes_the_file_and_greets_with_a_request_to_try(
    run_service: Callable[..., Service], upstreams: Path, tiny_bundle: Path
) -> None:
    arguments = ["router", "serve", str(tiny_bundle), "--upstreams", str(upstreams)]
    service = run_service(arguments)
    service.wait(200)
    assert "/v1/chat/completions -H" in service.log
    assert service(path="/v1/models").status == 200
    missing = run_service(["router", "serve", str(tiny_bundle), "--upstreams", "nowhere.toml"])
    assert missing.process.wait(60) != 0
    assert "nowhere.toml" in missing.log
    assert "Traceback" not in missing.log
