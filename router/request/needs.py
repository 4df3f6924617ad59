"""What a request needs of a model, seen wherever it stands in the request.

Rules: an image, a sound or a document anywhere, in a tool's result as well, needs the ability to
take it; tools are needed where some are offered, and where the history has calls or results; json
where the answer must be JSON; the system role where a system turn is sent; effort where thinking
is asked for. Thinking that is asked to be off needs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from .types import Media, Request, Thinking

# the names that `requires` takes beside `context`, in the order in which they are told
ABILITIES = ("vision", "audio", "document", "tools", "json", "system_role", "effort")
MEDIA = {"image": "vision", "audio": "audio", "document": "document"}


def needs(request: Request) -> frozenset[str]:
    """The abilities, of `ABILITIES`, without which a model cannot answer a request."""
    found = {MEDIA[item.kind] for item in media_of(request)}
    if request.tools or any(t.calls or t.results or t.role == "tool" for t in request.turns):
        found.add("tools")
    if request.json or request.schema:
        found.add("json")
    if any(turn.role == "system" for turn in request.turns):
        found.add("system_role")
    if request.thinking is not None and thinks(request.thinking):
        found.add("effort")
    return frozenset(found)


def media_of(request: Request) -> Iterator[Media]:
    """Every image, sound and document of a request, those in results of tools as well."""
    for turn in request.turns:
        yield from turn.media
        for result in turn.results:
            yield from result.media


def thinks(thinking: Thinking) -> bool:
    """Whether thinking is asked for; `none` and a budget of 0 ask for none."""
    return thinking.on and thinking.effort != "none" and thinking.tokens != 0
