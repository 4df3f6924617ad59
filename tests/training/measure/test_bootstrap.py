"""The paired bootstrap against a plain one and against a known truth."""

from __future__ import annotations

import numpy as np
import pytest

from router.types import Arm
from tests.training.measured import World, make_world
from training.measure.bootstrap import Resampled, bootstrap
from training.measure.draws import BLOCK, Draws, paired_interval
from training.measure.metrics import measure
from training.measure.outcomes import Outcomes, Sweep
from training.measure.sweeps import single_arms


@pytest.fixture(scope="module")
def resampled(world: World) -> Resampled:
    sweeps = [world.informed(), world.noisy("noisy", 1, 0.4), single_arms(world.outcomes)]
    return bootstrap(world.outcomes, sweeps, resamples=60, band_usd=np.array([1e-9, 0.005, 0.02]))


@pytest.mark.parametrize("figure", ["aiq", "max_quality", "saving_at_95", "brier"])
def test_each_resample_is_what_measuring_the_drawn_prompts_gives(
    world: World, resampled: Resampled, figure: str
) -> None:
    rng = np.random.default_rng(0)  # the bootstrap's own draws, in its order
    n = world.outcomes.n
    for b in range(3):
        rows = rng.integers(0, n, n)
        plain = getattr(measure(world.informed().rows(rows), world.outcomes.rows(rows)), figure)
        assert resampled.draws("informed", figure)[b] == pytest.approx(plain)


def test_blocks_of_prompts_add_up(world: World) -> None:
    big = make_world(n=2 * BLOCK + 5, arms=2)
    drawn = bootstrap(big.outcomes, [big.informed()], resamples=2)
    rows = np.random.default_rng(0).integers(0, big.outcomes.n, big.outcomes.n)
    plain = measure(big.informed().rows(rows), big.outcomes.rows(rows))
    assert drawn.draws("informed", "aiq")[0] == pytest.approx(plain.aiq)


def test_equal_seeds_give_equal_intervals_and_others_do_not(world: World) -> None:
    def interval(seed: int) -> object:
        drawn = bootstrap(world.outcomes, [world.informed()], resamples=50, seed=seed)
        return drawn.interval("informed", "aiq", 0.5)

    assert interval(1) == interval(1)
    assert interval(1) != interval(2)


def test_a_method_does_not_differ_from_itself(world: World) -> None:
    drawn = bootstrap(world.outcomes, [world.informed("a"), world.informed("b")], resamples=30)
    assert drawn.difference("a", "b") == (0.0, 0.0)


def test_pairing_makes_differences_tighter_than_the_figures(resampled: Resampled) -> None:
    low, high = resampled.difference("informed", "noisy")
    ends = [resampled.interval(name, "aiq", 0.5) for name in ("informed", "noisy")]
    widths = [end[1] - end[0] for end in ends if end]
    assert len(widths) == 2
    assert high - low < np.hypot(*widths)


def test_the_interval_covers_a_known_mean_about_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(100):
        quality = (np.random.default_rng(seed).random((150, 1)) < 0.7).astype(np.float64)
        outcomes = Outcomes((Arm("one"),), quality, np.ones((150, 1)))
        drawn = bootstrap(outcomes, [single_arms(outcomes)], resamples=200, seed=seed)
        interval = drawn.interval("zero_router", "aiq", float(quality.mean()))
        covered += interval is not None and interval[0] <= 0.7 <= interval[1]
    assert 88 <= covered <= 100


def test_a_saving_that_is_often_out_of_reach_has_no_interval() -> None:
    # Two answers won and one lost against the best arm: resamples often turn that round.
    quality = np.column_stack([np.arange(100) < 2, np.arange(100) >= 2]).astype(np.float64)
    outcomes = Outcomes((Arm("weak"), Arm("best")), quality, np.tile([1.0, 1.1], (100, 1)))
    choices = (np.arange(100) >= 3).astype(int)[None, :]
    assert measure(Sweep("router", choices), outcomes).saving_at_best_single is not None
    drawn = bootstrap(outcomes, [Sweep("router", choices)], resamples=200)
    assert 0.5 < drawn.reached("router", "saving_at_best_single") < 0.95
    assert drawn.interval("router", "saving_at_best_single", 0.1) is None


def test_a_figure_without_an_estimate_has_no_interval(resampled: Resampled) -> None:
    assert resampled.interval("zero_router", "ece", None) is None


def test_calibration_intervals_hold_their_estimate(world: World, resampled: Resampled) -> None:
    value = measure(world.informed(), world.outcomes).ece
    interval = resampled.interval("informed", "ece", value)
    assert value is not None
    assert interval is not None
    assert interval[0] < value < interval[1]


def test_the_band_leaves_out_where_the_frontier_does_not_exist(resampled: Resampled) -> None:
    cost, low, high = resampled.band_interval()
    assert cost.tolist() == [0.005, 0.02]
    assert (low < high).all()


def test_the_one_paired_interval_is_the_bootstraps_own() -> None:
    rng = np.random.default_rng(3)
    gain, over = rng.normal(0.1, 1.0, 80), rng.random(80)
    draws = np.random.default_rng(0)
    rows = [draws.integers(0, 80, 80) for _ in range(200)]
    means = [gain[r].mean() for r in rows]
    assert paired_interval(gain, resamples=200) == pytest.approx(np.percentile(means, (2.5, 97.5)))
    ratios = [gain[r].sum() / over[r].sum() for r in rows]
    found = paired_interval(gain, over, resamples=200)
    assert found == pytest.approx(np.percentile(ratios, (2.5, 97.5)))


def test_means_along_a_sweep_are_plain_means() -> None:
    draws = Draws.random(2 * BLOCK + 7, 5, seed=1)
    values = np.random.default_rng(0).normal(size=(9, draws.n))
    assert draws.means_along(values) == pytest.approx(draws.means(values.T))
