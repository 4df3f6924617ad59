"""The source as data: files, lines, functions, comments, and who imports whom."""

from __future__ import annotations

import ast
import io
import tokenize
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PACKAGES = ("router", "data", "training", "serving")
DIRECTIVES = ("noqa", "fmt:", "type:", "pragma")  # said to tools, not to readers
Graph = Mapping[str, set[str]]


@dataclass(frozen=True)
class Function:
    """One function: where, and from `def` to its last line."""

    name: str
    lines: int


@dataclass(frozen=True)
class Module:
    """One source file."""

    path: str
    lines: int
    comments: int
    functions: tuple[Function, ...]


def modules(root: Path) -> list[Module]:
    """Every source file of the four packages."""
    return [
        read(path, root) for package in PACKAGES for path in sorted((root / package).rglob("*.py"))
    ]


def read(path: Path, root: Path) -> Module:
    """Measure one file."""
    text, name = path.read_text("utf-8"), str(path.relative_to(root))
    functions = [
        Function(f"{name}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    comments = sum(
        token.type == tokenize.COMMENT and not token.string.lstrip("# ").startswith(DIRECTIVES)
        for token in tokens
    )
    return Module(name, text.count("\n"), comments, tuple(functions))


@cache
def imports(path: Path, root: Path) -> frozenset[str]:
    """Absolute names that a file imports, relative ones resolved, lazy ones included."""
    found: set[str] = set()
    parents = path.relative_to(root).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(parents[: len(parents) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def file_graph(root: Path, packages: tuple[str, ...] = PACKAGES) -> dict[str, set[str]]:
    """File -> files of ours that it imports, as dotted names."""
    files = {
        ".".join(path.relative_to(root).with_suffix("").parts): path
        for package in packages
        for path in sorted((root / package).rglob("*.py"))
    }
    found = {}
    for here, path in files.items():
        # a package's own name stands for its __init__
        asked = {n if n in files else f"{n}.__init__" for n in imports(path, root)}
        found[here] = {name for name in asked if name in files} - {here}
    return found


def folder_graph(files: Graph) -> dict[str, set[str]]:
    """Folder -> folders that its files import; files of a package's root are folders of one."""
    found: dict[str, set[str]] = defaultdict(set)
    for file, asked in files.items():
        found[folder_of(file)] |= {folder_of(other) for other in asked} - {folder_of(file)}
    return found


def folder_of(file: str) -> str:
    """`training.gate.checks` -> `training.gate`."""
    return ".".join(file.split(".")[:2])


def circles(graph: Graph) -> list[set[str]]:
    """Groups of nodes that can all reach each other, of two and more (Kosaraju)."""
    order: list[str] = []
    seen: set[str] = set()
    back: dict[str, set[str]] = defaultdict(set)
    for node, targets in graph.items():
        for target in targets:
            back[target].add(node)

    def visit(start: str, edges: Graph) -> Iterator[str]:
        seen.add(start)
        stack = [(start, iter(sorted(edges.get(start, ()))))]
        while stack:
            node, rest = stack[-1]
            step = next((other for other in rest if other not in seen), None)
            if step is None:
                stack.pop()
                yield node
            else:
                seen.add(step)
                stack.append((step, iter(sorted(edges.get(step, ())))))

    for node in sorted(graph):
        if node not in seen:
            order += visit(node, graph)
    seen.clear()
    groups = [set(visit(node, back)) for node in reversed(order) if node not in seen]
    return [group for group in groups if len(group) > 1]


def upward(graph: Graph) -> list[tuple[str, str]]:
    """Imports that run against the best order of folders that a greedy search finds."""
    left = {node: set(targets) for node, targets in graph.items()}
    order: list[str] = []
    while left:
        wanted = {node: sum(node in targets for targets in left.values()) for node in left}
        free = [node for node in sorted(left) if not left[node] & left.keys()]
        # what imports nothing that is left comes next; in a circle, what most others ask for
        node = (
            free[0]
            if free
            else max(sorted(left), key=lambda n: wanted[n] - len(left[n] & left.keys()))
        )
        order.append(node)
        del left[node]
    place = {node: i for i, node in enumerate(order)}
    return sorted((a, b) for a, targets in graph.items() for b in targets if place[a] < place[b])
