"""Leave one (model, tier) out, predict it from the rest, and compare with averages.

    python -m training.benchmarks.leave_tier_out --data D.parquet --prompts P.parquet [--json F]

Prediction is by `predictors.tiered`, fitted on the train split without the arm's column. Penalty is
chosen by cross-validated log loss of the *other* arms, so nothing of the arm left out is used.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console

from data.errors import DataError
from data.split import folds
from data.tables import load_tables
from router.types import Arm, Bools, Doubles, Floats

from ..config import TrainConfig
from ..errors import TrainingError
from ..methods.base import Inputs, arm_means
from ..methods.tiered import engages, fit_tiered
from ..prepare.cache import CACHE
from ..prepare.dataset import Dataset, build_dataset
from ..prepare.encoder import export_encoder
from ..progress import ConsoleReporter
from ..selection.crossfit import fold_masks
from ..selection.depth import embed_inputs

RESAMPLES = 2000
LEAST = 1e-4  # predictions are kept this far from 0 and 1 before a log loss
Interval = tuple[float, float]
PATH = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """How much smaller the prediction's loss is than a rival's; > 0 where it predicts better."""

    squared: float
    squared_ci95: Interval
    log: float
    log_ci95: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """One arm that training never saw, on the test prompts."""

    arm: str
    n: int
    quality: float  # realised mean
    predicted: float  # mean
    squared: float
    log: float
    margins: dict[str, Margin]  # rival -> margin
    gaps: dict[str, Doubles] = field(repr=False)  # rival -> (test prompts,) squared; NaN unknown


def leave_out(data: Dataset, inputs: Inputs, config: TrainConfig) -> list[LeftOut]:
    """Leave every arm out whose model has another tier and whose tier another model.

    Args:
        data: train and test prompts, all arms.
        inputs: of the same prompts.
        config: candidates of `tiered`.
    Raises:
        TrainingError: no model comes at two tiers.
    """
    if not engages(data.arms):
        raise TrainingError(
            "leaving a tier out needs a model at two tiers; every model of this table has one"
        )
    return [
        _left_out(i, data, inputs, config) for i in range(len(data.arms)) if _possible(i, data.arms)
    ]


def _possible(i: int, arms: tuple[Arm, ...]) -> bool:
    others = [arm for j, arm in enumerate(arms) if j != i]
    return any(arm.model == arms[i].model for arm in others) and any(
        arm.tier == arms[i].tier for arm in others
    )


def _left_out(i: int, data: Dataset, inputs: Inputs, config: TrainConfig) -> LeftOut:
    train, arm = ~data.test, data.arms[i]
    seen = data.quality[train].copy()
    seen[:, i] = np.nan
    alpha = _penalty(inputs.rows(train), seen, data.rows(train), config)
    known = data.test & ~np.isnan(data.quality[:, i])
    head = fit_tiered(
        inputs.rows(train), seen, data.arms, config.tiered, config.linear, alpha=alpha
    )
    guess = head.predict(inputs.rows(known), {}).astype(np.float64)
    truth = data.quality[known, i].astype(np.float64)
    siblings = [j for j, a in enumerate(data.arms) if a.model == arm.model and j != i]
    peers = [j for j, a in enumerate(data.arms) if a.tier == arm.tier and j != i]
    means = arm_means(seen)
    rivals = {
        "model average": np.full(len(truth), means[siblings].mean()),
        "tier average": np.full(len(truth), means[peers].mean()),
        "model's other tiers, prompt by prompt": guess[:, siblings].mean(axis=1),
    }
    return LeftOut(
        arm=arm.id,
        n=len(truth),
        quality=float(truth.mean()),
        predicted=float(guess[:, i].mean()),
        squared=float(squared_loss(guess[:, i], truth).mean()),
        log=float(log_loss(guess[:, i], truth).mean()),
        margins={name: margin(guess[:, i], rival, truth) for name, rival in rivals.items()},
        gaps={name: _spread(guess[:, i], r, truth, known, data) for name, r in rivals.items()},
    )


def _spread(guess: Doubles, rival: Doubles, truth: Doubles, known: Bools, data: Dataset) -> Doubles:
    """The rival's squared error minus ours, at the places of the test prompts."""
    out = np.full(len(data), np.nan)
    out[known] = squared_loss(rival, truth) - squared_loss(guess, truth)
    return out[data.test]


def pooled(found: list[LeftOut], rival: str) -> tuple[float, Interval]:
    """Mean margin in squared error over all arms left out; prompts are what is resampled."""
    gap = np.nanmean(np.stack([row.gaps[rival] for row in found]), axis=0)
    return float(gap.mean()), resampled(gap, 0)


def _penalty(inputs: Inputs, seen: Floats, data: Dataset, config: TrainConfig) -> float:
    """The `tiered` penalty of the least cross-validated log loss on the arms that are there."""
    fold = folds(data.texts, config.folds.folds, config.folds.seed)
    tried = {}
    for alpha in config.tiered.alpha:
        out = np.full(seen.shape, np.nan)
        for train, held in fold_masks(fold):
            rows = inputs.rows(train)
            head = fit_tiered(
                rows, seen[train], data.arms, config.tiered, config.linear, alpha=alpha
            )
            out[held] = head.predict(inputs.rows(held), {})
        there: Bools = ~np.isnan(seen)
        tried[alpha] = float(log_loss(out[there], seen[there].astype(np.float64)).mean())
    return min(tried, key=lambda alpha: tried[alpha])


def squared_loss(guess: Doubles, truth: Doubles) -> Doubles:
    """(n,) squared errors."""
    return np.asarray((guess - truth) ** 2)


def log_loss(guess: Doubles, truth: Doubles) -> Doubles:
    """(n,) cross-entropies of soft labels, in nats."""
    kept = np.clip(guess, LEAST, 1 - LEAST)
    return np.asarray(-truth * np.log(kept) - (1 - truth) * np.log1p(-kept))


def margin(guess: Doubles, rival: Doubles, truth: Doubles, seed: int = 0) -> Margin:
    """Paired differences of both losses, rival's minus ours, with bootstrap intervals."""
    found = []
    for loss in (squared_loss, log_loss):
        gap = loss(rival, truth) - loss(guess, truth)
        found.append((float(gap.mean()), resampled(gap, seed)))
    return Margin(
        squared=found[0][0], squared_ci95=found[0][1], log=found[1][0], log_ci95=found[1][1]
    )


def resampled(gap: Doubles, seed: int) -> Interval:
    """95 % bootstrap interval of a mean."""
    rng = np.random.default_rng(seed)
    draws = gap[rng.integers(0, len(gap), (RESAMPLES, len(gap)))].mean(axis=1)
    low, high = np.percentile(draws, (2.5, 97.5))
    return float(low), float(high)


def lines(found: list[LeftOut]) -> list[str]:
    """Markdown: a row per arm; margins times 1000, and * where the interval excludes 0."""
    names = list(found[0].margins)
    head = "| left out | test mean | predicted | squared error ×1000 | "
    out = [head + " | ".join(f"less than by the {name}" for name in names) + " |"]
    out.append("|---" * (4 + len(names)) + "|")
    for row in found:
        cells = [f"{row.quality:.3f}", f"{row.predicted:.3f}", f"{1000 * row.squared:.1f}"]
        cells += [_cell(m.squared, m.squared_ci95) for m in row.margins.values()]
        out.append(f"| {row.arm.replace('|', ' · ')} | " + " | ".join(cells) + " |")
    quality, predicted, squared = (
        float(np.mean([getattr(row, name) for row in found]))
        for name in ("quality", "predicted", "squared")
    )
    cells = [f"{quality:.3f}", f"{predicted:.3f}", f"{1000 * squared:.1f}"]
    cells += [_cell(*pooled(found, name)) for name in names]
    return [*out, "| all of them | " + " | ".join(cells) + " |"]


def _cell(gap: float, interval: Interval) -> str:
    low, high = interval
    sure = "*" if low > 0 or high < 0 else ""
    return f"{1000 * gap:+.1f} [{1000 * low:+.1f}, {1000 * high:+.1f}]{sure}"


def to_dict(found: list[LeftOut]) -> dict[str, Any]:
    """JSON-able figures of all arms, and of all together."""
    rows = [{k: v for k, v in asdict(row).items() if k != "gaps"} for row in found]
    together = {name: pooled(found, name) for name in found[0].margins}
    return {
        "arms": rows,
        "all": {name: {"squared": gap, "ci95": ci} for name, (gap, ci) in together.items()},
    }


def read(data_path: Path, prompts: Path, cache: Path) -> tuple[Dataset, Inputs, TrainConfig]:
    """Tables as matrices of train and test prompts, embedded by the whole encoder."""
    config, reporter = TrainConfig(), ConsoleReporter(Console(stderr=True))
    data = build_dataset(load_tables(data_path, prompts, split=config.split), config.arms)
    encoder = export_encoder(config.encoder, cache / "encoders")
    return data, embed_inputs(data.texts, encoder, cache, reporter), config


@click.command()
@click.option("--data", "data_path", type=PATH, required=True, help="Outcomes.")
@click.option("--prompts", type=PATH, required=True, help="Prompts of the same ids.")
@click.option("--cache", type=PATH, default=CACHE, show_default=True)
@click.option("--json", "json_path", type=PATH, help="Write every figure here.")
def main(data_path: Path, prompts: Path, cache: Path, json_path: Path | None) -> None:
    """Predict every (model, tier) from the others, and compare with averages on test prompts."""
    try:
        found = leave_out(*read(data_path, prompts, cache))
    except (DataError, TrainingError) as err:
        raise click.ClickException(str(err)) from err
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(json.dumps(to_dict(found), indent=1) + "\n", "utf-8")
    for line in lines(found):
        click.echo(line)


if __name__ == "__main__":
    main()
