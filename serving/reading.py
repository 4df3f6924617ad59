"""Read a request's body: our knobs strictly, everything else as any client sends it.

The knobs are decoded into their types: a number in quotes or a boolean is not a number. The rest
is decoded to plain values and read by `router.request`, which says what it does not understand.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from router.core.policy import Policy, Requires
from router.errors import PolicyError
from router.request import names
from router.request.needs import media_of
from router.request.read import read_request
from router.request.types import Wire
from router.request.view import PromptView, view_of

from .problems import PROBLEMS, Problem
from .schemas import Knobs
from .settings import Settings

Document = TypeVar("Document")
Bytes = bytes | memoryview
NULL = Raw(b"null")
OURS = frozenset({*Knobs.__struct_fields__, "metadata"})
MAX_VALUES = 200_000  # JSON values of one body; the smallest cost some 200 bytes each once decoded
MAX_FILES = 4_000  # of one request: each is priced for every arm; no provider takes so many
_KNOBS = msgspec.json.Decoder(Knobs)
_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_VALUE = msgspec.json.Decoder()
_NOTHING = msgspec.json.Decoder(msgspec.defstruct("Nothing", []))
# a string, or what stands before or between values; possessive, so that no text takes memory
_MARKS = re.compile(rb'(?s)"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[,\[{]')
# an escaped backslash, a pair of surrogates (both are fine), or half of a pair
_SURROGATES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
_AT = re.compile(r"(?: - at `(?P<path>[^`]*)`)$")
_PATH = re.compile(r"([a-z_]+)(?:\[\d+\]|\.[a-z_]+)*")
_HEADS = OURS | names.FIELDS


@dataclass(frozen=True, slots=True)
class RouteBody:
    """One request, read."""

    knobs: Knobs
    policy: Policy
    view: PromptView

    @property
    def views(self) -> tuple[PromptView, ...]:
        """The prompts of the request: this one."""
        return (self.view,)


def read_route(body: bytes, settings: Settings) -> RouteBody:
    """Read the body of one request.

    Raises:
        Problem: it is no JSON, a knob is wrong, or there is nothing to route.
    """
    knobs, fields = read_fields(body)
    policy = read_policy(knobs, settings)
    return RouteBody(knobs, policy, read_view(fields, settings))


def read_fields(body: bytes) -> tuple[Knobs, dict[str, Any]]:
    """Our knobs, and the fields of a body: plain values of those that some wire has.

    Fields that nobody knows stay undecoded: whatever they hold, they cost nothing and do no harm.

    Raises:
        Problem: `invalid_json`; `invalid_request` with the path of the field; `body_too_large`.
    """
    _check_values(body)
    knobs, raw = decode_body(_KNOBS, body), decode_body(_FIELDS, body)
    return knobs, {
        name: decode_value(value, name) if name in names.FIELDS else value
        for name, value in raw.items()
        if name not in OURS and value != NULL
    }


def decode_value(raw: Raw, at: str) -> Any:  # noqa: ANN401
    """The plain value of the field at `at`; refuses as `decode_body` does."""
    return decode_body(_VALUE, memoryview(raw), at)


def _check_values(body: bytes) -> None:
    """Refuse a body of very many small values: decoded, they would take many times its size."""
    if sum(map(body.count, (b",", b"[", b"{"))) <= MAX_VALUES:  # quick; those in texts as well
        return
    decode_body(_NOTHING, body)
    marks = (mark for mark in _MARKS.finditer(body) if body[mark.start()] != ord('"'))
    if next(islice(marks, MAX_VALUES, None), None) is not None:
        raise Problem("body_too_large", f"the body may hold {MAX_VALUES:,} JSON values at most")


def decode_body(decoder: msgspec.json.Decoder[Document], body: Bytes, at: str = "") -> Document:
    """Decode a body, or the field of one at `at`, into the decoder's type.

    Raises:
        Problem: `invalid_json`, or `invalid_request` with the path of the field.
    """
    try:
        return _decode(decoder, body)
    except msgspec.ValidationError as err:
        raise _invalid(str(err), at) from None
    except UnicodeDecodeError as err:
        raise Problem("invalid_json", f"the body is not UTF-8: {err.reason}") from None
    except msgspec.DecodeError as err:
        raise Problem("invalid_json", str(err)) from None
    except RecursionError:
        raise Problem("invalid_json", "the body is nested too deeply") from None


def _decode(decoder: msgspec.json.Decoder[Document], body: Bytes) -> Document:
    """Decode; half surrogate pairs, left by clients that cut text, become U+FFFD."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        repaired = _SURROGATES.sub(lambda m: rb"\ufffd" if m[1] else m[0], body)
        if repaired == body:
            raise
        return decoder.decode(repaired)


def _invalid(message: str, at: str) -> Problem:
    found = _AT.search(message)
    inner = found["path"].removeprefix("$") if found else ""
    path, text = (at + inner).removeprefix("."), message[: found.start()] if found else message
    return Problem("invalid_request", f"{path or 'the body'}: {text}", field=path or None)


def read_view(
    body: object,
    settings: Settings,
    knobs: Collection[str] = OURS,
    *,
    wire: Wire | None = None,
) -> PromptView:
    """What the models see of a request.

    Args:
        body: plain values, as `read_request` takes them.
        settings: the operator's limits.
        knobs: fields that are read elsewhere.
        wire: that it came by; null is told from its fields.

    Raises:
        Problem: it cannot be read, or there is nothing in it or too much.
    """
    try:
        request = read_request(body, knobs)
    except PolicyError as err:
        raise policy_problem(err) from None
    if wire is not None:
        request = replace(request, wire=wire)
    turns = len(request.turns)
    if turns > settings.max_messages:
        limit = f"{settings.max_messages} (TIERWISE_MAX_MESSAGES)"
        raise Problem("prompt_too_long", f"the request has {turns} turns, the limit is {limit}")
    files = sum(1 for _ in media_of(request))
    if files > MAX_FILES:
        limit = f"at most {MAX_FILES:,} images, sounds and documents"
        raise Problem("prompt_too_long", f"a request may have {limit}, this one has {files:,}")
    view = view_of(request)
    most = settings.max_prompt_chars
    if most is not None and view.asked.n_chars > most:
        limit = f"{most} (TIERWISE_MAX_PROMPT_CHARS)"
        detail = f"the prompt has {view.asked.n_chars} characters, the limit is {limit}"
        raise Problem("prompt_too_long", detail)
    return view


def read_policy(knobs: Knobs, settings: Settings) -> Policy:
    """What the caller wants of the decision.

    Raises:
        Problem: a knob is out of range, contradicts another or is not supported.
    """
    allowed = knobs.allowed_models
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
            threshold=knobs.threshold,
            min_quality=knobs.min_quality,
            max_quality_drop=knobs.max_quality_drop,
            max_cost_usd=knobs.max_cost_usd,
            allowed_models=tuple(allowed or ()),
            requires=Requires.of(knobs.requires or {}),
            max_latency_ms=knobs.max_latency_ms,
            current_arm=knobs.current_arm,
            in_tool_loop=knobs.in_tool_loop,
        )
    except PolicyError as err:
        raise policy_problem(err) from None


def policy_problem(err: PolicyError) -> Problem:
    """The refusal that an error of the decision core amounts to."""
    detail = str(err)
    path = _PATH.match(detail)
    field = path[0] if path and path[1] in _HEADS else None
    code = err.code if err.code in PROBLEMS else "invalid_policy"
    return Problem(code, detail, field=field)


def encode(document: dict[str, Any]) -> bytes:
    """UTF-8 JSON of a response."""
    return msgspec.json.encode(document)
