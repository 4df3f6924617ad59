"""The real service before a real stub, each in a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from data.events import read_log
from router.core.manifest import read_manifest
from router.core.store import Store
from tests.serving.conftest import Service
from tests.serving.gateway.conftest import start
from training.bundle.export import finish
from training.retrain.log_rows import read_traffic

pytestmark = pytest.mark.service
ASKED = {"model": "auto", "messages": [{"role": "user", "content": "What is 17*23?"}]}
CHAT = "/v1/chat/completions"


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
