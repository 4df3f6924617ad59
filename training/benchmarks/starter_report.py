"""STARTER.md: what a bundle shows on a collection, written of what the commands left.

    python -m training.benchmarks.starter_report

Reads what `starter_sources`, `leave_source_out`, `ordinary`, `languages` and `effort` wrote under
--out and writes it between the marks of --report, with pictures beside it. Sections of another
bundle than the first one's are left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt
import click

from .results_chart import panel, write_panels
from .results_report import put_into
from .shown import Shown, Table
from .starter_options import OUT, PATH

REPORT = Path("training/STARTER.md")
MARKS = ("<!-- shown: start -->", "<!-- shown: end -->")
SECTIONS = ("sources", "leave_source_out", "ordinary", "languages", "effort")
PICTURES = {
    "sources": "Lead in AIQ over the zero router: the bundle, and each source's own bundle",
    "effort": "What each step up a model's tiers brings, by kind of work",
}
NOTE = "Blue: the interval lies above 0; red: below; grey: neither.\n"


def read_sections(out: Path) -> tuple[list[Shown], list[str]]:
    """What the commands left, in order, and those left out because another bundle was shown."""
    paths = [out / f"{name}.json" for name in SECTIONS]
    found = [Shown.read(path) for path in paths if path.is_file()]
    kept = [shown for shown in found if shown.bundle_id == found[0].bundle_id]
    return kept, [shown.name for shown in found if shown not in kept]


def render(sections: Sequence[Shown]) -> str:
    """The Markdown between the marks."""
    goals = Table(
        title="",
        head=("section", "goal", "asked", "found", "met"),
        rows=tuple((s.title, *goal.cells()) for s in sections for goal in s.goals),
    )
    parts = [f"Bundle {sections[0].bundle_id}.\n", goals.markdown()]
    for shown in sections:
        parts.append(shown.markdown())
        if shown.name in PICTURES:
            path = f"figures/{picture_name(shown)}"
            parts += [f"![{PICTURES[shown.name]}]({path})\n", NOTE]
    return "\n".join(parts)


def picture_name(shown: Shown) -> str:
    """The file of a section's picture."""
    return f"starter_{shown.name}.png"


def draw(sections: Sequence[Shown], folder: Path) -> None:
    """Write the pictures of the sections that have one."""
    folder.mkdir(parents=True, exist_ok=True)
    makers = {"sources": source_panels, "effort": effort_panels}
    for shown in sections:
        panels = makers[shown.name](shown.figures) if shown.name in makers else []
        if panels:
            write_panels(folder / picture_name(shown), panels, columns=2)


def source_panels(figures: Mapping[str, Any]) -> list[alt.LayerChart]:
    """The bundle's leads, and the own bundles' where there are any."""
    found = []
    for key, title in (("lead", "the bundle"), ("own_lead", "each source's own bundle")):
        rows = [dot(row["source"], row[key]) for row in figures["sources"] if row[key]]
        if rows:
            found.append(panel(sorted(rows, key=lambda row: float(row["lead"])), title))
    return found


def effort_panels(figures: Mapping[str, Any]) -> list[alt.LayerChart]:
    """A panel for each kind of work."""
    by_work: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for step in figures["steps"]:
        name = f"{step['model']}: {_bare(step['lower'])} → {_bare(step['upper'])}"
        by_work[step["work"]].append(dot(name, step["gain"]))
    return [
        panel(sorted(rows, key=lambda row: float(row["lead"])), work, "gain in quality")
        for work, rows in by_work.items()
    ]


def dot(name: str, difference: Mapping[str, Any]) -> dict[str, Any]:
    """A difference and its interval, in points, as `panel` draws it."""
    low, high = difference["ci95"]
    standing = "ahead" if low > 0 else "behind" if high < 0 else "level"
    points = {"lead": difference["value"], "low": low, "high": high}
    return {"method": name, "standing": standing} | {k: 100 * v for k, v in points.items()}


def _bare(tier: str) -> str:
    return tier.rpartition("=")[2]


@click.command()
@click.option("--out", type=PATH, default=OUT, show_default=True)
@click.option("--report", type=PATH, default=REPORT, show_default=True)
def main(out: Path, report: Path) -> None:
    """Write the report of what was shown."""
    sections, others = read_sections(out)
    if not sections:
        raise click.ClickException(
            f"nothing was shown yet: {out} has none of {', '.join(SECTIONS)}"
        )
    draw(sections, report.parent / "figures")
    put_into(report, render(sections), MARKS)
    for name in others:
        click.echo(
            f"left out {name}: it shows another bundle than {sections[0].bundle_id}", err=True
        )
    click.echo(f"wrote {report}")


if __name__ == "__main__":
    main()
