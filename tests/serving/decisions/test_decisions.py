"""Typed questions about routing: what is answered, what of it is predicted, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.events import read_log
from router.engine import Router
from router.request.view import read_prompt
from serving.decisions.likelihood import (
    choice_confidence,
    even,
    levels_of,
    score_confidence,
    shares,
)
from serving.decisions.questions import MOST_QUESTIONS, Question, Refused, Right, meaning
from serving.decisions.tiers import TierFileError, read_tiers
from tests.serving.conftest import Driver
from tests.serving.decisions.conftest import TIERS

ASKED = "What is 17*23?"
HARD = "How difficult is this request?"
SYSTEM_ONE, DECISIONS = "/v1/systemone", "/v1/decisions"


@pytest.fixture(scope="module")
def router(tiny_bundle: Path) -> Router:
    return Router.load(tiny_bundle)


def choice(*options: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """A choice in words that matter to nobody."""
    criteria: dict[str, Any] = dict.fromkeys(options)
    return {"type": "choice", "instructions": "Pick the cheapest that can.", "criteria": criteria,
            **more}  # fmt: skip


def systemone(ask: Driver, question: dict[str, Any], state: object = ASKED, **more: Any) -> Any:  # noqa: ANN401
    """The answer to one question."""
    body = {"model": "auto", "state": state, "questions": {"q": question}, **more}
    reply = ask(body, path=SYSTEM_ONE)
    assert reply.status == 200, reply.body
    return reply.json()["answers"]["q"]


def refused(ask: Driver, question: object, **more: Any) -> tuple[list[Any], str]:  # noqa: ANN401
    """Where a question is refused, and why."""
    body = {"state": ASKED, "questions": {"a.b": question}, **more}
    reply = ask(body, path=SYSTEM_ONE)
    assert reply.status == 422, reply.body
    (detail,) = reply.json()["detail"]
    return detail["loc"], detail["msg"]


def test_a_choice_is_the_decision_of_route(asked: Driver, router: Router) -> None:
    for threshold in (0.0, 0.3, 0.6, 1.0):
        answer = systemone(asked, choice(*router.arm_ids), threshold=threshold)
        made = asked({"prompt": ASKED, "threshold": threshold}).json()
        assert answer["choice"] == f"{made['model']}|{made['tier']['name']}"
        assert answer["probabilities"][answer["choice"]] == max(answer["probabilities"].values())
        by_name = systemone(asked, choice(*router.arm_ids), model=f"auto:{threshold}")
        assert by_name["probabilities"] == answer["probabilities"]


def test_a_tier_has_what_its_arms_have(asked: Driver, router: Router) -> None:
    single = systemone(asked, choice(*router.arm_ids), threshold=0.0)
    tiers = systemone(asked, choice("SIMPLE", "COMPLEX"), threshold=0.0)
    arm = single["choice"].partition("|")[0]
    assert tiers["choice"] == ("SIMPLE" if arm in TIERS["SIMPLE"] else "COMPLEX")
    assert sum(tiers["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    dear = systemone(asked, choice("SIMPLE", "COMPLEX"), threshold=1.0)
    assert dear["probabilities"]["COMPLEX"] > tiers["probabilities"]["COMPLEX"]


def test_a_choice_is_logged_and_takes_feedback(
    make_app: Callable[..., Driver], tmp_path: Path
) -> None:
    ask = make_app(tiers=TIERS, log_dir=tmp_path)
    body = {"state": ASKED, "questions": {"q": choice("SIMPLE", "COMPLEX"), "d": difficulty(3)}}
    reply = ask(body, path=SYSTEM_ONE)
    made = reply.json()["answers"]["q"]["x_decision_id"]
    assert reply.headers["x-tierwise-decision"] == made
    assert ask({"decision_id": made, "correct": True}, path="/feedback").status == 200
    ask.app.recorder.close()
    log = read_log(tmp_path)
    assert [(found, event.role, event.draw) for found, event in log.decisions.items()] == [
        (made, "live", None)
    ]
    assert [event.quality for event in log.feedback.values()] == [1.0]


def difficulty(levels: int) -> dict[str, Any]:
    """How hard it is."""
    criteria = [f"level {i}" for i in range(levels)]
    return {"type": "score", "instructions": HARD, "criteria": criteria}


def test_what_is_drawn_elsewhere_is_not_drawn_here(
    make_app: Callable[..., Driver], router: Router
) -> None:
    ask = make_app(explore_rate=1.0, explore_quality_loss=1.0, explore_cost_ratio=1e6)
    drawn = {ask({"prompt": ASKED}).json()["model"] for _ in range(30)}
    chosen = {systemone(ask, choice(*router.arm_ids))["choice"] for _ in range(30)}
    assert (len(drawn) > 1, len(chosen)) == (True, 1)


def test_yes_or_no_is_the_predicted_quality(asked: Driver, router: Router) -> None:
    scores = router.score(read_prompt(ASKED))
    arm = router.arms[0]
    for words in (
        f"Will {arm.id} answer this right?",
        f"will {arm.id}  solve the question correctly",
        f"{arm.id} answers it right.",
        {"task": f"Will {arm.id} get this right?"},
    ):
        answer = systemone(asked, {"type": "noul", "instructions": words})
        assert answer == {"type": "noul", "noul": round(float(scores.quality[0, 0]), 6)}
    stated = {"type": "noul", "criteria": {"true": f"{arm.id} answers this right"}}
    assert systemone(asked, stated)["noul"] == answer["noul"]


def test_difficulty_is_that_of_decisions_in_levels(asked: Driver, router: Router) -> None:
    made = asked({"prompt": ASKED}).json()["difficulty"]
    answer = systemone(asked, difficulty(5))
    assert answer["legend"] == {str(i): f"level {i}" for i in range(5)}
    chances = list(answer["probabilities"].values())
    likeliest = chances.index(max(chances))
    assert abs(likeliest - (made["bin"] - 1)) <= 1
    mean = sum(i * p for i, p in enumerate(chances))
    assert answer["score"] == pytest.approx(mean, abs=1e-5)
    hello = systemone(asked, difficulty(4), state="hello")
    assert (hello["score"], hello["confidence"]) == (0, 1)


def test_nothing_known_is_nothing_said(asked: Driver, router: Router) -> None:
    strange = "zzqx " * 3
    assert asked({"prompt": strange}).json()["difficulty"]["score"] is None
    assert systemone(asked, difficulty(4), state=strange)["confidence"] == 0
    answer = systemone(asked, choice(*router.arm_ids), state=strange)
    assert answer["confidence"] == 0
    assert len(set(answer["probabilities"].values())) == 1


@pytest.mark.parametrize(
    ("state", "same"),
    [
        ([{"role": "system", "content": "Be brief."}, {"role": "user", "content": ASKED}], None),
        ({"messages": [{"role": "user", "content": ASKED}]}, {"prompt": ASKED}),
        ({"role": "user", "content": ASKED}, {"prompt": ASKED}),
        (f"\nClassify this message:\n{ASKED}", {"prompt": ASKED}),
        ("\nCaller system prompt, quoted as task context:\nBe brief.\n\nClassify this message:\n"
         f"{ASKED}\n\nSlowly.", [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": f"{ASKED}\n\nSlowly."}]),
        ("\nRecent conversation (context only, do not classify these):\n[1] What is a prime?\n[2] "
         "assistant: A number.\n\nConversation so far: ~15 tokens across the request\n\n"
         "Classify this message:\nProve that there are infinitely many.", [
            {"role": "user", "content": "What is a prime?"},
            {"role": "assistant", "content": "A number."},
            {"role": "user", "content": "Prove that there are infinitely many."}]),
        ({"subject": "Sums", "n": 1}, {"prompt": '{"subject":"Sums","n":1}'}),
        (["one", "two"], {"prompt": '["one","two"]'}),
    ],
)  # fmt: skip
def test_a_state_is_the_request_that_it_holds(
    asked: Driver, router: Router, state: object, same: object
) -> None:
    view = read_prompt(state if same is None else same)
    expected = router.score(view).quality[0, 0]
    words = {"type": "noul", "instructions": f"Will {router.arm_ids[0]} answer this right?"}
    assert systemone(asked, words, state=state)["noul"] == round(float(expected), 6)


def test_any_other_question_is_refused_where_it_stands(asked: Driver, router: Router) -> None:
    arm = router.arm_ids[0]
    for question, said in (
        ({"type": "noul", "instructions": "Is the customer asking for money back?"}, "Will MODEL"),
        ({"type": "noul", "instructions": f"Was {arm} named in this?"}, "Will MODEL"),
        ({"type": "noul", "instructions": "Will gpt-99 answer this right?"}, "gpt-99 is no arm"),
        ({"type": "noul"}, "Will MODEL"),
        ({**difficulty(3), "instructions": "How difficult is the customer?"}, "How difficult is"),
        ({**difficulty(3), "instructions": [HARD, "Be strict."]}, "How difficult is"),
        (choice(arm, "Billing"), "'Billing' is neither: tiers declared are SIMPLE, COMPLEX"),
    ):
        loc, detail = refused(asked, question)
        assert loc == ["body", "questions", "a.b"]
        assert said in detail
        assert len(detail) < 400


def test_a_model_of_several_tiers_must_name_one() -> None:
    words = "Will openai/m answer this right?"
    question = Question(kind="right", loc=("questions", 0), words=words)
    with pytest.raises(Refused, match=r"several tiers, name one: m\|low, m\|high") as found:
        meaning(question, ["m|low", "n|low", "m|high"], {})
    assert found.value.field == "questions[0]"
    assert meaning(question, ["m|high", "m|default"], {}) == Right("m|default")


def test_what_is_wrong_with_a_body_is_told_in_its_wire(asked: Driver) -> None:
    for question, place, said in (
        ("no", [], "must be an object with a type"),
        ({"type": "boolean"}, ["type"], "must be one of noul, choice, score"),
        (choice("SIMPLE"), ["criteria"], "must have 2 to 255 entries, got 1"),
        ({"type": "score", "instructions": HARD, "criteria": {"0": "Calm"}}, ["criteria"], "list"),
        ({**difficulty(2), "criteria": ["Calm", None]}, ["criteria"], "without a description"),
        ({**difficulty(11)}, ["criteria"], "2 to 10"),
        ({"type": "noul", "criteria": [1]}, ["criteria"], "an object with true"),
    ):
        loc, detail = refused(asked, question)
        assert loc == ["body", "questions", "a.b", *place]
        assert said in detail
    right = {"type": "noul", "instructions": "Will aster-nano answer this right?"}
    for more, place, said in (
        ({"model": "auto:7"}, ["model"], "a threshold from 0 to 1"),
        ({"min_quality": 0.5}, ["min_quality"], "weighs no quality against cost"),
        ({"threshold": "0.5"}, ["threshold"], "float"),
        ({"state": None}, ["state"], "is missing"),
        ({"state": 5}, ["state"], "must be a text, an object or a list"),
        ({"questions": {}}, ["questions"], f"1 to {MOST_QUESTIONS} entries, got 0"),
        ({"questions": {"": right}}, ["questions", ""], "an id that is not empty"),
    ):
        loc, detail = refused(asked, right, **more)
        assert loc == ["body", *place]
        assert said in detail
    for path, asks in ((SYSTEM_ONE, {"state": ASKED}), (DECISIONS, {"input": ASKED})):
        reply = asked({"model": "gpt-9", "questions": {"q": right}, **asks}, path=path)
        assert reply.status == 404
        assert b"model must be one of auto, auto:0.7, jev-latest" in reply.body
    allowed = refused(asked, choice("SIMPLE", "COMPLEX"), allowed_models=["aster*"])
    assert allowed == (["body", "allowed_models"], "the options of a choice say who may answer; "
                       "leave allowed_models out")  # fmt: skip
    assert asked(b"{", path=SYSTEM_ONE).json()["detail"][0]["type"] == "invalid_json"


def test_more_questions_than_there_is_time_for_are_refused(make_app: Callable[..., Driver]) -> None:
    ask = make_app(tiers=TIERS, timeout_s=0.05)
    questions = {str(i): choice("SIMPLE", "COMPLEX") for i in range(MOST_QUESTIONS)}
    reply = ask({"state": ASKED, "questions": questions}, path=SYSTEM_ONE)
    assert (reply.status, reply.json()["detail"]["error_type"]) == (504, "timeout_error")


def test_the_two_wires_say_the_same(asked: Driver, router: Router) -> None:
    arm = router.arm_ids[0]
    levels = [{"label": f"level {i}", "description": "x"} for i in range(4)]
    body = {
        "model": "auto:0.3",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": ASKED}]}],
        "questions": [
            {"type": "predicate", "name": "right", "instructions": f"{arm} answers this right."},
            {"type": "choice", "instructions": [{"type": "input_text", "text": "Who?"}],
             "choices": [{"value": "SIMPLE"}, {"value": "COMPLEX", "description": "hard"}]},
            {"type": "score", "name": "hard", "instructions": HARD, "levels": levels},
        ],
    }  # fmt: skip
    reply = asked(body, path=DECISIONS)
    assert reply.status == 200, reply.body
    right, who, hard = reply.json()["answers"]
    same = {"type": "noul", "instructions": f"Will {arm} answer this right?"}
    assert right == {"name": "right", "type": "predicate",
                     "probability": systemone(asked, same)["noul"]}  # fmt: skip
    other = systemone(asked, choice("SIMPLE", "COMPLEX"), threshold=0.3)
    assert (who["name"], who["choice"], who["confidence"]) == (
        None, other["choice"], other["confidence"],
    )  # fmt: skip
    assert {p["value"]: p["probability"] for p in who["probabilities"]} == other["probabilities"]
    score = systemone(asked, difficulty(4))
    assert (hard["score"], hard["confidence"]) == (score["score"], score["confidence"])
    assert [p["value"] for p in hard["probabilities"]] == [0, 1, 2, 3]
    usage = reply.json()["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] > 0


def test_the_second_wire_refuses_in_its_own_error(asked: Driver) -> None:
    predicate = {"type": "predicate", "instructions": "Is it urgent?"}
    twice = {"type": "choice", "instructions": "?", "choices": [{"value": "SIMPLE"}] * 2}
    for question, param, said in (
        (predicate, "questions[0]", "Will MODEL"),
        ({"type": "noul"}, "questions[0].type", "must be one of predicate, choice, score"),
        (twice, "questions[0].choices", "must differ"),
        ({**twice, "choices": [{"value": True}, {"value": False}]}, "questions[0].choices[0].value",
         "must be a text"),
        ({"type": "predicate", "name": 1}, "questions[0].name", "must be a text"),
    ):  # fmt: skip
        body = {"model": "auto", "input": ASKED, "questions": [question]}
        reply = asked(body, path=DECISIONS)
        error = reply.json()["error"]
        assert (reply.status, error["param"], error["type"]) == (
            400, param, "invalid_request_error",
        )  # fmt: skip
        assert said in error["message"]
    assert asked({"model": "auto", "questions": [predicate]}, path=DECISIONS).status == 400


def test_confidence_is_that_of_the_specification_s_examples() -> None:
    assert choice_confidence((0.88, 0.12)) == pytest.approx(0.76)
    assert choice_confidence((0.6, 0.3, 0.1)) == pytest.approx((3 * 0.6 - 1) / 2)
    assert score_confidence((0.0, 0.95, 0.05)) == pytest.approx(0.925)
    assert (choice_confidence((1.0, 0.0)), score_confidence((0.0, 1.0))) == (1.0, 1.0)
    assert (choice_confidence(even(4)), score_confidence(even(4))) == (0.0, 0.0)


def test_shares_follow_utility_and_what_is_known_of_it() -> None:
    utility = np.array([0.5, 0.6, -np.inf, 0.6])
    sure, unsure = shares(utility, 0.01), shares(utility, 1.0)
    assert sure == pytest.approx([0, 0.5, 0, 0.5], abs=1e-4)
    assert unsure[2] == 0
    assert unsure == pytest.approx([0.3, 0.35, 0, 0.35], abs=0.02)
    assert shares(utility, 0.0) == pytest.approx([0, 0.5, 0, 0.5])
    # what many draws of the errors say
    errors = np.random.default_rng(0).gumbel(scale=np.sqrt(6) / np.pi * 0.1, size=(200_000, 2))
    drawn = ((utility[:2] + errors).argmax(axis=1) == 1).mean()
    assert shares(utility[:2], 0.1)[1] == pytest.approx(drawn, abs=0.005)


def test_levels_are_equal_shares_of_the_training_prompts() -> None:
    edges = (0.1, 0.2, 0.4, 0.7)
    assert levels_of(0.3, 0.0, edges, 5) == pytest.approx([0, 0, 1, 0, 0])
    wide = levels_of(0.3, 0.1, edges, 5)
    draws = np.random.default_rng(0).normal(0.3, 0.1, 200_000)
    counted = np.histogram(draws, [-9, *edges, 9])[0] / len(draws)
    assert wide == pytest.approx(counted, abs=0.005)
    assert levels_of(0.3, 0.1, edges, 2).sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[tiers", "cannot be read"),
        ("[tier]\na = ['b']", "a table [tiers] and nothing else"),
        ("[tiers]", "a table [tiers] and nothing else"),
        ("[tiers]\na = 'b'", "tiers.a must be a list"),
        ("[tiers]\na = []", "tiers.a must be a list"),
        ("[tiers]\na = [1]", "tiers.a must be a list"),
    ],
)
def test_a_file_of_tiers_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "tiers.toml").write_text(text)
    with pytest.raises(TierFileError, match=r".*") as found:
        read_tiers(tmp_path / "tiers.toml")
    assert said in str(found.value)


def test_a_tier_of_arms_that_are_not_there_is_refused(make_app: Callable[..., Driver]) -> None:
    ask = make_app(tiers={"SIMPLE": ("aster-nano",), "HUGE": ("gpt-99*",)})
    detail = refused(ask, choice("SIMPLE", "HUGE"))[1]
    assert "the tier 'HUGE' means gpt-99*, and no arm of" in detail


def test_a_cap_on_cost_leaves_out_what_is_dearer(asked: Driver, router: Router) -> None:
    costs = router.score(read_prompt(ASKED)).cost_usd[0]
    cap = float(np.sort(costs)[1])
    answer = systemone(asked, choice(*router.arm_ids), max_cost_usd=cap)
    paid = {arm for arm, usd in zip(router.arm_ids, costs, strict=True) if usd <= cap}
    assert {arm for arm, p in answer["probabilities"].items() if p > 0} <= paid
    assert answer["choice"] in paid
