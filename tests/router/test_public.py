"""The public interface: its names, and the examples in its docstrings."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path
from types import ModuleType

import pytest

import router

PUBLIC = {
    "Arm",
    "Bundle",
    "BundleError",
    "Catalogue",
    "CatalogueError",
    "Decision",
    "NoArmAllowed",
    "Policy",
    "PolicyError",
    "Requires",
    "Router",
    "RouterError",
    "__version__",
}
EXAMPLES = {
    "router.engine": "Router.route",
    "router.core.policy": "Policy",
    "router.catalogue.catalogue": "Catalogue",
}


def test_the_public_names_are_those_that_are_promised() -> None:
    assert set(router.__all__) == PUBLIC
    assert sorted(router.__all__) == router.__all__
    for name in PUBLIC:
        assert getattr(router, name).__doc__ if name != "__version__" else router.__version__


def test_whatever_can_be_imported_from_the_package_is_promised() -> None:
    found = {name for name, value in vars(router).items() if not isinstance(value, ModuleType)}
    assert {name for name in found if not name.startswith("_")} <= PUBLIC


@pytest.mark.parametrize("module", EXAMPLES)
def test_the_examples_run(module: str, tiny_bundle: Path) -> None:
    found = importlib.import_module(module)
    tests = doctest.DocTestFinder().find(found, extraglobs={"bundle": tiny_bundle})
    with_examples = {test.name for test in tests if test.examples}
    assert f"{module}.{EXAMPLES[module]}" in with_examples
    runner = doctest.DocTestRunner()
    for test in tests:
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0
