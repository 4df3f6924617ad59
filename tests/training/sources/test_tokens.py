"""How long answers are: arms are compared within sources, however long one source's answers are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from router.types import Doubles, Floats
from tests.training.sources.made_up import KINDS, MadeUp, made_up
from training.config import TrainConfig
from training.sources.elsewhere import Elsewhere
from training.sources.levels import Sources
from training.sources.tokens import fit_source_tokens

CONFIG = TrainConfig()
LENGTH = np.array([40.0, 4000.0, 200.0, 100.0, 1000.0])  # of the sources' answers


@pytest.fixture(scope="module")
def world() -> MadeUp:
    return made_up(7, rows=150, share=0.7)


@pytest.fixture(scope="module")
def truth(world: MadeUp) -> Doubles:
    """(n, a) expected tokens: length of the source, the arm's own and thrice as many by effort."""
    rng = np.random.default_rng(1)
    own = np.exp(rng.normal(0, 0.5, world.ability.shape[1] // 2)).repeat(2)
    own[1::2] *= 3.0
    return LENGTH[world.source][:, None] * own


@pytest.fixture(scope="module")
def found(world: MadeUp, truth: Doubles) -> Floats:
    rng = np.random.default_rng(2)
    tail = rng.normal(0, 0.6, truth.shape)
    tokens = truth * np.exp(tail - 0.5 * 0.6**2)  # means are the truth, medians 17 % below it
    asked = np.where(world.tried[world.source], tokens, np.nan).astype(np.float32)
    data = replace(world.data, output_tokens=asked.astype(np.float64), cost_usd=asked * 1e-6)
    sources = Sources.of(world.inputs, data, world.folds, CONFIG)
    held_out, model = fit_source_tokens(sources, world.inputs, asked, world.folds, CONFIG)
    assert held_out.shape == truth.shape
    return model.predict(world.inputs)


def test_tried_arms_are_told_by_their_means(world: MadeUp, truth: Doubles, found: Floats) -> None:
    for source in range(len(KINDS)):
        rows, tried = world.source == source, world.tried[source]
        ratio = found[rows][:, tried].mean(axis=0) / truth[rows][:, tried].mean(axis=0)
        assert np.abs(np.log(ratio / ratio.mean())).max() < 0.35
        assert 0.75 < ratio.mean() < 1.3  # levels are mixed by the gate


def test_untried_arms_keep_their_ratios_from_other_sources(
    world: MadeUp, truth: Doubles, found: Floats
) -> None:
    gaps = []
    for source in range(len(KINDS) - 1):
        rows, never = world.source == source, ~world.tried[source]
        never &= world.tried[np.arange(len(KINDS)) != source].any(axis=0)
        known = world.tried[source]
        says = np.log(found[rows].mean(axis=0)) - np.log(found[rows][:, known].mean())
        told = np.log(truth[rows].mean(axis=0)) - np.log(truth[rows][:, known].mean())
        gaps.append((says - told)[never])
    # arms differ by a standard deviation of 0.75; by one mean over sources they would by 2
    assert np.sqrt((np.concatenate(gaps) ** 2).mean()) < 0.45


def test_tokens_by_tier_from_elsewhere_tell_of_arms_without_outcomes(
    world: MadeUp, truth: Doubles
) -> None:
    """Means by tier of every arm, on questions like the first source's, whatever their length."""
    away = np.arange(4, 10)  # asked nowhere
    luck = np.random.default_rng(3).lognormal(-0.18, 0.6, truth.shape)
    asked = np.where(world.tried[world.source], truth * luck, np.nan)
    asked[:, away] = np.nan
    data = replace(world.data, output_tokens=asked, cost_usd=asked * 1e-6)
    told = pl.DataFrame(
        {
            "source": "source 0",
            "question_set": "1",
            "family": list(data.families),
            "tier": [arm.tier for arm in data.arms],
            "output_tokens": 7.0 * truth[0],
            "answers": 50.0,
        }
    )
    first, gaps = world.source == 0, []
    for efforts in (None, told):
        sources = Sources.of(world.inputs, replace(data, efforts=efforts), world.folds, CONFIG)
        tokens = asked.astype(np.float32)
        _, model = fit_source_tokens(sources, world.inputs, tokens, world.folds, CONFIG)
        ratio = model.predict(world.inputs)[first].mean(axis=0) / truth[0]
        gaps.append(float(np.std(np.log(ratio[away]))))
    assert gaps[1] < 0.2  # 50 answers leave 0.1
    assert gaps[1] < 0.5 * gaps[0]


def test_efforts_of_other_arms_or_of_one_change_nothing(world: MadeUp) -> None:
    row = {"source": "source 0", "question_set": "1", "output_tokens": 9.0, "answers": 50.0}
    arm = world.data.arms[0]
    one = pl.DataFrame([row | {"family": world.data.families[0], "tier": arm.tier}])
    others = pl.DataFrame([row | {"family": f"unknown-{i}", "tier": arm.tier} for i in range(3)])
    names = [f"source {i}" for i in range(len(KINDS))]
    for efforts in (None, one, others):
        assert Elsewhere.of(replace(world.data, efforts=efforts), names) is None
