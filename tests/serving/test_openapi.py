"""GET /openapi.json: valid OpenAPI 3.1, and true of every real answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from serving import schemas
from serving.app import App
from serving.declared import Declared
from serving.openapi import ADMINISTERED, EXECUTED, OPERATIONS, document
from serving.problems import PROBLEMS
from serving.settings import Settings
from tests.serving.conftest import Driver

PROMPT = "What is 17*23, and why?"
TALK = [
    {"role": "user", "content": "Name a prime."},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "x"}]},
    {"role": "tool", "content": "7"},
    {"role": "user", "content": [{"type": "text", "text": "Another one."}]},
]
FULL = {
    "messages": TALK,
    "threshold": 0.4,
    "allowed_models": ["*"],
    "requires": {"tools": False, "context": None},
    "session_id": "s",
    "current_arm": "somebody",
    "in_tool_loop": False,
    "metadata": {"a": 1},
    "tools": [],
    "response_format": {"type": "text"},
}
BY_PATH = {one.path: one for one in OPERATIONS}


@pytest.fixture(scope="module")
def served(ask: Driver) -> dict[str, Any]:
    reply = ask(path="/openapi.json", method="GET", headers={})
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    found: dict[str, Any] = reply.json()
    return found


@pytest.fixture(scope="module")
def logged(make_app: Callable[..., Driver], tmp_path_factory: pytest.TempPathFactory) -> Driver:
    """An application that keeps a log and declares a budget."""
    team = Declared(name="team", usd=5.0, period="hour")
    return make_app(log_dir=tmp_path_factory.mktemp("log"), budgets=(team,))


def validate(document: dict[str, Any], name: str, value: Any) -> None:  # noqa: ANN401
    """Hold a value to a schema of the document."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(value)


def references(value: Any) -> set[str]:  # noqa: ANN401
    if isinstance(value, dict):
        own = {value["$ref"]} if "$ref" in value else set()
        return own.union(*(references(item) for item in value.values()))
    return set().union(*(references(item) for item in value)) if isinstance(value, list) else set()


def test_it_is_an_openapi_document(served: dict[str, Any]) -> None:
    assert served["openapi"] == "3.1.0"
    assert served["info"]["title"] == "tierwise"
    schemas = served["components"]["schemas"]
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    assert references(served) <= {f"#/components/schemas/{name}" for name in schemas}
    operations = [one for methods in served["paths"].values() for one in methods.values()]
    names = [one["operationId"] for one in operations]
    assert len(set(names)) == len(names)
    for one in operations:
        assert all(text["description"] for text in one["responses"].values())
        assert all(code.isdigit() and len(code) == 3 for code in one["responses"])


def test_it_names_every_path_that_is_served_and_no_other(served: dict[str, Any]) -> None:
    paths = App(Settings()).paths
    people = {"/", "/decisions", "/try"}  # HTML, not part of the contract
    assert set(served["paths"]) == set(paths) - {"/openapi.json", "/healthz"} - people
    for path, methods in served["paths"].items():
        assert {method.upper() for method in methods} <= set(paths[path])


def test_every_problem_has_its_place(served: dict[str, Any]) -> None:
    found = {code for one in (*OPERATIONS, *EXECUTED, *ADMINISTERED) for code in one.codes}
    assert found == set(PROBLEMS) - {"not_found", "method_not_allowed"}  # of no operation
    assert served["components"]["schemas"]["ProblemDocument"]["properties"]["code"]["enum"] == [
        *PROBLEMS
    ]


@pytest.mark.parametrize("path", ["/route", "/route/batch", "/explain"])
def test_every_example_is_valid_and_is_answered(
    served: dict[str, Any], ask: Driver, path: str
) -> None:
    content = served["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    assert len(content["examples"]) > 1
    for example in content["examples"].values():
        validate(served, content["schema"]["$ref"].rpartition("/")[2], example["value"])
        reply = ask(example["value"], path=path)
        assert reply.status == 200
        for answer in reply.json().get("decisions", [reply.json()]):
            assert answer["warnings"] == []


def answers(ask: Driver) -> list[tuple[str, str | None, Any]]:
    """(path, name of the body's schema, body) of requests of every kind."""
    made = ask({"prompt": PROMPT}).json()["decision_id"]
    price = {"prompt": PROMPT, "budget": "team"}
    own = {"prompt": PROMPT, "budget_usd": 5, "budget_key": "k", "budget_period": 3600}
    return [
        ("/route", "RouteRequest", {"prompt": PROMPT}),
        ("/route", "RouteRequest", FULL),
        ("/route", "RouteRequest", price),
        ("/route", "RouteRequest", own),
        ("/route", "RouteRequest", {"prompt": PROMPT, "min_quality": 0.5, "max_cost_usd": 1.0}),
        ("/route/batch", "BatchRequest", {"prompts": [PROMPT, TALK], "threshold": 0.5}),
        ("/route/batch", "BatchRequest", {"prompts": [PROMPT] * 3, "budget_usd": 1.0}),
        ("/explain", "RouteRequest", {"prompt": PROMPT, "threshold": 0.5}),
        ("/explain", "RouteRequest", {"prompt": PROMPT, "max_quality_drop": 0.1}),
        ("/feedback", "FeedbackRequest", {"decision_id": made, "score": 0.5, "cost_usd": 0.001}),
        ("/feedback", "FeedbackRequest", {"decision_id": made, "score": 0.5, "cost_usd": 0.001}),
        ("/arms", None, b""),
        ("/frontier", None, b""),
        ("/budgets", None, b""),
    ]


def test_real_answers_are_of_the_documented_types_and_have_no_other_fields(
    served: dict[str, Any], logged: Driver
) -> None:
    for path, takes, body in answers(logged):
        if takes is not None:
            validate(served, takes, body)
        reply = logged(body, path=path, method="GET" if takes is None else "POST")
        assert reply.status == 200, reply.body
        kind = BY_PATH[path].gives
        assert kind is not None
        validate(served, kind.__name__, reply.json())
        typed = msgspec.json.decode(reply.body, type=kind)
        assert json.loads(msgspec.json.encode(typed)) == reply.json()


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/route", b"{"),
        ("/route", {"prompt": PROMPT, "threshold": 2}),
        ("/route", {"prompt": PROMPT, "allowed_models": ["nobody*"]}),
        ("/route", {"prompt": PROMPT, "budget": "nobody"}),
        ("/route/batch", {"prompts": []}),
        ("/explain", {"prompt": PROMPT, "budget_usd": 1}),
        ("/feedback", {"decision_id": "0" * 36, "correct": True}),
    ],
)
def test_real_refusals_are_among_the_documented_ones(
    served: dict[str, Any], logged: Driver, path: str, body: Any  # noqa: ANN401
) -> None:  # fmt: skip
    reply = logged(body, path=path)
    problem = reply.json()
    validate(served, "ProblemDocument", problem)
    assert problem["code"] in BY_PATH[path].codes
    assert (
        f"`{problem['code']}`"
        in served["paths"][path]["post"]["responses"][str(reply.status)]["description"]
    )


def test_a_catalogue_s_tiers_are_of_the_documented_type(
    make_app: Callable[..., Driver], tmp_path: Path, tiny_bundle: Path
) -> None:
    path = tmp_path / "catalogue.toml"
    path.write_text(
        '[tiers."*"]\nstyle = "concise"\nsampling = {n = 3, aggregator = "majority_vote"}\n'
    )
    ask = make_app(catalogue=path)
    for place, kind in (("/arms", schemas.ArmsAnswer), ("/route", schemas.RouteAnswer)):
        body = b"" if place == "/arms" else {"prompt": PROMPT}
        reply = ask(body, path=place, method="GET" if place == "/arms" else "POST")
        validate(document(), kind.__name__, reply.json())
        assert b"majority_vote" in reply.body
