"""Who may import whom; walks every file, lazy imports included."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import circles, file_graph, imports

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "router": (),
    "data": (
        "router.types",
        "router.events",
        "router.atomic",
        "router.strict",
        "router.catalogue",
        "router.request",
        "router.errors",
        "router.usage",
    ),
    "training": ("data", "router"),
    "serving": ("router",),
}
# From the ground up: a room imports only from rooms that stand before it. Files of a package's root
# are rooms of their own.
FLOORS = {
    "router": (
        "version types errors atomic strict events usage request catalogue core constraints engine "
        "explain budget cli __init__ __main__"
    ),
    "data": (
        "errors headers schema values scale collection survey texts delimited raw messages "
        "estimates price_names prices clean split layouts rows runs read efforts tables samples "
        "pricelists records public_models engines progress simulation events fetch counts shard "
        "ingest summary commands __main__ __init__"
    ),
    "training": (
        "__init__ errors config progress threads measure reports prepare methods selection bundle "
        "sources prior preferences evaluation tiers pipeline starter_prices starter retrain status "
        "certify gate edit init batch commands benchmarks"
    ),
}
HEAVY = ("sklearn", "lightgbm", "polars", "torch", "bentoml", "scipy", "onnx", "rich")


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_only_what_it_may(package: str) -> None:
    offences = []
    for path in sorted((ROOT / package).rglob("*.py")):
        for name in imports(path, ROOT):
            ours = name.split(".")[0] in ALLOWED.keys() - {package}
            may = any(name == ok or name.startswith(f"{ok}.") for ok in ALLOWED[package])
            # `from router.types import Arm` names router.types and router.types.Arm
            if ours and not may:
                offences.append(f"{path.relative_to(ROOT)} imports {name}")
    assert offences == []


def test_the_rule_would_catch_an_offence(tmp_path: Path) -> None:
    assert imports(ROOT / "training" / "commands" / "train.py", ROOT) & {"data.tables"}


@pytest.mark.parametrize("package", FLOORS)
def test_rooms_import_only_from_floors_below(package: str) -> None:
    floors = FLOORS[package].split()
    upward = []
    for file, asked in file_graph(ROOT, (package,)).items():
        here = file.split(".")[1]
        for other in asked:
            there = other.split(".")[1]
            if there not in {here, "__init__"} and floors.index(there) >= floors.index(here):
                upward.append(f"{file} imports {other}")
    assert upward == []


@pytest.mark.parametrize("package", ALLOWED)
def test_no_files_import_each_other_in_a_circle(package: str) -> None:
    assert circles(file_graph(ROOT, (package,))) == []


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
