"""A certificate ends when its prompts are no longer those that come; not a day earlier."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from data.events import read_log
from router.cli.main import main
from router.core.certificate import EXPIRY, Population, read_expiry
from router.core.manifest import read_manifest
from router.types import Floats
from tests.router.core.test_certificate import PROMISE
from tests.training.routed import Traffic
from training.bundle.export import finish
from training.retrain.log_rows import Traffic as Rows
from training.retrain.log_rows import read_traffic
from training.status.certificate import certificate_state
from training.status.certificate_drift import (
    certificate_findings,
    clusters_moved,
    embeddings_moved,
    population_of,
)
from training.status.finding import Finding


def sphere(n: int, seed: int, centre: float = 0.0) -> Floats:
    rows = np.random.default_rng(seed).normal(size=(n, 16))
    rows[:, 0] += centre
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_the_same_prompts_seldom_look_like_others() -> None:
    p_values = []
    for seed in range(100):
        population = population_of(sphere(150, seed), np.zeros(150, dtype=np.int64), 0)
        p_values.append(embeddings_moved(population, sphere(200, 1000 + seed))[1])
    assert np.mean(np.array(p_values) < 0.05) <= 0.12
    assert 0.3 < np.mean(p_values) < 0.7


def test_other_prompts_are_seen() -> None:
    population = population_of(sphere(300, 1), np.zeros(300, dtype=np.int64), 0)
    index, p = embeddings_moved(population, sphere(300, 2, centre=1.0))
    assert p <= 0.002
    assert index > 0.25


def test_many_prompts_a_little_different_do_not_end_it(traffic: Traffic, log: Path) -> None:
    rows, manifest = rows_of(traffic, log), read_manifest(traffic.base)
    population = population_of(sphere(4000, 1), np.zeros(4000, dtype=np.int64), 0)
    certificate = replace(PROMISE, population=population)

    def level(centre: float) -> tuple[str, float]:
        seen = replace(
            rows,
            inputs=replace(rows.inputs, embedding=sphere(4000, 2, centre)),
            cluster=np.zeros(4000, dtype=np.int64),
        )
        found = certificate_findings(seen, replace(manifest, certificate=certificate))[1]
        assert found.p_value is not None
        return found.level, found.p_value

    assert level(0.2) == ("ok", pytest.approx(0.0, abs=0.005))
    assert level(1.0)[0] == "alarm"


def test_other_shares_of_clusters_are_seen_and_new_clusters_count() -> None:
    population = population_of(sphere(300, 1), np.arange(300) % 3, 0)
    assert population.clusters == (100, 100, 100)
    index, p = clusters_moved(population, np.arange(300) % 3)
    assert (index, p) == (pytest.approx(0.0), pytest.approx(1.0))
    index, p = clusters_moved(population, np.full(300, 5))
    assert index > 1.0
    assert p < 1e-6


@pytest.fixture(scope="module")
def log(traffic: Traffic, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return traffic.route(tmp_path_factory.mktemp("log"), slice(0, 300), rate=0.0)


def certified(traffic: Traffic, log: Path, out: Path, population: Population) -> Path:
    """The base with a certificate made on `population`, and the log as if it had routed."""
    bundle = Path(shutil.copytree(traffic.base, out / "bundle"))
    promise = replace(PROMISE, population=population)
    finish(bundle, replace(read_manifest(bundle), certificate=promise))
    new, old = read_manifest(bundle).bundle_id, read_manifest(traffic.base).bundle_id
    shutil.copytree(log, out / "log")
    for path in (out / "log").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes().replace(old.encode(), new.encode()))
    return bundle


def rows_of(traffic: Traffic, log: Path) -> Rows:
    return read_traffic(read_log(log), read_manifest(traffic.base))


def status(bundle: Path, log: Path, *options: str) -> tuple[int, dict[str, str], str]:
    told = bundle.parent / "status.json"
    done = CliRunner().invoke(
        main, ["status", str(bundle), "--log", str(log), "--json", str(told), *options]
    )
    state: dict[str, str] = json.loads(told.read_text())["certificate"]
    return done.exit_code, state, done.output


def test_it_holds_on_its_own_prompts(traffic: Traffic, log: Path, tmp_path: Path) -> None:
    rows = rows_of(traffic, log)
    population = population_of(rows.inputs.embedding, rows.cluster, 0)
    manifest = read_manifest(certified(traffic, log, tmp_path, population))
    findings = certificate_findings(rows, manifest)
    assert [found.level for found in findings] == ["ok", "ok"]
    state = certificate_state(manifest, findings, now=0.0)
    assert state.state == "valid"
    assert "prompts are as they were" in state.reason


def test_an_arm_that_answers_otherwise_ends_it_too(
    traffic: Traffic, log: Path, tmp_path: Path
) -> None:
    rows = rows_of(traffic, log)
    population = population_of(rows.inputs.embedding, rows.cluster, 0)
    manifest = read_manifest(certified(traffic, log, tmp_path, population))
    alias = Finding(
        kind="alias", subject="m|default", level="alarm", value=1.0, p_value=None, detail="changed"
    )
    state = certificate_state(manifest, [alias], now=0.0)
    assert (state.state, "alias of m|default" in state.reason) == ("expired", True)
    length = replace(alias, kind="length")
    assert certificate_state(manifest, [length], now=0.0).state == "valid"


def test_drift_ends_it_for_good_and_the_record_says_why(
    traffic: Traffic, log: Path, tmp_path: Path
) -> None:
    rows = rows_of(traffic, log)
    elsewhere = population_of(-rows.inputs.embedding, np.zeros(len(rows), dtype=np.int64), 0)
    bundle = certified(traffic, log, tmp_path, elsewhere)
    code, state, output = status(bundle, tmp_path / "log", "--keep-certificate")
    assert (code, state["state"]) == (1, "expired")
    assert not (bundle / EXPIRY).exists()
    code, state, output = status(bundle, tmp_path / "log")
    assert (code, state["state"]) == (1, "expired")
    assert "a service stops stating it" in output
    recorded = read_expiry(bundle, read_manifest(bundle).bundle_id)
    assert recorded == state["reason"]
    assert "certificate_clusters of traffic" in str(recorded)
    without_log = CliRunner().invoke(main, ["status", str(bundle)])
    assert "certificate: expired" in without_log.output
