"""Which of two answers will be preferred? The utility against Bradley and Terry.

    python -m training.benchmarks.preference_forecast --data D --prompts P --pairs B --json F

Everything is fitted on the battles of training prompts (and, where it says so, on their labels) and
asked about the battles of test prompts. `--derive` makes the battles of the outcomes instead;
`--unseen` also leaves a share of the pairs of arms out of training and asks about these alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console

from data.clean import clean_pairs
from data.errors import DataError
from data.tables import Tables, load_tables
from router.types import Doubles

from ..config import TrainConfig, load_config
from ..errors import TrainingError
from ..methods.pairs import Battles
from ..preferences.evidence import split_battles
from ..preferences.forecast import (
    PLAIN,
    Labelled,
    arm_pairs,
    by_utility,
    choose_alpha,
    decided,
    fit_by,
    measured,
    nothing,
    pair_chance,
    similar_strengths,
    strengths,
    without_length,
)
from ..prepare.dataset import build_dataset
from ..progress import Reporter, Timings
from ..selection.depth import embed_inputs, open_encoder
from .derive_pairs import derived_pairs
from .options import comparison

OURS = "utility of battles and labels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """Battles to learn from, battles to foretell, and the labels of training prompts."""

    seen: Battles
    asked: Battles
    labelled: Labelled
    texts: tuple[str, ...]  # of the labelled prompts


def contest(tables: Tables, config: TrainConfig, cache: Path, reporter: Reporter) -> Contest:
    """Battles of the train and of the test split, with the encoder that training would choose.

    Raises:
        TrainingError: a split has no decided battle.
    """
    data = build_dataset(tables, config.arms)
    train = data.rows(~data.test)
    encoder = open_encoder(train, config, cache, reporter)
    parts = [
        split_battles(tables, data, encoder, cache, reporter, split=split)
        for split in ("train", "test")
    ]
    if parts[0] is None or parts[1] is None or len(decided(parts[1])) == 0:
        raise TrainingError("the pairs need decided battles on prompts of train and of test")
    inputs = embed_inputs(train.texts, encoder, cache, reporter)
    asked = decided(parts[1])
    known = np.isin(_names(asked, asked.first), _names(parts[0], None))
    known &= np.isin(_names(asked, asked.second), _names(parts[0], None))
    return Contest(
        seen=parts[0],
        asked=asked.where(known),
        labelled=Labelled(inputs, train.quality),
        texts=train.texts,
    )


def _names(battles: Battles, index: Any) -> Any:  # noqa: ANN401
    ids = np.array([arm.id for arm in battles.arms])
    return ids if index is None else ids[index]


def unseen_pairs(found: Contest, share: float, seed: int) -> Contest:
    """The same with some pairs of arms met in the test split alone.

    Raises:
        TrainingError: there are too few pairs of arms to leave any out.
    """
    numbers = np.unique(arm_pairs(found.seen))
    rng = np.random.default_rng(seed)
    out = rng.choice(numbers, max(int(share * len(numbers)), 1), replace=False)
    seen = found.seen.where(~np.isin(arm_pairs(found.seen), out))
    asked = found.asked.where(np.isin(arm_pairs(found.asked), out))
    if len(seen) == 0 or len(asked) == 0:
        raise TrainingError("too few pairs of arms meet to leave some of them out of training")
    return Contest(seen=seen, asked=asked, labelled=found.labelled, texts=found.texts)


def foretold(found: Contest, config: TrainConfig) -> dict[str, Doubles]:
    """P(a wins | somebody does) of every asked battle, by every method."""
    seen, asked = found.seen, found.asked
    out = {
        PLAIN: pair_chance(strengths(seen), asked),
        "similarity-weighted Bradley-Terry": pair_chance(
            similar_strengths(seen, asked.inputs), asked
        ),
    }
    ways = {
        "utility of battles": (seen, nothing(seen), ()),
        OURS: (seen, found.labelled, found.texts),
        "the same, length not modelled": (without_length(seen), found.labelled, found.texts),
    }
    for name, (battles, labelled, texts) in ways.items():
        alpha = choose_alpha(battles, labelled, texts, config)
        out[name] = by_utility(fit_by(battles, labelled, config, alpha), asked)
    return out


@click.command()
@comparison(
    click.option("--unseen", type=click.FloatRange(0, 1), default=0.0, help="Share of arm pairs."),
)
def main(
    data_path: Path,
    prompts: Path,
    pairs: Path | None,
    derive: int | None,
    unseen: float,
    config_path: Path | None,
    cache: Path,
    seed: int,
    json_path: Path | None,
) -> None:
    """Foretell the preferences of test prompts, and compare with Bradley and Terry."""
    if (pairs is None) == (derive is None):
        raise click.ClickException("give one of --pairs and --derive")
    try:
        config = load_config(config_path)
        tables = load_tables(data_path, prompts, pairs, split=config.split)
        if derive is not None:
            made = clean_pairs(derived_pairs(tables.outcomes, derive, seed)).kept
            tables = Tables(tables.outcomes, tables.prompts, made, tables.report)
        found = contest(tables, config, cache, Timings())
        if unseen:
            found = unseen_pairs(found, unseen, seed)
    except (DataError, TrainingError) as err:
        raise click.ClickException(str(err)) from err
    figures = measured(foretold(found, config), found.asked, seed)
    out = {"seen": len(found.seen), "asked": len(found.asked), "methods": figures}
    if json_path is not None:
        json_path.write_text(json.dumps(out, indent=1) + "\n", "utf-8")
    _show(out)


def _show(out: dict[str, Any]) -> None:
    console = Console(width=120)
    console.print(f"{out['seen']} battles seen, {out['asked']} decided ones of test prompts asked")
    for name, by in out["methods"].items():
        told = [
            f"{figure} {found['value']:.4f} [{found['ci95'][0]:.4f}, {found['ci95'][1]:.4f}] "
            f"({found['difference_ci95'][0]:+.4f}, "
            f"{found['difference_ci95'][1]:+.4f})"
            for figure, found in by.items()
        ]
        console.print(f"{name:<36} {'  '.join(told)}", highlight=False)


if __name__ == "__main__":
    main()
