"""Tiers that nobody ran, derived from repeated samples: an outcome table with their qualities.

Every tier of a catalogue that draws several samples becomes an arm `model|tier`. On training
prompts its quality is the expectation under Beta(a + c, b + N - c), the prior of which comes from
heads that did not see the prompt: less noisy than any count, and defined beyond N. On test prompts
it is the unbiased estimate from their own samples wherever they have enough, so that what is
measured there is not what was assumed here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import beta as beta_distribution

from router.catalogue.catalogue import Catalogue
from router.catalogue.tiers import TierSpec
from router.types import Arm, Doubles

from ..errors import TrainingError
from .betabinomial import Beta
from .billing import Usage, bill
from .curves import RevisionCurve, VerifierCurve, auc, fit_revisions, fit_verifier
from .integrate import best_of, chosen_at, pass_at, vote, vote_at
from .sampled import Sampled

QUANTILES = (np.arange(24) + 0.5) / 24  # of a Beta, where no integral is known
BINS = 5  # of difficulty, in which a verifier's choices are averaged
PERFECT = VerifierCurve(sharpness=0.0, decay=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """What was measured of one model: its verifier, and how revisions go."""

    auc: float | None = None  # of the verifier; null: no scores, taken as perfect
    verifier: VerifierCurve = PERFECT
    revision: RevisionCurve | None = None  # null: no rounds were sampled


@dataclass(slots=True)
class Derived:
    """Outcomes of base and derived tiers, and what they rest on."""

    outcomes: pl.DataFrame
    curves: dict[str, Curves]
    estimated: dict[str, int] = field(default_factory=dict)  # arm -> test rows without enough N


def derived_tiers(catalogue: Catalogue, model: str) -> dict[str, TierSpec]:
    """Name -> tier of a model that draws several samples; wildcard names derive nothing."""
    found: dict[str, TierSpec] = {}
    for name, spec in catalogue.tiers.items():
        pattern, bar, tier = name.rpartition("|")
        if spec.sampling.n > 1 and "*" not in tier and (not bar or fnmatchcase(model, pattern)):
            found.setdefault(tier, spec)
    return found


def fit_curves(sampled: Sampled, belief: Beta, model: int) -> Curves:
    """Fit a model's curves on the training prompts."""
    train = ~sampled.test & sampled.known[:, model]
    mean = belief[0][:, model] / (belief[0] + belief[1])[:, model]
    scored = [i for i in np.flatnonzero(train).tolist() if (i, model) in sampled.scored]
    quality, curve = _verifier(sampled, scored, mean, model)
    later = {turn: part[:, model] for turn, part in sampled.rounds.items() if turn > 1}
    rows = [(mean[train], turn, part[train]) for turn, part in later.items()]
    points = [
        (p[~np.isnan(y)], np.full((~np.isnan(y)).sum(), float(turn)), y[~np.isnan(y)])
        for p, turn, y in rows
    ]
    if not points:
        return Curves(auc=quality, verifier=curve)
    p, turns, reached = (np.concatenate(part) for part in zip(*points, strict=True))
    return Curves(auc=quality, verifier=curve, revision=fit_revisions(p, turns, reached))


def _verifier(
    sampled: Sampled, rows: list[int], mean: Doubles, model: int
) -> tuple[float | None, VerifierCurve]:
    """AUC within prompts, and the curve through the mean choices by n and bin of difficulty."""
    cells = [sampled.scored[i, model] for i in rows]
    skills = np.array([auc(score, quality) for quality, score in cells])
    sizes = [len(quality) for quality, _ in cells]
    if not cells or np.isnan(skills).all() or max(sizes) < 2:
        return None, PERFECT
    skill = float(np.nanmean(skills))
    edges = np.quantile(mean[rows], np.linspace(0, 1, BINS + 1)[1:-1])
    bins = np.searchsorted(edges, mean[rows])
    points = []
    for n in sorted({2, 4, 8, 16, max(sizes)} & set(range(2, max(sizes) + 1))):
        chosen = np.array([chosen_at(quality, score, n) for quality, score in cells])
        best = pass_at(np.array([q.sum() for q, _ in cells]), np.array(sizes), n)
        single = np.array([q.mean() for q, _ in cells])
        for b in range(BINS):
            part = (bins == b) & ~np.isnan(chosen)
            if part.any():
                points.append((single[part].mean(), best[part].mean(), n, chosen[part].mean()))
    one, best, count, reached = (np.array(column) for column in zip(*points, strict=True))
    return skill, fit_verifier(one, best, count, np.full(len(one), skill), reached)


def expected(spec: TierSpec, belief: Beta, curves: Curves) -> Doubles:
    """Expected quality (n,) of a tier under Beta(a, b) of one model, each (n,).

    Raises:
        TrainingError: it revises, and no rounds were sampled.
    """
    a, b = belief
    n = spec.sampling.n
    if spec.sampling.aggregator == "majority_vote":
        return vote(a, b, n)
    if spec.sampling.aggregator == "best_of_n":
        single, skill = a / (a + b), 1.0 if curves.auc is None else curves.auc
        return curves.verifier.accuracy(single, best_of(a, b, n), n, skill)
    revision = curves.revision
    if revision is None:
        raise TrainingError(
            f"a tier of {n} rounds of revision needs samples with `round` above 1, and there are "
            "none: nothing tells what a revision of this model does"
        )
    return _over(belief, lambda p: revision.accuracy(p, n))


def _over(belief: Beta, accuracy: Callable[[Doubles], Doubles]) -> Doubles:
    """Mean of a function of p over Beta(a, b), at even quantiles."""
    p = beta_distribution.ppf(QUANTILES, belief[0][:, None], belief[1][:, None])
    return np.asarray(accuracy(np.clip(p, 0.0, 1.0)).mean(axis=1))


def observed(spec: TierSpec, sampled: Sampled, model: int, curves: Curves) -> Doubles:
    """Unbiased quality (n,) of a tier from each prompt's own samples; NaN where too few."""
    n, aggregator = spec.sampling.n, spec.sampling.aggregator
    passes, samples = sampled.counts.passes[:, model], sampled.counts.samples[:, model]
    if aggregator == "sequential_revision":
        empty = np.full(len(passes), np.nan)
        return sampled.rounds[n][:, model] if n in sampled.rounds else empty
    if aggregator == "best_of_n" and curves.auc is not None:
        cells = [sampled.scored.get((i, model)) for i in range(len(passes))]
        return np.array([np.nan if c is None else chosen_at(*c, n) for c in cells])
    estimate = vote_at if aggregator == "majority_vote" else pass_at
    whole = passes == np.round(passes)  # graded samples are no counts
    return np.where(whole, estimate(np.round(passes), samples, n), np.nan)


def derive(sampled: Sampled, belief: Beta, catalogue: Catalogue, base: str) -> Derived:
    """The outcome table of every model at the base tier and at all derived ones.

    Args:
        sampled: the samples.
        belief: Beta of every cell after its samples, (n, m) each.
        catalogue: tiers and prices.
        base: name of the tier that was sampled.
    Raises:
        TrainingError: no tier draws several samples, or one cannot be derived from these.
        CatalogueError: a model has no price.
    """
    out = Derived(pl.DataFrame(), {})
    tables = []
    for m, model in enumerate(sampled.models):
        tiers = derived_tiers(catalogue, model)
        if not tiers:
            named = ", ".join(catalogue.tiers) or "none"
            raise TrainingError(
                f"the catalogue has no tier of several samples for {model}; its tiers are {named}"
            )
        curves = fit_curves(sampled, belief, m)
        out.curves[model] = curves
        plain = sampled.counts.passes[:, m] / np.maximum(sampled.counts.samples[:, m], 1.0)
        tables.append(_rows(sampled, m, base, TierSpec(), plain, catalogue))
        for name, spec in tiers.items():
            guess = expected(spec, (belief[0][:, m], belief[1][:, m]), curves)
            seen = observed(spec, sampled, m, curves)
            use = sampled.test & ~np.isnan(seen)
            out.estimated[f"{model}|{name}"] = int(
                (sampled.test & ~use & sampled.known[:, m]).sum()
            )
            quality = np.where(use, seen, guess)
            tables.append(_rows(sampled, m, name, spec, quality, catalogue))
    out.outcomes = pl.concat(tables)
    return out


def _rows(
    sampled: Sampled, m: int, name: str, spec: TierSpec, quality: Doubles, catalogue: Catalogue
) -> pl.DataFrame:
    """One arm's outcomes; tokens are those that the bill counts."""
    model, rows = sampled.models[m], np.flatnonzero(sampled.known[:, m])
    price = catalogue.price(model)
    usage = Usage(
        input_tokens=sampled.input_tokens[rows, m], output_tokens=sampled.output_tokens[rows, m]
    )
    paid = bill(catalogue, model, spec, usage)
    read = paid.input_usd / price.usd_per_1m_input * 1e6 if price.usd_per_1m_input else None
    tokens = usage.input_tokens if read is None else read
    written = usage.output_tokens * spec.sampling.n
    return pl.DataFrame(
        {
            "prompt_id": [sampled.prompt_ids[i] for i in rows],
            "model": [model] * len(rows),
            "tier": [Arm(model, name).tier] * len(rows),
            "quality": np.clip(quality[rows], 0.0, 1.0).astype(np.float32),
            "input_tokens": np.rint(tokens).astype(np.int32),
            "output_tokens": np.rint(written).astype(np.int32),
            "cost_usd": np.asarray(paid.total_usd, dtype=np.float64),
            "split": np.where(sampled.test[rows], "test", "train"),
        }
    )


def summary(found: Derived) -> dict[str, Any]:
    """JSON-able: curves by model, and arms with the test rows that had too few samples."""
    return {
        "models": {
            model: {
                "verifier_auc": curves.auc,
                "verifier": {
                    "sharpness": curves.verifier.sharpness,
                    "decay": curves.verifier.decay,
                },
                "revision": None
                if curves.revision is None
                else {"mend": curves.revision.mend, "spoil": curves.revision.spoil},
            }
            for model, curves in found.curves.items()
        },
        "test_rows_from_the_model": found.estimated,
    }
