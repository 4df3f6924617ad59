"""Read a request's body: ours, or a whole Chat-Completions request unchanged.

Fields that routing does not use are skipped, not refused, so that a proxy can pass on what it
got. Fields that it does use are strict: a number in quotes or a boolean is not a number.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, structs

from router.core.policy import Policy, Requires
from router.errors import PolicyError
from router.request.view import PromptView, read_prompt

from .problems import PROBLEMS, Problem
from .schemas import BatchRequest, Needs, RouteRequest
from .settings import Settings

Body = TypeVar("Body", bound=RouteRequest)
Document = TypeVar("Document", bound=Struct)
ROUTE = msgspec.json.Decoder(RouteRequest)
BATCH = msgspec.json.Decoder(BatchRequest)
REPAIR_BYTES = 1 << 18  # larger bodies are not worth the time on the event loop
# an escaped backslash, a pair of surrogates (both are fine), or half of a pair
_SURROGATES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
_ITEM = re.compile(rb"\[\s*[^\s\]]")  # an array with something in it
_AT = re.compile(r"(?: - at `(?P<path>[^`]*)`)$")
_FIELDS = frozenset(BatchRequest.__struct_fields__)


def parse(body: bytes) -> RouteRequest:
    """Read the body of one request.

    Raises:
        Problem: `invalid_json`, or `invalid_request` with the path of the field.
    """
    return parse_as(body, ROUTE)


def parse_as(body: bytes, decoder: msgspec.json.Decoder[Body]) -> Body:
    """Read a body of the decoder's kind.

    Raises:
        Problem: `invalid_json`, or `invalid_request` with the path of the field.
    """
    request = decode_body(decoder, body)
    for name, start in (("metadata", b"{"), ("tools", b"["), ("functions", b"[")):
        raw = bytes(getattr(request, name))
        if raw not in (b"", b"null") and not raw.startswith(start):
            kind = "object" if start == b"{" else "array"
            raise _invalid(f"Expected `{kind} | null` - at `$.{name}`")
    return request


def decode_body(decoder: msgspec.json.Decoder[Document], body: bytes) -> Document:
    """Decode a body into the decoder's type.

    Raises:
        Problem: `invalid_json`, or `invalid_request` with the path of the field.
    """
    try:
        return _decode(decoder, body)
    except msgspec.ValidationError as err:
        raise _invalid(str(err)) from None
    except UnicodeDecodeError as err:
        raise Problem("invalid_json", f"the body is not UTF-8: {err.reason}") from None
    except msgspec.DecodeError as err:
        raise Problem("invalid_json", str(err)) from None
    except RecursionError:
        raise Problem("invalid_json", "the body is nested too deeply") from None


def _decode(decoder: msgspec.json.Decoder[Document], body: bytes) -> Document:
    """Decode; half surrogate pairs, left by clients that cut text, become U+FFFD."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        if len(body) > REPAIR_BYTES:
            raise
        repaired = _SURROGATES.sub(lambda m: rb"\ufffd" if m[1] else m[0], body)
        if repaired == body:
            raise
        return decoder.decode(repaired)


def _invalid(message: str) -> Problem:
    at = _AT.search(message)
    path = at["path"].removeprefix("$").removeprefix(".") if at else ""
    text = message[: at.start()] if at else message
    if path.endswith("requires") and "unknown field" in text:
        text += f"; known are {', '.join(Needs.__struct_fields__)}"
    return Problem("invalid_request", f"{path or 'the body'}: {text}", field=path or None)


def read_view(request: RouteRequest, settings: Settings) -> PromptView:
    """What the models see of a request.

    Raises:
        Problem: not exactly one of prompt and messages, no text, or too much of it.
    """
    if (request.prompt is None) == (request.messages is None):
        found = "neither" if request.prompt is None else "both"
        raise Problem(
            "invalid_request",
            f"give exactly one of prompt and messages, got {found}",
            field="prompt",
        )
    messages = request.messages or []
    if len(messages) > settings.max_messages:
        raise Problem(
            "prompt_too_long",
            f"messages has {len(messages)} entries, the limit is {settings.max_messages} "
            "(TIERWISE_MAX_MESSAGES)",
            field="messages",
        )
    try:
        view = read_prompt(messages if request.prompt is None else request.prompt)
    except PolicyError as err:
        raise policy_problem(err) from None
    if view.n_chars > settings.max_prompt_chars:
        raise Problem(
            "prompt_too_long",
            f"the prompt has {view.n_chars} characters, the limit is {settings.max_prompt_chars} "
            "(TIERWISE_MAX_PROMPT_CHARS)",
            field="messages" if request.prompt is None else "prompt",
        )
    return view


def read_policy(request: RouteRequest, settings: Settings) -> Policy:
    """What the caller wants of the decision.

    Raises:
        Problem: a knob is out of range, contradicts another or is not supported.
    """
    allowed = request.allowed_models
    if allowed is not None and not allowed:
        raise Problem(
            "invalid_request",
            "allowed_models is empty, which allows nothing; leave it out to allow every model",
            field="allowed_models",
        )
    if allowed is not None and len(allowed) > settings.max_allowed_models:
        raise Problem(
            "invalid_request",
            f"allowed_models has {len(allowed)} entries, the limit is "
            f"{settings.max_allowed_models} (TIERWISE_MAX_ALLOWED_MODELS)",
            field="allowed_models",
        )
    try:
        return Policy(
            threshold=request.threshold,
            min_quality=request.min_quality,
            max_quality_drop=request.max_quality_drop,
            max_cost_usd=request.max_cost_usd,
            allowed_models=tuple(allowed or ()),
            requires=_requires(request),
            max_latency_ms=request.max_latency_ms,
            current_arm=request.current_arm,
            in_tool_loop=request.in_tool_loop,
        )
    except PolicyError as err:
        raise policy_problem(err) from None


def _requires(request: RouteRequest) -> Requires:
    """What is asked for, in our field or by the Chat-Completions fields that imply it."""
    needs = request.requires
    tools = any(_ITEM.match(bytes(raw)) for raw in (request.tools, request.functions))
    json = request.response_format is not None and request.response_format.type.startswith("json")
    asked = Requires() if needs is None else Requires(**structs.asdict(needs))
    return replace(asked, tools=asked.tools or tools, json=asked.json or json)


def policy_problem(err: PolicyError) -> Problem:
    """The refusal that an error of the decision core amounts to."""
    detail = str(err)
    named = re.match(r"[a-z_]+", detail)
    field = named[0] if named and named[0] in _FIELDS else None
    code = err.code if err.code in PROBLEMS else "invalid_policy"
    return Problem(code, detail, field=field)


def encode(document: dict[str, Any]) -> bytes:
    """UTF-8 JSON of a response."""
    return msgspec.json.encode(document)
