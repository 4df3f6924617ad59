"""Evaluate a bundle on a split of a table: the live scorer and rule, on every threshold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.tables import Tables
from router import Policy, Router
from router.core.manifest import Manifest
from router.request.view import read_prompt
from router.types import Bools, Doubles, Ints, Scores

from ..config import recorded
from ..errors import TrainingError
from ..measure.errors import EvaluationError
from ..measure.outcomes import Outcomes, Sweep
from ..measure.result import Evaluation, evaluate_sweeps
from ..methods.base import Inputs
from ..prepare.dataset import SPLITS, Dataset, dataset_of
from ..prepare.encoder import export_encoder
from ..prepare.inputs import embed_inputs, inputs_by
from ..progress import Reporter
from ..selection.validation import comparable, complete, outcomes_of
from ..threads import single_threaded
from .baselines.evidence import Evidence, Fitted
from .runs import runs_of
from .sparse import Observed, joined, observed_at, of_arms, of_rows

SCORED_AT_ONCE = 2048
EVEN_THRESHOLDS = 51
FINE_THRESHOLDS = 201
NOT_NAMED = "not named"


@dataclass(frozen=True, slots=True)
class Scored:
    """A split as the bundle sees it.

    Attributes:
        data: prompts with an outcome of every compared arm.
        inputs: of these prompts.
        scores: of these prompts and arms.
        incomplete: prompts left out for want of some arm's outcome.
        among: (a,) arms of the bundle that are compared.
        observed: what all its arms earned where they have outcomes; empty where few prompts are
            left out.
    """

    data: Dataset
    inputs: Inputs
    scores: Scores
    incomplete: int
    bundle_id: str
    among: Bools
    observed: tuple[Observed, ...] = ()


@single_threaded
def evaluate_bundle(
    router: Router,
    tables: Tables,
    *,
    split: str = "test",
    baselines: bool = False,
    cache: Path,
    reporter: Reporter,
    resamples: int = 1000,
) -> tuple[Evaluation | None, Scored]:
    """Measure a bundle, and if asked the baselines, on one split.

    Where few prompts have an outcome of every arm, the arms that answered most prompts together are
    compared; there is no evaluation where no two did, but always what was observed.

    Args:
        router: the loaded bundle.
        tables: outcomes and prompts with a split.
        split: "test", "train" or "all".
        baselines: fit the published methods on the train split and measure them too.
        cache: folder of embeddings.
        reporter: shows stages.
        resamples: of the paired bootstrap.
    Raises:
        EvaluationError: the split has no prompt.
        TrainingError: the table has no outcome of the bundle's arms.
    """
    data = dataset_of(tables, list(router.arms), absent_too=True)
    scored, sweep = _score_comparable(router, data, split, cache, reporter)
    if sweep is None:
        return None, scored
    outcomes = replace(outcomes_of(scored.data), runs=runs_of(tables, scored.data))
    data = data.of_arms(scored.among)
    others = _baselines(router, data, scored, outcomes, cache, reporter) if baselines else Fitted()
    with reporter.stage("measure and resample"):
        found = evaluate_sweeps(
            outcomes,
            sweep,
            others.sweeps,
            not_applicable=dict(others.not_applicable),
            resamples=resamples,
        )
    return replace(found, kinds=kinds_of(router, scored.scores)), scored


def kinds_of(router: Router, scores: Scores) -> NDArray[Any] | None:
    """(n,) kinds of work; null where the bundle names none."""
    kinds = [region.kind for region in router.manifest.regions]
    if not any(kinds):
        return None
    names = np.array([kind or NOT_NAMED for kind in kinds])
    return np.asarray(names[router.manifest.region_of[scores.cluster]])


def score_split(
    router: Router, data: Dataset, split: str, cache: Path, reporter: Reporter
) -> Scored:
    """Embed and score the prompts of a split that every arm answered.

    Raises:
        EvaluationError: there is none.
    """
    wanted = split_rows(data, split)
    full = wanted & complete(data)
    if not full.any():
        raise EvaluationError(
            f"split {split!r} has {int(wanted.sum())} prompts, none with a quality and a cost of "
            f"all {len(data.arms)} arms of the bundle"
        )
    chosen = data.rows(full)
    inputs = bundle_inputs(router, chosen.texts, cache, reporter)
    scores = score_inputs(router, inputs, chosen.n_chars, reporter)
    left_out, everything = int((wanted & ~full).sum()), np.ones(len(data.arms), dtype=np.bool_)
    return Scored(chosen, inputs, scores, left_out, router.manifest.bundle_id, everything)


def _score_comparable(
    router: Router, data: Dataset, split: str, cache: Path, reporter: Reporter
) -> tuple[Scored, Sweep | None]:
    """The prompts of a split that the comparable arms all answered, and the decisions among these.

    Raises:
        EvaluationError: the split has no prompt.
    """
    wanted = split_rows(data, split)
    if not wanted.any():
        raise EvaluationError(f"split {split!r} has no prompt with an outcome of the bundle's arms")
    among = comparable(data.rows(wanted))
    if among.all():
        scored = score_split(router, data, split, cache, reporter)
        return scored, threshold_sweep(router, scored.scores)
    scored, whole = _score_part(router, data.rows(wanted), among, cache, reporter)
    return scored, threshold_sweep(router, whole, among=among) if len(scored.data) else None


def _score_part(
    router: Router, data: Dataset, among: Bools, cache: Path, reporter: Reporter
) -> tuple[Scored, Scores]:
    """Score all prompts and keep those that the arms of `among` (a,) all answered.

    Returns:
        These with these arms, and their scores with all arms.
    """
    inputs = bundle_inputs(router, data.texts, cache, reporter)
    scores = score_inputs(router, inputs, data.n_chars, reporter)
    kept = complete(data.of_arms(among)) & among.any()
    whole = of_rows(scores, kept)
    scored = Scored(
        data=data.of_arms(among).rows(kept),
        inputs=inputs.rows(kept),
        scores=of_arms(whole, among),
        incomplete=int((~kept).sum()),
        bundle_id=router.manifest.bundle_id,
        among=among,
        observed=observed_at(router, scores, data),
    )
    return scored, whole


def score_inputs(router: Router, inputs: Inputs, n_chars: Ints, reporter: Reporter) -> Scores:
    """Score embedded prompts, a block at a time; `n_chars` (n,) are their lengths."""
    with reporter.stage("score", len(n_chars)) as stage:
        parts = []
        for start in range(0, len(n_chars), SCORED_AT_ONCE):
            rows = slice(start, start + SCORED_AT_ONCE)
            block = inputs.embedding[rows], inputs.features[rows], n_chars[rows]
            parts.append(router.bundle.scorer.score(*block))
            stage.advance(len(block[0]))
    return joined(parts)


def score_texts(router: Router, texts: tuple[str, ...], cache: Path, reporter: Reporter) -> Scores:
    """Embed and score single prompts, at what they would cost as they are: no table's wrapping."""
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    scores = score_inputs(router, bundle_inputs(router, texts, cache, reporter), lengths, reporter)
    tokens = [router.admission.input_tokens(read_prompt(text)) for text in texts]
    return router.bundle.scorer.priced(scores, np.concatenate(tokens), max_output_tokens=None, n=1)


def at_the_ask(router: Router, texts: Iterable[str], scores: Scores) -> Scores:
    """The scores of single prompts as a threshold compares arms: see `Session.compared`."""
    policy = Policy(threshold=0.5)  # any threshold compares them so
    rule, compared = router.rule(policy), router.admission.compared
    return joined(
        [compared(read_prompt(t), scores.row(i), policy, rule) for i, t in enumerate(texts)]
    )


def split_rows(data: Dataset, split: str) -> Bools:
    """(n,) the rows of a split.

    Raises:
        EvaluationError: there is no such split.
    """
    if split == "all":
        return np.ones(len(data), dtype=np.bool_)
    if split not in SPLITS:
        raise EvaluationError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    return data.test if split == "test" else ~data.test


def bundle_inputs(
    router: Router, texts: tuple[str, ...], cache: Path, reporter: Reporter
) -> Inputs:
    """Embeddings by the bundle's own encoder file, and text features."""
    sha256 = router.manifest.encoder_sha256
    return inputs_by(router.bundle.encoder, sha256, texts, cache, reporter)


def published_inputs(
    router: Router, texts: tuple[str, ...], scored: Scored, cache: Path, reporter: Reporter
) -> tuple[Inputs, Inputs]:
    """Inputs of the training and of the scored prompts as published methods have them.

    They use a sentence encoder whole. A bundle may have found that fewer layers route better;
    that is a part of its method, so the others get the encoder at its full depth.
    """
    manifest = router.manifest
    if manifest.encoder.depth == 1.0:
        return bundle_inputs(router, texts, cache, reporter), scored.inputs
    config = replace(recorded(manifest.config).encoder, depth=1.0)
    whole = export_encoder(config, cache / "encoders")
    return (
        embed_inputs(texts, whole, cache, reporter),
        embed_inputs(scored.data.texts, whole, cache, reporter),
    )


def threshold_sweep(
    router: Router,
    scores: Scores,
    thresholds: Doubles | None = None,
    *,
    among: Bools | None = None,
) -> Sweep:
    """The live decision at thresholds (L,): by default where expected spend moves, and evenly.

    Its arms are those of `among` (a,), numbered in their order; null is all.
    """
    if thresholds is None:
        thresholds = _thresholds(router.manifest)
    rules = [router.rule(Policy(threshold=float(t))) for t in thresholds]
    kept = np.ones(len(router.arms), dtype=np.bool_) if among is None else among
    eligible = np.broadcast_to(kept, scores.quality.shape)
    number = (np.cumsum(kept) - 1).astype(np.int16)
    choices = np.stack([number[rule.choose(scores, eligible)] for rule in rules])
    expected = np.array([rule.expected(scores) for rule in rules], dtype=np.float64)
    quality = scores.quality[:, kept]
    return Sweep("router", choices, thresholds, quality, expected[:, 0], expected[:, 1])


def _thresholds(manifest: Manifest) -> Doubles:
    """Where spend moves by the map of all prompts, and evenly; finely where every kind has one."""
    even = np.linspace(0.0, 1.0, FINE_THRESHOLDS if manifest.mapped else EVEN_THRESHOLDS)
    return np.unique(np.concatenate([manifest.threshold_map.threshold, even]).round(9))


def _baselines(
    router: Router,
    data: Dataset,
    scored: Scored,
    outcomes: Outcomes,
    cache: Path,
    reporter: Reporter,
) -> Fitted:
    from .baselines.suite import METHODS, fit_baselines  # loads torch, for baselines alone

    train = data.rows(~data.test)
    if len(train) == 0:
        raise TrainingError(
            "--baselines fits the other methods on the train split, and this table has none"
        )
    train_inputs, test_inputs = published_inputs(router, train.texts, scored, cache, reporter)
    evidence = Evidence(
        train, train_inputs, scored.data, test_inputs, scored.scores.cost_usd, seed=0
    )
    with reporter.stage("fit baselines", len(METHODS)) as stage:

        def progress(name: str) -> None:
            stage.note(name)
            stage.advance()

        return fit_baselines(evidence, outcomes, progress)
