"""GET /openapi.json: the HTTP contract as OpenAPI 3.1, made of the types in `schemas`."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from router.version import __version__

from . import admin, schemas
from .decisions import contract as typed
from .decisions import openai, systemone
from .gateway import contract
from .problems import MEDIA_TYPE, PROBLEMS

READS = ("unauthorized", "forbidden", "request_timeout", "body_too_large", "unsupported_media_type")
BODY = (*READS, "too_many_requests", "invalid_json", "invalid_request", "internal_error")
PROMPTS = (
    *BODY,
    "prompt_too_long",
    "invalid_prompt",
    "invalid_policy",
    "conflicting_knobs",
    "unsupported_knob",
    "no_arm_allowed",
    "not_ready",
    "timeout",
)
QUESTIONS = (*PROMPTS, "unsupported_question", "unknown_model")
BUDGETS = ("unknown_budget", "budget_exhausted", "too_many_budgets")
FEEDBACK = ("unknown_decision", "contradictory_feedback", "log_off", "log_full")
UPSTREAMS = ("upstream_busy", "upstream_failed", "upstream_timeout")
VIEW = ("unauthorized", "forbidden", "too_many_requests", "not_ready", "internal_error")


# a refusal's type -> statuses that its wire tells as others
TOLD_AS: dict[type, dict[int, int]] = {
    contract.CallError: {422: 400},
    typed.SystemOneError: {400: 422, 415: 422},
}


class Operation(NamedTuple):
    """One documented call; POST where it takes a body, else GET.

    Attributes:
        path, summary: as they stand in the document.
        gives: type of the answer, null for plain text.
        codes: of `problems.PROBLEMS` that may be answered in its place.
        takes: type of the body, null without one.
        examples: bodies that are accepted, by name.
        refuses: type of a refusal.
    """

    path: str
    summary: str
    gives: type | None = None
    codes: tuple[str, ...] = ()
    takes: type | None = None
    examples: dict[str, dict[str, Any]] = {}  # noqa: RUF012  a tuple's default, never changed
    refuses: type = schemas.ProblemDocument

    @property
    def method(self) -> str:
        """Its key in the document."""
        return "get" if self.takes is None else "post"


QUESTION = "What is 17*23?"
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}}
PROMPT = {"prompt": QUESTION, "threshold": 0.3}
CHAT = {
    "model": "auto",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Will it rain in Bern?"},
    ],
    "tools": [{"type": "function", "function": {"name": "weather", "parameters": WEATHER}}],
    "max_completion_tokens": 300,
    "threshold": 0.3,
}
RESPONSES = {
    "model": "auto",
    "instructions": "Be brief.",
    "input": [{"role": "user", "content": [{"type": "input_text", "text": QUESTION}]}],
    "max_output_tokens": 300,
}
MESSAGES = {
    "model": "auto",
    "system": [{"type": "text", "text": "Be brief."}],
    "messages": [{"role": "user", "content": [{"type": "text", "text": QUESTION}]}],
    "max_tokens": 300,
}
BODIES = {"prompt": PROMPT, "chat": CHAT, "responses": RESPONSES, "messages": MESSAGES}
HARD = {
    "type": "score",
    "instructions": "How difficult is this request?",
    "criteria": ["easy", "middling", "hard"],
}
LABELLED = {
    **{name: HARD[name] for name in ("type", "instructions")},
    "levels": [{"label": level} for level in HARD["criteria"]],
}
MADE = "01999999-9999-7999-8999-999999999999"
OPERATIONS = (
    Operation(
        "/route",
        "Name the arm that is worth its price for one prompt",
        schemas.RouteAnswer,
        (*PROMPTS, *BUDGETS),
        schemas.RouteRequest,
        BODIES,
    ),
    Operation(
        "/route/batch",
        "Decide for many prompts, within one budget if asked",
        schemas.BatchAnswer,
        (*PROMPTS, "batch_too_large", "budget_too_small"),
        schemas.BatchRequest,
        {
            "texts": {"prompts": [QUESTION, "Name a prime."], "threshold": 0.3},
            "bodies": {"prompts": [QUESTION, RESPONSES, MESSAGES], "budget_usd": 0.1},
        },
    ),
    Operation(
        "/explain",
        "Say why an arm is chosen, and what would change that",
        schemas.ExplainAnswer,
        PROMPTS,
        schemas.RouteRequest,
        {"prompt": {"prompt": QUESTION, "max_quality_drop": 0.02}, "messages": MESSAGES},
    ),
    Operation(
        "/feedback",
        "Report what became of a decision",
        schemas.FeedbackAnswer,
        (*BODY, *FEEDBACK),
        schemas.FeedbackRequest,
        {"label": {"decision_id": MADE, "correct": True}},
    ),
    Operation(
        systemone.PATH,
        "Answer typed questions about a request, as TypeSafe's System One does",
        typed.SystemOneAnswer,
        QUESTIONS,
        typed.SystemOneRequest,
        {"score": {"state": QUESTION, "questions": {"hard": HARD}}},
        typed.SystemOneError,
    ),
    Operation(
        openai.PATH,
        "Answer typed questions about a request, as OpenAI's Decisions does",
        typed.DecisionsAnswer,
        QUESTIONS,
        typed.DecisionsRequest,
        {"score": {"model": "auto:0.7", "input": QUESTION, "questions": [LABELLED]}},
        contract.CallError,
    ),
    Operation("/arms", "Every arm: price, abilities, mean quality", schemas.ArmsAnswer, VIEW),
    Operation("/frontier", "Quality and cost by threshold", schemas.FrontierAnswer, VIEW),
    Operation("/budgets", "What is spent and left of budgets", schemas.BudgetsAnswer, VIEW),
    Operation("/metrics", "Prometheus metrics", None, VIEW),
    Operation("/livez", "200 while the process runs"),
    Operation("/readyz", "200 once a bundle has answered, else 503"),
)
# where some key is an admin's
ADMINISTERED = (
    Operation(
        "/admin/promote",
        "Make a bundle of the store the live one",
        admin.ChangeAnswer,
        (*BODY, "refused_change"),
        admin.PromoteRequest,
        {"forced": {"bundle_id": "0123456789ab", "force": "the incumbent is broken"}},
    ),
    Operation(
        "/admin/rollback",
        "Go back to the bundle that was live before",
        admin.ChangeAnswer,
        (*BODY, "refused_change"),
        admin.RollbackRequest,
        {"plain": {"why": "asked for"}},
    ),
    Operation(
        "/admin/reload",
        "Look now at the bundle, the store and the catalogue",
        admin.ReloadAnswer,
        (*BODY, "refused_change"),
        admin.ReloadRequest,
        {"plain": {}},
    ),
)
CALLS = (*PROMPTS, *BUDGETS, "unknown_model", *UPSTREAMS)
# where upstreams are configured
EXECUTED = (
    *(
        Operation(
            f"/v1/{path}",
            f"Execute a request of {name}",
            contract.CallAnswer,
            CALLS,
            contract.CallRequest,
            {"auto": {**body, "model": "auto"}, "threshold": {**body, "model": "auto:0.7"}},
            contract.CallError,
        )
        for path, name, body in (
            ("chat/completions", "Chat Completions", {"messages": CHAT["messages"]}),
            ("responses", "Responses", {"input": QUESTION}),
            ("messages", "Messages", {"messages": MESSAGES["messages"], "max_tokens": 300}),
        )
    ),
    Operation(
        "/v1/messages/count_tokens",
        "Input tokens of a request of Messages",
        contract.CallCount,
        CALLS,
        contract.CallRequest,
        {"auto": {"messages": MESSAGES["messages"], "model": "auto"}},
        contract.CallError,
    ),
    Operation("/v1/models", "What `model` may be", contract.CallModels, VIEW),
)


def document(*, executes: bool = False, administered: bool = False) -> dict[str, Any]:
    """The whole document, as plain values; with the gateway's paths and the admins', if any."""
    operations = (*OPERATIONS, *(EXECUTED * executes), *(ADMINISTERED * administered))
    kinds = [kind for one in operations for kind in (one.takes, one.gives, one.refuses)]
    named = [kind for kind in dict.fromkeys(kinds) if kind is not None]
    _, components = msgspec.json.schema_components(
        named, ref_template="#/components/schemas/{name}"
    )
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
        "paths": {one.path: {one.method: _operation(one)} for one in operations},
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
        "responses": {"200": answer, **_problems(one)},
    }
    if one.takes is not None:
        examples = {name: {"value": body} for name, body in one.examples.items()}
        content = {"schema": _ref(one.takes), "examples": examples}
        found["requestBody"] = {"required": True, "content": {"application/json": content}}
    return found


def _problems(one: Operation) -> dict[str, Any]:
    """Refusals by status; one status may have several codes."""
    found: dict[str, Any] = {}
    ours = one.refuses is schemas.ProblemDocument
    media_type = MEDIA_TYPE.decode() if ours else "application/json"
    for code in one.codes:
        status, title = PROBLEMS[code]
        status = TOLD_AS.get(one.refuses, {}).get(status, status)
        content = {media_type: {"schema": _ref(one.refuses)}}
        entry = found.setdefault(str(status), {"description": "", "content": content})
        entry["description"] += f"{'; ' if entry['description'] else ''}`{code}`: {title}"
    return dict(sorted(found.items()))


def _ref(kind: type) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}
