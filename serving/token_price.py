"""What an arm's tokens cost, those of its prompt cache apart, where costs are told in tokens."""

from __future__ import annotations

from typing import NamedTuple

from router.engine import Router


class TokenPrice(NamedTuple):
    """US dollars per token; what a cache takes is null where unknown, and counts as input."""

    usd_per_input: float
    usd_per_output: float
    usd_per_cached: float | None = None
    usd_per_cache_write: float | None = None

    @classmethod
    def of(cls, router: Router, arm_id: str) -> TokenPrice | None:
        """The price of an arm; null where it is none of the router's, or not priced by tokens."""
        if arm_id not in router.arm_ids:
            return None
        info = router.manifest.arms[router.arm_ids.index(arm_id)]
        if info.metered_in != "tokens":
            return None
        listed = router.catalogue.model(info.model).price
        cached, write = (
            (None, None)
            if listed is None
            else (listed.usd_per_1m_cached_input, listed.usd_per_1m_cache_write)
        )
        return cls(
            info.usd_per_1m_input / 1e6,
            info.usd_per_1m_output / 1e6,
            None if cached is None else cached / 1e6,
            None if write is None else write / 1e6,
        )

    def usd(
        self, read: float, written: float, cached: float | None, cache_write: float | None
    ) -> float:
        """US dollars of a request.

        Args:
            read: input tokens, those of the cache among them.
            written: output tokens.
            cached: input tokens that were read from a prompt cache.
            cache_write: input tokens that were written to one.
        """
        total = read * self.usd_per_input + written * self.usd_per_output
        for tokens, price in (
            (cached, self.usd_per_cached), (cache_write, self.usd_per_cache_write),
        ):  # fmt: skip
            if tokens is not None and price is not None:
                total += tokens * (price - self.usd_per_input)
        return max(total, 0.0)
