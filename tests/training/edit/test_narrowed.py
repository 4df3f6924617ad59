"""Some arms of a bundle, by `allowed_models` or because it has no others: the same decisions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router import Policy, Router
from router.core.choice import choose, near_tie_band
from router.core.rules import ThresholdRule
from router.types import Decision
from tests.conftest import made_once
from training.edit.change import remove_arms
from training.edit.edit import map_rows
from training.prepare.cache import CACHE
from training.prepare.golden import GOLDEN_PROMPTS
from training.progress import Timings

FAR = "ζ ∮ 🜁🜂 ┅┅ qwx"
CHAT = [
    {"role": "user", "content": "Name a prime."},
    {"role": "assistant", "content": "7"},
    {"role": "user", "content": "And the next?"},
]
PROMPTS = (*GOLDEN_PROMPTS, FAR, CHAT, "hello")
KNOBS = st.one_of(
    st.floats(0, 1).map(lambda value: {"threshold": value}),
    st.sampled_from(({}, {"threshold": 0.0}, {"threshold": 1.0})),
    st.floats(0, 1).map(lambda value: {"min_quality": value}),
    st.floats(0, 0.4).map(lambda value: {"max_quality_drop": value}),
    st.floats(1e-4, 0.1).map(lambda value: {"max_cost_usd": value}),
)


def without(router: Router, kept: frozenset[int], out: Path) -> Router:
    """The bundle with some of its arms."""
    rows, oof = map_rows(router, None, CACHE, Timings())
    gone = [arm.id for i, arm in enumerate(router.arms) if i not in kept]
    remove_arms(router, gone, rows, oof, out)
    return Router.load(out)


@pytest.fixture(scope="module")
def whole(tiny_bundle: Path) -> Router:
    return Router.load(tiny_bundle)


@pytest.fixture(scope="module")
def cut(whole: Router, tmp_path_factory: pytest.TempPathFactory) -> dict[frozenset[int], Router]:
    """Bundles of random subsets of its arms."""
    rng = np.random.default_rng(4)
    chosen = {
        frozenset(rng.choice(len(whole.arms), size, replace=False).tolist())
        for size in (2, 2, 2, 3, 3, 3, 4, 4, 5, 5)
    }

    def make(folder: Path) -> None:
        folder.mkdir()
        for kept in sorted(chosen, key=sorted):
            without(whole, kept, folder / name_of(kept))

    folder = made_once(tmp_path_factory, "cut", make)
    return {kept: Router.load(folder / name_of(kept)) for kept in sorted(chosen, key=sorted)}


def name_of(kept: frozenset[int]) -> str:
    return "-".join(map(str, sorted(kept)))


def shown(decision: Decision) -> tuple[object, ...]:
    return (
        decision.arm, decision.fallbacks, decision.predicted,
        decision.expected_quality, decision.expected_cost_usd,
    )  # fmt: skip


@settings(max_examples=300)
@given(data=st.data(), knob=KNOBS, prompt=st.sampled_from(PROMPTS))
def test_fewer_arms_decide_as_allowed_models_does(
    whole: Router,
    cut: dict[frozenset[int], Router],
    data: st.DataObject,
    knob: dict[str, float],
    prompt: object,
) -> None:
    kept = data.draw(st.sampled_from(list(cut)))
    names = tuple(whole.arms[i].id for i in sorted(kept))
    cap = knob.get("max_cost_usd")
    if cap is not None:  # one that some arm meets
        knob = {
            "max_cost_usd": max(
                cap, cut[kept].route(prompt, Policy(threshold=0)).predicted.cost_usd * 1.01
            )
        }
    allowed = whole.route(prompt, Policy(allowed_models=names, **knob))
    assert shown(cut[kept].route(prompt, Policy(**knob))) == shown(allowed)


def test_fewer_arms_of_fewer_decide_so_too(
    whole: Router, cut: dict[frozenset[int], Router], tmp_path: Path
) -> None:
    kept = max(cut, key=len)
    fewer = frozenset(sorted(kept)[1:])
    names = tuple(whole.arms[i].id for i in sorted(fewer))
    own = [arm.id for arm in cut[kept].arms]
    least = without(cut[kept], frozenset(own.index(name) for name in names), tmp_path / "least")
    for threshold in np.linspace(0, 1, 21):
        plain, policy = (
            Policy(threshold=threshold),
            Policy(threshold=threshold, allowed_models=names),
        )
        for prompt in GOLDEN_PROMPTS:
            found = shown(whole.route(prompt, policy))
            assert (
                found == shown(cut[kept].route(prompt, policy)) == shown(least.route(prompt, plain))
            )


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_a_threshold_is_a_share_of_what_the_allowed_arms_spend(
    whole: Router, threshold: float
) -> None:
    order = np.argsort([info.mean_cost_usd for info in whole.manifest.arms])
    pair = sorted(order[-2:].tolist())
    infos = [whole.manifest.arms[i] for i in pair]
    names = tuple(info.arm.id for info in infos)
    assert whole.bundle.map_rows is not None
    rows = whole.bundle.map_rows.arms(pair)
    cost, everything = rows.cost_usd(infos), np.ones((len(rows), 2), dtype=np.bool_)
    band = near_tie_band(rows.quality_se, everything, whole.manifest.decision.tie_band)

    def spend(policy: Policy) -> float:
        rule = whole.rule(policy)
        assert isinstance(rule, ThresholdRule)
        arm = choose(
            rows.quality, cost, eligible=everything, cost_weight=rule.cost_weight, band=band
        )
        return float(cost[np.arange(len(rows)), arm].mean())

    low, at, high = (spend(Policy(threshold=t, allowed_models=names)) for t in (0, threshold, 1))
    assert (at - low) / (high - low) == pytest.approx(threshold, abs=0.03)
    of_all = spend(Policy(threshold=threshold))
    assert abs((of_all - low) / (high - low) - threshold) > 0.05
