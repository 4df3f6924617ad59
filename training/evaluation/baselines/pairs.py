"""Hybrid-LLM (2404.14618): a small and a large model, and the chance that small is good enough.

H(x) = q(small) - q(large). The pair is chosen on the train split (`strong_and_weak`); the paper's
DeBERTa is replaced by logistic regression on the sentence embedding that all methods here share.
"""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegressionCV

from router.types import Doubles, Floats

from ...measure.outcomes import Sweep
from .evidence import Evidence, NotApplicable, strong_and_weak, threshold_sweep

STRENGTHS = np.geomspace(0.1, 100.0, 7)  # inverse penalties tried in five folds
SLACKS = np.linspace(0.0, 1.0, 101)


def hybrid_llm_det(evidence: Evidence) -> Sweep:
    """r_det: the target is whether the small model's answer was at least as good, 1[H >= 0]."""
    small, large, gap = _gaps(evidence)
    return _routed("hybrid_llm_det", (gap >= 0).astype(np.float64), small, large, evidence)


def hybrid_llm_prob(evidence: Evidence) -> Sweep:
    """r_prob: the target is Pr[H >= 0], over the noise of the scores.

    The paper estimates it by sampling ten answers of each model. A table with one answer per model
    says something of it only where scores are graded: read as the chance that an answer is
    acceptable, the small model is as good with probability 1 - (1 - q_small)·q_large.

    Raises:
        NotApplicable: scores are 0 or 1, so that this is r_det.
    """
    _need_grades(evidence, "Pr[H >= 0]")
    small, large, _ = _gaps(evidence)
    known = ~np.isnan(evidence.train.quality[:, [small, large]]).any(axis=1)
    quality = evidence.train.quality[known].astype(np.float64)
    target = 1.0 - (1.0 - quality[:, small]) * quality[:, large]
    return _routed("hybrid_llm_prob", target, small, large, evidence)


def hybrid_llm_trans(evidence: Evidence) -> Sweep:
    """r_trans: the target is 1[H >= -t*], t* the slack that spreads the targets most.

    Raises:
        NotApplicable: scores are 0 or 1; then t* = 0 or everything counts as good enough.
    """
    _need_grades(evidence, "1[H >= -t*]")
    small, large, gap = _gaps(evidence)
    target = (gap >= -best_slack(gap)).astype(np.float64)
    return _routed("hybrid_llm_trans", target, small, large, evidence)


def best_slack(gap: Doubles, slacks: Doubles = SLACKS) -> float:
    """t* = argmax_t of the mean of |y_i(t) - y_j(t)| over all pairs, y(t) = 1[gap >= -t].

    Args:
        gap: (n,) quality of the small minus the large model's answer.
        slacks: (t,) candidates, rising; ties go to the smallest.
    """
    share = (gap >= -slacks[:, None]).mean(axis=1)  # the mean over pairs is 2·share·(1 - share)
    return float(slacks[int(np.argmax((share * (1 - share)).round(12)))])


def _need_grades(evidence: Evidence, target: str) -> None:
    quality = evidence.train.quality
    known = quality[~np.isnan(quality)]
    if np.isin(known, (0.0, 1.0)).all():
        raise NotApplicable(
            f"every answer is scored 0 or 1 and there is one per prompt and arm: {target} needs "
            "repeated samples or graded scores and would be r_det's target again"
        )


def _gaps(evidence: Evidence) -> tuple[int, int, Doubles]:
    """Small arm, large arm, and H on the training prompts that both answered."""
    large, small = strong_and_weak(evidence.train)
    gap = (evidence.train.quality[:, small] - evidence.train.quality[:, large]).astype(np.float64)
    return small, large, gap[~np.isnan(gap)]


def _routed(name: str, target: Doubles, small: int, large: int, evidence: Evidence) -> Sweep:
    known = ~np.isnan(evidence.train.quality[:, [small, large]]).any(axis=1)
    embedding = evidence.train_inputs.embedding
    chance = soft_logistic(embedding[known], target, evidence.test_inputs.embedding, evidence.seed)
    return threshold_sweep(name, -chance, strong=large, weak=small)


def soft_logistic(train: Floats, target: Doubles, test: Floats, seed: int) -> Doubles:
    """Logistic regression on soft targets: every row twice, weighted by target and by the rest.

    Args:
        train: (n, d).
        target: (n,) 0 to 1.
        test: (m, d).
        seed: of the folds that choose the penalty.
    Returns:
        (m,) probabilities; the mean target where all targets are the same.
    """
    rows = np.concatenate([train, train])
    label = np.repeat([1, 0], len(train))
    weight = np.concatenate([target, 1.0 - target])
    kept = weight > 0
    if len(np.unique(label[kept])) < 2:
        return np.full(len(test), target.mean())
    groups = np.tile(np.random.default_rng(seed).permutation(np.arange(len(train)) % 5), 2)[kept]
    parts = [(np.flatnonzero(groups != g), np.flatnonzero(groups == g)) for g in range(5)]
    model = LogisticRegressionCV(
        Cs=STRENGTHS,
        l1_ratios=(0.0,),
        cv=parts,
        scoring="neg_log_loss",
        max_iter=300,
        use_legacy_attributes=False,
    )
    model.fit(rows[kept], label[kept], sample_weight=weight[kept])
    return np.asarray(model.predict_proba(test)[:, 1], dtype=np.float64)
