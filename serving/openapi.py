"""GET /openapi.json: the HTTP contract as OpenAPI 3.1, made of the types in `schemas`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from router.version import __version__

from . import schemas
from .problems import MEDIA_TYPE, PROBLEMS

READS = ("unauthorized", "request_timeout", "body_too_large", "unsupported_media_type")
BODY = (*READS, "invalid_json", "invalid_request", "internal_error")
PROMPTS = (
    *BODY,
    "prompt_too_long",
    "invalid_prompt",
    "invalid_policy",
    "conflicting_knobs",
    "unsupported_knob",
    "no_arm_allowed",
    "too_many_requests",
    "not_ready",
)
BUDGETS = ("unknown_budget", "budget_exhausted", "too_many_budgets")
FEEDBACK = ("unknown_decision", "contradictory_feedback", "log_off", "log_full")
VIEW = ("unauthorized", "not_ready", "internal_error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One documented call.

    Attributes:
        path, method, summary: as they stand in the document.
        takes: type of the body, null without one.
        gives: type of the answer, null for plain text.
        codes: of `problems.PROBLEMS` that may be answered in its place.
        example: a body that is accepted.
    """

    path: str
    method: str
    summary: str
    takes: type | None = None
    gives: type | None = None
    codes: tuple[str, ...] = ()
    example: dict[str, Any] | None = None


OPERATIONS = (
    Operation(
        path="/route",
        method="post",
        summary="Name the arm that is worth its price for one prompt",
        takes=schemas.RouteRequest,
        gives=schemas.RouteAnswer,
        codes=(*PROMPTS, *BUDGETS),
        example={"prompt": "What is 17*23?", "threshold": 0.3},
    ),
    Operation(
        path="/route/batch",
        method="post",
        summary="Decide for many prompts, within one budget if asked",
        takes=schemas.BatchRequest,
        gives=schemas.BatchAnswer,
        codes=(*PROMPTS, "batch_too_large", "budget_too_small"),
        example={"prompts": ["What is 17*23?", "Name a prime."], "threshold": 0.3},
    ),
    Operation(
        path="/explain",
        method="post",
        summary="Say why an arm is chosen, and what would change that",
        takes=schemas.RouteRequest,
        gives=schemas.ExplainAnswer,
        codes=PROMPTS,
        example={"prompt": "What is 17*23?", "max_quality_drop": 0.02},
    ),
    Operation(
        path="/feedback",
        method="post",
        summary="Report what became of a decision",
        takes=schemas.FeedbackRequest,
        gives=schemas.FeedbackAnswer,
        codes=(*BODY, *FEEDBACK),
        example={"decision_id": "01999999-9999-7999-8999-999999999999", "correct": True},
    ),
    Operation(
        path="/arms",
        method="get",
        summary="Every arm: price, capabilities, mean quality and cost",
        gives=schemas.ArmsAnswer,
        codes=VIEW,
    ),
    Operation(
        path="/frontier",
        method="get",
        summary="Expected quality and cost along the threshold",
        gives=schemas.FrontierAnswer,
        codes=VIEW,
    ),
    Operation(
        path="/budgets",
        method="get",
        summary="What is spent and left of every budget that the caller may see",
        gives=schemas.BudgetsAnswer,
        codes=VIEW,
    ),
    Operation(path="/metrics", method="get", summary="Prometheus metrics"),
    Operation(path="/livez", method="get", summary="200 while the process runs"),
    Operation(path="/readyz", method="get", summary="200 once a bundle has answered, else 503"),
)


def document() -> dict[str, Any]:
    """The whole document, as plain values."""
    named = [kind for one in OPERATIONS for kind in (one.takes, one.gives) if kind is not None]
    _, components = msgspec.json.schema_components(
        [*named, schemas.ProblemDocument], ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, dict[str, Any]] = {}
    for one in OPERATIONS:
        paths.setdefault(one.path, {})[one.method] = _operation(one)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tierwise",
            "version": __version__,
            "summary": "Which model should answer a prompt, and how much compute it should spend",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{}, {"bearer": []}, {"key": []}],  # a key where the operator set some
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }


def _operation(one: Operation) -> dict[str, Any]:
    kind = "text/plain" if one.gives is None else "application/json"
    schema = {"type": "string"} if one.gives is None else _ref(one.gives)
    answer = {"description": "the answer", "content": {kind: {"schema": schema}}}
    found: dict[str, Any] = {
        "operationId": f"{one.method}{one.path.replace('/', '_')}",
        "summary": one.summary,
        "responses": {"200": answer, **_problems(one.codes)},
    }
    if one.takes is not None:
        content: dict[str, Any] = {"schema": _ref(one.takes)}
        if one.example is not None:
            content["example"] = one.example
        found["requestBody"] = {"required": True, "content": {"application/json": content}}
    return found


def _problems(codes: Iterable[str]) -> dict[str, Any]:
    """Refusals by status; one status may have several codes."""
    found: dict[str, Any] = {}
    for code in codes:
        status, title = PROBLEMS[code]
        schema = _ref(schemas.ProblemDocument)
        content = {MEDIA_TYPE.decode(): {"schema": schema}}
        entry = found.setdefault(str(status), {"description": "", "content": content})
        entry["description"] += f"{'; ' if entry['description'] else ''}`{code}`: {title}"
    return dict(sorted(found.items()))


def _ref(kind: type) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}
