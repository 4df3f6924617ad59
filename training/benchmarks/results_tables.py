"""The report's tables as Markdown. Every number comes from an evaluation's JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..measure.draws import Difference, Interval
from ..measure.summary import BOUNDS, ComparedSummary, MethodSummary, Summary
from ..measure.sweeps import ZERO_ROUTER
from ..reports.wording import MINUS, ROUNDING, arm_name, method_name, money

REFERENCES = frozenset({ZERO_ROUTER, "best_single", "cheapest", "random_mix"})
COLUMNS = {
    "aiq": "AIQ",
    "saving_at_best_single": "saving at best single",
    "saving_at_95": "saving at 95 %",
    "regret": "regret",
}
LESS_IS_BETTER = frozenset({"regret"})
FIELD = {
    "recovered_share": "recovered share, against the oracle",
    "recovered_share_domains": "recovered share, against the dataset oracle",
    "routerbench_aiq": "AIQ in RouterBench’s own form",
    "qnc": "QNC",
    "deferral_area": "deferral-curve area",
    "deferral_area_50": "deferral-curve area to half the dearest cost",
    "routerarena": "RouterArena score",
    "apgr": "APGR",
    "cpt_50": "CPT(50 %)",
    "cpt_80": "CPT(80 %)",
    "drop_at_10": "drop at cost advantage 10 %",
    "drop_at_20": "drop at cost advantage 20 %",
    "drop_at_40": "drop at cost advantage 40 %",
    "ece": "ECE, mean over arms",
    "brier": "Brier score, mean over arms",
}


def published(found: Summary) -> dict[str, ComparedSummary]:
    """The methods that could be deployed in the router's place."""
    away = {*REFERENCES, *BOUNDS}
    return {name: m for name, m in found.baselines.items() if name not in away}


def mark(figure: str, interval: Interval | None) -> str:
    """▲ where the router is significantly better, ▼ where it is significantly worse."""
    if interval is None:
        return ""
    low, high = interval
    if figure in LESS_IS_BETTER:
        low, high = -high, -low
    if low > ROUNDING:
        return " ▲"
    return " ▼" if high < -ROUNDING else ""


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def summary_table(results: Mapping[str, Summary]) -> str:
    """One row a dataset: where the router stands."""
    head = (
        "dataset", "prompts, arms", "AIQ", "zero router", "recovered share", "rank",
        "strongest published method", "lead over it", "ahead ▲ / level / behind ▼",
    )  # fmt: skip
    return grid(head, [_standing(name, found) for name, found in results.items()])


def _standing(name: str, found: Summary) -> list[str]:
    rivals, router = published(found), found.router
    best = max(rivals, key=lambda key: float(rivals[key].aiq))
    marks = [mark("aiq", m.aiq_difference.ci95) for m in rivals.values()]
    rank = 1 + sum(m.aiq > router.aiq for m in rivals.values())
    lead = rivals[best].aiq_difference
    ahead, behind = marks.count(" ▲"), marks.count(" ▼")
    return [
        f"[{name}](#{name})",
        f"{found.n_prompts}, {len(found.arms)}",
        _estimate("aiq", router),
        f"{found.zero_router.aiq:.4f}",
        _estimate("recovered_share", router),
        f"{rank} of {len(rivals) + 1}",
        method_name(best),
        _difference("aiq", lead),
        f"{ahead} / {len(marks) - ahead - behind} / {behind}",
    ]


def method_table(found: Summary) -> str:
    """Every method on one dataset, the best AIQ first."""
    head = ["method"]
    for label in COLUMNS.values():
        head += [label, "ours − method"]
    methods = found.baselines | {ZERO_ROUTER: found.zero_router}
    rows = [(m.aiq, _row(name, m)) for name, m in methods.items()]
    rows.append((found.router.aiq, _row("**tierwise**", found.router)))
    return grid(head, [row for _, row in sorted(rows, key=lambda row: -row[0])])


def _row(name: str, method: MethodSummary) -> list[str]:
    cells = [method_name(name)]
    if name in BOUNDS:
        cells[0] = f"*{cells[0]}* († {BOUNDS[name]})"
    elif name in REFERENCES:
        cells[0] = f"{cells[0]} (single arms)"
    for figure in COLUMNS:
        cells.append(_value(figure, getattr(method, figure)))
        lead = method.differences[figure] if isinstance(method, ComparedSummary) else None
        cells.append("" if lead is None else _difference(figure, lead))
    return cells


def _difference(figure: str, lead: Difference) -> str:
    value, interval = lead.value, lead.ci95
    if value is None:
        return "–"
    if interval is None:
        return _signed(figure, value)
    low, high = (_signed(figure, end) for end in interval)
    return f"{_signed(figure, value)} [{low}, {high}]{mark(figure, interval)}"


def _value(figure: str, value: float | None) -> str:
    if value is None:
        return "–"
    return _minus(f"{round(100 * value)} %" if figure.startswith("saving") else f"{value:.4f}")


def _signed(figure: str, value: float) -> str:
    return _minus(f"{100 * value:+.0f} %" if figure.startswith("saving") else f"{value:+.4f}")


def _minus(text: str) -> str:
    return text.replace("-", MINUS)


def _estimate(figure: str, method: MethodSummary) -> str:
    value, interval = getattr(method, figure), method.ci95[figure]
    if value is None:
        return "–"
    if interval is None:
        return _minus(f"{value:.4f}")
    return _minus(f"{value:.4f} [{interval[0]:.3f}, {interval[1]:.3f}]")


def field_table(results: Mapping[str, Summary]) -> str:
    """The router in other papers' terms, one column a dataset."""
    rows = [
        [label, *(_estimate(figure, found.router) for found in results.values())]
        for figure, label in FIELD.items()
    ]
    return grid(["figure", *results], rows)


def heading(name: str, found: Summary) -> str:
    """One dataset's facts in a paragraph."""
    best, router = found.best_single, found.router
    low, high = found.aiq_interval_usd
    lines = [
        f"{found.n_prompts} test prompts, {len(found.arms)} arms from {money(low)} to "
        f"{money(high)} per 1,000 requests. Best single arm: {arm_name(best.arm)}, quality "
        f"{best.quality:.4f} at {money(best.cost)}; hindsight reaches "
        f"{found.oracle_quality:.4f}, the router at most {router.max_quality:.4f}."
    ]
    if found.not_applicable:
        reasons = "; ".join(f"{method_name(k)}: {v}" for k, v in found.not_applicable.items())
        lines.append(f"Not applicable on {name}: {reasons}.")
    return "\n\n".join(lines) + "\n"


def overview(results: Mapping[str, Summary]) -> str:
    """For the README: one column a dataset, the router, the bounds and the strongest methods."""
    head = ["AIQ (saving at best single arm)"]
    head += [
        f"{name} ({len(found.arms)} arms, {found.n_prompts} prompts)"
        for name, found in results.items()
    ]
    rows = [["**tierwise**", *(_overview(f.router, bold=True) for f in results.values())]]
    rows.append(["zero router", *(_overview(f.zero_router) for f in results.values())])
    for method in _strongest(results):
        cells = (_overview(found.baselines.get(method)) for found in results.values())
        rows.append([method_name(method), *cells])
    known = [m for m in BOUNDS if any(m in found.baselines for found in results.values())]
    for method in known:  # runs are repeated in few sets, and labels are on few
        cells = (_overview(found.baselines.get(method)) for found in results.values())
        rows.append([f"*{method_name(method)}* †", *cells])
    rows.append(["lead over the strongest method", *(_strongest_lead(f) for f in results.values())])
    return grid(head, rows)


def _strongest(results: Mapping[str, Summary], most: int = 6) -> list[str]:
    """The methods of the highest mean AIQ over the datasets that all of them have."""
    rivals = [published(found) for found in results.values()]
    everywhere = sorted(set.intersection(*(set(r) for r in rivals)))
    return sorted(everywhere, key=lambda name: -sum(r[name].aiq for r in rivals))[:most]


def _overview(method: MethodSummary | None, *, bold: bool = False) -> str:
    if method is None:
        return "–"
    text = f"{method.aiq:.4f}"
    interval = method.ci95["aiq"]
    if bold and interval is not None:
        text = f"**{text}** [{interval[0]:.3f}, {interval[1]:.3f}]"
    saving = method.saving_at_best_single
    return text if saving is None else _minus(f"{text} ({round(100 * saving)} %)")


def _strongest_lead(found: Summary) -> str:
    rivals = published(found)
    name = max(rivals, key=lambda key: float(rivals[key].aiq))
    return f"{_difference('aiq', rivals[name].aiq_difference)} over {method_name(name)}"
