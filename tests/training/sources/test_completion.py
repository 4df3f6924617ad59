"""What was never tried is completed from kin: better than by one ranking, no surer than it is."""

from __future__ import annotations

import numpy as np
import pytest

from router.types import Doubles
from tests.training.sources.made_up import FAMILIES, KINDS, MadeUp, made_up
from training.config import TrainConfig
from training.sources.completion import Completed, Process, Pulls, cells_of, choose_pulls
from training.sources.levels import Completions, Sources

CHAT = np.array([kind == "chat" for kind in KINDS])
SEEDS = range(6)


def completed(world: MadeUp) -> Completed:
    sources = Sources.of(world.inputs, world.data, world.folds, TrainConfig())
    return Completions(world.data.quality, sources, world.folds)[-1]


def one_ranking(world: MadeUp) -> Doubles:
    """(a,) effects of arms over all sources, pulled by 20 rows: what a joint two-way fit says."""
    quality, seen = world.data.quality, ~np.isnan(world.data.quality)
    filled, effect = np.where(seen, quality, 0.0), np.zeros(quality.shape[1])
    for _ in range(30):
        level = ((filled - effect) * seen).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
        effect = ((filled - level[:, None]) * seen).sum(axis=0) / (seen.sum(axis=0) + 20.0)
    return effect


def beside_tried(mean: Doubles, world: MadeUp) -> Doubles:
    """(s, a) above the mean of the arms that each source tried, as the truth is told."""
    return mean - np.stack([[m[t].mean()] for m, t in zip(mean, world.tried, strict=True)])


def gap(found: Doubles, world: MadeUp) -> float:
    """Root mean squared error over untried cells, whatever the level of the source."""
    off = np.where(world.tried, np.nan, found - world.contrasts)
    return float(np.sqrt(np.nanmean((off - np.nanmean(off, axis=1, keepdims=True)) ** 2)))


def test_untried_cells_are_nearer_the_truth_than_one_ranking_for_all() -> None:
    ours, ranking = [], []
    for seed in SEEDS:
        world = made_up(seed)
        ours.append(gap(completed(world).mean, world))
        ranking.append(gap(np.tile(one_ranking(world), (len(KINDS), 1)), world))
    assert np.mean(ours) < 0.8 * np.mean(ranking)


def test_tried_cells_stay_what_was_seen() -> None:
    world = made_up(0, rows=400)
    found = completed(world).mean
    off = (beside_tried(found, world) - world.contrasts)[world.tried]
    assert np.sqrt((off**2).mean()) < 0.03  # luck of 400 answers is 0.025


def test_errors_are_as_wide_as_what_is_missed() -> None:
    scores, surer = [], []
    for seed in SEEDS:
        world = made_up(seed)
        found = completed(world)
        off = beside_tried(found.mean, world) - world.contrasts
        scores.append((off / np.sqrt(found.variance))[~world.tried])
        surer.append(
            np.median(found.variance[world.tried]) / np.median(found.variance[~world.tried])
        )
    spread = float(np.sqrt((np.concatenate(scores) ** 2).mean()))
    assert 0.5 < spread < 1.4  # standard errors; above 1 it would be too sure of itself
    assert max(surer) < 0.5


@pytest.mark.parametrize(("pays", "wins"), [((0.15, -0.1), True), ((0.0, 0.0), False)])
def test_effort_is_worth_what_it_brings_in_that_kind_of_work(
    pays: tuple[float, float], *, wins: bool
) -> None:
    tools, chat = [], []
    for seed in SEEDS:
        world = made_up(seed, pays=pays, rows=200)
        gains = completed(world).mean.reshape(len(KINDS), FAMILIES, 2) @ [-1.0, 1.0]
        never = ~world.tried.reshape(len(KINDS), FAMILIES, 2)[:, :, 0]
        tools.append(gains[~CHAT][never[~CHAT]].mean())
        chat.append(gains[CHAT][never[CHAT]].mean())
    if wins:
        assert np.mean(tools) > 0.06
        assert np.mean(chat) < -0.02
    else:  # a ladder that nothing speaks for says that effort is for nothing
        assert abs(np.mean(tools)) < 0.02
        assert abs(np.mean(chat)) < 0.02


def test_an_arm_that_nobody_tried_is_the_least_known() -> None:
    world = made_up(1)
    world.data.quality[:, :2] = np.nan  # a whole family
    found = completed(world)
    others = ~world.tried & (np.arange(2 * FAMILIES) >= 2)
    assert (found.variance[:, :2].mean(axis=1) > np.median(found.variance[others])).all()


def test_pulls_are_chosen_where_they_surprise_less() -> None:
    world = made_up(2)
    sources = Sources.of(world.inputs, world.data, world.folds, TrainConfig())
    cells = cells_of(world.data.quality, world.source, len(KINDS), None)
    chosen = choose_pulls(cells, sources.kin, sources.alike)
    blocks = [np.flatnonzero(cells.source == s) for s in range(len(KINDS))]
    blocks += [rows[part::4] for rows in list(blocks) if len(rows) >= 8 for part in range(4)]

    def surprise(pulls: Pulls) -> float:
        return Process.of(cells, sources.kin, sources.alike, pulls).surprise(blocks)

    assert surprise(chosen) <= surprise(Pulls())


def test_what_a_fold_held_is_not_in_the_completion_without_it() -> None:
    world = made_up(3)
    sources = Sources.of(world.inputs, world.data, world.folds, TrainConfig())
    before = Completions(world.data.quality, sources, world.folds)
    changed = world.data.quality.copy()
    held = world.folds.of == 2
    changed[held] = np.where(np.isnan(changed[held]), np.nan, 1.0 - changed[held])
    cells = cells_of(changed[~held], world.source[~held], len(KINDS), None)
    again = Process.of(cells, sources.kin, sources.alike, before.pulls).complete()
    assert np.array_equal(again.mean, before[2].mean)
