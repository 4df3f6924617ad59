"""A training configuration without choices left: the settings that a bundle's training chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from router.core.manifest import Manifest

from ..config import TrainConfig, build

SECTIONS = {"ridge": "linear", "logistic": "linear"}  # methods whose settings live elsewhere


def fixed_config(manifest: Manifest) -> TrainConfig:
    """The bundle's configuration with every list of candidates cut to what was chosen.

    Fitting with it takes a fraction of the time. The settings were chosen with all training rows
    in view; what is fitted with them need not be.
    """
    config = build(TrainConfig, dict(manifest.config), "")
    chosen: Mapping[str, Mapping[str, Any]] = manifest.training.get("chosen", {})
    for method, settings in chosen.items():
        config = _cut(config, method, settings)
    encoder = replace(config.encoder, depths=(manifest.encoder.depth,))
    decision = replace(config.decision, tie_bands=(manifest.decision.tie_band,))
    return replace(config, encoder=encoder, decision=decision)


def _cut(config: TrainConfig, method: str, settings: Mapping[str, Any]) -> TrainConfig:
    name = SECTIONS.get(method, method)
    section = getattr(config, name, None)
    if section is None:
        return config
    if method == "trees":
        builds_on = section.builds_on if settings.get("others") else ()
        return replace(config, trees=replace(section, builds_on=builds_on))
    known = {f.name for f in fields(section)}
    wanted = {method: settings["alpha"]} if method in SECTIONS else settings
    cut = {key: (value,) for key, value in wanted.items() if key in known}
    return replace(config, **{name: replace(section, **cut)})
