"""The exported graph must say what was fitted; what differs by rounding alone is no difference."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from router.core import features
from router.types import Floats
from tests.training.small import small_dataset
from training.bundle.model import FittedModel, check_parity
from training.config import ClusterConfig, TrainConfig
from training.errors import ExportError
from training.methods.affine import Affine
from training.methods.base import Folds, GraphInputs, Inputs, Predictor
from training.methods.cluster import ClusterTable
from training.methods.costs import fit_meter, fit_tokens
from training.methods.level import fit_level
from training.methods.linear import linear_head, ridge_on_design
from training.methods.onnx_graph import Graph
from training.prepare.dataset import Dataset
from training.selection.calibrate import Calibration
from training.selection.stack import Stack

N, D, ARMS = 300, 12, 4


def prompts(seed: int = 0) -> Inputs:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(N, D))
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    text = rng.normal(size=(N, len(features.NAMES)))
    return Inputs(unit.astype(np.float32), text.astype(np.float32))


def fitted(quality: np.ndarray) -> tuple[FittedModel, Inputs, Dataset]:
    """A cluster table and a ridge on outcomes (N, ARMS), half and half, and trees beside them."""
    inputs = prompts()
    cost = np.tile([1.0, 2.0, 3.0, 4.0], (N, 1)) * 1e-4
    data = small_dataset(quality.astype(np.float32), cost)
    table = ClusterTable.fit(inputs, data.quality, ClusterConfig(), k=8, seed=0)
    folds, config = Folds(np.arange(N) % 3, np.arange(N)), TrainConfig()
    design, weights = ridge_on_design(inputs, data.quality, folds, 0.05, (10.0,))
    tokens = data.output_tokens.astype(np.float32)
    model = FittedModel(
        predictors={"cluster": table, "ridge": linear_head(design, weights[0, -1])},
        table=table,
        stack=Stack.of(["cluster", "ridge"], data.quality, config.stack),
        trees=fit_level(inputs, data.quality, folds, config.level, share=True, seed=0)[-1],
        calibration=Calibration(slope=np.ones(ARMS), shift=np.zeros(ARMS)),
        tokens=fit_tokens(inputs, tokens, folds, config)[1],
        meter=fit_meter(data, None),
    )
    return model, inputs, data


def drawn() -> np.ndarray:
    return np.random.default_rng(1).random((N, ARMS))


def test_a_faithful_graph_makes_every_choice_alike() -> None:
    model, inputs, data = fitted(drawn())
    parity = check_parity(model, model.to_onnx(D), inputs, data)
    assert (parity.rows, parity.same_arm) == (N, 1.0)
    assert parity.quality_gap < 1e-5


def test_arms_that_are_equally_good_are_one_choice() -> None:
    model, inputs, data = fitted(drawn())
    level = replace(model, calibration=Calibration(slope=np.zeros(ARMS), shift=np.full(ARMS, 2.0)))
    nudged = np.full(ARMS, 2.0) + np.array([1.0, 2.0, 3.0, 4.0]) * 1e-6
    other = replace(level, calibration=Calibration(slope=np.zeros(ARMS), shift=nudged))
    # at λ = 0 one prefers the cheapest arm and the other the dearest, by less than rounding
    assert check_parity(level, other.to_onnx(D), inputs, data).same_arm == 1.0


@dataclass(frozen=True)
class Crooked:
    """A ridge whose graph says 0.3 less of arm 1 than its fitted model does."""

    straight: Predictor

    def predict(self, inputs: Inputs) -> Floats:
        return self.straight.predict(inputs) + np.float32([0.0, 0.3, 0.0, 0.0])

    def add_to(self, graph: Graph, inputs: GraphInputs) -> Affine:
        return self.straight.add_to(graph, inputs)


def test_the_error_names_prompt_arm_and_method() -> None:
    model, inputs, data = fitted(drawn())
    crooked = model.predictors | {"ridge": Crooked(model.predictors["ridge"])}
    wrong = replace(model, predictors=crooked)
    found = r"for prompt '\d+' and arm model 1\|default, where ridge is off by 0\.3"
    with pytest.raises(ExportError, match=found):
        check_parity(wrong, wrong.to_onnx(D), inputs, data)


def test_a_gap_that_no_method_has_is_said() -> None:
    model, inputs, data = fitted(drawn())
    shifted = Calibration(slope=np.ones(ARMS), shift=np.array([0.0, 0.0, 0.4, 0.0]))
    graph = replace(model, calibration=shifted).to_onnx(D)
    with pytest.raises(ExportError, match=r"arm model 2\|default, where every method agrees"):
        check_parity(model, graph, inputs, data)
