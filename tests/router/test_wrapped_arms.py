"""What stands around an ask does not change who answers it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from router import Policy, Router
from router.request.view import read_prompt
from tests.bench.wrapping import THRESHOLDS, arms, moved
from tests.router.request.test_wrapping import ASKS
from tests.worlds.prompts import make_prompts
from tests.worlds.wrappings import document, wrappings


@pytest.fixture(scope="module")
def router(tiny_bundle: Path) -> Router:
    return Router.load(tiny_bundle)


def test_few_wrappings_change_the_arm(router: Router) -> None:
    asked = [*ASKS, *make_prompts(10, seed=4)]
    for rows in moved(router, asked, tries=12).values():
        assert rows.mean(axis=0).max() <= 0.1
    # which would mean nothing if every ask got one arm
    assert max(len({arms(router, [ask])[i] for ask in asked}) for i in range(len(THRESHOLDS))) > 1


def test_equal_asks_in_different_wrappings_are_equal_views(router: Router) -> None:
    every = random.Random(0).sample(list(wrappings(ASKS[1], 3)), 20)  # noqa: S311
    parts = [[{"type": "text", "text": text} for text in wrapped.texts] for wrapped in every]
    views = {read_prompt([{"role": "user", "content": part}]) for part in parts}
    assert len(views) == 1


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_what_a_client_adds_is_read_by_whoever_answers(router: Router, threshold: float) -> None:
    policy = Policy(threshold=threshold)
    tool = {"type": "function", "function": {"name": "f", "description": document("prose", 1)}}
    for ask in ASKS:
        turn = {"role": "user", "content": ask}
        bare = router.route([turn], policy)
        body = {
            "messages": [{"role": "system", "content": document("markdown", 2)}, turn],
            "tools": [tool],
        }
        found = router.route(body, policy)
        assert bare.arm == found.arm
        assert found.predicted.cost_usd > bare.predicted.cost_usd
