"""What a bundle knows of each of its arms, and how sure that is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from router.catalogue.names import family
from router.core.answers import INTERVAL_Z
from router.core.manifest import ArmInfo, retired_by
from router.engine import Router

from ..bundle.manifest import OUTCOMES


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of one arm.

    Attributes:
        info: the manifest's row.
        family: of the catalogue; else what the names of snapshots have in common.
        half_width: of a 90 % interval of the mean quality; null where nothing says it.
        kinds: kind of work -> outcomes; empty where the training told no kinds apart.
        retired: whether it answers no more, as of the day of the bundle's map.
    """

    info: ArmInfo
    family: str
    half_width: float | None
    kinds: Mapping[str, int]
    retired: bool

    @property
    def source(self) -> str:
        """What the quality is known by, in words."""
        if self.info.like is not None:
            return f"likeness to {self.info.like.removesuffix('|default')}"
        if self.info.rows == 0:
            return f"{self.info.battles:,} preferences"
        return f"{self.info.rows:,} outcomes"


def known_arms(router: Router) -> list[Known]:
    """All arms, family by family; in a family by model, then from the cheapest tier up."""
    manifest = router.manifest
    gone = retired_by(manifest.decision.today, [info.retired for info in manifest.arms])
    counts = manifest.training.get(OUTCOMES, {})
    guessed = {
        change["arm"]: float(change["uncertainty"])
        for change in manifest.training.get("changes", [])
        if change["change"] == "likened"
    }
    found = [
        Known(
            info=info,
            family=router.catalogue.model(info.model).family or family(info.model),
            half_width=_half_width(info, guessed.get(info.arm.id)),
            kinds=counts.get(info.arm.id, {}),
            retired=bool(ended),
        )
        for info, ended in zip(manifest.arms, gone, strict=True)
    ]
    return sorted(found, key=lambda k: (k.family, k.info.model, k.info.mean_cost_usd, k.info.tier))


def _half_width(info: ArmInfo, uncertainty: float | None) -> float | None:
    """Of outcomes: as wide as for right or wrong, which a mean of grades is at most."""
    if uncertainty is not None:
        return INTERVAL_Z * uncertainty
    if info.rows == 0:
        return None
    return INTERVAL_Z * math.sqrt(info.mean_quality * (1 - info.mean_quality) / info.rows)


def kinds_of(arms: list[Known]) -> dict[str, int]:
    """Kind of work -> outcomes of the arm that has most of them, the commonest first."""
    most: Counter[str] = Counter()
    for arm in arms:
        most |= Counter(arm.kinds)
    return dict(most.most_common())


def rows_of(arms: list[Known]) -> Iterator[tuple[str, str, str, str]]:
    """Lines of a table: arm, price, quality, what it is known by."""
    for arm in arms:
        info = arm.info
        width = "" if arm.half_width is None else f" ± {arm.half_width:.2f}"
        price = (
            f"{info.usd_per_1m_input:g} / {info.usd_per_1m_output:g}"
            if info.metered_in == "tokens"
            else f"{info.mean_cost_usd:.2g} a request"
        )
        told = f"retired {info.retired}" if arm.retired else arm.source
        yield info.arm.id.removesuffix("|default"), price, f"{info.mean_quality:.2f}{width}", told
