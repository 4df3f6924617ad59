"""Put a newer catalogue over a bundle: prices, health and latency change, what was learned stays.

The rule weighs the new prices from then on. What the bundle promises at a threshold (the expected
quality and cost, measured at its own prices) would no longer be true, so a decision says nothing
of it where a price was replaced; retraining, or `tierwise reprice`, measures it anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from .bundle import HEADS, Bundle
from .catalogue import Catalogue
from .manifest import ArmInfo, Manifest
from .scoring import Scorer

T = TypeVar("T")
ABILITIES = ("context_tokens", "tools", "vision", "json")


def overlaid(bundle: Bundle, catalogue: Catalogue) -> Bundle:
    """The bundle with another catalogue, and the prices and abilities that it states.

    An arm that is metered in dollars keeps its price: its table had no tokens to multiply.
    """
    old = bundle.manifest
    arms = tuple(_arm(info, catalogue) for info in old.arms)
    manifest = replace(old, arms=arms, catalogue=_merged(old, catalogue).to_dict())
    scorer = Scorer(bundle.path / HEADS, manifest)
    return replace(bundle, manifest=manifest, scorer=scorer)


def repriced(old: Manifest, new: Manifest) -> bool:
    """Whether some arm has another price."""
    return any(_usd(a) != _usd(b) for a, b in zip(old.arms, new.arms, strict=True))


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
    """The newer catalogue first; what it does not name stays as the bundle has it."""
    before = Catalogue.of(old.catalogue)
    return Catalogue(
        models={**catalogue.models, **_without(before.models, catalogue.models)},
        tiers={**catalogue.tiers, **_without(before.tiers, catalogue.tiers)},
        verifiers={**before.verifiers, **catalogue.verifiers},
        retrievers={**before.retrievers, **catalogue.retrievers},
    )


def _without(entries: Mapping[str, T], taken: Mapping[str, T]) -> dict[str, T]:
    return {name: entry for name, entry in entries.items() if name not in taken}
