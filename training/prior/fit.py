"""Make the prior of a user's rows out of a base: its arms, and how far it is followed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from data.summary import MIN_ROWS
from router.core.bundle import Bundle
from router.core.manifest import ArmInfo
from router.types import Arm, Doubles, Floats

from ..bundle.oof_predictions import read_oof_predictions
from ..config import ClusterConfig, TrainConfig, recorded
from ..errors import TrainingError
from ..methods.base import Folds, Inputs, arm_means, counted
from ..methods.common_level import targets_of
from ..prepare.dataset import Dataset
from ..selection.offsets import Ahead
from ..selection.regret import contrast
from .heads import BaseHeads, Said
from .kin_blend import Blend, blend_of
from .likeness import Likeness
from .prior import Prior

if TYPE_CHECKING:
    from data.tables import Tables

LEAST_ROWS = 1  # training outcomes that an arm needs beside a base
LEAST_PROMPTS = 10
SLOPE_ERROR = 2.0  # by which the slopes of what a base says of single prompts may be off from 1
MOST_SLOPE = 1.25


@dataclass(frozen=True, slots=True)
class Base:
    """A bundle that is known before any row, and what somebody says of arms that it lacks."""

    bundle: Bundle
    likes: tuple[Likeness, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OnBase:
    """A base for the training rows of a user.

    Attributes:
        prior: for the user's arms.
        said: what the base says of the n rows, by models that did not see them.
        blend: of arms.
        infos: (a,) the base's arm that is most like each of the user's.
        cells: how clusters' values are shrunken.
        bundle_id: of the base.
        arms: (a,) the user's.
    """

    prior: Prior
    said: Said
    blend: Blend
    infos: tuple[ArmInfo, ...]
    cells: ClusterConfig
    bundle_id: str
    arms: tuple[Arm, ...]

    @property
    def record(self) -> dict[str, Any]:
        """What the manifest says of it."""
        told = zip(self.arms, self.infos, self.blend.known, strict=True)
        return {
            "bundle": self.bundle_id,
            "known_arms": int(self.blend.known.sum()),
            "arms_by_kin": {arm.id: info.arm.id for arm, info, known in told if not known},
            "slope": round(self.prior.slope, 4),
            "level_slope": round(self.prior.level_slope, 4),
        }

    @property
    def told(self) -> str:
        """It in a line."""
        by_kin = self.record["arms_by_kin"]
        more = f", {len(by_kin)} others by kin" if by_kin else ""
        return f"it knows {self.record['known_arms']} of the arms{more}"

    def ahead(self, data: Dataset) -> Ahead:
        """What is known before any of the rows."""
        return Ahead(
            quality=self.prior.quality(self.said).astype(np.float32),
            alike=self.blend.alike,
            unsure=self.prior.unsure**2,
            cost_usd=np.nanmean(data.cost_usd, axis=0),
        )


def config_on_base(base: Base, tables: Tables, config: TrainConfig) -> TrainConfig:
    """The configuration with the base's encoder; arms need no number of rows beside a base.

    Raises:
        TrainingError: the tables hold what is not learned beside a base.
    """
    if len(tables.sources) > 1:
        names = ", ".join(source.name for source in tables.sources[:4])
        raise TrainingError(
            f"--base takes one table, and there are {len(tables.sources)} sources ({names}); train "
            "on the one that your traffic is like, or on all without --base"
        )
    if tables.pairs is not None:
        raise TrainingError(
            "--base learns from outcomes, not from pairs; leave --pairs out, or train without "
            "--base"
        )
    rows = config.arms.min_rows if config.arms.min_rows != MIN_ROWS else LEAST_ROWS
    encoder = recorded(base.bundle.manifest.config).encoder
    return replace(config, encoder=encoder, arms=replace(config.arms, min_rows=rows))


def on_base(
    given: Base, data: Dataset, inputs: Inputs, folds: Folds, config: TrainConfig
) -> OnBase:
    """What a base says of a user's rows and arms.

    Args:
        given: the base.
        data: the user's n training rows.
        inputs: of the base's encoder.
        folds: of the rows.
        config: of the level that sparse rows are compared at.
    Raises:
        TrainingError: there are too few rows, or the base is of another make.
    """
    if len(data) < LEAST_PROMPTS:
        raise TrainingError(
            f"{len(data)} training prompts say next to nothing; {LEAST_PROMPTS} are needed beside "
            "a base. `tierwise init` makes a router of a base without any"
        )
    base = given.bundle
    heads = BaseHeads.of(base)
    said = _honest(heads.says(inputs), base, data)
    means = said.quality.mean(axis=0)
    blend = blend_of(base, data, float(means.std()), given.likes)
    plain = Prior(
        heads=heads,
        blend=blend.weights,
        unsure=np.sqrt(blend.variance) * means.std(),
        offset=blend.offset,
        slope=1.0,
        level_slope=1.0,
        means=means @ blend.weights,
        token_shift=np.zeros(len(data.arms)),
    )
    slope, level_slope = _slopes(plain.quality(said), data, inputs, folds, config)
    infos = tuple(base.manifest.arms[i] for i in blend.weights.argmax(axis=0))
    return OnBase(
        prior=replace(plain, slope=slope, level_slope=level_slope),
        said=said,
        blend=blend,
        infos=infos,
        cells=config.cluster,
        bundle_id=base.manifest.bundle_id,
        arms=data.arms,
    )


def _honest(said: Said, base: Bundle, data: Dataset) -> Said:
    """What the base's out-of-fold predictions say of prompts that it was trained on."""
    oof = read_oof_predictions(base.path)
    if oof is None:
        return said
    place = oof.places(data.texts)
    seen = place >= 0
    quality, tokens = said.quality.copy(), said.tokens.copy()
    quality[seen], tokens[seen] = oof.quality[place[seen]], oof.output_tokens[place[seen]]
    return replace(said, quality=quality, tokens=tokens)


def _slopes(
    quality: Doubles, data: Dataset, inputs: Inputs, folds: Folds, config: TrainConfig
) -> tuple[float, float]:
    """How far prompts differ as the base says, and how far their levels do; both pulled to 1."""
    beyond = (data.quality - quality).astype(np.float32)
    targets = targets_of(inputs, beyond, folds, data.arms, config, data.counts)
    share = counted(beyond, data.counts)
    level = quality.mean(axis=1, keepdims=True)
    told, same = _above_arms(quality - level, share), np.where(share > 0, level - level.mean(), 0.0)
    left = _above_arms(targets.quality, share)
    if not targets.sparse:  # else the level of each prompt was taken off already
        left = contrast(left, share)
    return _slope(told, left, share), _slope(same, _above_arms(beyond, share), share)


def _slope(told: Doubles, left: Doubles, share: Doubles) -> float:
    """1 plus what is left by what was told, (n, a) both, as far as it is sure; 0 to MOST_SLOPE."""
    weight = float((share * told**2).sum())
    if weight <= 0.0:
        return 1.0
    more = float((share * told * left).sum()) / weight
    by_prompt = (share * told * (left - more * told)).sum(axis=1)
    variance = float((by_prompt**2).sum()) / weight**2
    pulled = more * SLOPE_ERROR**2 / (SLOPE_ERROR**2 + variance)
    return float(np.clip(1.0 + pulled, 0.0, MOST_SLOPE))


def _above_arms(values: Floats | Doubles, share: Doubles) -> Doubles:
    """(n, a) beside the means of arms, 0 where nothing is known."""
    means = arm_means(values, share)
    return np.where(share > 0, values - means, 0.0)
