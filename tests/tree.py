"""The file trees in the documents: one line a file, which is the first line of its docstring.

python -m tests.tree    # writes them anew, between <!-- tree: start --> and <!-- tree: end -->
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.house import PACKAGES

ROOT = Path(__file__).parent.parent
START, END = "<!-- tree: start -->\n```text\n", "```\n<!-- tree: end -->"
# training's folders in the order in which a table passes through them, then what follows a release
STAGES = (
    "prepare", "methods", "selection", "bundle", "sources", "measure", "evaluation", "reports",
    "preferences", "tiers", "retrain", "gate", "status", "certify", "edit", "init", "batch",
    "commands", "benchmarks",
)  # fmt: skip
KEY = (
    "router/engine.py", "router/explain.py", "data/tables.py", "data/ingest.py", "data/events.py",
    "training/pipeline.py", "training/config.py", "serving/app.py", "serving/log.py",
    "serving/pacing.py",
)  # fmt: skip


def first_line(path: Path) -> str:
    """What a file, or a folder, says that it is."""
    source = path / "__init__.py" if path.is_dir() else path
    return (ast.get_docstring(ast.parse(source.read_text("utf-8"))) or "").partition("\n")[0]


def entries(folder: Path, depth: int = 0) -> Iterator[tuple[int, Path]]:
    """A folder, its files and then its folders."""
    yield depth, folder
    for path in sorted(folder.glob("*.py")):
        if not path.name.startswith("__"):
            yield depth + 1, path
    inner = {path.parent for path in folder.glob("*/__init__.py")}
    for path in sorted(inner, key=lambda p: (STAGES.index(p.name) if p.name in STAGES else -1, p)):
        yield from entries(path, depth + 1)


def tree_of(document: Path) -> str:
    """The tree of a document: of the README folders and where to start, else every file."""
    if document.name == "README.md" and document.parent == ROOT:
        rows = [row for name in PACKAGES for row in entries(ROOT / name)]
        rows = [(d, p) for d, p in rows if p.is_dir() or str(p.relative_to(ROOT)) in KEY]
    else:
        rows = list(entries(document.parent))
    names = [f"{'  ' * depth}{path.name}{'/' if path.is_dir() else ''}" for depth, path in rows]
    width = max(map(len, names)) + 2
    lines = zip(names, rows, strict=True)
    return "".join(f"{name:<{width}}{first_line(path)}\n" for name, (_, path) in lines)


def documents() -> list[Path]:
    """Those that hold a tree."""
    found = [ROOT / "README.md", *(ROOT / name / "README.md" for name in PACKAGES)]
    return [path for path in found if START in path.read_text("utf-8")]


def with_tree(document: Path) -> str:
    """The text of a document with its tree as the files are now."""
    text = document.read_text("utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}{tree_of(document)}{END}{after}"


def main() -> None:
    """Write every tree anew."""
    for document in documents():
        document.write_text(with_tree(document), "utf-8")


if __name__ == "__main__":
    main()
