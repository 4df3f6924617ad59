"""A training configuration without choices left: the settings that a bundle's training chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from router.core.manifest import Manifest

from ..config import TrainConfig, recorded


def fixed_config(manifest: Manifest) -> TrainConfig:
    """The bundle's configuration with every list of candidates cut to what was chosen.

    Fitting with it takes a fraction of the time. The settings were chosen with all training rows
    in view; what is fitted with them need not be.
    """
    config = recorded(manifest.config)
    chosen: Mapping[str, Mapping[str, Any]] = manifest.training.get("chosen", {})
    for method, settings in chosen.items():
        config = _cut(config, method, settings)
    encoder = replace(config.encoder, depth=manifest.encoder.depth)
    decision = replace(config.decision, tie_bands=(manifest.decision.tie_band,))
    return replace(config, encoder=encoder, decision=decision)


def _cut(config: TrainConfig, method: str, settings: Mapping[str, Any]) -> TrainConfig:
    section = getattr(config, method, None)
    if section is None:
        return config
    known = {f.name for f in fields(section)}
    cut = {key: (value,) for key, value in settings.items() if key in known}
    return replace(config, **{method: replace(section, **cut)})
