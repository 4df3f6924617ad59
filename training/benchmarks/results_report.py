"""RESULTS.md: every figure read from the JSON of the runs, none typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..measure.summary import Summary, read_summary
from ..reports.wording import MINUS, arm_name
from .results_chart import leads_png
from .results_tables import field_table, grid, heading, method_table, overview, summary_table
from .routellm import BENCHMARKS, PRINTED
from .run import Json, read

START, END = "<!-- results: start -->", "<!-- results: end -->"  # around the README's table
PICTURE = Path("figures") / "results.png"  # beside the report

HEAD = """\
# Results

Written by `make results`; no figure here was typed. Real outcomes of real models, test split.
Every method is trained on the same train split, sees the same sentence embedding (at the
encoder's full depth) and, where it has no cost rule of its own, the same predicted costs.
Quality and cost are realised. What each method is and what we changed:
[baselines/README.md](baselines/README.md).

AIQ: mean quality of the upper hull of (mean cost, mean quality) from the cheapest to the
dearest single arm's mean cost, linear in dollars. Savings: against the best single arm's cost,
at its quality or 95 % of it. Regret: mean loss against hindsight over prices of money; lower is
better. Intervals are 95 %, paired bootstrap over prompts, of *ours − method*: ▲ ours is
significantly better, ▼ ours is significantly worse, no mark: level. A dash: never reached. Rows
with † cannot be deployed: hindsight, or told each test prompt's label, which no live router is;
they are bounds, not rivals.
"""

FIELD_TEXT = """\
The router's figures as other papers define them, with 95 % intervals; every method has them in
`evaluate --json` and in the HTML report. A dash: not defined there (APGR, CPT and drops are for
pools of two models). QNC, CPT, drops, ECE and Brier: lower is better.
"""

LEAVE_OUT_TEXT = """\
Trained without a task, evaluated on it. The gap is the router's mean quality at the arm's own
mean cost minus that arm's quality, with its 95 % paired interval: against the best arm of the
rows it was trained on (what anyone would use who knew no more), and against the best arm of the
unseen task itself, which only hindsight knows. WORSE: the whole interval lies below 0. Where a
dataset has more labels than can be left out one by one, subjects of one kind are one task.
Settings are those that training on all tasks chose; nothing is fitted on the task.
"""

OWN_TEXT = """\
GPT-4-1106 and Mixtral-8x7B on MMLU and GSM8K; the x-axis is the share of calls to GPT-4,
prompts are ranked by the predicted gain in quality alone, at the eleven quantile thresholds of
RouteLLM's code; CPT is read off the running maximum. RouteLLM's rows are those of tables 2 and
3 of arXiv 2406.18665, measured by its authors on the whole benchmarks.

**Ours trains in-domain**, on labelled outcomes of the same benchmarks (other prompts of them),
and so do RouteLLM's methods where marked *retrained here*; RouteLLM's own routers learned from
Chatbot Arena battles, for MMLU with about 1,500 labels of its validation split, for GSM8K with
battles judged by GPT-4. The rows without the subject group (or without GSM8K) are the fairer
comparison: that router never saw an outcome of what it routes.
"""


def write(path: Path, out: Path, names: Sequence[str], readme: Path | None = None) -> None:
    """Write the report and its picture from the results under `out`.

    Args:
        path: of the Markdown file; the picture goes to `figures/` beside it.
        out: folder of the results, one folder a dataset.
        names: of the datasets, in order; those without results are left out.
        readme: gets the overview between its marks, once every dataset has results.
    """
    found = {name: read(out / name / "evaluation.json") for name in names}
    results = {name: read_summary(json) for name, json in found.items() if json is not None}
    if not results:
        return
    picture = path.parent / PICTURE
    picture.parent.mkdir(parents=True, exist_ok=True)
    leads_png(picture, results)
    left = {name: read(out / name / "leave_out.json") for name in results}
    own = read(out / "routellm" / "own_setting.json")
    path.write_text(render(results, left, own), "utf-8")
    if readme is not None and len(results) == len(names):
        put_into(readme, overview(results))


def put_into(document: Path, body: str, marks: tuple[str, str] = (START, END)) -> None:
    """Write text between the two marks of a document; one without them stays as it is."""
    text = document.read_text("utf-8")
    before, start, rest = text.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if start and end:
        document.write_text(f"{before}{start}\n{body}{end}{after}", "utf-8")


def render(
    results: Mapping[str, Summary], left: Mapping[str, Json | None], own: Json | None
) -> str:
    """The Markdown of the report."""
    parts = [
        HEAD,
        "## Summary\n",
        summary_table(results),
        f"![The router's lead in AIQ over every method, by dataset]({PICTURE.as_posix()})\n",
        "Blue: significantly ahead; grey: level; red: significantly behind. † is told the label.\n",
    ]
    for name, found in results.items():
        parts += [f"## {name}\n", heading(name, found), method_table(found)]
    parts += ["## In other papers’ terms\n", FIELD_TEXT, field_table(results)]
    known = {name: rows for name, rows in left.items() if rows is not None}
    if known:
        parts += ["## Leave one task out\n", LEAVE_OUT_TEXT, leave_out_table(known)]
    if own is not None:
        parts += ["## RouteLLM’s own setting\n", OWN_TEXT, contaminated_text(own)]
        for name in BENCHMARKS:
            parts += [_own_heading(name, own), own_table(name, own)]
    return "\n".join(parts)


def leave_out_table(left: Mapping[str, Json]) -> str:
    """One row a task."""
    head = (
        "dataset", "task left out", "prompts", "best arm known", "gap", "best arm in hindsight",
        "gap", "in distribution",
    )  # fmt: skip
    rows = []
    for name, found in left.items():
        for row in found["tasks"]:
            known, best = row["known_best"], row["hindsight_best"]
            few = " (too few for a verdict)" if row["too_few"] else ""
            rows.append(
                [
                    name, row["task"] + few, str(row["n_prompts"]),
                    arm_name(known["arm"]), _gap(known),
                    arm_name(best["arm"]), _gap(best),
                    f"{100 * row['in_distribution']:.0f} %",
                ]
            )  # fmt: skip
    return grid(head, rows)


def _gap(row: Json) -> str:
    low, high = row["ci95"]
    sign = " WORSE" if row["worse"] else ""
    return f"{row['gap']:+.4f} [{low:+.4f}, {high:+.4f}]{sign}".replace("-", MINUS)


def contaminated_text(own: Json) -> str:
    """What could be done about contaminated prompts, with counts."""
    found = own["contaminated"]
    here = found["train"] + found["test"]
    return (
        f"RouteLLM's repository lists {found['listed']} evaluation prompts of the two benchmarks "
        f"as contaminated (0.95 or more in cosine to an Arena prompt); {here} are in these "
        f"tables, {found['train']} in train and {found['test']} in test; all were taken out "
        "before training and measuring. The tables hold a part of both benchmarks, and ours is "
        "measured on their test split alone, so the prompts are not exactly those of the paper.\n"
    )


def _own_heading(name: str, own: Json) -> str:
    part = own["in_domain"][name]
    quality = part["quality"]
    return (
        f"### {name.upper()}\n\n{part['n_prompts']} test prompts; quality of GPT-4 "
        f"{quality['strong']:.3f}, of Mixtral {quality['weak']:.3f}; {part['n_train']} training "
        "prompts of the same benchmark.\n"
    )


def own_table(name: str, own: Json) -> str:
    """Ours, retrained methods and RouteLLM's own figures on one benchmark."""
    head = ("method", "learned from", "CPT(50 %)", "CPT(80 %)", "APGR")
    methods = own["in_domain"][name]["methods"]
    rows = [_own_row("**tierwise**", "in-domain outcomes", methods["tierwise"])]
    away = own["left_out"]
    what = "outcomes without the prompt's subject group" if name == "mmlu" else "MMLU outcomes"
    rows.append(_own_row("**tierwise**, left out", what, away[name]))
    for group, found in away.items():
        if group.startswith(f"{name}/"):
            rows.append(_own_row(f"tierwise, without {group.split('/')[1]}, on it", what, found))
    for method, found in methods.items():
        if method != "tierwise":
            label = method.replace("_", " ")
            rows.append(_own_row(f"{label}, retrained here", "in-domain outcomes", found))
    for row in PRINTED[name]:
        figures = (f"{row.cpt_50:.2f} %", f"{row.cpt_80:.2f} %", f"{row.apgr:.3f}")
        rows.append([f"RouteLLM {row.method}", row.data, *figures])
    return grid(head, rows)


def _own_row(label: str, data: str, figures: Json) -> list[str]:
    cpt = [_written(figures[name], "{:.2f} %", ".0f", 100) for name in ("cpt_50", "cpt_80")]
    return [label, data, *cpt, _written(figures["apgr"], "{:.3f}", ".3f")]


def _written(figure: Json, form: str, end: str, unit: float = 1.0) -> str:
    """A figure with its interval, both times `unit`, by format strings."""
    value, ends = figure["value"], figure["ci95"]
    if value is None:
        return "–"
    interval = "" if ends is None else f" [{unit * ends[0]:{end}}, {unit * ends[1]:{end}}]"
    return form.format(unit * value) + interval
