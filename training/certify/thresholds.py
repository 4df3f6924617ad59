"""What the threshold means on one's own prompts: shares, spend and expected quality, no labels.

Arrays are (n prompts, a arms); a table has T thresholds.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from data.clean import clean_prompts
from data.errors import DataError
from data.read import read_table
from router import Router
from router.core.rules import ThresholdRule
from router.types import Bools, Scores

from ..errors import TrainingError
from ..evaluation.evaluate import at_the_ask, score_texts
from ..progress import Reporter

THRESHOLDS = tuple(round(0.1 * i, 1) for i in range(11))
FINE = 1001  # thresholds among which a spend is looked for
SHARE_STEP = 5  # and every fifth of them for a share, which may rise and fall
CAVEAT = (
    "quality is what the bundle predicts of the arms that it chooses; no answer was looked at, and "
    "the best of many estimates flatters"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One threshold on these prompts.

    Attributes:
        usd_per_1k: expected US dollars per 1,000 prompts.
        quality: expected mean quality, see `CAVEAT`.
        shares: of the prompts, by arm id, in the bundle's order.
    """

    threshold: float
    usd_per_1k: float
    quality: float
    shares: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficTable:
    """What every threshold does to these prompts."""

    bundle_id: str
    prompts: int
    far: float  # share of prompts outside the training range
    settings: tuple[Setting, ...]

    def to_dict(self) -> dict[str, Any]:
        """The table as plain values."""
        return {**asdict(self), "caveat": CAVEAT}

    def frame(self) -> pl.DataFrame:
        """One row a threshold, one column for the share of each arm."""
        rows = [
            {
                "threshold": s.threshold,
                "usd_per_1k": s.usd_per_1k,
                "expected_quality": s.quality,
                **{f"share {arm}": share for arm, share in s.shares.items()},
            }
            for s in self.settings
        ]
        return pl.DataFrame(rows)


class OwnTraffic:
    """A bundle's scores of one's own prompts, ready for any threshold."""

    def __init__(self, router: Router, scores: Scores, compared: Scores) -> None:
        """Take the scores of n prompts, and the same as a threshold compares arms."""
        self.router = router
        self.scores, self._compared = scores, compared
        self._present: Bools = np.tile(router.present, (len(scores.quality), 1))

    def at(self, threshold: float) -> Setting:
        """What one threshold does."""
        scores, arms = self.scores, self.router.arms
        rule = ThresholdRule.of(threshold, self.router.manifest)
        arm = rule.choose(self._compared, self._present)
        index = np.arange(len(arm))
        counts = np.bincount(arm, minlength=len(arms)) / len(arm)
        return Setting(
            threshold=threshold,
            usd_per_1k=float(f"{1000 * scores.cost_usd[index, arm].mean():.6g}"),
            quality=round(float(scores.quality[index, arm].mean()), 6),
            shares={a.id: round(float(s), 6) for a, s in zip(arms, counts, strict=True)},
        )

    def table(self, thresholds: tuple[float, ...] = THRESHOLDS) -> TrafficTable:
        """The live rule at every threshold."""
        return TrafficTable(
            bundle_id=self.router.manifest.bundle_id,
            prompts=len(self.scores.quality),
            far=float((self.scores.in_distribution < 1.0).mean()),
            settings=tuple(self.at(t) for t in thresholds),
        )


def own_traffic(router: Router, prompts: Path, cache: Path, reporter: Reporter) -> OwnTraffic:
    """Score a table of prompts; ids are not needed here.

    Raises:
        DataError: it cannot be read, or holds no prompt.
    """
    table = read_table(prompts)
    if "prompt_id" not in table.columns:
        table = table.with_columns(prompt_id=pl.int_range(pl.len()).cast(pl.String))
    cleaned = clean_prompts(table)
    if cleaned.kept.is_empty():
        raise DataError(f"{prompts} has no usable prompt; rejected: {cleaned.counts()}")
    texts = tuple(cleaned.kept["prompt"])
    scores = score_texts(router, texts, cache, reporter)
    return OwnTraffic(router, scores, at_the_ask(router, texts, scores))


def threshold_for_spend(own: OwnTraffic, usd_per_1k: float) -> Setting:
    """The highest threshold that spends no more than this on these prompts.

    Spend never falls along the threshold, so it is found by bisection.

    Raises:
        TrainingError: even threshold 0 spends more; says how much.
    """
    low = own.at(0.0)
    if low.usd_per_1k > usd_per_1k:
        raise TrainingError(
            f"${usd_per_1k:g} per 1,000 prompts is not enough: threshold 0, the cheapest arm for "
            f"each, spends ${low.usd_per_1k:.4g}"
        )
    a, b = 0, FINE - 1
    while a < b:
        middle = (a + b + 1) // 2
        if own.at(middle / (FINE - 1)).usd_per_1k <= usd_per_1k:
            a = middle
        else:
            b = middle - 1
    return own.at(a / (FINE - 1))


def threshold_for_share(own: OwnTraffic, name: str, share: float) -> Setting:
    """The lowest threshold that sends at least this share to a model or arm.

    Raises:
        TrainingError: the bundle has no such arm, or no threshold sends it so much.
    """
    arms = own.router.arms
    wanted = [arm.id for arm in arms if name in (arm.id, arm.model)]
    if not wanted:
        raise TrainingError(
            f"the bundle has no model {name!r}; it has {', '.join(a.id for a in arms)}"
        )
    most, at = -1.0, 0.0
    for step in range(0, FINE, SHARE_STEP):
        setting = own.at(step / (FINE - 1))
        got = sum(setting.shares[arm] for arm in wanted)
        if got >= share:
            return setting
        if got > most:
            most, at = got, setting.threshold
    raise TrainingError(
        f"no threshold sends {share:.1%} to {name}; the most is {most:.1%}, at threshold {at:g}"
    )


def parse_share(text: str) -> tuple[str, float]:
    """Read MODEL=SHARE, the share as 0.2 or 20%.

    Raises:
        TrainingError: it is not of that form.
    """
    name, _, number = text.rpartition("=")
    try:
        share = float(number.removesuffix("%")) / (100.0 if number.endswith("%") else 1.0)
    except ValueError:
        share = -1.0
    if not name or not 0.0 <= share <= 1.0:
        raise TrainingError(f"--share takes MODEL=SHARE, such as gpt-4o=20%, got {text!r}")
    return name, share
