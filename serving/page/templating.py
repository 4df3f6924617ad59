"""Jinja2 over this folder's templates: whatever is put into a page is escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import words
from .single import outcome

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def environment() -> Environment:
    """Made on the first visit, so that a service that nobody looks at never loads Jinja2."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= words.FILTERS | {"outcome": outcome}
    return made


def render(template: str, **context: Any) -> bytes:  # noqa: ANN401
    """A page, UTF-8."""
    return environment().get_template(template).render(context).encode()
