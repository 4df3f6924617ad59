"""The gate: lets what is better pass, stops what is worse, and says when it cannot tell."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from data.events import read_log
from router import Router
from router.cli.main import main
from router.core.manifest import read_manifest
from router.core.store import Store
from router.errors import BundleError
from router.types import Arm
from tests.training.routed import Traffic
from tests.worlds.gate import evaluated, judged, world
from training.config import TrainConfig
from training.gate.checks import (
    FAILED,
    PASSED,
    UNDECIDED,
    Check,
    Gate,
    Margins,
    decide,
    log_checks,
    outcome_checks,
)
from training.gate.compare import OnOutcomes, on_log, same_arms
from training.gate.moves import Move, moves, moves_on_log, prompt_moves
from training.gate.report import render
from training.gate.values import values
from training.prepare.cache import CACHE
from training.progress import Timings
from training.retrain.log_rows import read_traffic
from training.retrain.retrain import retrain

SEEDS = range(6)


@pytest.fixture(scope="module")
def log(traffic: Traffic, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return traffic.route(tmp_path_factory.mktemp("log"), slice(0, 1200), rate=0.5)


@pytest.fixture(scope="module")
def candidate(
    traffic: Traffic, log: Path, tmp_path_factory: pytest.TempPathFactory, lean_config: TrainConfig
) -> Path:
    base = Router.load(traffic.base)
    rows = read_traffic(read_log(log), base.manifest)
    out = tmp_path_factory.mktemp("candidate") / "bundle"
    retrain(rows, base.bundle, out, CACHE, Timings(), config=lean_config)
    return out


@pytest.mark.parametrize("seed", SEEDS)
def test_a_better_candidate_passes_and_poisoned_or_shifted_ones_do_not(seed: int) -> None:
    truth = world(seed)
    assert judged(truth, "better").verdict == PASSED
    assert judged(truth, "poisoned").verdict == FAILED
    assert judged(truth, "shifted").verdict == FAILED


def check(name: str, value: float | None, verdict: str, *, needed: bool = True) -> Check:
    return Check(name=name, value=value, interval=None, limit=0.0, verdict=verdict, detail="",
                 needed=needed)  # fmt: skip


def test_the_verdict_follows_from_the_checks() -> None:
    gain, loss = check("aiq", 0.02, PASSED), check("domain x", -0.2, FAILED)
    assert decide("a", "b", [gain]).verdict == PASSED
    assert decide("a", "b", [gain, loss]).verdict == FAILED
    assert decide("a", "b", [gain, check("value at 0.5", None, UNDECIDED)]).verdict == UNDECIDED
    assert decide("a", "b", [check("aiq", -0.001, PASSED)]).summary == "nothing got better"
    assert decide("a", "b", [gain, check("cost", 0.5, FAILED, needed=False)]).verdict == PASSED
    assert decide("a", "b", []).verdict == UNDECIDED


def test_a_log_tells_the_better_of_two_routers(
    traffic: Traffic, candidate: Path, tmp_path: Path
) -> None:
    later = traffic.route(tmp_path, slice(1200, 2700), rate=0.5, seed=1)
    base, better = Router.load(traffic.base), Router.load(candidate)
    rows = read_traffic(read_log(later), base.manifest)
    compared = on_log(better, base, rows, share=1.0)
    found = values(compared)
    for value in found:
        assert value.gain is not None
        gap = (value.candidate.value or 0.0) - (value.incumbent.value or 0.0)
        assert value.gain[0] == pytest.approx(gap)
    record = decide("new", "old", log_checks(found, Margins()))
    assert record.verdict == PASSED
    check_page(replace(record, values=found), moves_on_log(compared, better.arms))
    back = log_checks(values(on_log(base, better, rows, share=1.0)), Margins())
    assert decide("old", "new", back).verdict == FAILED


def test_a_log_without_exploration_gets_no_verdict(
    traffic: Traffic, candidate: Path, tmp_path: Path
) -> None:
    certain = traffic.route(tmp_path, slice(0, 900), rate=0.0)
    base, better = Router.load(traffic.base), Router.load(candidate)
    rows = read_traffic(read_log(certain), base.manifest)
    found = decide("new", "old", log_checks(values(on_log(better, base, rows)), Margins()))
    assert found.verdict == UNDECIDED
    assert "TIERWISE_EXPLORE_RATE" in found.checks[0].detail


def test_routers_of_other_arms_are_not_compared(traffic: Traffic, candidate: Path) -> None:
    base, other = Router.load(traffic.base), Router.load(candidate)
    other._arms = (*other.arms[:-1], Arm("another"))
    with pytest.raises(BundleError, match="another"):
        same_arms(other, base)


def test_the_command_writes_what_promote_asks_for(
    traffic: Traffic, candidate: Path, tmp_path: Path
) -> None:
    held = traffic.world.prompts["prompt_id"][-300:].implode()
    for name in ("outcomes", "prompts"):
        table = getattr(traffic.world, name)
        rows = table.filter(table["prompt_id"].is_in(held)).drop("split", strict=False)
        rows.write_parquet(tmp_path / f"{name}.parquet")
    store = Store(tmp_path / "store")
    store.promote(traffic.base, gate=None, force=None, time=0.0)
    record, page = tmp_path / "gate.json", tmp_path / "gate.html"
    run = CliRunner().invoke(
        main,
        ["gate", str(candidate), "--incumbent", str(tmp_path / "store"), "--data",
         str(tmp_path / "outcomes.parquet"), "--prompts", str(tmp_path / "prompts.parquet"),
         "--split", "all", "--json", str(record), "--html", str(page), "--cache", str(CACHE)],
    )  # fmt: skip
    assert run.exit_code == 0, run.output
    assert json.loads(record.read_text())["verdict"] == PASSED
    assert "No decision log was given" in page.read_text()
    assert re.search(r"\d+ of 300 prompts \(\d+%\) change arm", page.read_text())
    assert store.gate(read_manifest(candidate).bundle_id) == json.loads(record.read_text())
    promoted = CliRunner().invoke(
        main, ["promote", str(candidate), "--store", str(tmp_path / "store")]
    )
    assert promoted.exit_code == 0, promoted.output
    assert store.current == read_manifest(candidate).bundle_id
    assert "passes if" in run.output
    assert "low end >= -0.0100" in run.output
    fresh = ["promote", str(candidate), "--store", str(tmp_path / "fresh"), "--gate", str(record)]
    assert CliRunner().invoke(main, fresh).exit_code == 0
    assert Store(tmp_path / "fresh").rollback(time=1.0).bundle_id == store.history()[0].bundle_id
    worse = CliRunner().invoke(
        main,
        ["gate", str(traffic.base), "--incumbent", str(tmp_path / "store"), "--data",
         str(tmp_path / "outcomes.parquet"), "--prompts", str(tmp_path / "prompts.parquet"),
         "--split", "all", "--cache", str(CACHE)],
    )  # fmt: skip
    assert worse.exit_code == 1
    assert "failed" in worse.output


def check_page(record: Gate, logged: list[Move]) -> None:
    """Every section has its figures; nothing is loaded, and no prompt is code."""
    truth = world(0)
    found, n = evaluated(truth, "better"), len(truth.domain)
    checks = outcome_checks(found, Margins())
    texts = tuple(f"<script>{i}</script> " + "word " * 60 for i in range(n))
    compared = OnOutcomes(evaluation=found, prompt_ids=tuple(map(str, range(n))), texts=texts)
    text = render(replace(record, checks=(*checks, *record.checks)), compared, logged)
    own = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"https?://", own)
    assert "&lt;script&gt;" in own
    rows = {kind: section(own, kind).count("<tr><td>") for kind in ("gate", "values", "prompts")}
    assert rows == {"gate": 3 + 3, "values": 9, "prompts": 40}
    domains = [c.value or 0.0 for c in checks if c.name.startswith("domain")]
    assert section(own, "domains-gate").count("<tr><td>") == len(domains)
    assert f"{sum(value < 0 for value in domains)} of {len(domains)} domains lose" in own
    assert f"{len(prompt_moves(found))} of {n} prompts" in own
    for move in logged[:5]:
        assert f"<td>{move.prompts:,}</td>" in own


def section(page: str, kind: str) -> str:
    """One table of the page."""
    found = re.search(rf'class="{kind}">.*?</table>', page, flags=re.DOTALL)
    assert found is not None, kind
    return found[0]


def test_a_refusal_is_told_on_the_page_with_what_is_needed(
    traffic: Traffic, candidate: Path, tmp_path: Path
) -> None:
    certain = traffic.route(tmp_path, slice(0, 900), rate=0.0)
    base, better = Router.load(traffic.base), Router.load(candidate)
    compared = on_log(better, base, read_traffic(read_log(certain), base.manifest))
    found = values(compared)
    record = replace(decide("new", "old", log_checks(found, Margins())), values=found)
    text = render(record, None, moves_on_log(compared, better.arms))
    refused = [v.candidate for v in found if v.candidate.value is None]
    assert refused
    assert all(0.01 <= (e.exploration or 0) <= 1 for e in refused)
    assert f"explore a share of at least {refused[0].exploration:.1%}" in text
    assert "No outcomes of every arm were given" in text
    assert sum(m.prompts for m in moves_on_log(compared, better.arms)) > 0


def test_moves_are_counted_and_the_worst_come_first() -> None:
    truth = world(0)
    found = evaluated(truth, "poisoned")
    listed = prompt_moves(found)
    by_arm = moves(found)
    assert sum(move.prompts for move in by_arm) == len(listed) > 50
    gains = [m.quality[1] - m.quality[0] for m in listed]
    assert gains == sorted(gains)
    mean = sum(m.prompts * (m.quality or 0.0) for m in by_arm) / len(listed)
    assert mean == pytest.approx(np.mean(gains))
    assert all(m.before != m.after for m in listed)


def test_poison_in_one_domain_alone_is_found() -> None:
    truth = world(3)
    found = judged(truth, "one domain")
    assert found.verdict == FAILED
    assert any(c.name.startswith("domain") and c.verdict == FAILED for c in found.checks)


def test_worlds_differ_by_seed() -> None:
    assert not np.array_equal(world(0).p, world(1).p)
