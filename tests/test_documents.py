"""What the documents name exists: dotted names, modules to run, files, commands and file trees."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType

import pytest

from data.tables import load_tables
from router import Policy, Router
from router.cli.main import ELSEWHERE, main
from tests.conftest import CACHE
from tests.house import PACKAGES
from tests.tree import documents, entries, first_line, with_tree
from training.config import TrainConfig
from training.pipeline import train
from training.progress import Timings

ROOT = Path(__file__).parent.parent
HISTORY = {"CHANGELOG.md", "EXPERIMENTS.md"}  # they name what was
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", *(f"{name}/**/*.md" for name in (*PACKAGES, "tests")))
    for path in ROOT.glob(pattern)
    if path.name not in HISTORY
)
OURS = "|".join((*PACKAGES, "tests"))
FILES = re.compile(r"\.(?:onnx|json|jsonl|parquet|csv|toml|md|png|html|py|npz)$")


def code_of(path: Path) -> list[str]:
    """What a document sets in backticks: names, and lines of what is no Python, which is run."""
    # what stood in a named commit is history
    text = re.sub(r"^.*\bcommit [0-9a-f]{7}.*$", "", path.read_text("utf-8"), flags=re.MULTILINE)
    blocks = re.findall(r"^```(?!python)\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    inline = re.findall(
        r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    )
    return [*inline, *(line for block in blocks for line in block.splitlines())]


def is_ours(name: str) -> bool:
    """Whether a dotted name is a module, or an attribute of one."""
    if FILES.search(name):
        return True  # `router.onnx` is a file
    return is_module(name) or resolve(name) is not None


def resolve(name: str) -> object:
    """What a dotted name means: an attribute of the longest module in it, or null."""
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        if is_module(".".join(parts[:end])):
            found: object = importlib.import_module(".".join(parts[:end]))
            for attribute in parts[end:]:
                found = getattr(found, attribute, None)
            return found
    return None


def is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def is_path(name: str) -> bool:
    return (ROOT / name).exists()


def is_source(name: str) -> bool:
    """Whether `engine.py` or `gate/checks.py` is the end of some file's path."""
    folders = [ROOT / package for package in (*PACKAGES, "tests")]
    return is_path(name) or any(any(folder.rglob(name)) for folder in folders)


def is_command(name: str) -> bool:
    return name in {*ELSEWHERE, *main.commands}


RULES: tuple[tuple[str, Callable[[str], bool]], ...] = (
    (rf"(?<![\w./-])((?:{OURS})(?:\.\w+)+)", is_ours),
    (rf"python -m ((?:{OURS})[\w.]*)", is_module),
    (rf"(?<![\w./-])((?:{OURS})/[\w./-]*)", is_path),
    (r"(?<![\w./-])((?:\w+/)*\w+\.py)\b", is_source),
    (r"^(?:\$ )?tierwise ([a-z-]+)", is_command),
)


def missing(path: Path) -> list[str]:
    """What a document names and the checkout lacks."""
    return [
        name
        for text in code_of(path)
        for pattern, exists in RULES
        for name in re.findall(pattern, text)
        if not exists(name)
    ]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_names_exists(path: Path) -> None:
    assert missing(path) == []


def test_what_does_not_exist_would_be_found(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text(
        "`router.Router.rout`, `training.nowhere`, `python -m tests.bench.gone`, `data/gone.py`\n"
        "and `router.Router.route`, `training.gate`, `router.onnx`\n"
        "```sh\ntierwise trian --data\n```\n"
    )
    assert set(missing(path)) == {
        "router.Router.rout", "training.nowhere", "tests.bench.gone", "data/gone.py", "trian",
    }  # fmt: skip


def walk(title: str) -> list[tuple[str, CodeType]]:
    """The functions that a walk of CONTRIBUTING.md names, in its order."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    (part,) = re.findall(
        rf"^\*\*{title}\.\*\*.*?(?=^\*\*|^##|^`POST)", text, re.DOTALL | re.MULTILINE
    )
    names = re.findall(rf"`((?:{OURS})(?:\.\w+)+)`", part)
    found = [(name, inspect.unwrap(thing)) for name in names if callable(thing := resolve(name))]
    return [(name, thing.__code__) for name, thing in found if hasattr(thing, "__code__")]


def first_calls(run: Callable[[], object]) -> list[CodeType]:
    """Every function that `run` calls, in the order of first calls."""
    seen: dict[CodeType, None] = {}

    def look(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            seen.setdefault(frame.f_code)

    sys.setprofile(look)
    try:
        run()
    finally:
        sys.setprofile(None)
    return list(seen)


def in_order(title: str, run: Callable[[], object]) -> None:
    steps = walk(title)
    assert len(steps) >= 8
    calls = first_calls(run)
    assert [name for name, code in steps if code not in calls] == []
    assert [name for name, _ in sorted(steps, key=lambda step: calls.index(step[1]))] == [
        name for name, _ in steps
    ]


def test_the_walk_of_a_prompt_is_the_one_that_is_taken(tiny_bundle: Path) -> None:
    router = Router.load(tiny_bundle)
    talk = [
        {"role": "user", "content": "Name a prime."},
        {"role": "assistant", "content": "7"},
        {"role": "user", "content": "And the next?"},
    ]
    in_order("One prompt", lambda: router.route(talk, Policy(threshold=0.3)))


def test_the_walk_of_a_training_row_is_the_one_that_is_taken(
    world_files: Path, tiny_config: TrainConfig, tmp_path: Path
) -> None:
    def run() -> None:
        tables = load_tables(world_files / "outcomes.parquet", world_files / "prompts.parquet")
        train(tables, tiny_config, tmp_path / "bundle", CACHE, Timings())

    in_order("One training row", run)


def test_every_package_and_the_readme_have_a_file_tree() -> None:
    assert {path.parent.name for path in documents()} == {ROOT.name, *PACKAGES}


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_tree_is_what_the_files_say_of_themselves(path: Path) -> None:
    assert path.read_text("utf-8") == with_tree(path), "write it anew: python -m tests.tree"


def test_every_file_says_in_a_line_what_it_is() -> None:
    files = [path for package in PACKAGES for _, path in entries(ROOT / package)]
    assert [str(path.relative_to(ROOT)) for path in files if not first_line(path)] == []
