"""A model that a bundle does not know, and which of those that it knows it is like."""

from __future__ import annotations

from dataclasses import dataclass

# by which mean qualities of neighbouring versions differ (root mean square) in the zeroeval table:
# claude-3-5-sonnet 0620 and 1022, gpt-4o 0513 and 0806, llama 3 and 3.1 of 70b and of 8b
UNCERTAINTY = 0.06


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """A model of yours, and which one it is like.

    Attributes:
        model: its name.
        like: the known model, or one of its tiers as `model|tier`.
        offset: quality by which it is better, -1 to 1.
        uncertainty: standard error of that, 0 to 1.
    """

    model: str
    like: str
    offset: float = 0.0
    uncertainty: float = UNCERTAINTY
