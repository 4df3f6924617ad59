"""A client's body as the gateway reads it: by `model`, by our knobs, and as it came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from msgspec import Raw

from router.request.view import PromptView

from ..reading import NULL, RouteBody, decode_body, read_fields, read_policy, read_view
from ..schemas import Knobs
from ..settings import Settings
from .names import Wanted, merged, wanted
from .upstreams import Route
from .wires import Wire

_FIELDS = msgspec.json.Decoder(dict[str, Raw])


@dataclass(frozen=True, slots=True)
class Read:
    """A body: its fields as they came, our knobs, and what the models see of it."""

    fields: Mapping[str, Raw]
    asked: Wanted
    route: RouteBody

    @property
    def views(self) -> tuple[PromptView, ...]:
        """The prompts of the request: this one."""
        return self.route.views


def read_call(body: bytes, settings: Settings, wire: Wire, routes: Mapping[str, Route]) -> Read:
    """Read a body of a wire; refuses as `read_route`, and a `model` that asks for nothing."""
    own, plain = read_fields(body)
    name = plain.get("model")
    asked = wanted(name, routes)
    given = {field: getattr(own, field) for field in Knobs.__struct_fields__}
    knobs = msgspec.convert(merged(given, asked, str(name)), Knobs)
    view = read_view(plain, settings, wire=wire)
    raw = decode_body(_FIELDS, body)
    # null is a word of the client's own fields, and none of ours
    fields = {name: value for name, value in raw.items() if value != NULL or name not in given}
    return Read(fields, asked, RouteBody(knobs, read_policy(knobs, settings), view))
