"""What keeps the source easy to read: short functions, short files, and rulers that measure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house import Module, circles, folder_graph, modules, read, upward

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def ours() -> list[Module]:
    return modules(ROOT)


def test_no_function_is_longer_than_a_screen(ours: list[Module]) -> None:
    assert [f"{f.name}: {f.lines}" for m in ours for f in m.functions if f.lines > 50] == []


def test_no_module_is_longer_than_four_hundred_lines(ours: list[Module]) -> None:
    assert [f"{module.path}: {module.lines}" for module in ours if module.lines > 400] == []


def test_a_file_is_measured_as_a_reader_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text(
        "def f():\n    # why\n    return 1  # noqa: X1\n\n\nclass A:\n    async def g(self): ...\n"
    )
    found = read(path, tmp_path)
    assert (found.lines, found.comments) == (7, 1)
    assert [(f.name, f.lines) for f in found.functions] == [("a.py:1 f", 3), ("a.py:7 g", 1)]


def test_a_circle_and_what_runs_back_up_in_it_are_found() -> None:
    graph = {"a.x": {"b.y"}, "b.y": {"c.z"}, "c.z": {"b.w"}, "b.w": set()}
    folders = folder_graph({f"p.{k}": {f"p.{v}" for v in vs} for k, vs in graph.items()})
    assert circles(graph) == []
    assert circles(folders) == [{"p.b", "p.c"}]
    assert len(upward(folders)) == 1
    assert upward({"a": {"b"}, "b": {"c"}, "c": set()}) == []
