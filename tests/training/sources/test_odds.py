"""Log odds: contrasts shrink on easy prompts, and what is completed stays below 1."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.encoder import single_threaded_session
from tests.training.sources.made_up import made_up
from training.config import StackConfig, TrainConfig
from training.methods.affine import Affine
from training.methods.linear import sigmoid
from training.methods.onnx_graph import Graph
from training.sources.completion import cells_of
from training.sources.levels import Completions, Sources
from training.sources.odds import EASY, OddsStack, in_odds

NOTHING = np.zeros(3)
STACK = OddsStack(names=("mixture",), base=NOTHING, means=NOTHING, config=StackConfig())
SAID = np.array([[-1.0, 0.0, 1.0]], dtype=np.float32)


@given(st.floats(0.5, EASY - 0.01), st.floats(0.005, 0.1))
def test_arms_lie_closer_together_the_easier_a_prompt_is(level: float, more: float) -> None:
    told = {
        at: STACK.predict({"mixture": SAID}, np.array([at]))[0]
        for at in (level, min(level + more, EASY))
    }
    harder, easier = (np.ptp(values) for values in told.values())
    assert easier < harder
    assert told[level][1] == pytest.approx(level, abs=1e-6)  # an arm like the mean is at the level


def test_the_graph_says_what_the_stack_says() -> None:
    graph = Graph()
    said, level = graph.input("said", 3), graph.input("level", 1)
    parts = {"mixture": Affine.of(said, np.eye(3))}
    graph.output(STACK.add_to(graph, parts, level), "quality", np.float32, 3)
    session = single_threaded_session(graph.model().SerializeToString())
    levels = np.array([-0.3, 0.2, 0.7, 1.4])
    wanted = STACK.predict({"mixture": np.repeat(SAID, 4, axis=0)}, levels)
    feed = {"said": np.repeat(SAID, 4, axis=0), "level": levels[:, None].astype(np.float32)}
    assert np.abs(session.run(["quality"], feed)[0] - wanted).max() < 1e-6
    assert np.isfinite(wanted).all()


def test_means_of_tried_arms_come_back_from_their_odds() -> None:
    source = np.repeat([0, 1], 200)
    rng = np.random.default_rng(0)
    mean = np.array([[0.9, 0.8, 0.6], [0.2, 0.3, 0.5]])
    values = (rng.random((400, 3)) < mean[source]).astype(np.float32)
    middle = np.array([values[source == s].mean() for s in (0, 1)])
    cells = in_odds(cells_of(values, source, 2, None), middle)
    for s in (0, 1):
        seen = values[source == s].mean(axis=0)
        odds = np.log(seen / (1 - seen))
        assert cells.value[cells.source == s] == pytest.approx(odds - odds.mean(), abs=0.02)


def test_what_is_completed_of_untried_arms_is_a_quality() -> None:
    world = made_up(3, rows=150)
    data = world.data
    sources = Sources.of(world.inputs, data, world.folds, TrainConfig())
    completed = Completions(data.quality, sources, world.folds, odds=True)
    assert ((completed.level > 0.0) & (completed.level < 1.0)).all()
    level = np.array([completed.level[world.source == s].mean() for s in range(5)])
    above = completed[-1].mean - completed[-1].mean.mean(axis=1, keepdims=True)
    told = sigmoid(np.log(level / (1 - level))[:, None] + above)
    truth = np.clip(world.ability, 0.02, 0.98)
    assert np.abs(told - truth)[world.tried].mean() < 0.05
