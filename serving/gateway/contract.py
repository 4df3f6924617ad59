"""What the gateway's paths take and answer, for `GET /openapi.json`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from ..schemas import RouteRequest


class CallRequest(RouteRequest, frozen=True):
    """A client's own body, to be executed; our knobs may stand beside its fields."""

    model: Annotated[
        str | None, Meta(description="auto, auto:0.7, a declared route, or a model's own name")
    ] = None
    stream: bool | None = None


class CallAnswer(Struct, kw_only=True):
    """The upstream's own answer, whole or as events, in the wire of the request."""


class CallCount(Struct, kw_only=True):
    """Input tokens of a request, counted as billed to a few percent."""

    input_tokens: int


class CallModel(Struct, kw_only=True):
    """One name that `model` may be."""

    id: str
    object: str
    type: str


class CallModels(Struct, kw_only=True):
    """All of them."""

    data: list[CallModel]
    has_more: bool


class CallFault(Struct, kw_only=True):
    """What went wrong; code and field in the wires of OpenAI alone."""

    message: str
    type: str
    param: str | UnsetType | None = UNSET
    code: str | UnsetType | None = UNSET


class CallError(Struct, kw_only=True):
    """A refusal in the form that clients of the wire know."""

    error: CallFault
    type: Literal["error"] | UnsetType = UNSET
