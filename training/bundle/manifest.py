"""Fill in a bundle's manifest: what was learned from what, how, and with which versions."""

from __future__ import annotations

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
from router.version import __version__

from ..config import TrainConfig
from ..prepare.dataset import Dataset
from ..selection.crossfit import Crossfit
from ..selection.stack import Stack
from .decision import Origin, Rule
from .model import Parity

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


def training_record(
    data: Dataset,
    origin: Origin,
    fitted: Crossfit,
    stack: Stack,
    rule: Rule,
    parity: Parity,
) -> dict[str, Any]:
    """What was learned from what: counts, rejects by reason, choices and what they beat."""
    return {
        "prompts": len(data),
        "cells": int((~np.isnan(data.quality)).sum()),
        "dropped_arms": data.dropped_arms,
        "rejected_rows": dict(origin.rejected),
        "chosen": {name: dict(found.settings) for name, found in fitted.chosen.items()},
        "tried": fitted.scores,
        "tie_bands_tried": rule.tried,
        "stack": {name: round(1.0 / len(stack.names), 4) for name in stack.names},
        "parity": {
            "rows": parity.rows,
            "same_arm": round(parity.same_arm, 6),
            # differences this small are rounding, and rounding differs between machines
            "quality_gap_below": 1e-4,
        },
        **origin.record,
    }
