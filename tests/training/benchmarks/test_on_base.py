"""Learning curves of own rows beside a base: what is drawn, and a curve of made-up sources."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from data.tables import Tables
from training.benchmarks.on_base import BASE, BOTH, OWN, drawn, main
from training.benchmarks.shown import Shown
from training.prepare.cache import CACHE


def test_drawn_prompts_are_training_prompts_and_have_so_many_answers(world_tables: Tables) -> None:
    found = drawn(world_tables, 40, 2, seed=1)
    assert found.prompts.height == 40
    assert set(found.prompts["split"]) == {"train"}
    assert set(found.outcomes.group_by("prompt_id").len()["len"]) == {2}
    again, other = drawn(world_tables, 40, 2, seed=1), drawn(world_tables, 40, 2, seed=2)
    assert found.outcomes.equals(again.outcomes)
    assert not found.outcomes.equals(other.outcomes)
    assert drawn(world_tables, 40, 0, seed=1).outcomes.height == 40 * len(
        set(zip(world_tables.outcomes["model"], world_tables.outcomes["tier"], strict=True))
    )


def test_a_curve_tells_base_own_rows_and_both(collection: Path, tmp_path: Path) -> None:
    asked = ["--bundle", collection / "bundle", "--collection", collection / "all.toml"]
    asked += ["--sources", "watched", "--sizes", "0,40", "--draws", "1", "--per-prompt", "1"]
    asked += ["--arms", "3", "--cache", CACHE, "--out", tmp_path]
    done = CliRunner().invoke(main, [str(argument) for argument in asked])
    assert done.exit_code == 0, done.output
    none, some = Shown.read(tmp_path / "on_base_1_of_3.json").figures["points"]
    assert set(none["aiq"]) == {BASE, BOTH}
    assert none["aiq"][BASE] == none["aiq"][BOTH]
    assert set(some["aiq"]) == {BASE, OWN, BOTH}
    assert some["over_own"]["value"] == pytest.approx(some["aiq"][BOTH] - some["aiq"][OWN])
    assert some["arms"] == 3
