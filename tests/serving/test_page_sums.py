"""What the page counts: the sums behind its figures, and the reader that makes them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from router import Router
from router.events import DecisionEvent
from serving.log import OPEN
from serving.page import compare, tally
from serving.page.compare import Facts, Sums, gain, saving
from serving.page.day import Day, together
from serving.page.lines import decode
from serving.page.overview import agreement
from serving.page.reader import Reader
from serving.page.sweep import GRID, choices, sweep
from tests.serving.conftest import Driver
from tests.worlds.logs import write_log
from tests.worlds.offpolicy import ARMS, world
from tests.worlds.prompts import make_prompts
from training.measure import off_policy

NOW = 1_790_000_000.0


@pytest.fixture(scope="module")
def router(tiny_bundle: Path) -> Router:
    return Router.load(tiny_bundle)


def read_all(folder: Path) -> Reader:
    reader = Reader(folder)
    until = time.monotonic() + 60
    while True:
        reader.catch_up(1.0)
        if reader.progress.unread == 0:
            return reader
        assert time.monotonic() < until, "the log was not read in time"


def lines_of(folder: Path) -> list[dict[str, Any]]:
    found = []
    for path in sorted(folder.glob("*.jsonl*")):
        found += [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return found


def test_streamed_differences_are_those_of_the_gate() -> None:
    logged, _ = world(5, n=8000)
    sums, few = Sums(), Sums()
    for i in range(len(logged.arm)):
        chance = logged.propensity[i]
        facts = Facts(
            arms=np.arange(ARMS),
            width=ARMS,
            chosen=int(logged.arm[i]),
            chance=float(chance[logged.arm[i]]),
            possible=chance > 0,
            quality=logged.model[i],
            cost_usd=np.ones(ARMS),
            direct=float((chance * logged.model[i]).sum()),
        )
        for kept in (sums, few) if i < 10 else (sums,):
            kept.earned(facts, facts.earned(float(logged.reward[i])))
    for arm in range(ARMS):
        always = np.zeros_like(logged.target)
        always[:, arm] = 1.0
        ours = off_policy.Logged(
            arm=logged.arm, propensity=logged.propensity, reward=logged.reward,
            target=logged.propensity, model=logged.model,
        )  # fmt: skip
        theirs = off_policy.Logged(
            arm=logged.arm, propensity=logged.propensity, reward=logged.reward,
            target=always, model=logged.model,
        )  # fmt: skip
        assert gain(few.arm(arm)).value is None  # ten rows are refused here as they are there
        wanted, found = off_policy.difference(ours, theirs), gain(sums.arm(arm))
        assert (found.value, found.low, found.high) == pytest.approx(wanted, abs=1e-12)
        verdict = off_policy.verdict(theirs)
        assert found.effective == pytest.approx(verdict.effective)
        assert (verdict.value is None) == (found.value is None)


def test_the_limits_of_a_verdict_are_those_of_the_gate() -> None:
    for name in ("MOST_WEIGHT", "LEAST_ESS", "MOST_UNSUPPORTED", "Z95"):
        assert getattr(compare, name) == getattr(off_policy, name)


def test_a_log_without_exploration_gives_no_quality_but_says_what_it_needs(
    router: Router, tmp_path: Path
) -> None:
    write_log(tmp_path, router, 300, now=NOW, explored=0.0)
    reader = read_all(tmp_path)
    day = reader.see(lambda t: together(t.days.values()))
    names = reader.see(lambda t: dict(t.columns))
    for name, column in names.items():
        found = gain(day.total.arm(column))
        if day.arms[name] < day.decisions:
            assert found.value is None
            assert "TIERWISE_EXPLORE_RATE" in (found.reason or "")
            assert found.expected is not None
    reader.close()


def test_savings_are_what_was_paid_against_what_the_other_would_have_cost(
    router: Router, tmp_path: Path
) -> None:
    write_log(tmp_path, router, 400, now=NOW, outcomes=0.0, explored=0.0)
    reader = read_all(tmp_path)
    best = router.manifest.decision.best_single
    decisions = [line for line in lines_of(tmp_path) if line["type"] == "decision"]
    ours = np.array([d["cost_usd"][d["eligible"].index(d["chosen"])] for d in decisions])
    theirs = np.array([d["cost_usd"][best] for d in decisions])
    column = reader.see(lambda t: t.columns[router.arm_ids[best]])
    found = saving(reader.see(lambda t: together(t.days.values())).total.arm(column))
    assert found.value == pytest.approx(1 - ours.sum() / theirs.sum(), rel=1e-6)
    assert found.low is not None
    assert found.high is not None
    draws = np.random.default_rng(0).integers(0, len(ours), (2000, len(ours)))
    ratios = 1 - ours[draws].sum(axis=1) / theirs[draws].sum(axis=1)
    width = found.high - found.low
    assert width == pytest.approx(2 * 1.96 * ratios.std(), rel=0.1)
    reader.close()


def test_reports_replace_what_was_predicted_once(router: Router, tmp_path: Path) -> None:
    write_log(tmp_path, router, 200, now=NOW, outcomes=1.0)
    lines = lines_of(tmp_path)
    paid = sum(line["cost_usd"] for line in lines if line["type"] == "feedback")
    (path,) = tmp_path.glob("*.jsonl")
    again = [line for line in lines if line["type"] == "feedback"][:50]
    with path.open("a", encoding="utf-8") as file:
        for line in again:  # another source, later, with other numbers
            file.write(
                json.dumps({**line, "source": "judge", "quality": 0.0, "cost_usd": 9.0}) + "\n"
            )
    reader = read_all(tmp_path)
    day = reader.see(lambda t: together(t.days.values()))
    assert day.cost_usd == pytest.approx(paid, rel=1e-6)
    assert (day.outcomes, day.reported_usd, day.decisions) == (200, 200, 200)
    reader.close()


def test_an_outcome_of_another_arm_counts_for_nobody(router: Router, tmp_path: Path) -> None:
    write_log(tmp_path, router, 30, now=NOW, outcomes=0.0)
    (path,) = tmp_path.glob("*.jsonl")
    made = next(line for line in lines_of(tmp_path) if line["type"] == "decision")
    report = {
        "type": "feedback", "v": 1, "time": made["time"], "decision_id": made["decision_id"],
        "source": "user", "key": "", "quality": 1.0, "arm": "somebody|else",
    }  # fmt: skip
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(report) + "\n")
    reader = read_all(tmp_path)
    day = reader.see(lambda t: together(t.days.values()))
    assert (day.outcomes, day.elsewhere) == (0, 1)
    reader.close()


def test_feedback_that_is_read_before_its_decision_finds_it(router: Router, tmp_path: Path) -> None:
    write_log(tmp_path / "whole", router, 40, now=NOW, outcomes=1.0)
    lines = lines_of(tmp_path / "whole")
    apart = tmp_path / "apart"
    apart.mkdir()
    for i, kind in enumerate(("feedback", "bundle", "decision")):
        text = "".join(json.dumps(line) + "\n" for line in lines if line["type"] == kind)
        (apart / f"{i:020d}-{i}.jsonl").write_text(text)
    reader = read_all(apart)
    assert reader.see(lambda t: together(t.days.values())).outcomes == 40
    assert reader.progress.unjoined == 0
    reader.close()


def test_only_whole_lines_are_read_and_every_one_once(router: Router, tmp_path: Path) -> None:
    write_log(tmp_path / "whole", router, 20, now=NOW, outcomes=0.0)
    (source,) = (tmp_path / "whole").glob("*.jsonl")
    raw = source.read_bytes()
    folder = tmp_path / "growing"
    folder.mkdir()
    path = folder / f"{source.name}{OPEN}"
    path.write_bytes(raw[: len(raw) // 2])
    reader = Reader(folder)
    reader.catch_up(5.0)
    half = reader.see(lambda t: together(t.days.values())).decisions
    assert 0 < half < 20
    with path.open("ab") as file:
        file.write(raw[len(raw) // 2 :] + b'{"type":"decision","time":1' + b"\nnot json\n")
    path.rename(folder / source.name)  # closed meanwhile
    reader.catch_up(5.0)
    assert reader.see(lambda t: together(t.days.values())).decisions == 20
    assert reader.progress.unreadable == 2
    reader.close()


def test_lines_longer_than_a_chunk_are_read(router: Router, tmp_path: Path) -> None:
    ids = write_log(tmp_path, router, 3, now=NOW, outcomes=0.0)
    (path,) = tmp_path.glob("*.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    long = [{**line, "text": "é" * 400_000} for line in lines if line["type"] == "decision"]
    path.write_text("".join(json.dumps(line) + "\n" for line in [lines[0], *long]))
    reader = read_all(tmp_path)
    assert reader.see(lambda t: len(t.kept)) == 3
    found = reader.decision(ids[1])
    assert found is not None
    assert found[0].decision_id == ids[1]
    reader.close()


def test_memory_does_not_grow_with_the_log(
    router: Router, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("KEPT", "WAITING", "SESSIONS", "SAMPLE"):
        monkeypatch.setattr(tally, name, 50)
    monkeypatch.setattr(tally, "DAYS", 5)
    ids = write_log(tmp_path, router, 600, now=NOW, days=20, rival="c0ffee")
    reader = read_all(tmp_path)

    def held(t: tally.Tally) -> dict[str, int]:
        return {name: len(value) for name, value in vars(t).items() if hasattr(value, "__len__")}

    sizes = reader.see(held)
    assert max(sizes["kept"], sizes["sample"], sizes["_sessions"], sizes["_reports"]) <= 50
    assert (sizes["days"], sizes["_shadows"]) == (5, 0)
    old = reader.decision(ids[3])  # no longer kept: found by the time in its id
    assert old is not None
    assert old[0].decision_id == ids[3]
    assert reader.decision("01999999-9999-7999-8999-999999999999") is None
    assert reader.decision("../../etc/passwd") is None
    reader.close()


def test_a_segment_that_was_packed_is_counted_and_one_that_was_read_is_not_read_again(
    router: Router, tmp_path: Path
) -> None:
    write_log(tmp_path, router, 10, now=NOW)
    (path,) = tmp_path.glob("*.jsonl")
    reader = read_all(tmp_path)
    path.rename(path.with_suffix(".parquet"))
    (tmp_path / "00000000000000000001-7.parquet").write_bytes(b"PAR1")
    reader.catch_up(5.0)
    assert reader.progress.packed == 1
    assert reader.see(lambda t: len(t.kept)) == 10
    reader.close()


def test_a_folder_that_comes_later_is_read(router: Router, tmp_path: Path) -> None:
    reader = Reader(tmp_path / "later")
    reader.catch_up(5.0)
    write_log(tmp_path / "later", router, 5, now=NOW)
    reader.catch_up(5.0)
    assert reader.see(lambda t: len(t.kept)) == 5
    reader.close()


def test_odd_lines_cost_no_other(router: Router, tmp_path: Path) -> None:
    write_log(tmp_path, router, 6, now=NOW, outcomes=0.0)
    (path,) = tmp_path.glob("*.jsonl")
    made = next(line for line in lines_of(tmp_path) if line["type"] == "decision")
    odd: list[Any] = [
        {**made, "eligible": []},
        {**made, "chosen": 99},
        {**made, "quality": made["quality"][:-1]},
        {**made, "eligible": [10_000], "chosen": 10_000, "propensity": [1.0], "quality": [0.5],
         "cost_usd": [0.1]},
        {**made, "propensity": [0.0] * len(made["propensity"])},
        {**made, "bundle_id": "nobody"},
        {**made, "time": 1e300},
        {**made, "v": 99},
        {"type": "something new"},
        [1, 2],
    ]  # fmt: skip
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in odd)
    reader = read_all(tmp_path)
    assert reader.see(lambda t: together(t.days.values())).decisions == 6
    assert reader.progress.unreadable == len(odd)
    reader.close()


def test_the_judge_is_held_against_people(router: Router, tmp_path: Path) -> None:
    ids = write_log(tmp_path, router, 40, now=NOW, outcomes=0.0)
    words = [(1.0, 1.0), (1.0, 0.0), (0.0, 0.0), (0.0, 1.0), (0.0, 0.2), (0.5, 1.0), (None, 1.0),
             (1.0, None)]  # fmt: skip
    lines = []

    def told(i: int, source: str, **fields: object) -> dict[str, object]:
        said = {"type": "feedback", "v": 1, "time": NOW, "decision_id": ids[i]}
        return {**said, "source": source, "key": "", **fields}

    for i, (preference, quality) in enumerate(words):
        usd = None if i == 5 else 0.01
        verdict = told(
            i, "judge", preference=preference, against=router.arm_ids[0], chance=0.5, judge_usd=usd
        )
        said = told(i, "user", quality=quality)
        lines += [verdict, said] if i % 2 else [said, verdict]
    own = told(20, "judge", quality=1.0)
    with (tmp_path / "later.jsonl").open("w") as file:
        file.writelines(json.dumps(line) + "\n" for line in [*lines, own])
    reader = read_all(tmp_path)
    day = reader.see(lambda t: together(t.days.values()))
    assert (day.compared, day.ties, day.unsaid) == (8, 1, 1)
    assert (day.agreed, day.disputed) == (3, 2)
    assert (day.judge_usd, day.judge_unknown) == (pytest.approx(0.07), 1)
    found = agreement(day)
    assert found["share"] == pytest.approx(0.6)
    assert found["interval"][0] < 0.6 < found["interval"][1]
    assert agreement(Day())["share"] is agreement(Day())["usd"] is None
    reader.close()


def test_a_candidate_is_compared_by_its_choices(router: Router, tmp_path: Path) -> None:
    write_log(tmp_path, router, 500, now=NOW, rival="c0ffee", outcomes=1.0, explored=0.3)
    reader = read_all(tmp_path)
    day = reader.see(lambda t: together(t.days.values()))
    rival = day.rivals["c0ffee"]
    assert (rival.seen, rival.same) == (500, 500 - day.explored)
    assert day.explored > 50
    dollars = saving(rival.sums)
    assert dollars.value is not None  # ours explores, which costs and brings less
    found = gain(rival.sums).turned
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.high
    assert found.high > 0.0
    reader.close()


def test_the_sweep_decides_as_the_router_does(
    make_app: Callable[..., Driver], tmp_path: Path
) -> None:
    ask = make_app(log_dir=tmp_path)
    prompts = make_prompts(40, seed=2)
    for i, prompt in enumerate(prompts):
        body = {"prompt": prompt, "threshold": GRID[i % len(GRID)]}
        assert ask(body).status == 200
    ask.app.recorder.close()
    raw = [line for path in tmp_path.glob("*.jsonl") for line in path.read_bytes().splitlines()]
    lines = [line for one in raw if isinstance(line := decode(one), DecisionEvent)]
    assert len(lines) == 40
    router = ask.app.live.router
    again = choices(router, lines)
    for i, line in enumerate(lines):
        assert again[GRID.index(line.policy["threshold"])][i] == line.chosen
    found = sweep(router, lines)
    assert [step.usd for step in found.steps] == sorted(step.usd for step in found.steps)
    assert all(sum(share for _, share in s.shares) == pytest.approx(1) for s in found.steps)
    assert sweep(router, lines[:5]).steps == ()
