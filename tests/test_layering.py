"""Who may import whom; walks every file, lazy imports included."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "router": (),
    "data": ("router.types", "router.events"),
    "training": ("data", "router"),
    "serving": ("router",),
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
    assert imports(ROOT / "training" / "cli.py", "training") & {"data.tables"}


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
