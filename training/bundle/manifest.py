"""Fill in a bundle's manifest: what was learned from what, how, and with which versions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np

from router.catalogue.catalogue import Catalogue
from router.core import features
from router.core.manifest import (
    PROTOCOL,
    ArmInfo,
    DecisionInfo,
    EncoderInfo,
    Manifest,
    ThresholdMap,
)
from router.types import Doubles
from router.version import __version__

from ..config import TrainConfig
from ..prepare.dataset import Dataset
from ..selection.crossfit import Crossfit
from .decision import Origin, Rule
from .fit import Combined
from .kind_words import kind_by_words
from .model import Parity

OUTCOMES = "outcomes_by_kind"  # of the training record: arm id -> kind of work -> how many
KINDS, OTHER = 24, "other"  # kinds that are told apart; the rarest are counted together
LIBRARIES = ("lightgbm", "numpy", "onnx", "onnxruntime", "scikit-learn", "sentence-transformers")


def describe(
    *,
    encoder: EncoderInfo,
    arms: tuple[ArmInfo, ...],
    rule: Rule,
    threshold_map: ThresholdMap,
    training: dict[str, Any],
    metrics: dict[str, Any],
    config: TrainConfig,
    catalogue: Catalogue,
) -> Manifest:
    """The manifest without files and id, which only writing can give it."""
    decision: DecisionInfo = rule.info
    return Manifest(
        protocol=PROTOCOL,
        bundle_id="",
        files={},
        encoder=encoder,
        feature_version=features.VERSION,
        feature_names=features.NAMES,
        arms=arms,
        decision=decision,
        threshold_map=threshold_map,
        training=training,
        metrics=metrics,
        config=config.to_dict(),
        catalogue=catalogue.to_dict(),
        versions={name: metadata.version(name) for name in LIBRARIES} | {"tierwise": __version__},
    )


@dataclass(frozen=True, slots=True)
class Learned:
    """What training came to, for its record."""

    data: Dataset
    fitted: Crossfit
    combined: Combined
    rule: Rule
    table: ThresholdMap
    parity: Parity
    mean: Doubles  # (a,) mean quality of every arm


def outcomes_by_kind(data: Dataset) -> dict[str, dict[str, int]]:
    """Arm id -> kind of work -> how many outcomes; empty where no kind is known of any prompt.

    A prompt's kind is what its source declares, or else what its words say; where no source
    declares any, its domain.
    """
    told = any(data.kinds)
    named = [
        kind or (kind_by_words([text]) or OTHER if told else domain)
        for kind, domain, text in zip(data.kinds, data.domains, data.texts, strict=True)
    ]
    kinds = Counter(kind for kind in named if kind)
    shown = {kind for kind, _ in kinds.most_common(KINDS)}
    if not shown:
        return {}
    labels = np.array([kind if kind in shown else OTHER for kind in named], dtype=object)
    seen = ~np.isnan(data.quality)
    counted = {arm.id: Counter(labels[seen[:, i]].tolist()) for i, arm in enumerate(data.arms)}
    return {arm: dict(sorted(found.items())) for arm, found in counted.items()}


def training_record(learned: Learned, origin: Origin) -> dict[str, Any]:
    """What was learned from what: counts, rejects by reason, choices and what they beat."""
    data, fitted, parity = learned.data, learned.fitted, learned.parity
    names = learned.combined.stack.names
    return {
        "prompts": len(data),
        "cells": int((~np.isnan(data.quality)).sum()),
        "dropped_arms": data.dropped_arms,
        OUTCOMES: outcomes_by_kind(data),
        **({"sparse": fitted.targets.record} if fitted.targets.record else {}),
        **({"mixture": fitted.record} if fitted.record else {}),
        "rejected_rows": dict(origin.rejected),
        "chosen": {name: dict(found.settings) for name, found in fitted.chosen.items()},
        "tried": fitted.scores,
        "tie_bands_tried": learned.rule.tried,
        "routing": learned.combined.trust.record(),
        "stack": {name: round(1.0 / len(names), 4) for name in names},
        "parity": {
            "rows": parity.rows,
            "same_arm": round(parity.same_arm, 6),
            # differences this small are rounding, and rounding differs between machines
            "quality_gap_below": 1e-4,
        },
        **origin.record,
    }
