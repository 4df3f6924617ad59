"""Cluster tables worked by hand: scaling inside a cluster, ranks, and the nearest centroids."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from router.types import Arm
from training.evaluation.baselines.evidence import Evidence
from training.evaluation.baselines.tables import (
    _ranks,
    _unit_rows,
    avengers_pro,
    avengers_pro_code,
    task_label,
    uniroute,
)
from training.prepare.dataset import Dataset

from .conftest import SmallWorld


def table(quality: list[list[float]], cost: list[list[float]]) -> Dataset:
    q = np.array(quality, dtype=np.float32)
    n, arms = q.shape
    return Dataset(
        arms=tuple(Arm(f"m{i}") for i in range(arms)),
        prompt_ids=tuple(str(i) for i in range(n)),
        texts=("x",) * n,
        domains=(None,) * n,
        n_chars=np.ones(n, dtype=np.int64),
        quality=q,
        input_tokens=np.ones((n, arms)),
        output_tokens=np.ones((n, arms)),
        cost_usd=np.array(cost),
        test=np.zeros(n, dtype=np.bool_),
        dropped_arms={},
    )


def test_a_row_is_scaled_from_its_least_to_its_most() -> None:
    found = _unit_rows(np.array([[0.2, 0.6, 0.4], [0.5, 0.5, 0.5]]))
    assert found[0].tolist() == pytest.approx([0.0, 1.0, 0.5])
    assert found[1].tolist() == [0.0, 0.0, 0.0]  # no spread: nothing to tell apart


def test_ranks_start_at_the_best_and_ties_go_to_the_lower_index() -> None:
    assert _ranks(np.array([[0.1, 0.9, 0.9, 0.5]])).tolist() == [[3, 0, 1, 2]]


def one_cluster(small: SmallWorld) -> Evidence:
    """A single training prompt: one cluster, whose accuracies and costs are known by hand."""
    train = table([[0.2, 0.5, 1.0]], [[1.0, 2.0, 9.0]])
    row = np.arange(len(small.evidence.train)) == 0
    asked = np.arange(len(small.evidence.test)) < 1
    return replace(
        small.evidence,
        train=train,
        train_inputs=small.evidence.train_inputs.rows(row),
        test=train,
        test_inputs=small.evidence.test_inputs.rows(asked),
        cost_usd=train.cost_usd,
    )


def test_avengers_pro_scales_accuracy_and_cost_inside_the_cluster(small: SmallWorld) -> None:
    # accuracy 0, 0.375, 1 and cheapness 1, 0.875, 0: the middle arm wins from α where
    # 0.375α + 0.875(1-α) > 1-α, α > 1/4, to 0.375α + 0.875(1-α) = α, α = 7/12.
    choices = avengers_pro(one_cluster(small)).choices[:, 0]
    weights = np.linspace(0, 1, 101)
    expected = np.where(weights <= 0.25, 0, np.where(weights < 7 / 12, 1, 2))
    assert choices.tolist() == expected.tolist()


def test_its_published_code_divides_costs_by_the_dearest_only(small: SmallWorld) -> None:
    # cheapness is now 1 - cost / 9: 8/9, 7/9, 0, so the middle arm takes over at 0.375w = (1-w)/9.
    choices = avengers_pro_code(one_cluster(small)).choices[:, 0]
    weights = np.linspace(0, 1, 101)
    score = np.outer(weights, [0, 0.375, 1]) + np.outer(1 - weights, [8 / 9, 7 / 9, 0])
    assert choices.tolist() == score.argmax(axis=1).tolist()


def test_a_free_pool_is_no_division_by_zero(small: SmallWorld) -> None:
    evidence = one_cluster(small)
    free = replace(evidence, train=replace(evidence.train, cost_usd=np.zeros((1, 3))))
    assert avengers_pro_code(free).choices[-1].tolist() == [2]


def test_a_silly_dear_arm_moves_avengers_pro_but_not_uniroute(small: SmallWorld) -> None:
    """Min-max scaling makes two arms depend on a third; raw error plus λ·cost does not."""
    train = small.evidence.train
    silly = replace(
        train,
        arms=(*train.arms, Arm("silly")),
        quality=np.column_stack([train.quality, np.zeros(len(train), np.float32)]),
        cost_usd=np.column_stack([train.cost_usd, np.full(len(train), 1.0)]),
        output_tokens=np.column_stack([train.output_tokens, train.output_tokens[:, 0]]),
        input_tokens=np.column_stack([train.input_tokens, train.input_tokens[:, 0]]),
    )
    cost = np.column_stack([small.evidence.cost_usd, np.full(len(small.evidence.cost_usd), 1.0)])
    wider = replace(small.evidence, train=silly, cost_usd=cost)
    before, after = (avengers_pro(e).choices for e in (small.evidence, wider))
    assert (before != after).mean() > 0.05
    plain, wide = (uniroute(e).predicted_quality for e in (small.evidence, wider))
    assert plain is not None
    assert wide is not None
    assert np.array_equal(plain, wide[:, :4])


def test_the_label_table_predicts_the_labels_mean_shrunk(small: SmallWorld) -> None:
    predicted = task_label(small.evidence).predicted_quality
    assert predicted is not None
    labels = np.array(small.evidence.test.domains)
    seen = np.array(small.evidence.train.domains)
    for label in np.unique(labels):
        raw = small.evidence.train.quality[seen == label].mean(axis=0)
        overall = small.evidence.train.quality.mean(axis=0)
        rows = predicted[labels == label]
        assert np.ptp(rows, axis=0).max() == 0
        assert (np.abs(rows[0] - raw) <= np.abs(overall - raw) + 1e-6).all()
