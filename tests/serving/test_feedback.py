"""Feedback that names who answered and takes a provider's usage, driven in process to its rows."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.events import read_log
from router import Router
from serving.offers import Offers, answering
from serving.token_price import TokenPrice
from tests.serving.conftest import Driver, Reply
from tests.serving.test_log import logged
from training.retrain.log_rows import read_traffic

PROMPT = "How many primes lie below one hundred?"
Make = Callable[..., Driver]
ARMS = ("m|low", "m|high", "n|default", "acme/p|default")


@pytest.fixture(scope="module")
def router(tiny_bundle: Path) -> Router:
    return Router.load(tiny_bundle)


def arm_of(choice: dict[str, Any]) -> str:
    return f"{choice['model']}|{choice['tier']['name']}"


def report(ask: Driver, answer: dict[str, Any], **said: Any) -> Reply:  # noqa: ANN401
    return ask({"decision_id": answer["decision_id"], **said}, path="/feedback")


def other_arm(router: Router, answer: dict[str, Any]) -> str:
    """An arm that the decision did not name."""
    named = {arm_of(choice) for choice in (answer, *answer["fallbacks"])}
    return next(arm for arm in router.arm_ids if arm not in named)


def test_every_way_to_name_the_fallback_means_it(make_app: Make, tmp_path: Path) -> None:
    ask = make_app(log_dir=tmp_path)
    ways = [
        lambda f: {"model": f["model"], "tier": f["tier"]["name"]},
        lambda f: {"model": f["model"], "tier": f["tier"]},
        lambda f: {"arm": arm_of(f)},
        lambda f: {"arm": f},  # as it stands in the answer
        lambda f: {"arm": arm_of(f), "model": f["model"], "tier": f["tier"]["name"]},
        lambda f: {"model": f"some-gateway/{f['model']}", "tier": f["tier"]["name"]},
    ]
    for way in ways:
        answer = ask({"prompt": PROMPT}).json()
        fallback = answer["fallbacks"][0]
        found = report(ask, answer, correct=True, **way(fallback)).json()
        assert found == {
            "decision_id": answer["decision_id"], "status": "recorded", "arm": arm_of(fallback),
            "offered": True,
        }  # fmt: skip
    events = [event for event in logged(ask, tmp_path) if event["type"] == "feedback"]
    assert [(e["arm"], e["offered"]) for e in events] == [(arm_of(fallback), True)] * len(ways)


def test_an_arm_that_nobody_offered_is_flagged_and_an_unknown_one_is_kept(
    make_app: Make, tmp_path: Path, router: Router
) -> None:
    ask = make_app(log_dir=tmp_path)
    answer = ask({"prompt": PROMPT}).json()
    other = other_arm(router, answer)
    found = report(ask, answer, correct=True, arm=other).json()
    assert (found["arm"], found["offered"]) == (other, False)
    assert "was not offered" in found["warnings"][0]
    found = report(ask, answer, correct=True, model="gpt-99", source="judge").json()
    assert (found["arm"], found["offered"]) == ("gpt-99", False)
    assert "the bundle has no arm gpt-99" in found["warnings"][0]


def test_after_a_restart_the_log_tells_what_was_offered(make_app: Make, tmp_path: Path) -> None:
    first = make_app(log_dir=tmp_path)
    answer = first({"prompt": PROMPT}).json()
    decision = logged(first, tmp_path)[0]
    assert len(decision["fallbacks"]) == len(answer["fallbacks"])
    later = make_app(log_dir=tmp_path)
    found = report(later, answer, correct=True, model=answer["fallbacks"][0]["model"]).json()
    assert found["offered"] is None
    assert "not remembered here" in found["warnings"][0]


def test_the_outcome_becomes_the_row_of_the_arm_that_answered(
    make_app: Make, tmp_path: Path, router: Router
) -> None:
    ask = make_app(log_dir=tmp_path)
    ask.app.recorder.serves(ask.app.holder.current.router)
    answers = [ask({"prompt": f"{PROMPT} {i}"}).json() for i in range(4)]
    fallback, other = answers[1]["fallbacks"][0], other_arm(router, answers[2])
    report(ask, answers[0], correct=True, usage={"prompt_tokens": 20, "completion_tokens": 7})
    report(ask, answers[1], score=0.25, arm=fallback, usage={"input_tokens": 9, "output_tokens": 3})
    report(ask, answers[2], score=0.75, arm=other)
    report(ask, answers[3], correct=False, model="gpt-99")
    ask.app.recorder.close()
    rows = read_traffic(read_log(tmp_path), router.manifest)
    named = [arm_of(answers[0]), arm_of(fallback), other, arm_of(answers[3])]
    assert [rows.arms[i].id for i in rows.arm] == named
    assert rows.drawn.tolist() == [True, False, False, True]
    assert np.nan_to_num(rows.quality, nan=-1.0).tolist() == [1.0, 0.25, 0.75, -1.0]
    assert rows.input_tokens[:2].tolist() == [20, 9]
    assert rows.rejected == {"feedback for an arm that the base does not have": 1}


def test_one_source_names_one_arm(make_app: Make, tmp_path: Path) -> None:
    ask = make_app(log_dir=tmp_path)
    answer = ask({"prompt": PROMPT}).json()
    fallback = answer["fallbacks"][0]
    assert report(ask, answer, cost_usd=0.01).json()["status"] == "recorded"
    assert report(ask, answer, arm=fallback).json()["status"] == "recorded"  # this alone tells
    assert report(ask, answer, arm=fallback).json()["status"] == "known"
    refused = report(ask, answer, arm=arm_of(answer), correct=True)
    assert (refused.status, refused.json()["field"]) == (409, "arm")


@pytest.mark.parametrize(
    ("said", "field", "words"),
    [
        ({"tier": "low"}, "tier", "give the model"),
        ({"arm": "m|low", "model": "n"}, "arm", "arm says m.low, model and tier say n"),
        (
            {"input_tokens": 5, "usage": {"prompt_tokens": 6}},
            "input_tokens", "5, and usage comes to 6",
        ),
        ({"cost_usd": 0.5, "usage": {"cost": 0.6}}, "cost_usd", "0.5, and usage comes to 0.6"),
        ({"usage": {"tokens": 1}}, "usage", "prompt_tokens"),
        ({"usage": {"prompt_tokens": None}}, None, "says nothing"),
        ({"usage": [1]}, "usage", "object"),
        ({"corect": True}, "corect", "Did you mean correct?"),
        ({"prompt_tokens": 4}, "prompt_tokens", "input_tokens, output_tokens, .* Did you mean"),
        ({"rating": 5}, "rating", "decision_id, correct, score"),
        ({"model": ""}, "model", "length"),
        ({"arm": {"tier": "low"}}, "arm", "model"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_field(
    make_app: Make, tmp_path: Path, said: dict[str, Any], field: str | None, words: str
) -> None:
    ask = make_app(log_dir=tmp_path)
    found = report(ask, ask({"prompt": PROMPT}).json(), **said)
    problem = found.json()
    assert (found.status, problem.get("field")) == (422, field)
    assert re.search(words, problem["detail"])


def test_fields_beside_usage_may_say_the_same_and_the_callers_clock_counts(
    make_app: Make, tmp_path: Path
) -> None:
    ask = make_app(log_dir=tmp_path)
    usage = {"prompt_eval_count": 5, "eval_count": 7, "total_duration": 2_000_000}
    body = {"input_tokens": 5, "latency_ms": 3.5, "usage": usage}
    assert report(ask, ask({"prompt": PROMPT}).json(), **body).status == 200
    event = logged(ask, tmp_path)[-1]
    assert [event[n] for n in ("input_tokens", "output_tokens", "latency_ms")] == [5, 7, 3.5]


CACHED = {"input_tokens": 10, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 100,
          "output_tokens": 50}  # fmt: skip


def spent(ask: Driver) -> float:
    (found,) = ask(path="/budgets", method="GET").json()["budgets"]
    return float(found["spent_usd"])


def test_a_budget_is_charged_for_the_arm_that_answered(make_app: Make, router: Router) -> None:
    ask = make_app()
    answer = ask({"prompt": PROMPT, "budget_usd": 5}).json()
    fallback = answer["fallbacks"][0]
    price = TokenPrice.of(router, arm_of(fallback))
    assert price is not None
    report(ask, answer, arm=fallback, usage={"prompt_tokens": 40, "completion_tokens": 90})
    assert spent(ask) == pytest.approx(40 * price.usd_per_input + 90 * price.usd_per_output)


@pytest.mark.parametrize(
    "said", [{}, {"usage": {"eval_count": 5}}, {"usage": {"prompt_tokens": 5}}]
)
def test_tokens_of_an_arm_without_a_price_correct_no_charge(
    make_app: Make, tmp_path: Path, said: dict[str, Any]
) -> None:
    ask = make_app(log_dir=tmp_path)
    answer = ask({"prompt": PROMPT, "budget_usd": 5}).json()
    before = spent(ask)
    assert report(ask, answer, model="gpt-99", **said).status == 200
    assert spent(ask) == before
    assert report(ask, answer, source="billing", model="gpt-99", cost_usd=0.25).status == 200
    assert spent(ask) == pytest.approx(min(0.25, 100 * before))


def test_cached_tokens_cost_what_the_catalogue_says(
    make_app: Make, tmp_path: Path, router: Router
) -> None:
    lines = [
        f'[models."{info.model}"]\nprice = {{usd_per_1m_input = 3.0, usd_per_1m_output = 15.0, '
        "usd_per_1m_cached_input = 0.3, usd_per_1m_cache_write = 3.75}\n"
        for info in {info.model: info for info in router.manifest.arms}.values()
    ]
    (tmp_path / "catalogue.toml").write_text("".join(lines))
    ask = make_app(catalogue=tmp_path / "catalogue.toml")
    answer = ask({"prompt": PROMPT, "budget_usd": 5}).json()
    report(ask, answer, usage=CACHED)
    assert spent(ask) == pytest.approx((10 * 3 + 1000 * 0.3 + 100 * 3.75 + 50 * 15) / 1e6)


def test_without_a_cached_price_input_is_billed_in_full() -> None:
    assert TokenPrice(3.0, 15.0).usd(1110, 50, 1000, 100) == 1110 * 3 + 50 * 15
    assert TokenPrice(3.0, 15.0, 0.3).usd(1110, 50, 1000, 100) == pytest.approx(110 * 3 + 300 + 750)


def test_decisions_are_forgotten_in_order(router: Router) -> None:
    offers, decision = Offers(size=2), router.route(PROMPT)
    for name in "abc":
        offers.remember(name, decision)
    assert offers.of("a") is None
    assert offers.of("c") == (decision.arm.id, *(arm.id for arm in decision.fallbacks))


SPELLINGS = {"m": ["m", "gateway/m"], "n": ["n", "a/b/N"], "acme/p": ["acme/p", "p"]}


@given(st.permutations(ARMS), st.integers(1, 4), st.sampled_from(ARMS), st.integers(0, 1))
def test_whoever_was_offered_is_found_by_any_of_its_names(
    arms: list[str], offered: int, arm: str, spelling: int
) -> None:
    offer, (model, _, tier) = arms[:offered], arm.partition("|")
    name = SPELLINGS[model][spelling]
    found = answering(f"{name}|{tier}", offer, ARMS)
    assert (found.arm, found.offered, found.chosen) == (arm, arm in offer, arm == offer[0])
    assert (found.warning is None) == (arm in offer)
    bare = answering(name, offer, ARMS)
    same = [each for each in offer if each.startswith(f"{model}|")]
    assert bare.offered == bool(same)
    assert bare.arm == (same[0] if same else name if model == "m" else arm)
    assert answering(f"{name}|{tier}", None, ARMS).offered is None


TEXT = st.text(max_size=4)
ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=5,
)
NAMES = st.sampled_from(["m|low", "gpt-4o", "a/b", "|", "a|", "/", "a|b|c", "*", "\ud83d"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "model": NAMES | ANY,
            "tier": TEXT | ANY,
            "arm": NAMES | ANY,
            "usage": st.dictionaries(st.sampled_from(["prompt_tokens", "eval_count", "x"]), ANY)
            | ANY,
            "correct": st.booleans() | ANY,
            "input_tokens": st.integers(0, 9) | ANY,
            "usge": ANY,
            "source": st.sampled_from(["user", "judge"]) | ANY,
        },
    )
)
def test_nothing_that_is_reported_is_a_fault_of_ours(fuzzed: Driver, said: dict[str, Any]) -> None:
    answer = fuzzed({"prompt": PROMPT}).json()
    assert report(fuzzed, answer, **said).status in (200, 409, 422)


def test_numbers_of_any_length_are_refused(fuzzed: Driver) -> None:
    made = fuzzed({"prompt": PROMPT}).json()["decision_id"]
    body = b'{"decision_id": "%s", "usage": {"prompt_tokens": %s}}' % (made.encode(), b"9" * 9000)
    assert fuzzed(body, path="/feedback").status in (400, 422)


@pytest.fixture(scope="module")
def fuzzed(make_app: Make, tmp_path_factory: pytest.TempPathFactory) -> Driver:
    return make_app(log_dir=tmp_path_factory.mktemp("log"))


def test_the_service_s_own_source_is_nobody_else_s(ask: Any) -> None:  # noqa: ANN401
    made = ask({"prompt": "Who may say what was measured?"}).json()["decision_id"]
    body = {"decision_id": made, "cost_usd": 1.0, "source": "gateway"}
    reply = ask(body, path="/feedback")
    assert (reply.status, reply.json()["field"]) == (422, "source")
