"""The gate as one page that opens offline: verdict, checks, frontiers, domains, who moves where."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from string import Template

from ..measure.off_policy import Estimate
from ..reports.frontier_chart import frontier_chart
from ..reports.report import asset, chart_library
from ..reports.report_tables import table, whisker
from ..reports.themes import chart_config
from ..reports.wording import arm_name, money, percent, signed_points, span, tone
from .checks import Check, Gate
from .compare import OnOutcomes
from .moves import Move, PromptMove, moves, prompt_moves
from .values import Value

PAGE = Path(__file__).with_name("gate.html")
MOST_MOVES, MOST_PROMPTS, EXCERPT = 30, 40, 140
DOMAIN = "domain "
NO_OUTCOMES = "<p>No outcomes of every arm were given (--data); the log alone decides.</p>"
NO_LOG = "<p>No decision log was given (--log); held-out outcomes alone decide.</p>"
NAMES = {"ips": "inverse propensity (IPS)", "snips": "self-normalised (SNIPS)",
         "dr": "doubly robust (DR)"}  # fmt: skip


def write_page(
    path: Path, record: Gate, found: OnOutcomes | None, logged: Sequence[Move] | None
) -> None:
    """Write the page.

    Args:
        path: of the file.
        record: the verdict with its checks.
        found: the comparison on outcomes; without it the page has no frontier.
        logged: changes of arm on logged decisions, where there is a log.
    """
    path.write_text(render(record, found, logged), "utf-8")


def render(record: Gate, found: OnOutcomes | None, logged: Sequence[Move] | None) -> str:
    """The page's HTML."""
    values = {
        "title": f"Gate: {escape(record.candidate)} against {escape(record.incumbent)}",
        "verdict": escape(record.verdict),
        "tone": {"passed": "good", "failed": "bad"}.get(record.verdict, ""),
        "summary": escape(record.summary),
        "checks": table("gate", HEAD, map(_check_row, _general(record))),
        "frontier": '<div id="frontier" class="chart"></div>' if found else NO_OUTCOMES,
        "domains": _domains(record) if found else NO_OUTCOMES,
        "values": _values(record) if record.values else NO_LOG,
        "moves": _moves(found) if found else NO_OUTCOMES,
        "logged": NO_LOG if logged is None else _move_table(logged, "Mean gain in reward"),
        "style": asset("report.css"),
        "library": chart_library() if found else "",
        "specs": _specs(found),
    }
    return Template(PAGE.read_text("utf-8")).substitute(values)


HEAD = ("Check", "Verdict", "Candidate − incumbent", "95% interval", "Limit", "")


def _general(record: Gate) -> list[Check]:
    """The checks, all domains in one line: they have a section of their own."""
    return [check for check in record.checks if not check.name.startswith(DOMAIN)]


def _row(cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _coloured(text: str, shade: str) -> str:
    return f'<span class="{shade}">{text}</span>' if shade else text


def _verdict(check: Check) -> str:
    shade = {"passed": "good", "failed": "bad"}.get(check.verdict, "")
    note = "" if check.needed else "<small>for information</small>"
    return _coloured(escape(check.verdict), shade) + note


def _check_row(check: Check) -> str:
    value = "–" if check.value is None else f"{check.value:+.4f}"
    interval = "–"
    if check.interval is not None:
        interval = f"{check.interval[0]:+.4f} to {check.interval[1]:+.4f}"
    cells = (escape(check.name), _verdict(check), value, interval, f"{check.limit:+.4f}",
             escape(check.detail))  # fmt: skip
    return _row(cells)


def _domains(record: Gate) -> str:
    """Candidate minus incumbent in every domain, the largest loss first."""
    found = [check for check in record.checks if check.name.startswith(DOMAIN)]
    if not found:
        return "<p>The prompts carry no domain labels.</p>"
    found.sort(key=lambda check: check.value or 0.0)
    reach = max(abs(end) for check in found for end in check.interval or (0.0,)) or 0.01
    worse = sum((check.value or 0.0) < 0 for check in found)
    head = ("Domain", "Candidate − incumbent, points", "", "Verdict", "")
    rows = []
    for check in found:
        value, interval = check.value or 0.0, check.interval or (0.0, 0.0)
        points = _coloured(signed_points(value), tone(interval))
        name, ends = escape(check.name.removeprefix(DOMAIN)), span(interval, "points")
        drawn = whisker(value, interval, reach)
        cells = (name, f"{points}<small>{ends}</small>", drawn, _verdict(check))
        rows.append(_row((*cells, escape(check.detail))))
    lead = f"<p>{worse} of {len(found)} domains lose quality, by point estimate.</p>"
    return lead + table("domains-gate", head, rows, tall=len(rows) > 14)


def _values(record: Gate) -> str:
    head = ("Threshold", "Estimator", "Candidate", "Incumbent", "Candidate − incumbent", "")
    gains = [value.gain for value in record.values if value.gain is not None]
    reach = max((abs(end) for gain in gains for end in gain[1:]), default=0.0) or 0.01
    rows = [_value_row(value, reach) for value in record.values]
    reasons = {e.reason for v in record.values for e in (v.candidate, v.incumbent) if e.reason}
    told = "".join(f"<p>No verdict: {escape(reason)}.</p>" for reason in sorted(reasons))
    return told + table("values", head, rows)


def _value_row(value: Value, reach: float) -> str:
    gain, drawn = "–", ""
    if value.gain is not None:
        middle, low, high = value.gain
        shown = _coloured(signed_points(middle), tone((low, high)))
        gain = f"{shown}<small>{span((low, high), 'points')}</small>"
        drawn = whisker(middle, (low, high), reach)
    return _row(
        (f"{value.threshold:g}", NAMES[value.method], _estimate(value.candidate),
         _estimate(value.incumbent), gain, drawn)
    )  # fmt: skip


def _estimate(found: Estimate) -> str:
    worth = f"worth {found.effective:,.0f} of {found.rows:,} rows"
    if found.value is None or found.low is None or found.high is None:
        return f"–<small>{worth}</small>"
    interval = span((found.low, found.high))
    return f"{percent(found.value)}<small>{interval}; {worth}</small>"


def _moves(found: OnOutcomes) -> str:
    listed = prompt_moves(found.evaluation)
    if not listed:
        return "<p>No prompt changes its arm at threshold 0.5.</p>"
    share = len(listed) / found.evaluation.outcomes.n
    lead = (
        f"<p>{len(listed)} of {found.evaluation.outcomes.n} prompts ({share:.0%}) change arm.</p>"
    )
    by_arm = _move_table(moves(found.evaluation), "Mean quality gained")
    return lead + by_arm + _prompts(found, listed)


def _move_table(found: Sequence[Move], gained: str) -> str:
    if not found:
        return "<p>No decision changes its arm at threshold 0.5.</p>"
    rows = [
        _row((escape(arm_name(move.before)), escape(arm_name(move.after)), f"{move.prompts:,}",
              "–" if move.quality is None else signed_points(move.quality)))
        for move in found[:MOST_MOVES]
    ]  # fmt: skip
    more = len(found) - MOST_MOVES
    rest = f"<p>{more} rarer moves are left out.</p>" if more > 0 else ""
    head = ("From", "To", "Prompts", f"{gained}, points")
    return table("moves", head, rows, tall=len(rows) > 14) + rest


def _prompts(found: OnOutcomes, listed: Sequence[PromptMove]) -> str:
    """The prompts that lose most, and then those that gain most."""
    half = MOST_PROMPTS // 2
    shown = [*listed[:half], *listed[half:][-half:]] if len(listed) > MOST_PROMPTS else listed
    head = ("Prompt", "Domain", "From", "To", "Quality", "$ per 1,000")
    body = [_prompt_row(found, move) for move in shown]
    which = f"The {half} that lose most and the {half} that gain most" if len(shown) < len(listed) \
        else "All of them, the largest loss first"  # fmt: skip
    return f"<h3>One by one</h3><p>{which}.</p>" + table("prompts", head, body, tall=True)


def _prompt_row(found: OnOutcomes, move: PromptMove) -> str:
    text = " ".join(found.texts[move.row].split())
    short = text if len(text) <= EXCERPT else text[: EXCERPT - 1] + "…"
    labels = found.evaluation.outcomes.domain
    before, after = move.quality
    shade = "good" if after > before else "bad" if after < before else ""
    return _row(
        (f"{escape(short)}<small>{escape(found.prompt_ids[move.row])}</small>",
         "–" if labels is None else escape(str(labels[move.row])),
         escape(arm_name(move.before)), escape(arm_name(move.after)),
         _coloured(f"{before:.2f} → {after:.2f}", shade),
         f"{money(move.cost_usd[0])} → {money(move.cost_usd[1])}")
    )  # fmt: skip


def _specs(found: OnOutcomes | None) -> str:
    if found is None:
        return "null"
    spec = frontier_chart(found.evaluation)
    spec.pop("$schema", None)
    themes = {"light": chart_config(dark=False), "dark": chart_config(dark=True)}
    text = json.dumps({"frontier": spec, "themes": themes}, allow_nan=False)
    return text.replace("<", "\\u003c")
