"""What the README tells a user to type works, as typed."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.worlds.tool_files import promptfoo
from training.prepare.cache import CACHE

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = [
    line
    for kind, text in BLOCKS
    if kind == "sh"
    for line in text.replace("\\\n", " ").splitlines()
    if line.strip()
]


def tierwise() -> list[list[str]]:
    return [shlex.split(line) for line in COMMANDS if line.startswith("tierwise")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every command but `serve` was run in the README's order."""
    cwd = tmp_path_factory.mktemp("readme")
    promptfoo(cwd)
    environment = os.environ | {"TIERWISE_CACHE": str(CACHE), "PYTHONPATH": str(ROOT)}
    for words in tierwise():
        if words[1] != "serve":
            command = [sys.executable, "-m", "router", *words[1:]]
            done = subprocess.run(  # noqa: PLW1510
                command, cwd=cwd, env=environment, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}{done.stderr}"
    return cwd


def test_the_readme_shows_the_commands_that_matter() -> None:
    shown = {words[1] for words in tierwise()}
    assert shown >= {"data", "train", "evaluate", "serve", "route", "sweep", "inspect", "verify"}


@pytest.mark.slow
def test_every_command_does_what_it_says(folder: Path) -> None:
    made = {path.name for path in (folder / "mine").iterdir()}
    assert made >= {"bundle", "figures.json", "report.html", "frontier.html", "frontier.csv"}
    figures = json.loads((folder / "mine" / "figures.json").read_text())
    assert figures["router"]["aiq"] > 0


@pytest.mark.slow
def test_the_python_example_runs(folder: Path) -> None:
    (code,) = [text for kind, text in BLOCKS if kind == "python"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(  # noqa: PLW1510
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Reason(code='threshold'" in done.stdout


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    texts = [README, (ROOT / "CONTRIBUTING.md").read_text()]
    named = {
        name for text in texts for name in re.findall(r"(?:`|^)make ([\w-]+)", text, re.MULTILINE)
    }
    assert named >= {"serve", "test", "setup", "check", "bench", "demo"}
    assert named <= targets


def test_every_linked_file_exists() -> None:
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / name).read_text()):
            if not target.startswith("http"):
                assert (ROOT / target).exists(), f"{name} links to {target}"


def test_the_answer_shown_has_the_fields_of_a_real_one(tiny_bundle: Path) -> None:
    from router import Router

    shown, read = [json.loads(text) for kind, text in BLOCKS if kind == "json"]
    real = Router.load(tiny_bundle).route("What is 17*23?").to_dict()
    assert {*shown, *read} == {*real, "decision_id", "request", "warnings"}
