"""How long an answer takes: measured quantiles of the model, predicted tokens, the tier's order.

Samples drawn in parallel take the time of one, rounds of a revision follow one another, and so do
the steps of a chain of look-ups. Arrays are (n prompts, a arms); arm order is the manifest's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..catalogue.catalogue import Catalogue
from ..catalogue.tiers import TierSpec
from ..core.manifest import ArmInfo
from ..types import Doubles

QUANTILE = 0.9  # of first-token time and of time per token: a deadline is not met on average
PLAIN = TierSpec()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Milliseconds of every arm as a line in its output tokens; all (a,), NaN where unknown.

    Attributes:
        base_ms: calls that follow one another, each to its first token, verifier and look-ups.
        per_token_ms: of one predicted output token, all samples counted.
        most_tokens: that the tier writes at most.
        unknown: arm id -> what is missing to tell its latency.
    """

    base_ms: Doubles
    per_token_ms: Doubles
    most_tokens: Doubles
    unknown: dict[str, str]

    def expected_ms(self, output_tokens: Doubles) -> Doubles:
        """(n, a) milliseconds to the last token, NaN where unknown.

        Args:
            output_tokens: (n, a) predicted, all samples and rounds together.
        """
        tokens = np.minimum(output_tokens, self.most_tokens)
        return np.asarray(self.base_ms + self.per_token_ms * tokens)


def timing(catalogue: Catalogue, infos: Sequence[ArmInfo]) -> Timing:
    """Read the timing of every arm off a catalogue."""
    base, slope, most = (np.full(len(infos), value) for value in (np.nan, np.nan, np.inf))
    unknown: dict[str, str] = {}
    for i, info in enumerate(infos):
        tier = catalogue.tier(info.arm) or PLAIN
        found = _line(catalogue, info, tier)
        if isinstance(found, str):
            unknown[info.arm.id] = found
            continue
        base[i], slope[i] = found
        if tier.max_output_tokens is not None:
            most[i] = tier.max_output_tokens * tier.sampling.n
    return Timing(base_ms=base, per_token_ms=slope, most_tokens=most, unknown=unknown)


def _line(catalogue: Catalogue, info: ArmInfo, tier: TierSpec) -> tuple[float, float] | str:
    """(milliseconds, milliseconds per output token) of an arm, or what is missing."""
    latency = catalogue.model(info.model).latency
    if latency is None:
        return f"{info.model} has no latency"
    if info.metered_in != "tokens":
        return f"{info.model} has no token counts"
    first = latency.first_token_ms.at_least(QUANTILE)
    each = latency.output_token_ms.at_least(QUANTILE)
    if first is None or each is None:
        return f"{info.model} has no latency quantile of {QUANTILE:.0%} or above"
    waits = _waits_ms(catalogue, tier)
    if isinstance(waits, str):
        return waits
    n, each = tier.sampling.n, each * (tier.compute_factor or 1.0)
    calls = (1 if tier.parallel else n) + _extra_calls(tier)
    return calls * first + waits, each / n if tier.parallel else each


def _extra_calls(tier: TierSpec) -> int:
    """Calls before the answer: the steps of a chain, or the draft of an unsure answer."""
    wanted = tier.retrieval
    return (wanted.length or 0) + int(wanted.when == "low_confidence")


def _waits_ms(catalogue: Catalogue, tier: TierSpec) -> float | str:
    """Time of verifier and look-ups, or what is missing to tell it."""
    total = 0.0
    if tier.sampling.verifier is not None:
        judge = catalogue.verifiers[tier.sampling.verifier].latency_ms
        if judge is None:
            return f"verifier {tier.sampling.verifier} has no latency_ms"
        total += judge  # samples are judged at the same time
    if tier.retrieval.retriever is not None:
        look_up = catalogue.retrievers[tier.retrieval.retriever].latency_ms
        if look_up is None:
            return f"retriever {tier.retrieval.retriever} has no latency_ms"
        total += look_up * (tier.retrieval.length or 1)
    return total
