"""The committed starter decides alike on every processor: a golden file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from router import Router
from tests.training.commands.starter_decisions import GOLDEN, MARGIN, decisions
from training.prepare.cache import CACHE
from training.starter import COMMITTED, assemble


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Router:
    out = tmp_path_factory.mktemp("starter") / "bundle"
    assemble(COMMITTED, out, CACHE)
    return Router.load(out)


def test_the_starter_decides_as_the_golden_file_says(starter: Router) -> None:
    golden = json.loads(Path(GOLDEN).read_text("utf-8"))
    rows = golden["decisions"]
    assert (golden["margin"], len(rows)) == (MARGIN, 200)
    found = decisions(starter, [row["prompt"] for row in rows])["decisions"]
    wrong = [
        (row["prompt"], threshold, now[0], right)
        for row, again in zip(rows, found, strict=True)
        for threshold, now, right in zip(
            golden["thresholds"], again["arms"], row["arms"], strict=True
        )
        if now[0] not in right
    ]
    assert wrong == []


def test_the_golden_file_leaves_few_decisions_open(starter: Router) -> None:
    rows = json.loads(Path(GOLDEN).read_text("utf-8"))["decisions"]
    open_ones = [len(right) > 1 for row in rows for right in row["arms"]]
    assert np.mean(open_ones) < 0.4  # of 126 arms, many of them alike
    used = {right[0] for row in rows for right in row["arms"]}
    assert used <= set(starter.arm_ids)
    assert len(used) >= 5
