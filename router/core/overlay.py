"""Put a newer catalogue over a bundle: prices, health and latency change, what was learned stays.

What the catalogue leaves out stays as the bundle has it. The rule weighs the new prices from then
on. What the bundle promises at a threshold (the expected quality and cost, measured at its own
prices) would no longer be true, so a decision says nothing of it where a price was replaced;
`tierwise reprice` and retraining measure it anew.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields, replace

from ..catalogue.catalogue import ABILITIES, Catalogue, Model
from .bundle import HEADS, Bundle
from .manifest import ArmInfo, Manifest
from .scoring import Scorer


def overlaid(bundle: Bundle, catalogue: Catalogue) -> Bundle:
    """The bundle with another catalogue, and the prices and abilities that it states.

    An arm that is metered in dollars keeps its price: its table had no tokens to multiply.
    """
    old = bundle.manifest
    arms = tuple(_arm(info, catalogue) for info in old.arms)
    manifest = replace(old, arms=arms, catalogue=_merged(old, catalogue).to_dict())
    # health and latency are none of the heads' business: they stay open
    rows, scorer = bundle.map_rows, bundle.scorer
    if arms != old.arms:
        scorer = Scorer(bundle.path / HEADS, manifest, rows)
    return replace(bundle, manifest=manifest, scorer=scorer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """What was put over a bundle.

    Attributes:
        id: of the catalogue that rules, by its content; decisions are functions of it, too.
        repriced: whether some arm has another price than the bundle was measured at.
    """

    id: str
    repriced: bool


def overlay_of(old: Manifest, new: Manifest) -> Overlay:
    """What distinguishes a manifest with a catalogue over it from the bundle's own."""
    text = json.dumps([new.catalogue, [_usd(info) for info in new.arms]], sort_keys=True)
    return Overlay(
        id=hashlib.sha256(text.encode()).hexdigest()[:12],
        repriced=any(_usd(a) != _usd(b) for a, b in zip(old.arms, new.arms, strict=True)),
    )


def _usd(info: ArmInfo) -> tuple[float, float]:
    return info.usd_per_1m_input, info.usd_per_1m_output


def _arm(info: ArmInfo, catalogue: Catalogue) -> ArmInfo:
    model = catalogue.model(info.model)
    stated = {n: v for n in ABILITIES if (v := getattr(model, n)) is not None}
    if model.price is None or info.metered_in != "tokens":
        return replace(info, **stated)
    return replace(
        info,
        usd_per_1m_input=model.price.usd_per_1m_input,
        usd_per_1m_output=model.price.usd_per_1m_output,
        price_date=model.price.valid_from,
        **stated,
    )


def _merged(old: Manifest, catalogue: Catalogue) -> Catalogue:
    """What the newer catalogue states, over what the bundle has; by exact names for its arms."""
    before, arms = Catalogue.of(old.catalogue), [info.arm for info in old.arms]
    models = {arm.model: _over(before, catalogue, arm.model) for arm in arms}
    tiers = {arm.id: catalogue.tier(arm) or before.tier(arm) for arm in arms}
    return Catalogue(
        models={**catalogue.models, **models},
        tiers={name: tier for name, tier in tiers.items() if tier is not None},
        verifiers={**before.verifiers, **catalogue.verifiers},
        retrievers={**before.retrievers, **catalogue.retrievers},
    )


def _over(before: Catalogue, newer: Catalogue, name: str) -> Model:
    """What is known of a model; what the newer catalogue leaves out stays as it was."""
    old, new = before.model(name), newer.model(name)
    stated = {f.name: v for f in fields(new) if (v := getattr(new, f.name)) != f.default}
    return replace(old, **stated)
