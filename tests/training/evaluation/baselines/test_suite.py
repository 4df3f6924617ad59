"""Every published method: it learns what can be learned, or says why it cannot be had."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import training.evaluation.baselines
from training.evaluation.baselines.evidence import Fitted, NotApplicable
from training.evaluation.baselines.suite import METHODS, fit_baselines
from training.measure.metrics import measure
from training.measure.outcomes import Sweep
from training.measure.sweeps import single_arms

from .conftest import SmallWorld, make_small

NEEDS_GRADES = {"hybrid_llm_prob", "hybrid_llm_trans"}
NEEDS_TIERS = {"best_route"}
TWO_MODELS = {"hybrid_llm_det", *NEEDS_GRADES}  # of four: less room, so only not worse


def lead(name: str, fitted: Fitted, world: SmallWorld) -> float:
    """AIQ over the zero router's."""
    zero = measure(single_arms(world.outcomes), world.outcomes).aiq
    return measure(by_name(fitted)[name], world.outcomes).aiq - zero


def by_name(fitted: Fitted) -> dict[str, Sweep]:
    return {sweep.name: sweep for sweep in fitted.sweeps}


def fit(world: SmallWorld) -> Fitted:
    return fit_baselines(world.evidence, world.outcomes, lambda _: None)


@pytest.fixture(scope="module")
def fitted(small: SmallWorld) -> Fitted:
    return fit(small)


@pytest.fixture(scope="module")
def fitted_graded(graded: SmallWorld) -> Fitted:
    return fit(graded)


@pytest.mark.parametrize("name", sorted(set(METHODS) - TWO_MODELS - NEEDS_TIERS))
def test_a_method_beats_every_mixture_of_single_arms(
    name: str, small: SmallWorld, fitted: Fitted
) -> None:
    assert lead(name, fitted, small) > 0.02


@pytest.mark.parametrize("name", sorted(TWO_MODELS | NEEDS_TIERS))
def test_so_do_those_that_need_grades_or_tiers(
    name: str, graded: SmallWorld, fitted_graded: Fitted
) -> None:
    assert lead(name, fitted_graded, graded) > 0.005


def test_fitting_again_gives_the_same_choices_whatever_the_test_prompts_turned_out_to_be(
    fitted_graded: Fitted,
) -> None:
    """No method looks at test outcomes, but for a cascade, which has paid for them."""
    world = make_small(graded=True, tiers=True)
    test, rng = world.evidence.test, np.random.default_rng(0)
    for matrix in (test.quality, test.cost_usd, test.output_tokens):
        matrix[:] = rng.permutation(matrix.ravel()).reshape(matrix.shape)
    again, honest = by_name(fit(world)), by_name(fitted_graded)
    for name in METHODS:
        same = np.array_equal(again[name].choices, honest[name].choices)
        assert same or name == "frugalgpt", name


@pytest.mark.parametrize(
    ("name", "world", "words"),
    [
        ("hybrid_llm_prob", {}, "every answer is scored 0 or 1"),
        ("hybrid_llm_trans", {}, "would be r_det's target again"),
        ("best_route", {}, "every model has one tier"),
        ("frugalgpt", {"tokens": False}, "no length of answers"),
        ("task_label", {"labels": False}, "no domain label"),
    ],
)
def test_a_method_that_lacks_what_it_learns_from_says_so(
    name: str, world: dict[str, bool], words: str
) -> None:
    with pytest.raises(NotApplicable, match=words):
        METHODS[name](make_small(n=300, **world).evidence)


def test_the_suite_keeps_reasons_beside_choices(fitted: Fitted) -> None:
    assert {name for name, _ in fitted.not_applicable} == NEEDS_GRADES | NEEDS_TIERS
    names = [sweep.name for sweep in fitted.sweeps]
    assert {"zero_router", "best_single", "cheapest", "oracle", "domain_oracle"} <= set(names)
    assert len(names) == len(set(names))


def test_every_method_is_described_with_its_source() -> None:
    text = (Path(training.evaluation.baselines.__file__).parent / "README.md").read_text("utf-8")
    for name in METHODS:
        row = re.search(rf"^\| `{name}` \|.*$", text, re.MULTILINE)
        assert row, name
        assert re.search(r"\d{4}\.\d{5}|ours", row[0]), name
