"""HTML pages: templates that escape everything, charts inlined, one file that opens offline.

The chart library is inlined and a content security policy forbids every request, so what the
reader sees is what was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from . import wording
from .frontier_chart import VEGALITE, Spec
from .themes import chart_config

LIBRARY = "window.vegaEmbed = vegaEmbed;"
TEMPLATES = Path(__file__).with_name("templates")
WIDTH = 130  # pixels of a whisker

FILTERS = {
    "arm": wording.arm_name,
    "excerpt": wording.excerpt,
    "listing": wording.listing,
    "method": wording.method_name,
    "money": wording.money,
    "percent": wording.percent,
    "points": wording.signed_points,
    "signed_percent": wording.signed_percent,
    "span": wording.span,
    "tone": wording.tone,
}


def render_page(template: Path, charts: Mapping[str, Spec | None], **values: object) -> str:
    """A page's HTML.

    Args:
        template: extends `base.html`; its folder is searched first.
        charts: element id -> Vega-Lite specification, or one for each position of a switch; None
            draws nothing.
        values: what the template shows; every text in it is escaped.
    """
    drawn = {name: _without_address(spec) for name, spec in charts.items() if spec is not None}
    themes = {"light": chart_config(dark=False), "dark": chart_config(dark=True)}
    page = _environment(template.parent).get_template(template.name)
    return page.render(charts=drawn, themes=themes, **values)


@cache
def chart_library() -> Markup:
    """Vega, Vega-Lite and Vega-Embed as one script, without the address of its online editor."""
    code = vl_convert.javascript_bundle(snippet=LIBRARY, vl_version=VEGALITE)
    code = code.replace("https://vega.github.io/editor/", "").replace("</script", "<\\/script")
    return Markup(code)  # noqa: S704  # the library's own code


def pixels(value: float, reach: float) -> float:
    """Where a value lies on a whisker that ends at ±reach."""
    return round(WIDTH / 2 * (1 + max(-1.0, min(1.0, value / reach)) * 0.94), 1)


def _without_address(spec: Spec) -> Spec:
    """A specification without the address of its schema: nothing should look like a request."""
    return {
        key: _without_address(part) if isinstance(part, dict) and "$schema" in part else part
        for key, part in spec.items()
        if key != "$schema"
    }


@cache
def _environment(folder: Path) -> Environment:
    found = Environment(
        loader=FileSystemLoader([folder, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    found.filters |= FILTERS | {"pixels": pixels, "write": _written}
    found.globals["chart_library"] = chart_library
    return found


def _written(value: float | None, form: str) -> str:
    return wording.FORMS[form](value)
