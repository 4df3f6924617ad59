"""A running service follows its store: promotions, shadow and canary, without a failed request."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from data.events import EventLog, read_log
from router.core.manifest import read_manifest
from router.core.store import Store
from tests.serving.conftest import JSON, Service
from tests.worlds.crash import traffic
from training.bundle.export import finish

pytestmark = pytest.mark.service
PROMOTIONS = 20


@pytest.fixture(scope="module")
def bundles(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("versions")
    found = []
    for note in ("one", "two"):
        copy = Path(shutil.copytree(tiny_bundle, folder / note))
        finish(copy, replace(read_manifest(copy), metrics={"note": note}))
        found.append(copy)
    return found


def start(run_service: Callable[..., Service], store: Path, log: Path) -> Service:
    service = run_service(
        ["router", "serve", str(store)],
        TIERWISE_LOG_DIR=str(log), TIERWISE_LOG_FLUSH_S="0.05", TIERWISE_POLL_S="0.05",
    )  # fmt: skip
    service.wait(200)
    return service


def stopped(service: Service, log: Path) -> EventLog:
    service.process.terminate()
    service.process.wait(20)
    found = read_log(log)
    assert not found.rejected
    return found


def answering(service: Service) -> str:
    return str(service({"prompt": "Who answers now?"}).json()["bundle_id"])


def test_twenty_promotions_under_load_fail_no_request(
    run_service: Callable[..., Service], bundles: list[Path], tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    store.promote(bundles[0], gate=None, force=None, time=0.0)
    service = start(run_service, tmp_path / "store", tmp_path / "log")
    with traffic(service.port) as load:
        for turn in range(PROMOTIONS):
            bundle = bundles[(turn + 1) % 2]
            wanted = store.promote(bundle, gate=None, force="test", time=float(turn)).bundle_id
            until = time.monotonic() + 60
            while answering(service) != wanted:
                assert time.monotonic() < until, "the promotion was not taken over"
                time.sleep(0.02)
    assert load.broken == 0
    assert load.refused == {}
    log = stopped(service, tmp_path / "log")
    assert load.answered.keys() <= log.decisions.keys()
    assert set(log.bundles) == {read_manifest(bundle).bundle_id for bundle in bundles}
    by_bundle = Counter(event.bundle_id for event in log.decisions.values())
    assert min(by_bundle.values()) > PROMOTIONS


def test_a_shadow_decides_silently_and_a_canary_answers_its_share(
    run_service: Callable[..., Service], bundles: list[Path], tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    live = store.promote(bundles[0], gate=None, force=None, time=0.0).bundle_id
    store.try_out(bundles[1])
    tried = read_manifest(bundles[1]).bundle_id
    service = start(run_service, tmp_path / "store", tmp_path / "log")
    until = time.monotonic() + 60
    while "candidate:" not in service.log:  # the live bundle answers first
        assert time.monotonic() < until, service.log
        time.sleep(0.02)
    asked = [service({"prompt": f"Shadowed {i}?"}).json() for i in range(30)]
    assert {answer["bundle_id"] for answer in asked} == {live}
    store.try_out(bundles[1], share=0.5)
    until, seen = time.monotonic() + 60, Counter[str]()
    while len(seen) < 2 or seen.total() < 60:
        assert time.monotonic() < until, f"the canary never answered: {seen}"
        seen[answering(service)] += 1
    log = stopped(service, tmp_path / "log")
    shadowed = [log.shadows[answer["decision_id"]] for answer in asked]
    assert {event.bundle_id for event in shadowed} == {tried}
    roles = Counter((e.role, e.bundle_id) for e in log.decisions.values())
    assert roles.keys() == {("live", live), ("canary", tried)}
    assert roles["canary", tried] == seen[tried]


def test_a_damaged_promotion_leaves_the_old_bundle_answering(
    run_service: Callable[..., Service], bundles: list[Path], tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    live = store.promote(bundles[0], gate=None, force=None, time=0.0).bundle_id
    other = store.add(bundles[1])
    (store.folder(other) / "golden.json").write_text("[]")
    service = start(run_service, tmp_path / "store", tmp_path / "log")
    link = tmp_path / "store" / "broken"
    link.symlink_to(Path("bundles") / other)
    link.rename(tmp_path / "store" / "current")
    until = time.monotonic() + 30
    while "the earlier bundle still answers" not in service.log:
        assert time.monotonic() < until, service.log
        assert answering(service) == live
    assert "golden.json" in service.log
    assert answering(service) == live


def test_an_admin_promotes_over_http_and_every_worker_follows(
    run_service: Callable[..., Service], bundles: list[Path], tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    live = store.promote(bundles[0], gate=None, force=None, time=0.0).bundle_id
    other = store.add(bundles[1])
    service = run_service(
        ["router", "serve", str(tmp_path / "store")], TIERWISE_WORKERS="2",
        TIERWISE_ADMIN_KEYS="sesame-4711", TIERWISE_API_KEYS="caller", TIERWISE_POLL_S="0.05",
    )  # fmt: skip
    service.wait(200)
    root, caller = {**JSON, "x-api-key": "sesame-4711"}, {**JSON, "authorization": "Bearer caller"}
    body = {"bundle_id": other, "force": "over HTTP"}
    assert service(body, path="/admin/promote", headers=caller).status == 403
    assert store.current == live
    made = service(body, path="/admin/promote", headers=root)
    assert (made.status, made.json()["loaded"]) == (200, other)
    until, row = time.monotonic() + 30, 0
    while row < 20:  # each request has a connection of its own: both workers answer
        reply = service({"prompt": "Who?"}, headers=caller)
        assert reply.status == 200
        row = row + 1 if reply.json()["bundle_id"] == other else 0
        assert time.monotonic() < until
    assert service({}, path="/admin/rollback", headers=root).json()["bundle_id"] == live
    assert "asked for with the key TIERWISE_ADMIN_KEYS/1" in service.log
    assert "sesame" not in service.log
