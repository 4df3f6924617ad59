"""A new user's walk: a file of another tool, README's three commands, decisions that make sense."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from router.cli.main import main
from tests.worlds.tool_files import UNSEEN, litellm, promptfoo

README = (Path(__file__).parents[3] / "README.md").read_text("utf-8")
(WALK,) = re.findall(r"Bring the file that you have:\n\n```sh\n(.*?)```", README, re.DOTALL)
INGEST, TRAIN, ROUTE = WALK.splitlines()
INLINE = " ".join(README.split())


def typed(line: str) -> str:
    """What a command of README prints."""
    done = CliRunner().invoke(main, shlex.split(line)[1:])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize("tool", [promptfoo, litellm])
def test_three_commands_lead_from_a_tool_s_file_to_decisions_that_make_sense(
    tool: Callable[[Path], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ingest = INGEST.replace("results.json", tool(tmp_path))
    assert ingest in INLINE, "as README has it"
    said = typed(ingest)
    assert "left out" not in said
    typed(TRAIN)
    shown = shlex.split(ROUTE)[3]
    for wanted, prompts in UNSEEN.items():
        for text in prompts:
            found = json.loads(typed(ROUTE.replace(shown, text)))
            assert found["model"].removeprefix("openai/") == wanted, text
