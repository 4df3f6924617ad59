"""Promoting, rolling back and reloading over HTTP: by the store's rules, with an admin's key."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from router.core.manifest import read_manifest
from router.core.store import Store
from tests.serving.conftest import JSON, Driver, Reply
from training.bundle.export import finish

Make = Callable[..., Driver]
ADMIN = {**JSON, "x-api-key": "root"}


@pytest.fixture(scope="module")
def versions(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same bundle under two more ids."""
    found = [tiny_bundle]
    for note in ("second", "third"):
        copy = Path(shutil.copytree(tiny_bundle, tmp_path_factory.mktemp("versions") / note))
        finish(copy, replace(read_manifest(copy), metrics={"note": note}))
        found.append(copy)
    return found


@pytest.fixture
def store(versions: list[Path], tmp_path: Path) -> Store:
    """A store with the first version live and the second one in it."""
    found = Store(tmp_path / "store")
    found.promote(versions[0], gate=None, force=None, time=1.0)
    found.add(versions[1])
    return found


@pytest.fixture
def ask(make_app: Make, store: Store) -> Driver:
    return make_app(bundle=store.path, admin_keys=("root",), api_keys=("caller",))


def id_of(path: Path) -> str:
    return read_manifest(path).bundle_id


def change(ask: Driver, what: str, body: Any) -> Reply:  # noqa: ANN401
    return ask(body, path=f"/admin/{what}", headers=ADMIN)


def gated(store: Store, candidate: str, **other: str) -> None:
    """Have the store keep what a gate said."""
    said = {"candidate": candidate, "incumbent": store.current, "verdict": "passed", "summary": "s"}
    store.keep_gate({**said, **other})


def test_a_passed_gate_promotes_and_a_rollback_goes_back(
    ask: Driver, store: Store, versions: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    first, second = id_of(versions[0]), id_of(versions[1])
    gated(store, second)
    with caplog.at_level("INFO", "tierwise.serving"):
        reply = change(ask, "promote", {"bundle_id": second})
    assert reply.status == 200
    said = reply.json()
    assert (said["action"], said["previous"], said["why"]) == ("promote", first, "gate passed: s")
    # this worker answers with it at once
    assert said["bundle_id"] == said["loaded"] == second == store.current
    route = ask({"prompt": "Who?"}, headers={**JSON, "x-api-key": "caller"})
    assert route.json()["bundle_id"] == second
    assert "TIERWISE_ADMIN_KEYS/1" in caplog.text
    back = change(ask, "rollback", {"why": "it was slow"}).json()
    assert (back["action"], back["loaded"], back["why"]) == ("rollback", first, "it was slow")
    assert [line.action for line in store.history()] == ["promote", "promote", "rollback"]


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        (None, "that takes a passed gate"),
        ({"verdict": "failed"}, "the gate's verdict is failed"),
        ({"incumbent": "another"}, "with another"),
    ],
)
def test_what_the_command_refuses_is_refused(
    ask: Driver, store: Store, versions: list[Path], gate: dict[str, str] | None, said: str
) -> None:
    second, live = id_of(versions[1]), store.current
    if gate is not None:
        gated(store, second, **gate)
    reply = change(ask, "promote", {"bundle_id": second})
    assert (reply.status, reply.json()["code"]) == (409, "refused_change")
    assert said in reply.json()["detail"]
    assert store.current == live


def test_a_reason_goes_without_a_gate_and_enters_the_history(
    ask: Driver, store: Store, versions: list[Path]
) -> None:
    reason = 'down\n{"action": "promote"}'
    reply = change(ask, "promote", {"bundle_id": id_of(versions[1]), "force": reason})
    assert reply.status == 200
    lines = (store.path / "history.jsonl").read_text().splitlines()
    assert len(lines) == 2  # whatever the reason says
    assert json.loads(lines[-1])["why"] == f"forced: {reason}"


@pytest.mark.parametrize(
    "name", ["../../tiny", "/etc", "..", ".", "", "nobody", "a\u0000b", "bundles/x", "x" * 5000]
)
def test_a_bundle_is_named_by_its_id_and_no_path_comes_in(
    ask: Driver, store: Store, name: str
) -> None:
    reply = change(ask, "promote", {"bundle_id": name, "force": "because"})
    assert (reply.status, reply.json()["code"]) == (409, "refused_change")
    assert "tierwise candidate" in reply.json()["detail"]


@pytest.mark.parametrize(
    ("what", "body", "status"),
    [
        ("promote", b"", 400),
        ("promote", {}, 422),
        ("promote", {"bundle_id": 7}, 422),
        ("promote", {"bundle_id": "x", "path": "/x"}, 422),
        # nobody passes a gate by saying so
        ("promote", {"bundle_id": "x", "gate": {"verdict": "passed"}}, 422),
        ("promote", b"x" * (80 << 10), 413),
        ("rollback", {"why": 1}, 422),
        ("rollback", b"", 409),  # nothing was live before
    ],
)
def test_bodies_are_read_strictly(ask: Driver, what: str, body: Any, status: int) -> None:  # noqa: ANN401
    assert change(ask, what, body).status == status


def test_a_bundle_without_a_store_is_replaced_in_place_and_reloaded(
    make_app: Make, versions: list[Path], tmp_path: Path
) -> None:
    bundle = Path(shutil.copytree(versions[0], tmp_path / "bundle"))
    ask = make_app(bundle=bundle, admin_keys=("root",))
    refused = change(ask, "promote", {"bundle_id": "x", "force": "because"})
    assert "not a store" in refused.json()["detail"]
    assert change(ask, "reload", b"").json() == {"loaded": id_of(versions[0])}
    shutil.rmtree(bundle)
    shutil.copytree(versions[1], bundle)
    assert change(ask, "reload", {}).json() == {"loaded": id_of(versions[1])}
    (bundle / "router.onnx").write_bytes(b"damaged")
    finished = bundle / "manifest.json"
    finished.write_bytes(finished.read_bytes() + b"\n")
    reply = change(ask, "reload", {})
    assert (reply.status, reply.json()["code"]) == (409, "refused_change")
    assert "router.onnx" in reply.json()["detail"]
    assert ask({"prompt": "Who?"}, headers=ADMIN).json()["bundle_id"] == id_of(versions[1])


def test_a_store_that_cannot_be_written_is_said_to_be_one(
    ask: Driver, store: Store, versions: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system", str(store.path / "history.jsonl"))

    monkeypatch.setattr(Store, "_point", full)
    reply = change(ask, "promote", {"bundle_id": id_of(versions[1]), "force": "because"})
    assert (reply.status, reply.json()["code"]) == (409, "refused_change")
    assert "history.jsonl" in reply.json()["detail"]


def test_a_reload_without_a_store_changes_nothing_twice(ask: Driver, store: Store) -> None:
    before = ask.app.holder.current
    assert change(ask, "reload", {}).json() == {"loaded": store.current}
    assert ask.app.holder.current is before
