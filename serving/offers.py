"""Who was named to the caller by recent decisions, and whom of them feedback means."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from router.catalogue.names import find_arm, find_arms
from router.types import Arm, Decision

MAX_OFFERS = 50_000  # decisions, some 250 bytes each


class Offers:
    """The arms that recent decisions named; what is forgotten is in the log."""

    def __init__(self, size: int = MAX_OFFERS) -> None:
        self._size = size
        self._known: OrderedDict[str, tuple[Arm, ...]] = OrderedDict()

    def remember(self, decision_id: str, decision: Decision) -> None:
        """Keep the arms of a decision."""
        self._known[decision_id] = (decision.arm, *decision.fallbacks)
        if len(self._known) > self._size:
            self._known.popitem(last=False)

    def of(self, decision_id: str) -> tuple[str, ...] | None:
        """The chosen arm and its fallbacks, by id; null where the decision is not remembered."""
        arms = self._known.get(decision_id)
        return None if arms is None else tuple(arm.id for arm in arms)


@dataclass(frozen=True, slots=True)
class Answering:
    """Who answered, as a report says.

    Attributes:
        arm: its id, or the name as it was given where that means no arm.
        chosen: whether the decision chose it; null where that is not remembered.
        offered: whether it was chosen, or named as a fallback; null likewise.
        warning: what the caller should know; null where all is well.
    """

    arm: str
    chosen: bool | None
    offered: bool | None
    warning: str | None = None


def answering(name: str, offer: Sequence[str] | None, arms: Sequence[str]) -> Answering:
    """Whom a report means by `model` or `model|tier`.

    Args:
        name: as the caller writes it; a provider before it does not count.
        offer: the arms that the decision named, the chosen one first; null where forgotten.
        arms: of the bundle that answers now.
    """
    if offer is None:
        # without a tier it may mean a fallback that the log knows: left to its reader
        known = find_arms(name, arms)
        return Answering(
            known[0] if len(known) == 1 else name, None, None,
            "this decision is not remembered here; whether it offered "
            f"{name} is told from the log when it is read",
        )  # fmt: skip
    found = find_arm(name, offer, arms)
    if found is not None and found in offer:
        return Answering(found, found == offer[0], offered=True)
    named = f"this decision named {', '.join(offer)}"
    if found is not None:
        warning = f"{found} was not offered: {named}. It is booked on {found} all the same"
        return Answering(found, False, False, warning)
    tiers = find_arms(name, arms)
    what = (
        f"{name} may be any of {', '.join(tiers)}: give its tier" if tiers
        else f"the bundle has no arm {name}"
    )  # fmt: skip
    return Answering(name, False, False, f"{what}; {named}. It is kept, and not learned from")
