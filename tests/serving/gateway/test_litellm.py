"""A real LiteLLM proxy: our gateway as its model, /route before its calls, its classifier at us.

Wants an executable of its own environment (`pip install 'litellm[proxy]'`): its pins are its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from data.events import EventLog, read_log
from router.engine import Router
from router.events import FeedbackEvent
from tests.serving.conftest import ROOT, Service
from tests.serving.gateway.conftest import start
from tests.worlds.processes import free_port

LITELLM = os.environ.get("TIERWISE_LITELLM") or shutil.which("litellm")
pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(
        LITELLM is None, reason="no LiteLLM proxy: put litellm on the PATH, or in TIERWISE_LITELLM"
    ),
]
KEY = "sk-a-key-of-this-test-0123456789abcdef"
ASKED = [{"role": "user", "content": "What is 17*23?"}]
CONFIG = """
model_list:
  - {model_name: tierwise, litellm_params: {model: openai/auto, api_base: "OURS/v1", api_key: none}}
  - model_name: tierwise-messages
    litellm_params: {model: anthropic/auto, api_base: "OURS", api_key: none}
MODELS
  - model_name: smart
    litellm_params:
      model: auto_router/complexity_router
      complexity_router_default_model: DEAR
      complexity_router_config:
        classifier_type: oss_classifier
        opensource_classifier_config: {provider: jev, model: auto, api_base: "OURS", api_key: none}
        tiers: {SIMPLE: CHEAP, MEDIUM: CHEAP, COMPLEX: DEAR, REASONING: DEAR}
litellm_settings:
  callbacks: litellm_hook.hook
"""
MODEL = (
    "  - {{model_name: {0}, litellm_params: {{model: openai/{0}, api_base: {1}, api_key: none}}}}"
)


@dataclass(frozen=True)
class Proxy:
    """The proxy, and our service behind it."""

    port: int
    service: Service
    log: Path
    cheap: str
    dear: str

    def ask(self, path: str, **body: Any) -> tuple[int, dict[str, str], bytes]:  # noqa: ANN401
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", json.dumps(body).encode(),
            {"content-type": "application/json", "authorization": f"Bearer {KEY}"},
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as err:
            with err:
                return err.code, dict(err.headers), err.read()

    def events(self, wanted: Callable[[EventLog], bool]) -> EventLog:
        """What our log holds, as soon as it holds what is wanted."""
        until = time.monotonic() + 20
        while not wanted(found := read_log(self.log)):
            assert time.monotonic() < until
            time.sleep(0.1)
        return found


@pytest.fixture(scope="module")
def proxy(
    run_service: Callable[..., Service],
    upstreams: Path,
    tiny_bundle: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Proxy]:
    """A proxy with the hook beside its config."""
    folder, router = tmp_path_factory.mktemp("litellm"), Router.load(tiny_bundle)
    infos = sorted(router.manifest.arms, key=lambda info: info.mean_cost_usd)
    cheap, dear = infos[0].model, infos[-1].model
    rows = [("SIMPLE", cheap), ("MEDIUM", cheap), ("COMPLEX", dear), ("REASONING", dear)]
    tiers = "[tiers]\n" + "".join(f'{name} = ["{model}"]\n' for name, model in rows)
    (folder / "tiers.toml").write_text(tiers)
    service = start(run_service, upstreams, tiny_bundle, folder / "log",
                    TIERWISE_TIERS=str(folder / "tiers.toml"))  # fmt: skip
    stub = tomllib.loads(upstreams.read_text())["upstreams"]["stub"]["url"]
    models = "\n".join(MODEL.format(name, stub) for name in (cheap, dear))
    text = CONFIG.replace("OURS", f"http://127.0.0.1:{service.port}").replace("MODELS", models)
    (folder / "config.yaml").write_text(text.replace("CHEAP", cheap).replace("DEAR", dear))
    shutil.copy(ROOT / "serving" / "examples" / "litellm_hook.py", folder)
    port = free_port()
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "TIERWISE_"))}
    env |= {"LITELLM_MASTER_KEY": KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "TIERWISE_URL": f"http://127.0.0.1:{service.port}"}  # fmt: skip
    with (folder / "out").open("wb") as out:
        process = subprocess.Popen(
            [str(LITELLM), "--config", "config.yaml", "--port", str(port), "--host", "127.0.0.1"],
            cwd=folder, env=env, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    found = Proxy(port, service, folder / "log", cheap, dear)
    until = time.monotonic() + 120
    while time.monotonic() < until:
        assert process.poll() is None, (folder / "out").read_text()
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health/liveliness", timeout=2).close()
            break
        except OSError:
            time.sleep(0.5)
    yield found
    process.terminate()
    process.wait(20)


def test_our_gateway_is_a_model_of_the_proxy(proxy: Proxy) -> None:
    status, headers, body = proxy.ask("/v1/chat/completions", model="tierwise", messages=ASKED)
    assert (status, b"Answer: 391" in body) == (200, True)
    assert headers["llm_provider-x-tierwise-decision"]
    status, _, body = proxy.ask(
        "/v1/chat/completions", model="tierwise", messages=ASKED, stream=True
    )
    assert (status, body.count(b"data: ") > 5) == (200, True)
    asked = {"model": "tierwise-messages", "max_tokens": 200, "messages": ASKED}
    status, _, body = proxy.ask("/v1/messages", **asked)
    assert (status, json.loads(body)["type"]) == (200, "message")
    status, _, body = proxy.ask("/v1/responses", model="tierwise", input="What is 17*23?")
    assert (status, b"Answer: 391" in body) == (200, True)


def reports(log: EventLog) -> list[FeedbackEvent]:
    """What the hook reported."""
    return [event for event in log.feedback.values() if event.source == "litellm"]


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/v1/chat/completions", {"messages": ASKED}),
        ("/v1/messages", {"messages": ASKED, "max_tokens": 200}),
        ("/v1/responses", {"input": "What is 17*23?"}),
    ],
)
def test_the_hook_decides_and_reports(proxy: Proxy, path: str, more: dict[str, Any]) -> None:
    before = len(reports(read_log(proxy.log)))
    status, _, body = proxy.ask(path, model="auto", threshold=0.0, **more)
    assert (status, b"Answer: 391" in body) == (200, True), body
    log = proxy.events(lambda log: len(reports(log)) > before)
    event = reports(log)[-1]
    decision = log.decisions[event.decision_id]
    arms = log.bundles[decision.bundle_id].arms
    assert {arms[i].partition("|")[0] for i in decision.eligible} == {proxy.cheap, proxy.dear}
    assert decision.policy["threshold"] == 0.0
    assert (event.arm or arms[decision.chosen]).startswith(proxy.cheap)
    assert (event.input_tokens or 0) > 0
    assert (event.latency_ms or 0) > 0


def test_the_hook_passes_streams_and_refusals_on(proxy: Proxy) -> None:
    chat = "/v1/chat/completions"
    status, _, body = proxy.ask(chat, model="auto", messages=ASKED, stream=True)
    assert (status, body.count(b"data: ") > 5) == (200, True)
    status, _, body = proxy.ask(chat, model="auto", messages=ASKED, threshold=7)
    assert (status, b"threshold must lie between 0 and 1" in body) == (400, True), body
    named, _, _ = proxy.ask(chat, model=proxy.dear, messages=ASKED)
    assert named == 200


def test_the_classifier_s_tier_is_our_decision(proxy: Proxy) -> None:
    before = set(read_log(proxy.log).decisions)
    talk = [{"role": "system", "content": "Be brief."}, *ASKED]
    status, _, body = proxy.ask("/v1/chat/completions", model="smart", messages=talk)
    assert (status, b"Answer: 391" in body) == (200, True), body
    log = proxy.events(lambda log: len(log.decisions) > len(before))
    (made,) = set(log.decisions) - before
    decision = log.decisions[made]
    arms = log.bundles[decision.bundle_id].arms
    assert {arms[i].partition("|")[0] for i in decision.eligible} == {proxy.cheap, proxy.dear}
    asked = proxy.service({"messages": talk, "allowed_models": [proxy.cheap, proxy.dear]}).json()
    chosen = arms[decision.chosen].partition("|")[0]
    assert chosen == asked["model"]
    assert decision.n_chars == len("".join(turn["content"] for turn in talk))
