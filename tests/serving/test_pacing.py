"""Budgets that pace POST /route, driven in process with a clock of our own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router import Policy, Router
from router.core.rules import BudgetGrant
from router.request.view import read_prompt
from router.types import Reason
from serving.declared import BudgetFileError, Declared, read_budgets
from tests.serving.conftest import JSON, Driver

Make = Callable[..., Driver]
PROMPTS = [f"Question {i}: what is {i} times {i + 7}, and why?" for i in range(12)]
NOON = 1_790_000_000.0 // 86400 * 86400 + 43200.0
TEAM = Declared(name="team", usd=5.0, period="hour")


class Clock:
    """A clock that goes when it is told."""

    def __init__(self, driver: Driver, now: float = NOON) -> None:
        self.now = now
        driver.app.pacer.time_of = lambda: self.now


@pytest.fixture(scope="module")
def router(tiny_bundle: Path) -> Router:
    return Router.load(tiny_bundle)


@pytest.fixture(scope="module")
def least(router: Router) -> float:
    """What the cheapest arm of a prompt costs."""
    return min(float(router.score(read_prompt(p)).cost_usd[0].min()) for p in PROMPTS)


@pytest.fixture(scope="module")
def anything(make_app: Make) -> Driver:
    return make_app(budgets=(TEAM,))


def budgets(ask: Driver, key: str | None = None) -> dict[str, Any]:
    headers = JSON if key is None else {**JSON, "x-api-key": key}
    found = ask(path="/budgets", method="GET", headers=headers).json()["budgets"]
    return {row["name"]: row for row in found}


def cost_of(answer: Any) -> float:  # noqa: ANN401
    return float(answer["predicted"]["cost_usd"])


def test_a_paced_answer_has_no_threshold_and_says_what_is_left_in_numbers(make_app: Make) -> None:
    ask = make_app()
    Clock(ask)
    answer = ask({"prompt": PROMPTS[0], "budget_usd": 5}).json()
    assert answer["threshold"] is None
    assert answer["expected"] == {"quality": None, "cost_usd": None}
    (reason,) = [r for r in answer["reasons"] if r["code"] == "budget"]
    assert "of $5 spent until 2026-09-22T00:00:00Z" in reason["detail"]
    state = budgets(ask)["default"]
    assert state["spent_usd"] == pytest.approx(cost_of(answer))
    assert state["remaining_usd"] == pytest.approx(5 - cost_of(answer))
    assert (state["requests"], state["period"], state["period_end"]) == (
        1, "day", "2026-09-22T00:00:00Z",
    )  # fmt: skip
    assert 0 <= state["equivalent_threshold"] <= 1
    assert not {"cost_weight", "money_price", "lambda", "dual_adjustment"} & set(state)


def test_a_large_budget_buys_better_answers_than_a_small_one(make_app: Make, least: float) -> None:
    def quality(usd: float) -> float:
        ask = make_app()
        clock = Clock(ask)
        total = 0.0
        for i in range(300):
            clock.now += 10.0
            answer = ask({"prompt": PROMPTS[i % 12], "budget_usd": usd, "budget_period": "hour"})
            total += answer.json()["predicted"]["quality"]
        return total

    small, large = quality(360 * least * 1.2), quality(360 * least * 100)
    assert large > small


def test_a_steady_stream_spends_its_hour_evenly_and_within_the_budget(
    make_app: Make, router: Router
) -> None:
    views = [read_prompt(p) for p in PROMPTS]
    middle = [router.decide(v, router.score(v), Policy(threshold=0.5)) for v in views]
    usd = 1000 * sum(d.predicted.cost_usd for d in middle) / len(middle)
    ask = make_app(budgets=(Declared(name="h", usd=usd, period="hour"),))
    clock = Clock(ask)
    for i in range(1000):
        clock.now = NOON + 3.6 * i
        assert ask({"prompt": PROMPTS[i % 12], "budget": "h"}).status == 200
        if i == 500:
            assert budgets(ask)["h"]["spend_pace"] == pytest.approx(1.0, abs=0.15)
    clock.now = NOON + 3599.9
    state = budgets(ask)["h"]
    assert state["spent_usd"] == pytest.approx(usd, rel=0.05)
    clock.now = NOON + 3600.0
    assert budgets(ask)["h"]["spent_usd"] == 0.0


def test_a_spent_budget_answers_with_the_cheapest_arm_unless_it_has_a_hard_stop(
    make_app: Make, least: float
) -> None:
    stops = Declared(name="stops", usd=3.5 * least, period="hour", hard_stop=True)
    goes_on = Declared(name="goes-on", usd=3.5 * least, period="hour")
    ask = make_app(budgets=(stops, goes_on))
    clock = Clock(ask)
    answers = [ask({"prompt": PROMPTS[i], "budget": "goes-on"}) for i in range(12)]
    assert {a.status for a in answers} == {200}
    arms = ask.app.holder.current.router.manifest.arms  # type: ignore[union-attr]
    cheapest = min(arms, key=lambda info: info.mean_cost_usd)
    assert answers[-1].json()["model"] == cheapest.model
    assert budgets(ask)["goes-on"]["state"] == "spent"

    answers = [ask({"prompt": PROMPTS[i], "budget": "stops"}) for i in range(12)]
    refused = [a for a in answers if a.status != 200]
    assert refused
    problem = refused[-1].json()
    assert (problem["status"], problem["code"]) == (429, "budget_exhausted")
    assert problem["field"] == "budget"
    assert "resumes at 2026-09-21T13:00:00Z" in problem["detail"]
    assert refused[-1].headers["retry-after"] == "3600"
    assert budgets(ask)["stops"]["spent_usd"] <= stops.usd
    clock.now += 3600
    assert ask({"prompt": PROMPTS[0], "budget": "stops"}).status == 200


def test_what_is_refused_is_not_charged(make_app: Make, least: float) -> None:
    ask = make_app()
    Clock(ask)
    body = {"prompt": PROMPTS[0], "budget_usd": 0.1 * least, "budget_hard_stop": True}
    assert ask(body).json()["code"] == "budget_exhausted"
    assert budgets(ask)["default"]["spent_usd"] == 0.0
    assert budgets(ask)["default"]["requests"] == 0
    assert ask(body | {"allowed_models": ["nobody*"]}).json()["code"] == "no_arm_allowed"


def test_a_declared_number_of_requests_is_expected_from_the_first_one_on(make_app: Make) -> None:
    ask = make_app(budgets=(Declared(name="busy", usd=5.0, period="hour", requests=500),))
    Clock(ask, NOON + 1.0)
    assert budgets(ask)["busy"]["expected_requests_left"] == 500
    assert budgets(ask)["busy"]["target_usd_per_request"] == pytest.approx(0.01)


@pytest.mark.parametrize("log_dir", [True, False])
def test_a_reported_cost_corrects_the_charge_once(
    make_app: Make, tmp_path: Path, *, log_dir: bool
) -> None:
    ask = make_app(log_dir=tmp_path if log_dir else None)
    Clock(ask)
    answer = ask({"prompt": PROMPTS[0], "budget_usd": 5}).json()
    report = {"decision_id": answer["decision_id"], "cost_usd": 3 * cost_of(answer)}
    assert ask(report, path="/feedback").status == 200
    assert budgets(ask)["default"]["spent_usd"] == pytest.approx(3 * cost_of(answer))
    again = ask(report | {"source": "another", "cost_usd": 0.0}, path="/feedback")
    assert again.status == (200 if log_dir else 503)  # nothing is left to correct, and no log
    state = budgets(ask)["default"]
    assert state["spent_usd"] == pytest.approx(3 * cost_of(answer))
    assert state["realised_over_predicted_cost"] > 1.0
    ask.app.recorder.close()


def test_reported_tokens_are_priced_by_the_arm(make_app: Make, router: Router) -> None:
    ask = make_app()
    Clock(ask)
    answer = ask({"prompt": PROMPTS[0], "budget_usd": 5}).json()
    (info,) = [
        i for i in router.manifest.arms
        if (i.model, i.tier) == (answer["model"], answer["tier"]["name"])
    ]  # fmt: skip
    tokens = {"input_tokens": 40, "output_tokens": 90}
    ask({"decision_id": answer["decision_id"], **tokens}, path="/feedback")
    wanted = (40 * info.usd_per_1m_input + 90 * info.usd_per_1m_output) / 1e6
    assert budgets(ask)["default"]["spent_usd"] == pytest.approx(wanted)


def test_a_report_of_an_earlier_period_leaves_this_one_alone(make_app: Make) -> None:
    ask = make_app()
    clock = Clock(ask)
    answer = ask({"prompt": PROMPTS[0], "budget_usd": 5, "budget_period": "hour"}).json()
    clock.now += 3600
    ask({"decision_id": answer["decision_id"], "cost_usd": 1.0}, path="/feedback")
    assert budgets(ask)["default"]["spent_usd"] == 0.0


def test_nobody_elses_key_can_see_spend_or_correct_ones_budget(make_app: Make) -> None:
    per_key = Declared(name="each", usd=1.0, per_key=True)
    ask = make_app(api_keys=("one", "two"), budgets=(per_key,))
    Clock(ask)
    one, two = ({**JSON, "x-api-key": key} for key in ("one", "two"))
    answer = ask({"prompt": PROMPTS[0], "budget_usd": 5}, headers=one).json()
    ask({"prompt": PROMPTS[0], "budget": "each"}, headers=one)
    report = {"decision_id": answer["decision_id"], "cost_usd": 1.0}
    ask(report, path="/feedback", headers=two)
    assert budgets(ask, "one")["default"]["spent_usd"] == pytest.approx(cost_of(answer))
    assert "default" not in budgets(ask, "two")
    assert budgets(ask, "one")["each"]["requests"] == 1
    assert budgets(ask, "two")["each"]["requests"] == 0
    ask({"prompt": PROMPTS[0], "budget_usd": 5}, headers=two)
    assert budgets(ask, "two")["default"]["requests"] == 1
    assert ask(path="/budgets", method="GET").status == 401


def test_keys_and_periods_are_purses_of_their_own(make_app: Make) -> None:
    ask = make_app(max_budgets=3)
    clock = Clock(ask)
    for extra in ({}, {"budget_key": "a"}, {"budget_key": "a", "budget_period": 900}):
        assert ask({"prompt": PROMPTS[0], "budget_usd": 1, **extra}).status == 200
    rows = ask(path="/budgets", method="GET").json()["budgets"]
    assert [(r["name"], r["period"], r["requests"]) for r in rows] == [
        ("default", "day", 1), ("a", "day", 1), ("a", "900", 1),
    ]  # fmt: skip
    full = ask({"prompt": PROMPTS[0], "budget_usd": 1, "budget_key": "b"})
    assert (full.status, full.json()["code"]) == (429, "too_many_budgets")
    clock.now += 2 * 86400 + 1
    assert ask({"prompt": PROMPTS[0], "budget_usd": 1, "budget_key": "b"}).status == 200


@pytest.mark.parametrize(
    ("extra", "code", "field"),
    [
        ({"budget_usd": 1, "threshold": 0.5}, "conflicting_knobs", "budget_usd"),
        ({"budget_usd": 1, "min_quality": 0.5}, "conflicting_knobs", "budget_usd"),
        ({"budget_usd": 1, "max_quality_drop": 0.5}, "conflicting_knobs", "budget_usd"),
        ({"budget": "team", "budget_usd": 1}, "conflicting_knobs", "budget"),
        ({"budget": "team", "budget_period": "hour"}, "conflicting_knobs", "budget"),
        ({"budget": "nobody's"}, "unknown_budget", "budget"),
        ({"budget_usd": 0}, "invalid_policy", "budget_usd"),
        ({"budget_usd": -1}, "invalid_policy", "budget_usd"),
        ({"budget_usd": 1, "budget_period": "fortnight"}, "invalid_policy", "budget_period"),
        ({"budget_usd": 1, "budget_period": 0}, "invalid_policy", "budget_period"),
        ({"budget_key": "a"}, "invalid_request", "budget_key"),
        ({"budget_usd": "5"}, "invalid_request", "budget_usd"),
    ],
)
def test_a_refusal_names_the_field(
    anything: Driver, extra: dict[str, Any], code: str, field: str
) -> None:
    problem = anything({"prompt": "x", **extra}).json()
    assert (problem["code"], problem["field"]) == (code, field)


def test_a_cap_on_one_request_may_join_a_budget(make_app: Make, least: float) -> None:
    ask = make_app()
    for prompt in PROMPTS[:3]:
        found = ask({"prompt": prompt, "budget_usd": 100, "max_cost_usd": 2 * least}).json()
        assert cost_of(found) <= 2 * least


def test_a_logged_ration_replays_the_decision(
    make_app: Make, tmp_path: Path, router: Router
) -> None:
    ask = make_app(log_dir=tmp_path, explore_rate=1.0)
    clock = Clock(ask)
    for i in range(40):
        clock.now += 60.0
        ask({"prompt": PROMPTS[i % 12], "budget_usd": 0.02, "budget_period": "hour"})
    ask.app.recorder.close()
    (path,) = tmp_path.glob("*.jsonl")
    events = [json.loads(line) for line in path.read_text().splitlines()]
    decisions = [event for event in events if event["type"] == "decision"]
    assert len(decisions) == 40
    assert len({event["ration"]["money_price"] for event in decisions}) > 1
    for i, event in enumerate(decisions):
        view = read_prompt(PROMPTS[i % 12])
        grant = BudgetGrant.of_log(event["ration"], Reason("budget", ""))
        again = router.decide(view, router.score(view), Policy(), grant=grant)
        assert router.arms.index(again.arm) == event["chosen"]
        assert event["draw"] is None


def test_many_callers_at_once_are_all_charged(make_app: Make) -> None:
    ask = make_app(max_concurrency=64, timeout_s=60.0)
    Clock(ask)

    async def together() -> list[Any]:
        bodies = [json.dumps({"prompt": PROMPTS[i % 12], "budget_usd": 5}) for i in range(48)]
        return await asyncio.gather(
            *(ask.ask(body.encode(), "/route", "POST", JSON, 1) for body in bodies)
        )

    answers = [reply.json() for reply in asyncio.run(together())]
    state = budgets(ask)["default"]
    assert state["requests"] == 48
    assert state["spent_usd"] == pytest.approx(sum(map(cost_of, answers)))


def test_metrics_name_the_operators_budgets_alone(make_app: Make) -> None:
    ask = make_app(budgets=(TEAM,))
    Clock(ask)
    answer = ask({"prompt": PROMPTS[0], "budget": "team"}).json()
    ask({"prompt": PROMPTS[0], "budget_usd": 1, "budget_key": "a-callers-word"})
    text = ask(path="/metrics", method="GET").body.decode()
    series = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(series['tierwise_budget_requests_total{result="paced"}']) == 2
    assert float(series['tierwise_reasons_total{code="budget"}']) == 2
    left = float(series['tierwise_budget_remaining_usd{budget="team"}'])
    assert left == pytest.approx(5.0 - cost_of(answer))
    assert "a-callers-word" not in text


VALUES = st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=9) | st.just(900)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from(
            ["budget", "budget_usd", "budget_key", "budget_period", "budget_hard_stop", "threshold"]
        ),
        VALUES.filter(lambda value: value not in (inf, -inf)),
    )
)
def test_nothing_that_a_caller_sends_is_answered_with_a_5xx(
    anything: Driver, body: dict[str, Any]
) -> None:
    assert anything({"prompt": "x", **body}).status < 500
    assert anything(path="/budgets", method="GET").status == 200


def test_a_file_of_budgets_is_read_in_toml_or_json(tmp_path: Path) -> None:
    toml, text = tmp_path / "b.toml", tmp_path / "b.json"
    toml.write_text('[[budget]]\nname = "team"\nusd = 50\nperiod = "month"\nhard_stop = true\n')
    text.write_text('{"budget": [{"name": "team", "usd": 2.5, "period": 900, "per_key": true}]}')
    assert read_budgets(toml) == (Declared(name="team", usd=50, period="month", hard_stop=True),)
    assert read_budgets(text) == (Declared(name="team", usd=2.5, period="900", per_key=True),)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "must hold"),
        ("x = 1", "must hold"),
        ("[[budget]]\nname = 'a'", "needs name and usd"),
        ("[[budget]]\nname = 'a'\nusd = 1\nperod = 'day'", "perod"),
        ("[[budget]]\nname = 'a b'\nusd = 1", "name must be"),
        ("[[budget]]\nname = 'a'\nusd = 0", "usd must be > 0"),
        ("[[budget]]\nname = 'a'\nusd = 'ten'", "usd must be a number"),
        ("[[budget]]\nname = 'a'\nusd = 1\nrequests = 0", "requests must be"),
        ("[[budget]]\nname = 'a'\nusd = nan", "usd must be > 0"),
        ("[[budget]]\nname = 'a'\nusd = 1\nhard_stop = 'no'", "hard_stop must be"),
        ("[[budget]]\nname = 'a'\nusd = 1\nperiod = 'year'", "budget_period must be"),
        ("[[budget]]\nname = 'a'\nusd = 1\n[[budget]]\nname = 'a'\nusd = 2", "declares a twice"),
        ("[[budget", "b.toml"),
    ],
)
def test_a_bad_file_of_budgets_says_which_entry_and_why(
    tmp_path: Path, text: str, says: str
) -> None:
    path = tmp_path / "b.toml"
    path.write_text(text)
    with pytest.raises(BudgetFileError, match=says):
        read_budgets(path)
