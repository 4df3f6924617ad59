"""A base inside another graph says what its scorer says; arms that it lacks are blends of kin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest

from router import Router
from router.core.bundle import Bundle
from router.core.encoder import single_threaded_session
from router.types import Arm
from tests.training.small import small_dataset
from training.errors import TrainingError
from training.evaluation.evaluate import bundle_inputs
from training.methods.base import GraphInputs, Inputs
from training.methods.onnx_graph import Graph
from training.prepare.cache import CACHE
from training.prepare.dataset import Dataset
from training.prepare.golden import GOLDEN_PROMPTS
from training.prior.heads import BaseHeads
from training.prior.kin_blend import blend_of
from training.prior.likeness import Likeness
from training.prior.prior import Prior
from training.progress import Timings


@pytest.fixture(scope="module")
def base(tiny_bundle: object) -> Bundle:
    return Bundle.load(str(tiny_bundle))


@pytest.fixture(scope="module")
def inputs(base: Bundle) -> Inputs:
    return bundle_inputs(Router.load(base.path), tuple(GOLDEN_PROMPTS), CACHE, Timings())


def prior_of(base: Bundle, blend: np.ndarray) -> Prior:
    arms = blend.shape[1]
    return Prior(
        heads=BaseHeads.of(base), blend=blend, unsure=np.zeros(arms), offset=np.zeros(arms),
        slope=0.6, level_slope=0.3,
        means=np.linspace(0.4, 0.8, arms), token_shift=np.linspace(-0.2, 0.2, arms),
    )  # fmt: skip


def test_near_what_it_knows_it_says_what_its_scorer_says(base: Bundle, inputs: Inputs) -> None:
    said = BaseHeads.of(base).says(inputs)
    scores = base.scorer.score(inputs.embedding, inputs.features, np.full(len(inputs), 40))
    near = scores.in_distribution == 1.0
    assert near.any()
    assert said.quality[near] == pytest.approx(scores.quality[near], abs=1e-6)
    assert said.tokens[near] == pytest.approx(scores.output_tokens[near], rel=1e-6)


def test_far_from_it_it_says_what_arms_are_like(base: Bundle, inputs: Inputs) -> None:
    heads = replace(BaseHeads.of(base), start=-2.0, end=-1.0)  # all is far
    usual, _, _ = base.scorer.outside
    said = heads.says(inputs).quality
    assert said == pytest.approx(np.broadcast_to(usual, said.shape))


def test_its_graph_says_what_it_says(base: Bundle, inputs: Inputs) -> None:
    rng = np.random.default_rng(0)
    prior = prior_of(base, rng.dirichlet(np.ones(len(base.manifest.arms)), 3).T)
    graph = Graph()
    embedding = graph.input("embedding", inputs.embedding.shape[1])
    features = graph.input("features", inputs.features.shape[1])
    wired = GraphInputs(embedding, features)
    for name, add in (
        ("quality", prior.add_quality),
        ("variance", prior.add_variance),
        ("tokens", prior.add_tokens),
    ):
        graph.output(graph.cast(add(graph, wired), np.float32), name, np.float32, 3)
    model = graph.model()
    names = [node.name for node in model.graph.node]
    assert len(names) == len(set(names))
    own = sum(name.startswith("base_") for name in names)
    assert own == len(prior.heads.model.graph.node), "once"
    session = single_threaded_session(model.SerializeToString())
    feed = {"embedding": inputs.embedding, "features": inputs.features}
    found = session.run(["quality", "variance", "tokens"], feed)
    said = prior.heads.says(inputs)
    for told, ours in zip(
        found, (prior.quality(said), prior.variance(said), prior.tokens(said)), strict=True
    ):
        assert told == pytest.approx(ours, rel=1e-5, abs=1e-6)


def test_slopes_keep_the_means_of_arms(base: Bundle, inputs: Inputs) -> None:
    heads = BaseHeads.of(base)
    said = heads.says(inputs)
    blend = np.eye(len(base.manifest.arms))
    prior = replace(prior_of(base, blend), means=said.quality.mean(axis=0))
    assert prior.quality(said).mean(axis=0) == pytest.approx(said.quality.mean(axis=0))
    nothing = replace(prior, slope=0.0, level_slope=0.0).quality(said)
    assert nothing == pytest.approx(np.tile(prior.means, (len(inputs), 1)))


def test_a_graph_of_another_make_is_refused(base: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    older = onnx.load(base.path / "router.onnx")
    older.opset_import[0].version = 13
    monkeypatch.setattr("training.prior.heads.onnx.load", lambda _: older)
    with pytest.raises(TrainingError, match="train it anew"):
        BaseHeads.of(base)


def own_rows(base: Bundle, arms: tuple[Arm, ...], cost: list[float]) -> Dataset:
    quality = np.full((5, len(arms)), 0.5, dtype=np.float32)
    data = small_dataset(quality, np.tile(np.array(cost), (5, 1)))
    return replace(data, arms=arms, families=tuple(arm.model for arm in arms))


def test_a_known_arm_is_itself_and_another_is_made_of_its_kin(base: Bundle) -> None:
    infos = base.manifest.arms
    known = infos[2]
    stranger = Arm(f"{known.model}-x", known.tier)
    arms = (*(info.arm for info in infos), stranger)
    data = own_rows(base, arms, [info.mean_cost_usd for info in infos] + [known.mean_cost_usd])
    found = blend_of(base, data, 0.1)
    assert found.weights[:, :-1] == pytest.approx(np.eye(len(infos)))
    assert found.variance[:-1] == pytest.approx(np.zeros(len(infos)))
    assert found.weights[:, -1].sum() == pytest.approx(1.0, abs=0.02)
    assert found.weights[:, -1].argmax() == 2
    assert found.variance[-1] > 0.0
    assert found.known.tolist() == [True] * len(infos) + [False]


def test_a_likeness_goes_before_kin(base: Bundle) -> None:
    known = base.manifest.arms[4]
    arms = (Arm("mine", known.tier), base.manifest.arms[0].arm)
    data = own_rows(base, arms, [1e-3, 1e-3])
    said = Likeness(model="mine", like=known.model, offset=0.05, uncertainty=0.02)
    found = blend_of(base, data, 0.1, [said])
    assert base.manifest.arms[int(found.weights[:, 0].argmax())].arm == known.arm
    assert sorted(found.weights[:, 0])[-2:] == [0.0, 1.0]
    assert found.variance[0] == pytest.approx(0.04)
    assert found.offset.tolist() == [0.05, 0.0]
    for wrong in (replace(said, model="nobody"), replace(said, like="nobody")):
        with pytest.raises(TrainingError, match="nobody"):
            blend_of(base, data, 0.1, [wrong])
