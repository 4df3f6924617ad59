"""Who may import whom; walks every file, lazy imports included."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "router": (),
    "data": ("router.types", "router.events", "router.atomic"),
    "training": ("data", "router"),
    "serving": ("router",),
}
# From the ground up: a room imports only from rooms that stand before it. Files of a package's root
# are rooms of their own.
FLOORS = {
    "router": (
        "version types errors atomic strict events catalogue core constraints engine explain "
        "budget cli __init__ __main__"
    ),
    "data": (
        "errors schema prices clean split tables layouts records pricelists engines "
        "progress simulation repeated events fetch shard ingest summary commands __main__ __init__"
    ),
    "training": (
        "__init__ errors config progress threads measure reports prepare methods selection bundle "
        "preferences evaluation tiers pipeline starter retrain status certify gate edit batch "
        "commands benchmarks"
    ),
}
HEAVY = ("sklearn", "lightgbm", "polars", "torch", "bentoml", "scipy", "onnx", "rich")


def imports(path: Path, package: str) -> set[str]:
    """Absolute names that a file imports, relative ones resolved."""
    found: set[str] = set()
    parents = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(parents[: len(parents) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] != package}


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_only_what_it_may(package: str) -> None:
    offences = []
    for path in sorted((ROOT / package).rglob("*.py")):
        for name in imports(path, package):
            ours = name.split(".")[0] in ALLOWED
            may = any(name == ok or name.startswith(f"{ok}.") for ok in ALLOWED[package])
            # `from router.types import Arm` names router.types and router.types.Arm
            if ours and not may:
                offences.append(f"{path.relative_to(ROOT)} imports {name}")
    assert offences == []


def test_the_rule_would_catch_an_offence(tmp_path: Path) -> None:
    assert imports(ROOT / "training" / "commands" / "train.py", "training") & {"data.tables"}


def relative_imports(package: str) -> dict[str, set[str]]:
    """File -> files of the same package that it imports, as dotted names without the package."""
    files = sorted((ROOT / package).rglob("*.py"))
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in files}
    found: dict[str, set[str]] = {}
    for path in files:
        here = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        # a package's own name stands for its __init__
        asked = {n if n in names else f"{n}.__init__" for n in imports(path, "")}
        found[here] = {n for n in asked if n in names and n.startswith(f"{package}.")} - {here}
    return found


@pytest.mark.parametrize("package", FLOORS)
def test_rooms_import_only_from_floors_below(package: str) -> None:
    floors = FLOORS[package].split()
    upward = []
    for file, asked in relative_imports(package).items():
        here = file.split(".")[1]
        for other in asked:
            there = other.split(".")[1]
            if there not in {here, "__init__"} and floors.index(there) >= floors.index(here):
                upward.append(f"{file} imports {other}")
    assert upward == []


@pytest.mark.parametrize("package", ALLOWED)
def test_no_files_import_each_other_in_a_circle(package: str) -> None:
    graph = {file: sorted(asked) for file, asked in relative_imports(package).items()}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, naming the circle


def test_importing_the_router_loads_nothing_heavy() -> None:
    code = f"import sys, router; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


def test_routing_needs_none_of_the_heavy_packages(tiny_bundle: Path) -> None:
    code = (
        "import sys; from router import Router; "
        f"Router.load({str(tiny_bundle)!r}).route('What is 17*23?'); "
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
