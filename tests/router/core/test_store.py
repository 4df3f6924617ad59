"""Promote, roll back, and never lose sight of what was live."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router import BundleError, Router
from router.cli.main import main
from router.core.manifest import read_manifest
from router.core.store import Store, is_store
from router.errors import StoreError
from training.bundle.export import finish


def another(bundle: Path, folder: Path, note: str) -> Path:
    """The same bundle with another id."""
    copy = Path(shutil.copytree(bundle, folder / note))
    finish(copy, replace(read_manifest(copy), metrics={"note": note}))
    return copy


@pytest.fixture(scope="module")
def bundles(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("versions")
    return [another(tiny_bundle, folder, note) for note in ("one", "two", "three")]


def name(bundle: Path) -> str:
    return read_manifest(bundle).bundle_id


def passed(candidate: Path, incumbent: Path, verdict: str = "passed") -> dict[str, Any]:
    return {"candidate": name(candidate), "incumbent": name(incumbent), "verdict": verdict,
            "summary": "AIQ +0.010"}  # fmt: skip


def test_a_store_routes_by_what_was_promoted_last(tmp_path: Path, bundles: list[Path]) -> None:
    store = Store(tmp_path)
    assert store.current is None
    store.promote(bundles[0], gate=None, force=None, time=1.0)
    assert is_store(tmp_path)
    assert Router.load(tmp_path).manifest.bundle_id == name(bundles[0])
    store.promote(bundles[1], gate=passed(bundles[1], bundles[0]), force=None, time=2.0)
    assert Router.load(tmp_path).manifest.bundle_id == name(bundles[1])


def test_a_gate_that_the_store_keeps_need_not_be_given(tmp_path: Path, bundles: list[Path]) -> None:
    store, bundle = Store(tmp_path), name(bundles[1])
    store.promote(bundles[0], gate=None, force=None, time=1.0)
    assert store.gate(bundle) is None
    store.keep_gate(passed(bundles[1], bundles[2]))
    with pytest.raises(StoreError, match="this gate compared"):
        store.promote(bundles[1], gate=None, force=None, time=2.0)
    store.keep_gate(passed(bundles[1], bundles[0], "failed"))
    with pytest.raises(StoreError, match="verdict is failed"):
        store.promote(bundles[1], gate=None, force=None, time=2.0)
    store.keep_gate(passed(bundles[1], bundles[0]))
    change = store.promote(bundles[1], gate=None, force=None, time=2.0)
    assert (change.bundle_id, change.why) == (bundle, "gate passed: AIQ +0.010")
    given = passed(bundles[2], bundles[1])
    store.promote(bundles[2], gate=given, force=None, time=3.0)
    assert store.gate(name(bundles[2])) == given  # one that is given is kept, too
    for odd in ("../x", "", "a/b"):
        with pytest.raises(StoreError, match="bundle's id"):
            store.keep_gate(given | {"candidate": odd})
    (tmp_path / "gates" / f"{bundle}.json").write_text("{")
    with pytest.raises(StoreError, match="cannot be read"):
        store.gate(bundle)


def test_nothing_replaces_an_incumbent_without_a_gate_or_a_reason(
    tmp_path: Path, bundles: list[Path]
) -> None:
    store = Store(tmp_path)
    store.promote(bundles[0], gate=None, force=None, time=1.0)
    refused = {
        "passed gate": None,
        "compared": passed(bundles[2], bundles[0]),
        "verdict is failed": passed(bundles[1], bundles[0], "failed"),
    }
    for message, gate in refused.items():
        with pytest.raises(StoreError, match=message):
            store.promote(bundles[1], gate=gate, force=None, time=2.0)
        assert store.current == name(bundles[0])
    store.promote(bundles[1], gate=None, force="the provider is down", time=3.0)
    assert store.history()[-1].why == "forced: the provider is down"


@given(verdict=st.sampled_from(["failed", "undecided", "", None, 1]), empty=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=12)
def test_a_record_that_did_not_pass_promotes_nothing_first_or_not(
    tmp_path: Path, bundles: list[Path], verdict: object, empty: bool
) -> None:
    store = Store(Path(tempfile.mkdtemp(dir=tmp_path)))
    if not empty:
        store.promote(bundles[0], gate=None, force=None, time=1.0)
    live, gate = store.current, passed(bundles[1], bundles[0]) | {"verdict": verdict}
    with pytest.raises(StoreError, match="verdict is"):
        store.promote(bundles[1], gate=gate, force=None, time=2.0)
    assert store.current == live
    forced = store.promote(bundles[1], gate=gate, force="the provider is down", time=3.0)
    assert f"over a gate that said {verdict}" in forced.why


def test_a_gated_first_promotion_can_be_rolled_back_to_the_incumbent(
    tmp_path: Path, bundles: list[Path]
) -> None:
    store, gate = Store(tmp_path), passed(bundles[1], bundles[0])
    with pytest.raises(StoreError, match="promote it first"):
        store.promote(bundles[1], gate=gate, force=None, time=1.0)
    elsewhere = gate | {"incumbent_path": str(bundles[2])}  # another bundle lies there
    with pytest.raises(StoreError, match="promote it first"):
        store.promote(bundles[1], gate=elsewhere, force=None, time=1.0)
    assert store.current is None
    with pytest.raises(StoreError, match="this gate compared"):
        store.promote(bundles[2], gate=gate, force=None, time=1.0)
    gate |= {"incumbent_path": str(bundles[0])}
    change = store.promote(bundles[1], gate=gate, force=None, time=2.0)
    assert (change.bundle_id, change.previous) == (name(bundles[1]), name(bundles[0]))
    assert store.rollback(time=3.0).bundle_id == name(bundles[0])


def test_rollback_goes_back_step_by_step(tmp_path: Path, bundles: list[Path]) -> None:
    store = Store(tmp_path)
    for time, bundle in enumerate(bundles):
        store.promote(bundle, gate=None, force="test", time=float(time))
    for wanted in (bundles[1], bundles[0]):
        assert store.rollback(time=9.0).bundle_id == name(wanted)
        assert store.current == name(wanted)
    with pytest.raises(StoreError, match="no earlier bundle"):
        store.rollback(time=10.0)
    store.promote(bundles[2], gate=None, force="again", time=11.0)
    assert store.rollback(time=12.0).bundle_id == name(bundles[0])
    actions = [change.action for change in store.history()]
    assert actions == ["promote"] * 3 + ["rollback"] * 2 + ["promote", "rollback"]


def test_a_damaged_bundle_enters_no_store(tmp_path: Path, bundles: list[Path]) -> None:
    broken = Path(shutil.copytree(bundles[0], tmp_path / "broken"))
    content = bytearray((broken / "router.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (broken / "router.onnx").write_bytes(content)
    store = Store(tmp_path / "store")
    store.promote(bundles[1], gate=None, force=None, time=1.0)
    with pytest.raises(BundleError, match=r"router\.onnx"):
        store.promote(broken, gate=None, force="hurry", time=2.0)
    assert store.current == name(bundles[1])
    left = {path.name for path in (tmp_path / "store" / "bundles").iterdir()}
    assert left == {name(bundles[1])}


def test_a_rollback_to_a_damaged_bundle_is_refused(tmp_path: Path, bundles: list[Path]) -> None:
    store = Store(tmp_path)
    store.promote(bundles[0], gate=None, force=None, time=1.0)
    store.promote(bundles[1], gate=None, force="test", time=2.0)
    (store.folder(name(bundles[0])) / "golden.json").write_text("[]")
    with pytest.raises(BundleError, match=r"golden\.json"):
        store.rollback(time=3.0)
    assert store.current == name(bundles[1])


def test_a_history_cut_off_by_a_crash_is_still_read(tmp_path: Path, bundles: list[Path]) -> None:
    store = Store(tmp_path)
    store.promote(bundles[0], gate=None, force=None, time=1.0)
    with (tmp_path / "history.jsonl").open("a") as file:
        file.write('{"time": 2.0, "act')
    assert [change.bundle_id for change in store.history()] == [name(bundles[0])]


def test_a_candidate_is_tried_beside_the_live_one(tmp_path: Path, bundles: list[Path]) -> None:
    store = Store(tmp_path)
    store.promote(bundles[0], gate=None, force=None, time=1.0)
    with pytest.raises(StoreError, match="live already"):
        store.try_out(bundles[0])
    with pytest.raises(StoreError, match="between 0 and 1"):
        store.try_out(bundles[1], share=1.5)
    store.try_out(bundles[1], share=0.25)
    assert store.candidate is not None
    assert (store.candidate.bundle_id, store.candidate.share) == (name(bundles[1]), 0.25)
    store.try_out(None)
    assert store.candidate is None


def test_the_commands_do_the_same(tmp_path: Path, bundles: list[Path]) -> None:
    def run(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(main, [*arguments, "--store", str(tmp_path / "store")])
        assert done.exit_code == code, done.output
        return done.output

    one, two = map(str, bundles[:2])
    assert "is live" in run("promote", one)
    assert "tierwise gate" in run("promote", two, code=1)
    record = tmp_path / "gate.json"
    record.write_text(json.dumps(passed(bundles[1], bundles[0])))
    assert "AIQ +0.010" in run("promote", two, "--gate", str(record))
    assert "is in shadow" in run("candidate", str(bundles[2]))
    shown = run("history")
    assert f"live: {name(bundles[1])}" in shown
    assert f"candidate: {name(bundles[2])}, in shadow" in shown
    assert "no candidate" in run("candidate", "--stop")
    assert f"{name(bundles[0])} is live again" in run("rollback")
    assert "no earlier bundle" in run("rollback", code=1)
