"""The HTML report: one file that opens offline, in light and in dark.

The chart library is inlined and a content security policy forbids every request, so what the
reader sees is what was measured.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import vl_convert

from ..measure.result import Evaluation
from ..measure.summary import summarise
from .charts import calibration_chart, share_chart
from .field_table import field_table
from .frontier_chart import VEGALITE, frontier_chart
from .headlines import headlines, verdict
from .report_tables import arm_table, baseline_table, cards, domain_table
from .themes import chart_config
from .tier_chart import tier_chart, tier_section
from .wording import method_name, money

LIBRARY = "window.vegaEmbed = vegaEmbed;"
PAGE = Path(__file__).with_name("page")

NOTES = {
    "Quality": "Mean of the outcomes between 0 and 1, shown in percent; differences are in points "
    "of a hundred.",
    "Cost": "Mean realised US dollars, per 1,000 requests. Choices were made on predicted costs.",
    "Mean quality over the price range (AIQ)": "The upper hull of a method’s realised points, "
    "averaged from the cheapest to the dearest single arm’s mean cost, linear in dollars. A method "
    "that starts dearer is joined by the cheapest arm.",
    "Cost change": "Least cost on that hull that reaches the best single arm’s quality (or 95% of "
    "it), against that arm’s cost.",
    "Calibration error (ECE)": "Gap between predicted and realised quality in 15 bins of equal "
    "mass, mean over arms. Its interval is centred on the estimate, because resampling adds noise "
    "of its own.",
}


def write_report(
    path: Path, evaluation: Evaluation, *, title: str = "Router evaluation", notes: str = ""
) -> None:
    """Write the report as one self-contained HTML file, about 1 MB, most of it the charts' code.

    Args:
        path: of the file; its folder exists.
        evaluation: what to report.
        title: plain text.
        notes: plain text for the foot of the page, such as the bundle and the data.
    """
    path.write_text(render(evaluation, title=title, notes=notes), encoding="utf-8")


def render(evaluation: Evaluation, *, title: str, notes: str) -> str:
    """The report's HTML."""
    summary = summarise(evaluation)
    calibration = calibration_chart(evaluation)
    values = {
        "title": escape(title),
        "lede": escape(_lede(summary)),
        "cards": cards(headlines(summary)),
        "verdict": "\n".join(f"<p>{escape(sentence)}</p>" for sentence in verdict(summary)),
        "interval": " to ".join(money(usd) for usd in summary["aiq_interval_usd"]),
        "field": field_table(summary, method_name(evaluation.router.sweep.name)),
        "baselines": baseline_table(summary, method_name(evaluation.router.sweep.name)),
        "shares_text": _shares_text(evaluation),
        "tiers": tier_section(evaluation),
        "domains": domain_table(summary),
        "arms_text": _arms_text(has_chart=calibration is not None),
        "calibration": '<div id="calibration" class="chart"></div>' if calibration else "",
        "arms": arm_table(summary),
        "notes": _notes(notes),
        "style": asset("report.css"),
        "script": asset("report.js"),
        "library": chart_library(),
        "specs": _specs(evaluation, calibration),
    }
    return Template(asset("report.html")).substitute(values)


def chart_library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, without the address of its online editor."""
    code = vl_convert.javascript_bundle(snippet=LIBRARY, vl_version=VEGALITE)
    return code.replace("https://vega.github.io/editor/", "").replace("</script", "<\\/script")


def asset(name: str) -> str:
    """A file of the page's folder."""
    return PAGE.joinpath(name).read_text("utf-8").strip()


def _specs(evaluation: Evaluation, calibration: dict[str, Any] | None) -> str:
    linear, log = frontier_chart(evaluation), frontier_chart(evaluation, log=True)
    shares, tiers = share_chart(evaluation), tier_chart(evaluation)
    for spec in (linear, log, shares, tiers or {}, calibration or {}):
        spec.pop("$schema", None)  # an address; nothing here should look like a request
    specs = {
        "frontier": {"linear": linear, "log": log},
        "shares": shares,
        "tiers": tiers,
        "calibration": calibration,
        "themes": {"light": chart_config(dark=False), "dark": chart_config(dark=True)},
    }
    # "<" inside a script block could end it: arm names come from outside.
    return json.dumps(specs, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _lede(summary: dict[str, Any]) -> str:
    resamples = summary["bootstrap"]["resamples"]
    return (
        f"{summary['n_prompts']:,} prompts, {len(summary['arms'])} arms, "
        f"{len(summary['baselines'])} baselines. Intervals are 95%, from {resamples:,} paired "
        "bootstrap resamples of the prompts."
    )


def _shares_text(evaluation: Evaluation) -> str:
    along = "threshold" if evaluation.router.sweep.settings is not None else "mean cost"
    return (
        f"The share of prompts that each arm gets as the {along} rises, cheap arms at the bottom."
    )


def _arms_text(*, has_chart: bool) -> str:
    if not has_chart:
        return "This router predicts no probabilities, so there is no calibration to show."
    return (
        "A calibrated arm lies on the diagonal. Bars are 95% intervals of the realised quality; "
        "the other arms are drawn faintly."
    )


def _notes(notes: str) -> str:
    own = f"<p>{escape(notes)}</p>" if notes else ""
    terms = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in NOTES.items())
    return f"{own}<dl>{terms}</dl>"
