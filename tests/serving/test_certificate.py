"""The service states a certificate, and stops when somebody writes its end beside the bundle."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from router.core.certificate import write_expiry
from router.core.manifest import read_manifest
from serving.app import App
from serving.settings import Settings
from tests.router.core.test_certificate import PROMISE
from tests.serving.conftest import Driver
from training.bundle.export import finish

ASKED = {"prompt": "What is 17*23?", "threshold": 0.9}


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "certified"))
    finish(copy, replace(read_manifest(copy), certificate=PROMISE))
    return copy


def codes(ask: Driver) -> set[str]:
    reasons: list[dict[str, Any]] = ask(ASKED).json()["reasons"]
    return {reason["code"] for reason in reasons}


def test_it_is_stated_until_it_has_expired(bundle: Path) -> None:
    app = App(Settings(bundle=bundle))
    app.holder.swap(bundle)
    ask = Driver(app)
    assert "certified" in codes(ask)
    told = ask(path="/frontier", method="GET").json()["certificate"]
    assert (told["state"], told["reason"], told["prompts"]) == ("valid", None, 400)
    assert told["threshold"] == PROMISE.threshold
    assert not app.holder.follow(bundle)

    write_expiry(bundle, read_manifest(bundle).bundle_id, "prompts moved", time=0.0)
    assert app.holder.follow(bundle)
    assert "certified" not in codes(ask), "a cached decision went on stating it"
    told = ask(path="/frontier", method="GET").json()["certificate"]
    assert (told["state"], told["reason"]) == ("expired", "prompts moved")
    assert not app.holder.follow(bundle)


def test_a_restart_does_not_revive_it(bundle: Path) -> None:
    write_expiry(bundle, read_manifest(bundle).bundle_id, "prompts moved", time=0.0)
    app = App(Settings(bundle=bundle))
    app.holder.swap(bundle)
    assert "certified" not in codes(Driver(app))


def test_a_bundle_without_one_says_null(tiny_bundle: Path) -> None:
    app = App(Settings(bundle=tiny_bundle))
    app.holder.swap(tiny_bundle)
    assert Driver(app)(path="/frontier", method="GET").json()["certificate"] is None
