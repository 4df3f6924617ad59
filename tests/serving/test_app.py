"""The application in process, over a real bundle."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.core.policy import Policy
from router.engine import Router
from serving.holder import LEAST_BODY_BYTES, MOST_BODY_BYTES, Holder, Live, body_limit
from serving.worker import INLINE_BYTES

ROOT = Path(__file__).resolve().parents[2]
JSON = {"content-type": "application/json"}
ASKED = {"prompt": "What is 17*23?", "threshold": 0.3}
CONTRACT = {
    "decision_id", "model", "tier", "fallbacks", "predicted", "difficulty", "cluster", "kind",
    "reasons", "threshold", "expected", "propensity", "bundle_id", "request", "warnings",
}  # fmt: skip
READ = {"wire": "prompt", "kind": "new_task", "requires": [], "max_output_tokens": None, "n": 1}


def counted(ask: Any, series: str) -> float:  # noqa: ANN401
    text = ask(path="/metrics", method="GET").body.decode()
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    assert found is not None, f"no series {series}"
    return float(found[1])


def test_a_decision_has_the_fields_of_the_contract_and_is_the_core_s(
    ask: Any, tiny_bundle: Path  # noqa: ANN401
) -> None:  # fmt: skip
    reply = ask(ASKED)
    answer = reply.json()
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert set(answer) == CONTRACT
    expected = Router.load(tiny_bundle).route(ASKED["prompt"], Policy(threshold=0.3)).to_dict()
    assert (answer["request"], answer["warnings"]) == (READ, [])
    assert {k: v for k, v in answer.items() if k in expected} == expected


def test_the_same_prompt_again_is_a_hit_with_another_id_and_the_same_decision(ask: Any) -> None:  # noqa: ANN401
    asked = {"prompt": "Is a cached answer the same answer?", "threshold": 0.2}
    first = ask(asked).json()
    hits = counted(ask, 'tierwise_cache_lookups_total{result="hit"}')
    again = ask(asked).json()
    assert counted(ask, 'tierwise_cache_lookups_total{result="hit"}') == hits + 1
    assert first.pop("decision_id") != again.pop("decision_id")
    assert first == again


def test_thresholds_share_an_entry_and_are_applied_after_it(ask: Any, tiny_bundle: Path) -> None:  # noqa: ANN401
    router, prompt = Router.load(tiny_bundle), "Which threshold is this one for?"
    ask({"prompt": prompt})
    misses = counted(ask, 'tierwise_cache_lookups_total{result="miss"}')
    for threshold in (0.0, 0.25, 0.5, 1.0, 0.0):
        answer = ask({"prompt": prompt, "threshold": threshold}).json()
        decision = router.route(prompt, Policy(threshold=threshold))
        assert (answer["model"], answer["tier"]["name"]) == (decision.arm.model, decision.arm.tier)
        assert answer["threshold"] == threshold
    assert counted(ask, 'tierwise_cache_lookups_total{result="miss"}') == misses


def test_a_cache_hit_never_waits_for_the_scoring_thread(make_app: Callable[..., Any]) -> None:
    ask = make_app(max_concurrency=1, timeout_s=0.2)
    ask(ASKED)
    blocker: Future[None] = Future()
    ask.app.scoring.lane.thread.submit(blocker.result, 10)
    try:
        assert ask(ASKED).status == 200
        late = ask({"prompt": "never seen before"})
        assert (late.status, late.json()["code"]) == (504, "timeout")
        assert late.headers["retry-after"] == "1"
    finally:
        blocker.set_result(None)


def test_a_large_body_is_read_in_a_thread_and_a_small_one_at_once(
    make_app: Callable[..., Any],
) -> None:
    ask = make_app(timeout_s=1.5)  # a busy machine reads it within that, too
    large = {"prompt": "word " * INLINE_BYTES, "threshold": 0.5}
    assert ask(large).status == 200
    blocker: Future[None] = Future()
    ask.app.reading.thread.submit(blocker.result, 10)
    try:
        assert ask(ASKED).status == 200
        for path in ("/route", "/explain"):
            assert ask(large, path=path).json()["code"] == "timeout"
    finally:
        blocker.set_result(None)


def test_no_more_large_bodies_are_held_than_the_limit_says(make_app: Callable[..., Any]) -> None:
    ask = make_app(max_concurrency=1, timeout_s=0.2)
    large = json.dumps({"prompt": "word " * INLINE_BYTES}).encode()
    blocker: Future[None] = Future()
    ask.app.reading.thread.submit(blocker.result, 10)

    async def two() -> list[Any]:
        asked = (ask.ask(large, "/route", "POST", JSON, 1) for _ in range(2))
        return await asyncio.gather(*asked)

    try:
        codes = {reply.json()["code"] for reply in asyncio.run(two())}
    finally:
        blocker.set_result(None)
    assert codes == {"timeout", "too_many_requests"}


def test_over_the_limit_the_answer_is_429_at_once_and_recovers(
    make_app: Callable[..., Any],
) -> None:
    ask = make_app(max_concurrency=2, timeout_s=20)
    blocker: Future[None] = Future()
    ask.app.scoring.lane.thread.submit(blocker.result, 10)

    async def crowd() -> list[Any]:
        def one(i: int) -> Any:  # noqa: ANN401
            data = json.dumps({"prompt": f"prompt {i}"}).encode()
            return asyncio.create_task(ask.ask(data, "/route", "POST", JSON, 1))

        tasks = [one(i) for i in range(5)]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        early = [task.result() for task in done]
        blocker.set_result(None)
        await asyncio.gather(*tasks)
        return [*early, *(task.result() for task in tasks if task not in done)]

    replies = asyncio.run(crowd())
    assert sorted(reply.status for reply in replies) == [200, 200, 429, 429, 429]
    refused = [reply for reply in replies if reply.status == 429]
    assert replies[0].status == 429
    assert all(reply.headers["retry-after"] == "1" for reply in refused)
    assert refused[0].json()["code"] == "too_many_requests"
    assert ask({"prompt": "and now?"}).status == 200


def test_messages_with_an_image_go_to_an_arm_that_sees_or_nowhere(ask: Any) -> None:  # noqa: ANN401
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
    content = [{"type": "text", "text": "What is in this picture?"}, image]
    plain = [{"role": "user", "content": "What is in this picture?"}]
    assert ask({"messages": plain}).status == 200
    reply = ask({"messages": [{"role": "user", "content": content}]})
    seeing = {arm["id"] for arm in ask(path="/arms", method="GET").json()["arms"]
              if arm["capabilities"]["vision"]}  # fmt: skip
    if seeing:
        answer = reply.json()
        assert f"{answer['model']}|{answer['tier']['name']}" in seeing
    else:
        assert reply.json()["code"] == "no_arm_allowed"


def test_allowed_models_are_obeyed_and_an_empty_choice_says_what_there_is(ask: Any) -> None:  # noqa: ANN401
    arms = ask(path="/arms", method="GET").json()["arms"]
    answer = ask({**ASKED, "allowed_models": [arms[-1]["id"]]}).json()
    assert (answer["model"], answer["fallbacks"]) == (arms[-1]["model"], [])
    problem = ask({**ASKED, "allowed_models": ["nobody/*"]}).json()
    assert (problem["code"], problem["field"]) == ("no_arm_allowed", "allowed_models")
    assert arms[0]["id"] in problem["detail"]


def test_arms_are_those_of_the_bundle_with_price_and_record(ask: Any, tiny_bundle: Path) -> None:  # noqa: ANN401
    manifest = Router.load(tiny_bundle).manifest
    answer = ask(path="/arms", method="GET").json()
    assert [arm["id"] for arm in answer["arms"]] == [info.arm.id for info in manifest.arms]
    for arm, info in zip(answer["arms"], manifest.arms, strict=True):
        assert arm["price"]["usd_per_1m_output"] == pytest.approx(info.usd_per_1m_output)
        assert arm["mean_quality"] == pytest.approx(info.mean_quality)
    assert answer["best_single"] == manifest.arms[manifest.decision.best_single].arm.id


def test_the_frontier_is_the_threshold_map_without_the_price_of_money(
    ask: Any, tiny_bundle: Path  # noqa: ANN401
) -> None:  # fmt: skip
    table = Router.load(tiny_bundle).manifest.threshold_map
    reply = ask(path="/frontier", method="GET")
    points = reply.json()["points"]
    assert [point["threshold"] for point in points] == pytest.approx(table.threshold)
    assert [point["cost_usd"] for point in points] == pytest.approx(table.cost_usd)
    assert b"money_price" not in reply.body


def test_decisions_and_reasons_are_counted_by_arm_and_code(ask: Any) -> None:  # noqa: ANN401
    asked = {"prompt": "Count me.", "max_cost_usd": 100}
    answer = ask(asked).json()
    arm = f'tierwise_decisions_total{{model="{answer["model"]}",tier="{answer["tier"]["name"]}"}}'
    before = counted(ask, arm), counted(ask, 'tierwise_reasons_total{code="cost_cap"}')
    ask(asked)
    after = counted(ask, arm), counted(ask, 'tierwise_reasons_total{code="cost_cap"}')
    assert after == (before[0] + 1, before[1] + 1)


def test_a_scan_for_paths_adds_no_series(ask: Any) -> None:  # noqa: ANN401
    before = ask(path="/metrics", method="GET").body.count(b"\n")
    for i in range(20):
        assert ask(path=f"/admin{i}.php").status == 404
    assert ask(path="/metrics", method="GET").body.count(b"\n") == before


@pytest.mark.parametrize(
    ("path", "method", "status", "code"),
    [
        ("/route", "GET", 405, "method_not_allowed"),
        ("/route", "DELETE", 405, "method_not_allowed"),
        ("/arms", "POST", 405, "method_not_allowed"),
        ("/livez", "POST", 405, "method_not_allowed"),
        ("/route/", "POST", 404, "not_found"),
        ("//", "GET", 404, "not_found"),
        ("/", "POST", 405, "method_not_allowed"),
        ("/decisions/x", "PUT", 405, "method_not_allowed"),
        ("/../etc/passwd", "GET", 404, "not_found"),
    ],
)
def test_a_wrong_path_or_method_is_a_problem_too(
    ask: Any, path: str, method: str, status: int, code: str  # noqa: ANN401
) -> None:  # fmt: skip
    reply = ask(path=path, method=method)
    assert (reply.status, reply.json()["code"]) == (status, code)
    assert reply.headers["content-type"] == "application/problem+json"
    assert ("allow" in reply.headers) == (status == 405)


def test_head_has_the_headers_and_no_body(ask: Any) -> None:  # noqa: ANN401
    reply = ask(path="/arms", method="HEAD")
    assert (reply.status, reply.body) == (200, b"")
    assert int(reply.headers["content-length"]) > 100


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"content-type": "application/json; charset=utf-8"}, 200),
        ({"content-type": "Application/JSON"}, 200),
        ({"content-type": "application/vnd.x+json"}, 200),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-encoding": "gzip"}, 415),
        ({"content-length": "99999999999999999999999"}, 413),
        ({"content-length": "999999999"}, 413),
        ({"content-length": "-5"}, 200),
    ],
)
def test_the_type_and_the_declared_length_are_checked(
    ask: Any, headers: dict[str, str], status: int  # noqa: ANN401
) -> None:  # fmt: skip
    assert ask(ASKED, headers=headers).status == status


def test_a_body_over_the_limit_is_refused_while_it_arrives(make_app: Callable[..., Any]) -> None:
    ask = make_app(max_body_bytes=100)
    reply = ask(b'{"prompt": "' + b"x" * 200, chunks=10)
    assert (reply.status, reply.json()["code"]) == (413, "body_too_large")
    assert "100 bytes" in reply.json()["detail"]
    assert ask(ASKED, chunks=7).status == 200


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        ([8_192, None], LEAST_BODY_BYTES),
        ([None, None], LEAST_BODY_BYTES),
        ([8_192, 1_000_000], 8_000_000),
        ([10_000_000, 8_192], MOST_BODY_BYTES),
    ],
)
def test_the_largest_window_says_how_large_a_body_may_be(
    tiny_bundle: Path, windows: list[int | None], expected: int
) -> None:
    router = Router.load(tiny_bundle)
    arms = tuple(
        replace(router.manifest.arms[i], context_tokens=window) for i, window in enumerate(windows)
    )
    assert body_limit(replace(router.manifest, arms=arms)) == expected


def test_a_prompt_is_as_long_as_the_windows_allow(ask: Any) -> None:  # noqa: ANN401
    limit = ask.app.max_body_bytes
    assert limit == LEAST_BODY_BYTES
    filler = {"prompt": "word " * (limit // 5 - 100)}
    assert ask(filler).status == 200
    assert ask({"prompt": "word " * (limit // 5 + 1)}).json()["code"] == "body_too_large"


def test_a_body_far_over_the_limit_is_not_even_read(make_app: Callable[..., Any]) -> None:
    ask = make_app(max_body_bytes=100)
    endless = b"x" * 10_000
    assert ask(endless, chunks=2).json()["code"] == "body_too_large"
    assert ask(b"", headers={"content-length": "401"}).status == 413


def test_a_body_that_does_not_arrive_is_given_up(make_app: Callable[..., Any]) -> None:
    app = make_app(timeout_s=0.1).app

    async def silent() -> Any:  # noqa: ANN401
        await asyncio.sleep(60)

    sent: list[Any] = []

    async def send(message: Any) -> None:  # noqa: ANN401
        sent.append(message)

    asyncio.run(
        app({"type": "http", "path": "/route", "method": "POST", "headers": []}, silent, send)
    )
    assert sent[0]["status"] == 408


def test_a_caller_who_hangs_up_is_not_answered(ask: Any) -> None:  # noqa: ANN401
    async def receive() -> Any:  # noqa: ANN401
        return {"type": "http.disconnect"}

    sent: list[Any] = []

    async def send(message: Any) -> None:  # noqa: ANN401
        sent.append(message)

    scope = {"type": "http", "path": "/route", "method": "POST", "headers": []}
    asyncio.run(ask.app(scope, receive, send))
    assert sent == []


def test_with_keys_only_their_bearers_are_served(make_app: Callable[..., Any]) -> None:
    ask = make_app(api_keys=("alpha", "beta"))
    assert ask(ASKED, headers={"authorization": "Bearer alpha"}).status == 200
    assert ask(ASKED, headers={"x-api-key": "beta"}).status == 200
    assert ask(path="/arms", method="GET", headers={"x-api-key": "beta"}).status == 200
    for headers in ({}, {"x-api-key": ""}, {"authorization": "Bearer alph"},
                    {"authorization": "Basic alpha"}, {"x-api-key": "ü"}):  # fmt: skip
        reply = ask(ASKED, headers=headers)
        assert (reply.status, reply.json()["code"]) == (401, "unauthorized")
        assert reply.headers["www-authenticate"] == "Bearer"
    assert ask(path="/openapi.json", method="GET", headers={}).status == 200


def test_before_a_bundle_is_loaded_routing_says_so(make_app: Callable[..., Any]) -> None:
    ask = make_app(load=False)
    assert not ask.app.ready
    for path, method in (("/route", "POST"), ("/arms", "GET"), ("/frontier", "GET")):
        reply = ask(ASKED, path=path, method=method)
        assert (reply.status, reply.json()["code"]) == (503, "not_ready")


def test_a_request_waits_while_its_worker_loads_but_not_for_a_refused_bundle(
    make_app: Callable[..., Any], tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = Holder._load

    def slow(holder: Holder, path: Path) -> Live:
        time.sleep(0.3)
        return load(holder, path)

    async def first_answers(driver: Any) -> tuple[list[int], float]:  # noqa: ANN401
        driver.app.start()
        begun = time.perf_counter()
        asked = json.dumps(ASKED).encode()
        found = await asyncio.gather(
            driver.ask(asked, "/route", "POST", JSON, 1),
            driver.ask(b"", "/arms", "GET", JSON, 1),
        )
        seconds = time.perf_counter() - begun
        await driver.app.stop()
        return [reply.status for reply in found], seconds

    monkeypatch.setattr(Holder, "_load", slow)
    for bundle, timeout_s, expected in (
        (tiny_bundle, 30.0, 200),  # loaded while they wait
        (tiny_bundle, 0.1, 503),  # no longer than any answer may take
        (tmp_path / "none", 30.0, 503),  # nothing to wait for
    ):
        driver = make_app(load=False, bundle=bundle, timeout_s=timeout_s)
        statuses, seconds = asyncio.run(first_answers(driver))
        assert statuses == [expected, expected]
        assert seconds < 10


def test_a_refused_swap_leaves_the_old_bundle_serving(
    make_app: Callable[..., Any], tmp_path: Path
) -> None:
    ask = make_app()
    before = ask.app.holder.current
    with pytest.raises(Exception, match="not a complete bundle"):
        ask.app.holder.swap(tmp_path)
    assert ask.app.holder.current is before
    assert ask(ASKED).status == 200


def test_a_swap_starts_with_an_empty_cache(make_app: Callable[..., Any], tiny_bundle: Path) -> None:
    ask = make_app()
    ask(ASKED)
    assert len(ask.app.holder.current.cache) == 1
    assert len(ask.app.holder.swap(tiny_bundle).cache) == 0


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    ["prompt", "messages", "threshold", "min_quality", "max_quality_drop", "max_cost_usd",
     "budget_usd", "allowed_models", "requires", "session_id", "current_arm", "metadata", "tools",
     "functions", "response_format", "model", "in_tool_loop", "max_latency_ms"]
)  # fmt: skip
PARTS = st.fixed_dictionaries({"type": st.sampled_from(["text", "image_url", ""])},
                              optional={"text": st.none() | st.text(max_size=30)})  # fmt: skip
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system", "tool", ""])},
        optional={
            "content": st.none() | st.text(max_size=40) | st.lists(PARTS, max_size=3),
            "tool_calls": st.none() | st.lists(st.just({"id": "1"}), max_size=2),
        },
    ),
    max_size=5,
)
UNIT = st.none() | st.floats(-0.2, 1.2)
PLAUSIBLE = st.fixed_dictionaries(
    {},
    optional={
        "prompt": st.text(max_size=60),
        "messages": MESSAGES,
        "threshold": UNIT,
        "min_quality": UNIT,
        "max_quality_drop": UNIT,
        "max_cost_usd": st.floats(),
        "max_latency_ms": st.none() | st.floats(),
        "current_arm": st.none() | st.text(max_size=12),
        "in_tool_loop": st.none() | st.booleans(),
        "allowed_models": st.lists(st.text(max_size=12), max_size=3),
        "requires": st.dictionaries(
            st.sampled_from(["tools", "vision", "json", "context"]), st.booleans() | st.integers()
        ),
        "tools": st.lists(JSON_VALUES, max_size=2),
        "response_format": st.dictionaries(st.just("type"), st.text(max_size=12)),
    },
)
BODIES = (
    st.binary(max_size=200)
    | JSON_VALUES.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(FIELDS, JSON_VALUES).map(lambda value: json.dumps(value).encode())
    | PLAUSIBLE.map(lambda value: json.dumps(value).encode())
)


@settings(
    max_examples=500,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(body=BODIES, chunks=st.integers(1, 4), path=st.sampled_from(["/route", "/explain"]))
def test_nothing_that_a_caller_sends_is_answered_with_a_5xx(
    ask: Any, body: bytes, chunks: int, path: str  # noqa: ANN401
) -> None:  # fmt: skip
    reply = ask(body, path=path, chunks=chunks)
    assert reply.status < 500, reply.body
    answer = reply.json()
    if reply.status == 200:
        assert all(type(text) is str for text in answer["warnings"])
        if path == "/route":
            assert set(answer) == CONTRACT
        else:
            assert set(answer) > CONTRACT - {"decision_id"}
    else:
        assert answer["status"] == reply.status
        assert answer["code"] not in ("internal_error", "not_ready")


def test_serving_loads_nothing_of_training() -> None:
    code = (
        "import sys, serving.app, serving.cli, serving.service\n"
        "heavy = {'torch', 'sklearn', 'lightgbm', 'polars', 'transformers', 'onnxruntime'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
