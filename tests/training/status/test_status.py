"""Drift: silent when nothing changed, and it names what did."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from data.events import read_log
from router.cli.main import main
from router.core.manifest import read_manifest
from serving.status import read_status
from tests.training.routed import Traffic
from training.retrain.log_rows import Traffic as Rows
from training.retrain.log_rows import read_traffic
from training.status.certificate import CertificateState
from training.status.detectors import (
    change_point,
    direction_index,
    embedding_shift,
    price_changes,
    psi,
)
from training.status.finding import ALARM, Finding
from training.status.prometheus import gauges
from training.status.report import (
    DriftReport,
    answer_findings,
    drift_report,
    promise_findings,
    traffic_findings,
)
from training.status.sequential import watch


@pytest.fixture(scope="module")
def log(traffic: Traffic, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return traffic.route(tmp_path_factory.mktemp("log"), slice(0, 1000), rate=0.6)


@pytest.fixture(scope="module")
def rows(traffic: Traffic, log: Path) -> Rows:
    return read_traffic(read_log(log), read_manifest(traffic.base))


def test_a_worked_example_of_the_stability_index() -> None:
    # shares with half a row added: (50.5, 50.5)/101 and (75.5, 25.5)/101
    then, now = np.array([50, 50]), np.array([75, 25])
    a, b = 75.5 / 101, 25.5 / 101
    wanted = (a - 0.5) * np.log(a / 0.5) + (b - 0.5) * np.log(b / 0.5)
    value, p = psi(then, now)
    assert value == pytest.approx(wanted)
    assert p < 0.001


def test_false_alarms_are_as_rare_as_the_p_values_say() -> None:
    found: dict[str, list[float]] = {"psi": [], "embedding": [], "change": []}
    for seed in range(100):
        rng = np.random.default_rng(seed)
        counts = [np.bincount(rng.integers(0, 8, 200), minlength=8) for _ in range(2)]
        found["psi"].append(psi(*counts)[1])
        points = rng.normal(size=(120, 6)).astype(np.float32)
        found["embedding"].append(embedding_shift(points[:60], points[60:], seed=seed)[1])
        found["change"].append(change_point(rng.normal(size=100)).p_value)
    for kind, p_values in found.items():
        assert np.mean(np.array(p_values) <= 0.05) <= 0.11, kind


def test_a_shift_of_embeddings_and_of_a_mean_is_found_where_it_happened() -> None:
    rng = np.random.default_rng(0)
    moved = rng.normal(size=(200, 8)).astype(np.float32)
    moved[100:, 0] += 1.0
    assert embedding_shift(moved[:100], moved[100:], seed=0)[1] < 0.01
    series = np.concatenate([rng.normal(0, 1, 150), rng.normal(1, 1, 150)])
    change = change_point(series)
    assert change.p_value < 0.01
    assert abs(change.at - 150) < 25
    assert change.after - change.before == pytest.approx(1.0, abs=0.35)


def test_the_size_of_a_shift_is_that_of_the_stability_index() -> None:
    rng = np.random.default_rng(3)
    for gap in (0.0, 0.3, 1.0):
        then, now = rng.normal(size=(4000, 5)), rng.normal(size=(4000, 5))
        now[:, 2] += gap
        found = direction_index(then.mean(axis=0), now)
        assert found == pytest.approx(gap**2, abs=0.02 + 0.08 * gap)
        # the same by counts, in tenths of the earlier window
        edges = np.quantile(then[:, 2], np.linspace(0.1, 0.9, 9))
        counts = [np.bincount(np.digitize(x[:, 2], edges), minlength=10) for x in (then, now)]
        assert found == pytest.approx(psi(*counts)[0], abs=0.02 + 0.1 * gap)


def test_a_shift_too_small_to_matter_is_sure_and_raises_no_alarm() -> None:
    rng = np.random.default_rng(5)
    points = rng.normal(size=(4000, 4)).astype(np.float32)
    points[2000:, 0] += 0.2
    index, p = embedding_shift(points[:2000], points[2000:], seed=0)
    assert p < 0.01
    assert index < 0.1


def test_price_changes_are_relative() -> None:
    old = {"a": (1.0, 2.0), "b": (1.0, 1.0), "gone": (1.0, 1.0)}
    new = {"a": (1.0, 3.0), "b": (1.0, 1.0), "new": (1.0, 1.0)}
    assert price_changes(old, new) == {"a": 0.5}


def test_steady_traffic_raises_hardly_an_alarm(traffic: Traffic, rows: Rows) -> None:
    """In whatever order the same decisions come; one test in a hundred may err."""
    manifest, wrong, tests = read_manifest(traffic.base), 0, 0
    for seed in range(6):
        report = drift_report(in_order(rows, np.random.default_rng(seed)), manifest)
        assert report.reason is None
        judged = [f for f in report.findings if f.kind != "out_of_distribution"]
        tests += len(judged)
        wrong += sum(f.level == ALARM for f in judged)
    assert tests > 40
    assert wrong <= 2


def in_order(rows: Rows, rng: np.random.Generator) -> Rows:
    """The same decisions in another order of time."""
    order = rng.permutation(len(rows))
    return replace(
        rows,
        cluster=rows.cluster[order],
        distance=rows.distance[order],
        arm=rows.arm[order],
        expected=rows.expected[order],
        quality=rows.quality[order],
        output_tokens=rows.output_tokens[order],
        inputs=replace(rows.inputs, embedding=rows.inputs.embedding[order]),
    )


def test_prompts_of_another_kind_are_noticed(traffic: Traffic, rows: Rows) -> None:
    by_cluster = np.argsort(rows.cluster, kind="stable")
    moved = replace(
        rows,
        cluster=rows.cluster[by_cluster],
        distance=rows.distance[by_cluster],
        inputs=replace(rows.inputs, embedding=rows.inputs.embedding[by_cluster]),
    )
    found = {f.kind: f for f in traffic_findings(moved, read_manifest(traffic.base), seed=0)}
    assert found["traffic_clusters"].level == ALARM
    assert found["traffic_embeddings"].level == ALARM


def test_an_alias_that_serves_another_model_is_named_alone(rows: Rows) -> None:
    arm = int(np.bincount(rows.arm).argmax())
    late = (np.arange(len(rows)) > len(rows) // 2) & (rows.arm == arm)
    other = replace(
        rows,
        quality=np.where(late, 0.0, rows.quality),
        output_tokens=np.where(late, rows.output_tokens * 3, rows.output_tokens),
    )
    alarms = [f for f in answer_findings(other) if f.level == ALARM]
    assert {f.subject for f in alarms} == {rows.arms[arm].id}
    assert {f.kind for f in alarms} == {"quality", "length", "alias"}


def test_a_canary_may_be_watched_at_every_step() -> None:
    rng = np.random.default_rng(0)
    false = [
        watch((rng.random(600) < 0.7) * 1.0, (rng.random(600) < 0.7) * 1.0, margin=0.0).alarm_at
        for _ in range(300)
    ]
    assert np.mean([at is not None for at in false]) <= 0.05
    worse = [
        watch((rng.random(1500) < 0.55) * 1.0, (rng.random(1500) < 0.7) * 1.0).alarm_at
        for _ in range(50)
    ]
    assert np.mean([at is not None for at in worse]) >= 0.95


def test_few_decisions_are_not_judged(traffic: Traffic, rows: Rows, log: Path) -> None:
    found = read_log(log)
    found.decisions = dict(list(found.decisions.items())[:50])
    few = read_traffic(found, read_manifest(traffic.base))
    report = drift_report(few, read_manifest(traffic.base))
    assert report.reason is not None
    assert "200 are needed" in report.reason
    assert len(rows) == 1000


def test_the_command_tells_writes_and_exits_by_the_alarms(
    traffic: Traffic, log: Path, tmp_path: Path
) -> None:
    manifest = read_manifest(traffic.base)
    rows = ["model,usd_per_1m_input,usd_per_1m_output"]
    models = {info.model: info for info in manifest.arms}.values()
    rows += [f"{m.model},{m.usd_per_1m_input * 2},{m.usd_per_1m_output * 2}" for m in models]
    (tmp_path / "prices.csv").write_text("\n".join(rows) + "\n")
    done = CliRunner().invoke(
        main,
        ["status", str(traffic.base), "--log", str(log), "--prices", str(tmp_path / "prices.csv"),
         "--json", str(tmp_path / "s.json"), "--metrics", str(tmp_path / "new" / "s.prom")],
    )  # fmt: skip
    assert done.exit_code == 1, done.output
    assert "price changed by +100.0%" in done.output
    report = json.loads((tmp_path / "s.json").read_text())
    assert report["decisions"] == 1000
    assert report["certificate"]["state"] == "none"
    assert "certificate: none" in done.output
    series = samples(read_status(tmp_path / "new" / "s.prom"))
    assert series["tierwise_status_decisions"] == {report["bundle_id"]: 1000}
    assert series["tierwise_certificate"] == {"none": 1, "valid": 0, "expired": 0}
    assert series["tierwise_drift_level"][f"price {next(iter(models)).model}"] == 2
    assert sum(level == 2 for level in series["tierwise_drift_level"].values()) == sum(
        series["tierwise_status_alarms"].values()
    )


def samples(content: bytes) -> dict[str, dict[str, float]]:
    """Family -> its labels' values in one string -> value."""
    return {
        family.name: {" ".join(s.labels.values()): s.value for s in family.samples}
        for family in text_string_to_metric_families(content.decode())
    }


def test_a_bundle_that_nobody_asked_yet_has_a_status(traffic: Traffic, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["status", str(traffic.base)])
    assert done.exit_code == 0, done.output
    assert "0 decisions; 200 are needed" in done.output


def test_answers_that_are_worse_than_promised_are_noticed_whenever_one_looks(rows: Rows) -> None:
    (kept,) = promise_findings(rows)
    assert kept.level != ALARM
    rng = np.random.default_rng(0)
    worse = replace(rows, quality=rows.quality * (rng.random(len(rows)) < 0.6))
    (broken,) = promise_findings(worse)
    assert broken.level == ALARM
    assert broken.value >= 20
    silent = replace(rows, quality=np.full(len(rows), np.nan))
    assert promise_findings(silent) == []


def test_an_expired_certificate_is_no_calm_and_odd_names_stay_one_label() -> None:
    expired = CertificateState(state="expired", reason="prices changed")
    finding = Finding(kind="price", subject='a "b"\\\n c', level="ok", value=0.1, p_value=None,
                      detail="")  # fmt: skip
    report = DriftReport(bundle_id="x", decisions=0, findings=(finding,), certificate=expired)
    assert not report.calm
    assert replace(report, certificate=None).calm
    series = samples(generate_latest(gauges(report, now=5.0)))
    assert series["tierwise_drift_value"] == {f"price {finding.subject}": 0.1}
    assert series["tierwise_certificate"]["expired"] == 1
    assert series["tierwise_status_time_seconds"] == {"": 5.0}
