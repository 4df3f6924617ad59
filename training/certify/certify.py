"""Certify a threshold: the cheapest one whose quality loss against the best arm is bounded.

The best single arm and the order of the tests are the bundle's and the grid's, fixed before any
row is looked at; the rows are ones that neither training nor the choice of the bundle's settings
used. Arrays are (n prompts, a arms).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from data.tables import Tables
from router import Router
from router.core.certificate import GRID, Certificate
from router.types import Doubles, Ints

from ..bundle.oof_predictions import read_oof_predictions
from ..errors import TrainingError
from ..evaluation.evaluate import Scored, score_split, threshold_sweep
from ..measure.draws import paired_interval
from ..prepare.dataset import Dataset, dataset_of
from ..progress import Reporter
from ..status.certificate_drift import population_of
from .bound import fixed_sequence, prompts_needed, upper_bound

METHOD = "betting p-values (Waudby-Smith & Ramdas 2023), fixed-sequence testing from 1 down"
MIN_PROMPTS = 50  # prompts; fewer certify nothing that anybody would use
DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be certified."""

    max_quality_drop: float = 0.02  # points of quality below the best single arm
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.0 <= self.max_quality_drop < 1.0:
            raise TrainingError(f"max_quality_drop must lie in [0, 1), got {self.max_quality_drop}")
        if not 0.5 <= self.confidence < 1.0:
            raise TrainingError(f"confidence must lie in [0.5, 1), got {self.confidence}")

    @property
    def level(self) -> float:
        """1 - confidence."""
        return 1.0 - self.confidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Calibration prompts along the grid of thresholds, in a shuffled order.

    Attributes:
        thresholds: (L,) rising.
        loss: (L, n) quality of the best single arm minus that of the chosen one.
        quality: (L, n) of the chosen arm.
        cost_usd: (L, n) of the chosen arm.
        best_usd: (n,) of the best single arm.
    """

    thresholds: Doubles
    loss: Doubles
    quality: Doubles
    cost_usd: Doubles
    best_usd: Doubles


@dataclass(frozen=True, slots=True, kw_only=True)
class Usable:
    """Scored calibration rows, and what was left out of them."""

    scored: Scored
    known_prompts: bool  # whether the bundle can tell its training prompts
    trained_on: int  # prompts left out because it was


def usable_rows(
    router: Router, tables: Tables, split: str, cache: Path, reporter: Reporter
) -> Usable:
    """The rows of a split that every arm answered and that the bundle was not trained on.

    Raises:
        TrainingError: too few are left; says why.
    """
    data = dataset_of(tables, list(router.arms))
    oof = read_oof_predictions(router.bundle.path)
    seen = np.zeros(len(data), dtype=np.bool_)
    if oof is not None:
        seen = oof.trained_on(data.texts)
    side = {"test": data.test, "train": ~data.test, "all": np.ones_like(seen)}[split]
    trained = int((seen & side).sum())
    fresh = int((side & ~seen).sum())
    if fresh < MIN_PROMPTS:
        raise TrainingError(
            f"split {split!r} has {int(side.sum())} prompts, {trained} of which the bundle was "
            f"trained on; a certificate needs at least {MIN_PROMPTS} that neither training nor "
            "selection used"
        )
    scored = score_split(router, data.rows(~seen), split, cache, reporter)
    if len(scored.data) < MIN_PROMPTS:
        raise TrainingError(
            f"{len(scored.data)} of {fresh} prompts have an outcome of every arm; a certificate "
            f"needs at least {MIN_PROMPTS}"
        )
    return Usable(scored=scored, known_prompts=oof is not None, trained_on=trained)


def along_the_grid(router: Router, scored: Scored, *, seed: int) -> Rows:
    """What the live rule does at every hundredth, and what it loses."""
    thresholds = np.linspace(0.0, 1.0, GRID + 1).round(2)
    order = np.random.default_rng(seed).permutation(len(scored.data))
    choices = threshold_sweep(router, scored.scores, thresholds).choices[:, order]
    best = router.manifest.decision.best_single
    return rows_of(scored.data, order, thresholds, choices.astype(np.int64), best)


def rows_of(data: Dataset, order: Ints, thresholds: Doubles, choices: Ints, best: int) -> Rows:
    """Outcomes of (L, n) choices, in the given order of the prompts."""
    quality, cost = data.quality[order].astype(np.float64), data.cost_usd[order]
    index = np.arange(len(order))
    got = quality[index, choices]
    return Rows(
        thresholds=thresholds,
        loss=quality[:, best] - got,
        quality=got,
        cost_usd=cost[index, choices],
        best_usd=cost[:, best],
    )


def certified_row(rows: Rows, request: Request) -> int | None:
    """The cheapest certified setting of the grid, if any."""
    return fixed_sequence(rows.loss, request.max_quality_drop, level=request.level)


def certify(router: Router, usable: Usable, request: Request, *, issued: str) -> Certificate:
    """Certify the bundle's decisions.

    Args:
        router: the bundle.
        usable: calibration rows.
        request: what is to be certified.
        issued: ISO date.
    Raises:
        TrainingError: no threshold can be certified; says how many prompts might do.
    """
    scored = usable.scored
    rows = along_the_grid(router, scored, seed=request.seed)
    row = certified_row(rows, request)
    if row is None:
        raise TrainingError(refusal(rows, request))
    manifest = router.manifest
    saving, interval = savings(rows, row, seed=request.seed)
    return Certificate(
        threshold=float(rows.thresholds[row]),
        max_quality_drop=request.max_quality_drop,
        confidence=request.confidence,
        best_single=manifest.arms[manifest.decision.best_single].arm.id,
        method=METHOD,
        quality_drop=round(float(rows.loss[row].mean()), DIGITS),
        upper_bound=round(upper_bound(rows.loss[row], level=request.level), DIGITS),
        quality=round(float(rows.quality[row].mean()), DIGITS),
        cost_usd=float(f"{rows.cost_usd[row].mean():.6g}"),
        saving=saving,
        saving_interval=interval,
        issued=issued,
        data_sha256=fingerprint(scored.data),
        certifies=manifest.bundle_id,
        population=population_of(scored.inputs.embedding, scored.scores.cluster, request.seed),
    )


def refusal(rows: Rows, request: Request) -> str:
    """Why nothing could be certified, and what would do."""
    top = rows.loss[-1]
    n, mean = len(top), float(top.mean())
    said = (
        f"no threshold can be certified: at threshold 1, which is tested first, the loss against "
        f"the best single arm is {mean:+.4f} on {n} prompts, at most "
        f"{upper_bound(top, level=request.level):.4f} at {request.confidence:.0%} confidence; "
        f"{request.max_quality_drop:g} was asked for"
    )
    needed = prompts_needed(top, request.max_quality_drop, level=request.level)
    if needed is None:
        return f"{said}. The observed loss itself is not below that: more prompts would not help"
    return f"{said}. About {max(needed, n + 1)} prompts like these would be needed"


def savings(rows: Rows, row: int, *, seed: int) -> tuple[float | None, tuple[float, float] | None]:
    """1 - spend over the best single arm's, and its 95 % interval by a paired bootstrap."""
    spent, best = rows.cost_usd[row], rows.best_usd
    if best.sum() <= 0:
        return None, None
    low, high = paired_interval(best - spent, best, seed=seed)
    return (
        round(float(1.0 - spent.sum() / best.sum()), DIGITS),
        (round(float(low), DIGITS), round(float(high), DIGITS)),
    )


def fingerprint(data: Dataset) -> str:
    """The sha256 of calibration prompts and outcomes, in their order."""
    digest = hashlib.sha256()
    for name, text in zip(data.prompt_ids, data.texts, strict=True):
        digest.update(f"{name}\0{text}\0".encode("utf-8", "surrogatepass"))
    digest.update(np.ascontiguousarray(data.quality).tobytes())
    digest.update(np.ascontiguousarray(data.cost_usd).tobytes())
    return digest.hexdigest()


def certified(router: Router, certificate: Certificate) -> Router:
    """The same router, stating the certificate."""
    bundle = router.bundle
    manifest = replace(bundle.manifest, certificate=certificate)
    return Router(replace(bundle, manifest=manifest))
