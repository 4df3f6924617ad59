"""Candidate and incumbent on the same rows: held-out outcomes, and held-out logged decisions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from router import Router
from router.core.policy import Policy
from router.core.rules import ThresholdRule
from router.errors import BundleError
from router.types import Doubles, Ints

from ..evaluation.evaluate import score_split, threshold_sweep
from ..measure.off_policy import Logged
from ..measure.result import Evaluation, evaluate_sweeps
from ..prepare.dataset import dataset_of
from ..progress import Reporter
from ..retrain.feedback_outliers import accepted, flagged_keys
from ..retrain.judged import calibrated
from ..retrain.log_rows import HELD_OUT, Traffic, held_out
from ..selection.validation import outcomes_of
from .checks import CANDIDATE, INCUMBENT
from .comparisons import Compared, comparisons

if TYPE_CHECKING:
    from data.tables import Tables

THRESHOLDS = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnOutcomes:
    """Candidate and incumbent on n held-out prompts.

    Attributes:
        evaluation: the candidate is its router, the incumbent its baseline.
        prompt_ids, texts: (n,), in the order of the outcomes.
    """

    evaluation: Evaluation
    prompt_ids: tuple[str, ...]
    texts: tuple[str, ...]


def on_outcomes(
    candidate: Router,
    incumbent: Router,
    tables: Tables,
    *,
    split: str,
    cache: Path,
    reporter: Reporter,
    resamples: int = 1000,
) -> OnOutcomes:
    """Both routers on the same held-out prompts; the incumbent is the candidate's baseline.

    Raises:
        BundleError: they have other arms.
    """
    same_arms(candidate, incumbent)
    data = dataset_of(tables, list(candidate.arms))
    ours = score_split(candidate, data, split, cache, reporter)
    theirs = score_split(incumbent, data, split, cache, reporter)
    with reporter.stage("measure and resample"):
        found = evaluate_sweeps(
            outcomes_of(ours.data),
            replace(threshold_sweep(candidate, ours.scores), name=CANDIDATE),
            [replace(threshold_sweep(incumbent, theirs.scores), name=INCUMBENT)],
            resamples=resamples,
        )
    return OnOutcomes(evaluation=found, prompt_ids=ours.data.prompt_ids, texts=ours.data.texts)


def on_log(
    candidate: Router, incumbent: Router, traffic: Traffic, *, share: float = HELD_OUT
) -> dict[float, tuple[Logged, Logged]]:
    """Both routers' choices on the logged decisions that were held out, at several thresholds.

    The reward is quality less what it cost, at the incumbent's price of money; the reward model
    is what was predicted when the decision was made, which saw none of these outcomes. Decisions
    that another arm answered than the drawn one say nothing here.

    Raises:
        BundleError: they have other arms or encoders.
    """
    same_arms(candidate, incumbent)
    if candidate.manifest.encoder_sha256 != incumbent.manifest.encoder_sha256:
        raise BundleError(
            "candidate and incumbent have other encoders: logged embeddings are of one of them; "
            "compare them on outcomes (--data)"
        )
    traffic = accepted(traffic, flagged_keys(traffic))
    rows = np.flatnonzero(held_out(traffic.hashes, share) & traffic.drawn)
    chosen = _chosen(candidate, incumbent, traffic, rows)
    return {
        threshold: (_logged(traffic, rows, ours, price), _logged(traffic, rows, theirs, price))
        for threshold, (price, ours, theirs) in chosen.items()
    }


def on_comparisons(
    candidate: Router, incumbent: Router, traffic: Traffic, *, share: float = HELD_OUT
) -> dict[float, Compared]:
    """The same on those for which the service's judge could have compared answers.

    Raises:
        BundleError: they have other arms.
    """
    same_arms(candidate, incumbent)
    traffic = calibrated(accepted(traffic, flagged_keys(traffic)))
    rows = np.flatnonzero(held_out(traffic.hashes, share) & (traffic.considered > 0.0))
    if not len(rows):
        return {}
    return comparisons(traffic, rows, _chosen(candidate, incumbent, traffic, rows))


def _chosen(
    candidate: Router, incumbent: Router, traffic: Traffic, rows: Ints
) -> dict[float, tuple[float | Doubles, Ints, Ints]]:
    """Threshold -> the incumbent's price of money, and both routers' arms of the rows."""
    inputs = traffic.inputs.embedding[rows], traffic.inputs.features[rows], traffic.n_chars[rows]
    ours, theirs = (router.bundle.scorer.score(*inputs) for router in (candidate, incumbent))
    eligible = ~np.isnan(traffic.expected[rows])
    out: dict[float, tuple[float | Doubles, Ints, Ints]] = {}
    for threshold in THRESHOLDS:
        policy = Policy(threshold=threshold)
        out[threshold] = (
            ThresholdRule.of(threshold, incumbent.manifest).weight(theirs),
            candidate.rule(policy).choose(ours, eligible),
            incumbent.rule(policy).choose(theirs, eligible),
        )
    return out


def _logged(traffic: Traffic, rows: Ints, chosen: Ints, price: float | Doubles) -> Logged:
    arm = traffic.arm[rows]
    target = np.zeros((len(rows), len(traffic.arms)))
    target[np.arange(len(rows)), chosen] = 1.0
    at = (np.arange(len(rows)), arm)
    expected_usd = np.nan_to_num(traffic.expected_usd[rows])
    paid = np.where(np.isnan(traffic.cost_usd[rows]), expected_usd[at], traffic.cost_usd[rows])
    return Logged(
        arm=arm,
        propensity=traffic.propensity[rows],
        reward=traffic.quality[rows] - price * paid,
        target=target,
        model=np.nan_to_num(traffic.expected[rows]) - np.reshape(price, (-1, 1)) * expected_usd,
    )


def same_arms(candidate: Router, incumbent: Router) -> None:
    """Refuse a comparison of other arms.

    Raises:
        BundleError: names what only one of them has.
    """
    ours, theirs = ({arm.id for arm in router.arms} for router in (candidate, incumbent))
    if ours != theirs or candidate.arms != incumbent.arms:
        raise BundleError(
            "the gate compares routers of the same arms; only the candidate has "
            f"{sorted(ours - theirs) or 'none'}, only the incumbent "
            f"{sorted(theirs - ours) or 'none'}"
        )
