"""The decision log and feedback, driven in process."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from router import Router
from router.core import features
from router.events import unpack
from router.request.view import read_prompt
from serving.ids import Ids
from serving.log import MAX_QUEUED, DecisionLog, LogLimits, adopt
from serving.recorder import KEY_FILE, stored_key
from tests.serving.conftest import Driver

PROMPT = "How many primes lie below one hundred?"
Make = Callable[..., Any]


def lines(folder: Path) -> list[dict[str, Any]]:
    paths = sorted([*folder.glob("*.jsonl"), *folder.glob("*.jsonl.open")])
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def logged(ask: Driver, folder: Path) -> list[dict[str, Any]]:
    """Everything that the application wrote down, once it is closed."""
    ask.app.recorder.close()
    return lines(folder)


def counted(ask: Driver, series: str) -> float:
    text = ask(path="/metrics", method="GET").body.decode()
    return float(next(line for line in text.splitlines() if line.startswith(series)).split()[-1])


def test_a_decision_is_written_down_with_all_that_learning_needs(
    make_app: Make, tmp_path: Path, tiny_bundle: Path
) -> None:
    ask = make_app(log_dir=tmp_path, explore_rate=0.5, explore_quality_loss=1.0, seed=3)
    ask.app.recorder.serves(ask.app.holder.current.router)
    body = {"prompt": PROMPT, "threshold": 0.3, "session_id": "s-1", "max_tokens": 60, "n": 2}
    answer = ask(body).json()
    bundle, decision = logged(ask, tmp_path)
    router = Router.load(tiny_bundle)
    assert bundle["arms"] == [arm.id for arm in router.arms]
    assert bundle["features_version"] == features.VERSION
    assert decision["decision_id"] == answer["decision_id"]
    assert bundle["arms"][decision["chosen"]] == f"{answer['model']}|{answer['tier']['name']}"
    assert sum(decision["propensity"]) == pytest.approx(1.0)
    at = decision["eligible"].index(decision["chosen"])
    assert decision["propensity"][at] == answer["propensity"]
    assert decision["quality"][at] == answer["predicted"]["quality"]
    assert decision["policy"]["threshold"] == 0.3
    asked = {name: decision[name] for name in ("wire", "max_output_tokens", "n")}
    assert asked == {"wire": "prompt", "max_output_tokens": 60, "n": 2}
    assert decision["seed"] == 3
    assert 0 <= decision["draw"] < 1
    view = read_prompt(PROMPT)
    embedding = router.read(view).embedding[0]
    assert unpack(decision["embedding"]) == pytest.approx(embedding, abs=1e-3)
    assert decision["features"] == pytest.approx(features.extract([PROMPT])[0].tolist(), abs=1e-5)


def test_prompts_and_sessions_are_hashed_with_a_key(make_app: Make, tmp_path: Path) -> None:
    ask = make_app(log_dir=tmp_path / "a", log_key=b"k" * 32)
    for prompt in (PROMPT, PROMPT, "Another one."):
        ask({"prompt": prompt, "session_id": "secret-session"})
    one, same, other = logged(ask, tmp_path / "a")
    assert one["request_hash"] == same["request_hash"] != other["request_hash"]
    raw = json.dumps([one, same, other])
    assert "primes" not in raw
    assert "secret-session" not in raw
    elsewhere = make_app(log_dir=tmp_path / "b", log_key=b"j" * 32)
    elsewhere({"prompt": PROMPT})
    assert logged(elsewhere, tmp_path / "b")[0]["request_hash"] != one["request_hash"]


def test_text_is_kept_only_when_asked_for(make_app: Make, tmp_path: Path) -> None:
    ask = make_app(log_dir=tmp_path, log_text=True)
    ask({"prompt": PROMPT})
    assert logged(ask, tmp_path)[0]["text"] == PROMPT


def test_a_repeated_prompt_explores_anew(make_app: Make, tmp_path: Path) -> None:
    ask = make_app(log_dir=tmp_path, explore_rate=1.0, explore_quality_loss=1.0,
                   explore_cost_ratio=1e6)  # fmt: skip
    answers = [ask({"prompt": PROMPT}).json() for _ in range(60)]
    assert len({answer["model"] for answer in answers}) > 2


def test_feedback_is_taken_once_and_completed_later(make_app: Make, tmp_path: Path) -> None:
    ask = make_app(log_dir=tmp_path)
    made = ask({"prompt": PROMPT}).json()["decision_id"]
    send = lambda **body: ask({"decision_id": made, **body}, path="/feedback")  # noqa: E731
    assert send(correct=True).json() == {"decision_id": made, "status": "recorded"}
    assert send(correct=True).json()["status"] == "known"
    assert send(correct=True, cost_usd=0.002, output_tokens=40).json()["status"] == "recorded"
    assert send(score=0.9, source="judge").json()["status"] == "recorded"
    refused = send(correct=False)
    assert (refused.status, refused.json()["code"]) == (409, "contradictory_feedback")
    events = [e for e in logged(ask, tmp_path) if e["type"] == "feedback"]
    assert [(e["quality"], e["cost_usd"], e["source"]) for e in events] == [
        (1.0, None, "user"), (1.0, 0.002, "user"), (0.9, None, "judge"),
    ]  # fmt: skip


def test_feedback_on_a_decision_of_an_earlier_process_is_welcome(
    make_app: Make, tmp_path: Path
) -> None:
    first = make_app(log_dir=tmp_path)
    made = first({"prompt": PROMPT}).json()["decision_id"]
    first.app.recorder.close()
    later = make_app(log_dir=tmp_path)
    assert later({"decision_id": made, "correct": True}, path="/feedback").status == 200


def test_a_preference_between_two_decisions(make_app: Make, tmp_path: Path) -> None:
    ask = make_app(log_dir=tmp_path)
    one, two = (ask({"prompt": PROMPT}).json()["decision_id"] for _ in range(2))
    body = {"decision_id": one, "preferred_to": two, "preference": 1.0}
    assert ask(body, path="/feedback").status == 200
    assert logged(ask, tmp_path)[-1]["preferred_to"] == two


BAD = {
    "no id": ({"correct": True}, 422, "invalid_request"),
    "nothing said": ({}, 422, "invalid_request"),
    "both": ({"correct": True, "score": 0.5}, 422, "invalid_request"),
    "range": ({"score": 1.5}, 422, "invalid_request"),
    "unknown field": ({"rating": 5}, 422, "invalid_request"),
    "half a preference": ({"preference": 1.0}, 422, "invalid_request"),
    "quoted": ({"correct": "yes"}, 422, "invalid_request"),
    "source": ({"correct": True, "source": "a b"}, 422, "invalid_request"),
    "negative": ({"cost_usd": -1}, 422, "invalid_request"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_feedback_is_refused_and_changes_nothing(
    make_app: Make, tmp_path: Path, name: str
) -> None:
    ask = make_app(log_dir=tmp_path)
    body, status, code = BAD[name]
    if name != "no id":
        body = {"decision_id": ask({"prompt": PROMPT}).json()["decision_id"], **body}
    found = ask(body, path="/feedback")
    assert (found.status, found.json()["code"]) == (status, code)
    assert not [e for e in logged(ask, tmp_path) if e["type"] == "feedback"]


def test_an_id_that_was_never_made_is_unknown(make_app: Make, tmp_path: Path) -> None:
    ask = make_app(log_dir=tmp_path)
    made = ask({"prompt": PROMPT}).json()["decision_id"]
    forged = made[:-1] + ("0" if made[-1] != "0" else "1")
    for other in (forged, Ids(b"another key of some length").new()):
        found = ask({"decision_id": other, "correct": True}, path="/feedback")
        assert (found.status, found.json()["code"]) == (404, "unknown_decision")


def test_without_a_log_feedback_is_refused_and_routing_is_not(ask: Driver) -> None:
    answer = ask({"prompt": PROMPT})
    assert answer.status == 200
    body = {"decision_id": answer.json()["decision_id"], "correct": True}
    found = ask(body, path="/feedback")
    assert (found.status, found.json()["code"]) == (503, "log_off")


def test_a_folder_that_cannot_be_written_costs_no_request(make_app: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    ask = make_app(log_dir=tmp_path / "file" / "log", log_flush_s=0.02)
    for i in range(5):
        assert ask({"prompt": f"{PROMPT} {i}"}).status == 200
    ask.app.recorder.close()
    assert counted(ask, 'tierwise_log_events_total{result="dropped"}') == 5


def test_a_stuck_writer_drops_and_counts_and_never_waits(tmp_path: Path) -> None:
    dropped: list[int] = []
    log = DecisionLog(tmp_path, LogLimits(flush_s=0.01), dropped=dropped.append)
    log.append(lambda: time.sleep(1.0) or {"late": True})  # type: ignore[func-returns-value]
    time.sleep(0.1)
    begun = time.monotonic()
    taken = [log.append(lambda: {"x": 1}) for _ in range(MAX_QUEUED + 100)]
    assert time.monotonic() - begun < 0.9
    assert taken.count(False) == sum(dropped) > 0
    log.close(5)
    assert len(lines(tmp_path)) == taken.count(True) + 1


def test_segments_turn_over_and_the_oldest_are_removed(tmp_path: Path) -> None:
    limits = LogLimits(flush_s=0.01, segment_bytes=2000, keep_bytes=6000)
    log = DecisionLog(tmp_path, limits)
    log.header(lambda: {"type": "bundle"})
    for i in range(300):
        log.append(lambda i=i: {"i": i, "pad": "x" * 90})  # type: ignore[misc]
        while log._queue.qsize() > 10:  # a writer that got no processor would write one segment
            time.sleep(0.001)
    log.close()
    closed = sorted(tmp_path.glob("*.jsonl"))
    assert len(closed) > 1
    assert sum(path.stat().st_size for path in closed) < 6000 + 2 * 60_000
    assert all(path.read_text().startswith('{"type":"bundle"}') for path in closed)
    assert lines(tmp_path)[-1]["i"] == 299


def test_packed_segments_are_removed_like_the_others(tmp_path: Path) -> None:
    def segment(age_s: float, *endings: str) -> list[Path]:
        stem = f"{time.time_ns() - int(age_s * 1e9):020d}-1"
        paths = [tmp_path / f"{stem}{ending}" for ending in endings]
        for path in paths:
            path.write_bytes(b"x" * 1000)
        return paths

    packed = (".bundle.parquet", ".decision.parquet")
    old, aged = segment(5000, *packed), segment(3000, *packed)
    fresh, plain = segment(2000, *packed), segment(1000, ".jsonl")
    (tmp_path / "key").write_text("kept")
    log = DecisionLog(tmp_path, LogLimits(keep_s=4000, keep_bytes=4000))
    log.append(lambda: {"x": 1})
    log.close()
    assert not any(path.exists() for path in old + aged)  # too old; too many
    assert all(path.exists() for path in fresh + plain)
    assert (tmp_path / "key").exists()


def test_an_odd_event_costs_no_other(tmp_path: Path) -> None:
    dropped: list[int] = []
    log = DecisionLog(tmp_path, LogLimits(flush_s=0.01), dropped=dropped.append)
    for event in ({"a": 1}, {"odd": object()}, {"b": 2}):
        log.append(lambda event=event: event)  # type: ignore[misc]
    log.close()
    assert lines(tmp_path) == [{"a": 1}, {"b": 2}]
    assert sum(dropped) == 1


def test_segments_of_dead_processes_are_closed(tmp_path: Path) -> None:
    dead = tmp_path / "1-999999999.jsonl.open"
    own = tmp_path / f"2-{os.getpid()}.jsonl.open"
    alive = tmp_path / f"3-{os.getppid()}.jsonl.open"
    for path in (dead, own, alive):
        path.write_text('{"x": 1}\n')
    adopt(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "1-999999999.jsonl", f"2-{os.getpid()}.jsonl", alive.name,
    ]  # fmt: skip


def test_workers_share_one_key_that_nobody_else_may_read(tmp_path: Path) -> None:
    keys = {stored_key(tmp_path / "log") for _ in range(3)}
    assert len(keys) == 1
    assert (tmp_path / "log" / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "log").iterdir()] == [KEY_FILE]


def test_ids_are_known_to_whoever_has_the_key() -> None:
    ids, again, other = Ids(b"k" * 32), Ids(b"k" * 32), Ids(b"j" * 32)
    made = [ids.new() for _ in range(500)]
    assert all(again.made(one) for one in made)
    assert not any(other.made(one) for one in made)
    assert not ids.made("not an id")
    assert np.mean([ids.made(one[:-4] + "0000") for one in made]) < 0.01
