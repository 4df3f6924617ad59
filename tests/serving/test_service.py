"""The real service in a process of its own, as `tierwise serve` starts it."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router.core.answers import request_view
from router.core.policy import Policy
from router.engine import Router
from serving.reading import read_route
from serving.settings import Settings

pytestmark = pytest.mark.service

SECRET = "xyzzy-a-very-private-sentence"
FIELDS = [
    "decision_id", "model", "tier", "fallbacks", "predicted", "difficulty", "cluster", "kind",
    "reasons", "threshold", "expected", "propensity", "bundle_id", "request", "warnings",
]  # fmt: skip
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
DEEP = b'{"a": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"

# body -> status and code
REFUSED: dict[str, tuple[bytes | dict[str, Any], int, str]] = {
    "empty": (b"", 400, "invalid_json"),
    "not json": (b"prompt=hello", 400, "invalid_json"),
    "cut off": (b'{"prompt": "hel', 400, "invalid_json"),
    "trailing comma": (b'{"prompt": "hello",}', 400, "invalid_json"),
    "single quotes": (b"{'prompt': 'hello'}", 400, "invalid_json"),
    "two documents": (b'{"prompt": "a"}{"prompt": "b"}', 400, "invalid_json"),
    "byte order mark": (b'\xef\xbb\xbf{"prompt": "a"}', 400, "invalid_json"),
    "utf-16": ('{"prompt": "a"}'.encode("utf-16"), 400, "invalid_json"),
    "bad utf-8": (b'{"prompt": "\xc3\x28"}', 400, "invalid_json"),
    "raw null byte": (b'{"prompt": "a\x00b"}', 400, "invalid_json"),
    "deep nesting": (DEEP, 400, "invalid_json"),
    "NaN": (b'{"prompt": "a", "threshold": NaN}', 400, "invalid_json"),
    "Infinity": (b'{"prompt": "a", "threshold": Infinity}', 400, "invalid_json"),
    "comment": (b'{"prompt": "a" /* hi */}', 400, "invalid_json"),
    "array": (b"[]", 422, "invalid_request"),
    "null": (b"null", 422, "invalid_request"),
    "string": (b'"hello"', 422, "invalid_request"),
    "empty object": ({}, 422, "invalid_prompt"),
    "prompt null": ({"prompt": None}, 422, "invalid_prompt"),
    "prompt number": ({"prompt": 3}, 422, "invalid_prompt"),
    "prompt list": ({"prompt": ["a", "b"]}, 422, "invalid_prompt"),
    "prompt empty": ({"prompt": ""}, 422, "invalid_prompt"),
    "prompt blank": ({"prompt": " \n\t"}, 422, "invalid_prompt"),
    "both": ({"prompt": "a", "messages": []}, 422, "invalid_prompt"),
    "messages empty": ({"messages": []}, 422, "invalid_prompt"),
    "messages text": ({"messages": "hi"}, 422, "invalid_prompt"),
    "message text": ({"messages": ["hi"]}, 422, "invalid_prompt"),
    "no role": ({"messages": [{"content": "hi"}]}, 422, "invalid_prompt"),
    "image alone": ({"messages": [{"role": "user", "content": [IMAGE]}]}, 422, "no_arm_allowed"),
    "threshold text": ({"prompt": "a", "threshold": "0.5"}, 422, "invalid_request"),
    "threshold bool": ({"prompt": "a", "threshold": True}, 422, "invalid_request"),
    "threshold huge": (b'{"prompt": "a", "threshold": 1e999}', 422, "invalid_request"),
    "threshold over 1": ({"prompt": "a", "threshold": 1.01}, 422, "invalid_policy"),
    "threshold below 0": ({"prompt": "a", "threshold": -1}, 422, "invalid_policy"),
    "quality over 1": ({"prompt": "a", "min_quality": 90}, 422, "invalid_policy"),
    "cost 0": ({"prompt": "a", "max_cost_usd": 0}, 422, "invalid_policy"),
    "cost tiny": ({"prompt": "a", "max_cost_usd": 1e-15}, 422, "no_arm_allowed"),
    "two knobs": ({"prompt": "a", "threshold": 0, "min_quality": 0}, 422, "conflicting_knobs"),
    "budget": ({"prompt": "a", "budget": "nobody's"}, 422, "unknown_budget"),
    "no such model": ({"prompt": "a", "allowed_models": ["zz/*"]}, 422, "no_arm_allowed"),
    "models empty": ({"prompt": "a", "allowed_models": []}, 422, "invalid_request"),
    "context huge": (
        {"prompt": "a", "requires": {"context": 999_999_999}}, 422, "no_arm_allowed",
    ),
    "context beyond": (
        b'{"prompt": "a", "requires": {"context": ' + b"9" * 300 + b"}}", 422, "invalid_request",
    ),
    "many values": (b'{"prompt": "a", "x": [' + b"1," * 200_000 + b"1]}", 413, "body_too_large"),
    "too large": (b'{"prompt": "' + b"a" * 5_000_000 + b'"}', 413, "body_too_large"),
}  # fmt: skip


def test_it_becomes_ready_and_answers_with_the_contract(service: Any, tiny_bundle: Path) -> None:  # noqa: ANN401
    assert service(path="/livez").status == 200
    reply = service({"prompt": "What is 17*23?", "threshold": 0.3})
    answer = reply.json()
    assert reply.status == 200
    assert list(answer) == FIELDS
    decision = Router.load(tiny_bundle).route("What is 17*23?", Policy(threshold=0.3))
    assert (answer["model"], answer["tier"]["name"]) == (decision.arm.model, decision.arm.tier)
    assert answer["bundle_id"] == decision.bundle_id


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_body_is_refused_with_a_problem(service: Any, name: str) -> None:  # noqa: ANN401
    body, status, code = REFUSED[name]
    reply = service(body)
    assert (reply.status, reply.json()["code"]) == (status, code), reply.body
    assert reply.headers["content-type"] == "application/problem+json"
    assert set(reply.json()) - {"field"} == {"type", "title", "status", "code", "detail"}


@pytest.mark.parametrize(
    "body",
    [rb'{"prompt": "half \ud800 pair"}', rb'{"prompt": "null \u0000 byte"}',
     b'{"prompt": "a", "prompt": "b"}', b'{"prompt": "a", "x": ' + b"9" * 5000 + b"}",
     b'{"prompt": "\xf0\x9f\x98\x80"}', b'{"prompt": "a", "x": {"\xff": 1}}'],
)  # fmt: skip
def test_odd_but_readable_bodies_are_routed(service: Any, body: bytes) -> None:  # noqa: ANN401
    assert service(body).status == 200


def talk(port: int, data: bytes, seconds: float = 10.0) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as sock:
        sock.sendall(data)
        answer = b""
        while b"\r\n\r\n" not in answer:
            part = sock.recv(65536)
            if not part:
                break
            answer += part
    return answer


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"POST /route HTTP/1.1\r\nhost: x\r\ncontent-length: nine\r\n\r\n", b"400"),
        (b"POST /route HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{}", b"408"),
        (b"POST /route HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n{}", b"400"),
        (b"POST /ro\xffute HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n", b"4"),
        (b"POST /%ff%00 HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n", b"404"),
        (b"BREW /route HTTP/1.1\r\nhost: x\r\n\r\n", b"4"),
        (b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n", b"4"),
        (b"GET /route HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
         b"sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", b"4"),
    ],
)  # fmt: skip
def test_broken_http_is_the_caller_s_fault(service: Any, data: bytes, status: bytes) -> None:  # noqa: ANN401
    answer = talk(service.port, data)
    assert answer.startswith(b"HTTP/1.1 " + status), answer[:200]


def test_a_connection_serves_many_requests(service: Any) -> None:  # noqa: ANN401
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    for threshold in (0.1, 2, 0.9):
        body = json.dumps({"prompt": "Keep the connection.", "threshold": threshold})
        connection.request("POST", "/route", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == (422 if threshold > 1 else 200)
    connection.close()


def test_metrics_count_what_was_answered(service: Any) -> None:  # noqa: ANN401
    def value(series: str) -> float:
        text = service(path="/metrics").body.decode()
        return sum(
            float(n) for n in re.findall(rf"^{re.escape(series)}\S* (\S+)$", text, re.MULTILINE)
        )

    names = ("tierwise_decisions_total", "tierwise_problems_total", "tierwise_route_seconds_count")
    before = [value(name) for name in names]
    service({"prompt": "Count this one."})
    service({"prompt": 1})
    assert [value(name) for name in names] == [n + 1 for n in before]
    assert value("tierwise_ready_workers") == 1


def test_the_prompt_appears_in_no_log(service: Any) -> None:  # noqa: ANN401
    for body in (
        {"prompt": SECRET},
        {"prompt": [SECRET]},
        {"prompt": SECRET, "threshold": SECRET},
        {"messages": [{"role": SECRET, "content": SECRET}]},
        {"prompt": "a", "allowed_models": [SECRET]},
        f'{{"prompt": "{SECRET}"'.encode(),
    ):
        service(body)
    service({"prompt": "a"}, path=f"/{SECRET}")
    assert "ready: bundle" in service.log
    assert SECRET not in service.log


def test_no_socket_was_opened_to_anywhere_but_this_machine(service: Any) -> None:  # noqa: ANN401
    assert service({"prompt": "Does this need a network?"}).status == 200
    assert not service.socket_log.exists(), service.socket_log.read_text()


def test_the_socket_guard_would_see_an_attempt(run_service: Callable[..., Any]) -> None:
    code = "import urllib.request; urllib.request.urlopen('http://192.0.2.1/')"
    running = run_service(["timeit", "-n1", "-r1", code])
    assert running.process.wait(30) != 0
    assert running.socket_log.read_text() == "192.0.2.1\n"


def test_without_a_bundle_it_lives_says_why_once_and_serves_when_one_arrives(
    run_service: Callable[..., Any], tiny_bundle: Path, tmp_path: Path
) -> None:
    late = tmp_path / "late"
    running = run_service(
        ["bentoml", "serve", "serving.service:Tierwise"], TIERWISE_BUNDLE=str(late)
    )
    running.wait(200, path="/livez")
    running.wait(503, path="/readyz")
    problem = running({"prompt": "a"})
    assert (problem.status, problem.json()["code"]) == (503, "not_ready")
    time.sleep(3.5)  # one more attempt
    assert len(re.findall(f"not ready: {re.escape(str(late))}", running.log)) == 1
    shutil.copytree(tiny_bundle, tmp_path / "copying")
    (tmp_path / "copying").rename(late)
    running.wait(200, seconds=30)
    assert running({"prompt": "a"}).status == 200


def test_workers_share_one_port_and_one_set_of_metrics(
    run_service: Callable[..., Any], tiny_bundle: Path
) -> None:
    running = run_service(["router", "serve", str(tiny_bundle), "--workers", "2"])
    running.wait_for_workers(2)
    for i in range(12):
        assert running({"prompt": f"Prompt number {i}"}).status == 200
    text = running(path="/metrics").body.decode()
    counts = re.findall(r"^tierwise_decisions_total\S* (\S+)$", text, re.MULTILINE)
    assert sum(map(float, counts)) == 12
    assert len(re.findall(r"ready: bundle", running.log)) == 2


def test_nothing_is_left_behind_when_it_stops(
    run_service: Callable[..., Any], tiny_bundle: Path
) -> None:
    running = run_service(["router", "serve", str(tiny_bundle)])
    running.wait(200)
    running.process.terminate()
    assert running.process.wait(20) in (0, -15)
    with pytest.raises(ProcessLookupError):
        os.killpg(running.process.pid, 0)


def test_the_curls_of_the_readme_get_decisions(service: Any) -> None:  # noqa: ANN401
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    calls = re.findall(r"^curl -s localhost:3000(\S+) .*?-d '(.*?)'$", readme, re.M | re.S)
    answers = [service(body.encode()).json() for path, body in calls if path == "/route"]
    (report,) = [json.loads(body) for path, body in calls if path == "/feedback"]
    report["decision_id"] = answers[0]["decision_id"]
    found = service(json.dumps(report).encode(), path="/feedback")
    assert found.status == 200, found.json()
    assert found.json().get("warnings", []) == []
    assert [answer["threshold"] for answer in answers[:2]] == [0.5, 0.3]
    wires = [answer["request"]["wire"] for answer in answers if "request" in answer]
    assert wires == ["prompt", "chat", "responses"]
    assert answers[2]["code"] == "no_arm_allowed"  # no arm of this bundle sees
    assert json.dumps(answers[3]["warnings"])[1:-1] in readme


def test_the_bodies_of_the_service_s_readme_are_read_as_it_says() -> None:
    text = (Path(__file__).parents[2] / "serving" / "README.md").read_text()
    pairs = re.findall(r'^(\{"model": .*)\n(\{"wire": .*)$', text, re.MULTILINE)
    assert len(pairs) == 3
    for body, read in pairs:
        view = read_route(body.encode(), Settings()).view
        assert request_view(view, Policy().requires) == json.loads(read)
        assert view.asked.request.warnings == ()
