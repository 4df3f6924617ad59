"""The judge's verdicts alone: learned from, calibrated by people, and told by the gate."""

from __future__ import annotations

from dataclasses import replace
from math import nan
from pathlib import Path

import numpy as np
import pytest

from data.events import EventLog, read_log
from router import Router
from router.events import GATEWAY, JUDGE, FeedbackEvent
from router.types import Doubles
from tests.training.routed import Traffic
from tests.worlds.truth import regret
from training.config import TrainConfig
from training.errors import TrainingError
from training.gate.checks import FAILED, PASSED, UNDECIDED, Check, Margins, decide
from training.gate.compare import on_comparisons
from training.gate.comparisons import Compared, comparison_checks, either
from training.prepare.cache import CACHE
from training.progress import Timings
from training.retrain.judged import LEAST, calibrated, worth
from training.retrain.log_rows import Traffic as Rows
from training.retrain.log_rows import _considered, read_traffic
from training.retrain.preferences import Preferred
from training.retrain.retrain import retrain

HELD = 400  # of the world's last prompts, to measure regret on


@pytest.fixture(scope="module")
def judged(traffic: Traffic, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    return judged_rows(traffic, tmp_path_factory.mktemp("log"), slice(0, 1500))


def judged_rows(traffic: Traffic, folder: Path, prompts: slice) -> Rows:
    """Decisions without exploration, answers compared with another arm's for 8 of 10.

    Nobody else says a word. The judge knows which answer is right and errs in one of ten cases.
    """
    log = read_log(traffic.route(folder, prompts, rate=0.0))
    router, rng = Router.load(traffic.base), np.random.default_rng(3)
    rows, p = read_traffic(log, router.manifest), truth_in_order(traffic, prompts, log, router)
    said = []
    for i, first in enumerate(rows.arm):
        if rng.random() >= 0.8:
            continue
        others = [a for a in range(p.shape[1]) if a != first]
        second = int(rng.choice(others))
        right = rng.random(2) < p[i, [first, second]]
        lead = float(right[0]) - float(right[1])
        lead = -lead if rng.random() < 0.1 else lead
        said.append(
            Preferred(row=i, against=second, preference=(1 + lead) / 2, source=JUDGE, key=JUDGE,
                      chance=0.8 / len(others))
        )  # fmt: skip
    return replace(
        rows, quality=np.full(len(rows), nan), preferred=tuple(said),
        considered=np.full(len(rows), 0.8),
    )  # fmt: skip


def truth_in_order(traffic: Traffic, prompts: slice, log: EventLog, router: Router) -> Doubles:
    """(n, a) chances of the log's rows: its ids number the prompts."""
    order = [int(d[-8:]) for d in read_traffic(log, router.manifest).decision_ids]
    at = [traffic.truth.arms.index(arm.id) for arm in router.arms]
    return np.asarray(traffic.truth.p[prompts][np.array(order)][:, at])


@pytest.fixture(scope="module")
def better(
    traffic: Traffic, judged: Rows, tmp_path_factory: pytest.TempPathFactory,
    lean_config: TrainConfig,
) -> Path:  # fmt: skip
    base, out = Router.load(traffic.base), tmp_path_factory.mktemp("judged") / "bundle"
    found = retrain(judged, base.bundle, out, CACHE, Timings(), config=lean_config)
    assert found.evidence.logged == 0
    assert 900 < found.evidence.battles < len(judged.preferred)  # a fifth is held out
    return out


def test_verdicts_alone_teach_which_arm_is_better(traffic: Traffic, better: Path) -> None:
    held = traffic.truth.rows(slice(-HELD, None))
    before, after = (regret(Router.load(path), held) for path in (traffic.base, better))
    assert after < 0.5 * before


def test_few_verdicts_are_refused(
    traffic: Traffic, judged: Rows, tmp_path: Path, lean_config: TrainConfig
) -> None:
    few, base = replace(judged, preferred=judged.preferred[:20]), Router.load(traffic.base).bundle
    with pytest.raises(TrainingError, match="answers were compared"):
        retrain(few, base, tmp_path / "x", CACHE, Timings(), config=lean_config)


def test_the_gate_tells_the_better_of_two_by_comparisons_alone(
    traffic: Traffic, better: Path, tmp_path: Path
) -> None:
    ours, theirs = Router.load(better), Router.load(traffic.base)
    judged = judged_rows(traffic, tmp_path, slice(1500, 2900))
    found = on_comparisons(ours, theirs, judged, share=1.0)
    assert decide("new", "old", comparison_checks(found, Margins())).verdict == PASSED
    back = on_comparisons(theirs, ours, judged, share=1.0)
    assert decide("old", "new", comparison_checks(back, Margins())).verdict == FAILED
    silent = replace(judged, considered=np.full(len(judged), nan))
    assert on_comparisons(ours, theirs, silent) == {}
    few = on_comparisons(ours, theirs, replace(judged, preferred=judged.preferred[:60]))
    checks = comparison_checks(few, Margins())
    assert {check.verdict for check in checks} == {UNDECIDED}
    assert "[judge]" in checks[0].detail


@pytest.mark.parametrize("skewed", [False, True])
def test_the_gain_is_unbiased_whatever_the_model_and_the_draws(skewed: bool) -> None:
    rng, n, rounds, inside = np.random.default_rng(7), 1500, 60, 0
    gains = []
    for _ in range(rounds):
        q = rng.uniform(0.2, 0.9, (n, 4))
        first, ours, theirs = (rng.integers(0, 4, n) for _ in range(3))
        draw = rng.dirichlet([1.0] * 4, n) + 0.15 if skewed else np.ones((n, 4))
        draw[np.arange(n), first] = 0.0
        draw *= 0.9 / draw.sum(axis=1, keepdims=True)
        second = np.array([rng.choice(5, p=[*row, 1 - row.sum()]) for row in draw])
        second[second == 4] = -1
        rows = np.arange(n)
        right = rng.random((n, 4)) < q
        lead = np.where(second >= 0, right[rows, first].astype(float) - right[rows, second], 0.0)
        chance = np.where(second >= 0, draw[rows, second], 1.0)
        found = Compared(
            first=first, second=second, chance=chance, lead=lead, ours=ours, theirs=theirs,
            model=rng.uniform(0, 1, (n, 4)), spared=np.zeros(n),
        )  # fmt: skip
        truth = float((q[rows, ours] - q[rows, theirs]).mean())
        gain, low, high = found.gain()
        gains.append(gain - truth)
        inside += low <= truth <= high
        assert 0.8 < found.shown < 1.2
    assert abs(np.mean(gains)) < 3 * np.std(gains) / np.sqrt(rounds)
    assert inside >= 0.88 * rounds


def test_what_could_never_be_drawn_is_no_verdict() -> None:
    n = 600
    never = Compared(
        first=np.zeros(n, dtype=np.int64), second=np.ones(n, dtype=np.int64), chance=np.ones(n),
        lead=np.zeros(n), model=np.zeros((n, 3)), ours=np.full(n, 2), theirs=np.zeros(n, dtype=int),
        spared=np.zeros(n),
    )  # fmt: skip
    assert never.shown == 0.0
    (check,) = comparison_checks({0.5: never}, Margins())
    assert check.verdict == UNDECIDED
    agreed = replace(never, ours=never.theirs)
    assert (agreed.shown, agreed.effective) == (1.0, n)
    assert comparison_checks({0.5: agreed}, Margins())[0].verdict == PASSED


def test_one_kind_of_evidence_is_enough_and_two_must_agree() -> None:
    def check(name: str, verdict: str) -> Check:
        return Check(name=name, value=None if verdict == UNDECIDED else 0.1, interval=None,
                     limit=0.0, verdict=verdict, detail="")  # fmt: skip

    def both(outcome: str, compared: str) -> str:
        checks = either(
            [check("value at 0.5", outcome)], [check("value by comparisons at 0.5", compared)]
        )
        return decide("a", "b", checks).verdict

    assert both(UNDECIDED, PASSED) == PASSED
    assert both(PASSED, UNDECIDED) == PASSED
    assert both(FAILED, PASSED) == both(PASSED, FAILED) == both(UNDECIDED, FAILED) == FAILED
    assert both(UNDECIDED, UNDECIDED) == UNDECIDED
    assert either([check("value at 0.5", UNDECIDED)], [])[0].needed


def test_people_say_what_a_verdict_is_worth(judged: Rows) -> None:
    assert worth(judged).lead is None
    assert calibrated(judged) is judged
    quality = judged.quality.copy()
    won = [p.row for p in judged.preferred if p.preference == 1.0][: 2 * LEAST]
    lost = [p.row for p in judged.preferred if p.preference == 0.0][: 2 * LEAST]
    quality[won], quality[lost] = 1.0, 0.0
    quality[won[: LEAST // 2]], quality[lost[: LEAST // 2]] = 0.0, 1.0  # a quarter was wrong
    told = replace(judged, quality=quality)
    found = worth(told)
    assert (found.won, found.lost) == (2 * LEAST, 2 * LEAST)
    assert found.lead == pytest.approx(0.5)
    assert {p.preference for p in calibrated(told).preferred} == {0.25, 0.5, 0.75}
    quality[won], quality[lost] = 0.0, 1.0  # worse than nothing is worth nothing
    assert {p.preference for p in calibrated(replace(judged, quality=quality)).preferred} == {0.5}


def test_a_comparison_without_a_verdict_leaves_its_decision_out() -> None:
    log = EventLog()

    def say(source: str, **fields: object) -> None:
        blank: dict[str, object] = dict.fromkeys(
            ("quality", "preferred_to", "preference", "input_tokens", "output_tokens", "cost_usd",
             "latency_ms")
        )  # fmt: skip
        log.add(FeedbackEvent(time=0.0, decision_id="a", source=source, key="", **blank | fields))  # type: ignore[arg-type]

    assert np.isnan(_considered(log, "a"))
    say(GATEWAY, chance=0.3)
    assert _considered(log, "a") == 0.3
    say(JUDGE, against="m|default", chance=0.1, judge_usd=0.01)
    assert np.isnan(_considered(log, "a"))
    say(JUDGE, preference=1.0)
    assert _considered(log, "a") == 0.3
