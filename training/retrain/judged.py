"""What the judge's word is worth: held against what people said of answers that it compared.

A decisive verdict claims that the winner is acceptable and the loser is not. Feedback of people
says of one of the two, the answer that went out, whether that is so. The verdict is blind to which
of the two that was, so winners and losers among the answers that went out stand for all: a verdict
is worth d = P(acceptable | it won) - P(acceptable | it lost), and is read as a preference of
(1 + d) / 2. Ties stay ties. Few labels say nothing, and verdicts count as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from router.events import JUDGE

from .log_rows import Traffic

LEAST = 30  # answers of each kind that people must have judged, too


@dataclass(frozen=True, slots=True)
class Worth:
    """Answers that people judged, too.

    Attributes:
        won, lost: how many that the judge let win, and lose.
        good_won, good_lost: the sum of what people said of them, 0 to 1 each.
    """

    won: int
    lost: int
    good_won: float
    good_lost: float

    @property
    def lead(self) -> float | None:
        """d, 0 to 1; null where too few labels tell it."""
        if min(self.won, self.lost) < LEAST:
            return None
        return float(np.clip(self.good_won / self.won - self.good_lost / self.lost, 0.0, 1.0))


def worth(traffic: Traffic) -> Worth:
    """The judge's decisive verdicts on answers that people judged, too."""
    said = [p for p in traffic.preferred if p.key == JUDGE and p.preference != 0.5]
    quality = traffic.quality[[p.row for p in said]] if said else np.empty(0)
    first = np.array([p.preference > 0.5 for p in said], dtype=np.bool_)
    known = ~np.isnan(quality)
    won, lost = known & first, known & ~first
    return Worth(
        int(won.sum()), int(lost.sum()), float(quality[won].sum()), float(quality[lost].sum())
    )


def calibrated(traffic: Traffic) -> Traffic:
    """The log with the judge's verdicts as probabilities, where enough labels tell them."""
    lead = worth(traffic).lead
    if lead is None:
        return traffic
    return replace(
        traffic,
        preferred=tuple(
            replace(p, preference=0.5 + lead * (p.preference - 0.5)) if p.key == JUDGE else p
            for p in traffic.preferred
        ),
    )
