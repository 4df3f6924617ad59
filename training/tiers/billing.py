"""What a tier costs: one call's tokens become the dollars of a whole answer.

The price rule of every kind of tier, in one place, for tiers that are derived from single calls; an
arm that was observed at its tier is priced by the tokens that its tier really took. Tokens are
arrays of any one shape, dollars have the same shape.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from router.catalogue.catalogue import Catalogue, Model, Price, Retriever, Verifier
from router.catalogue.hints import ONE_CALL
from router.catalogue.tiers import TierSpec
from router.types import Doubles

NOTHING: Doubles = np.zeros(())


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one call that draws one sample; arrays of one shape."""

    input_tokens: Doubles  # the whole prompt
    output_tokens: Doubles  # reasoning included


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """US dollars of one answer: what the model read, and everything."""

    input_usd: Doubles
    total_usd: Doubles


def bill(catalogue: Catalogue, model: str, tier: TierSpec, usage: Usage) -> Bill:
    """The dollars of one answer of a model at a tier, by a catalogue's prices.

    - Samples count the input once where one call draws them all (`ONE_CALL`); else the later
      ones read it at the cached price where there is one, and at full price where not.
    - Every round of a revision is a call of its own, which reads the prompt and the answer
      before it.
    - Depth of recurrence and size of byte patches multiply the price of every token by the
      tier's `compute_factor`.
    - A verifier reads prompt and answer of every sample.
    - Look-ups pay their fee, and what they bring is input from then on; the steps of a chain
      are calls of their own, a low-confidence answer is drafted once without.

    Raises:
        CatalogueError: the model has no price.
    """
    price = _scaled(catalogue.price(model), tier.compute_factor)
    verifier = catalogue.verifiers.get(tier.sampling.verifier or "")
    retriever = catalogue.retrievers.get(tier.retrieval.retriever or "")
    n, cap = tier.sampling.n, tier.max_output_tokens
    out = usage.output_tokens if cap is None else np.minimum(usage.output_tokens, cap)
    read, drafted, queries, tokens = _retrieved(tier, usage.input_tokens, retriever)
    read_usd = (tokens + read) * price.usd_per_1m_input / 1e6
    input_usd = read_usd + _again_usd(tier, price, catalogue.model(model), tokens, out)
    steps = (tier.retrieval.length or 0) * tier.retrieval.step_output_tokens
    output_usd = (out * (n + drafted) + steps) * price.usd_per_1m_output / 1e6
    fees = 0.0 if retriever is None else queries * retriever.usd_per_query
    total = input_usd + output_usd + _verifier_usd(verifier, n, tokens, out) + fees
    return Bill(input_usd=np.asarray(input_usd), total_usd=np.asarray(total))


def _scaled(price: Price, factor: float | None) -> Price:
    """The price of tokens that take so many times the compute."""
    if factor is None:
        return price
    usd = {f.name: getattr(price, f.name) for f in fields(price) if f.name.startswith("usd_")}
    scaled = {name: None if value is None else value * factor for name, value in usd.items()}
    return replace(price, **scaled)  # type: ignore[arg-type]


def _retrieved(
    tier: TierSpec, tokens: Doubles, retriever: Retriever | None
) -> tuple[Doubles, float, float, Doubles]:
    """(input tokens of calls before the last, drafts, look-ups, input tokens of the last call)."""
    wanted, brought = tier.retrieval, 0 if retriever is None else retriever.tokens_per_query
    if wanted.when == "once":
        return NOTHING, 0.0, 1.0, tokens + brought
    if wanted.when == "chain":
        length = wanted.length or 0
        before = length * tokens + brought * length * (length - 1) / 2
        return before, 0.0, float(length), tokens + brought * length
    if wanted.when == "low_confidence":  # a draft reads the bare prompt, a share is done again
        share = wanted.share
        return tokens * share, share, share, np.asarray(tokens + brought * share)
    return NOTHING, 0.0, 0.0, tokens


def _again_usd(
    tier: TierSpec, price: Price, model: Model, tokens: Doubles, out: Doubles
) -> Doubles:
    """Of reading the prompt for the samples after the first."""
    more = tier.sampling.n - 1
    if more == 0 or (tier.parallel and model.api in ONE_CALL):
        return NOTHING
    rate = price.usd_per_1m_cached_input
    rate = price.usd_per_1m_input if rate is None else rate
    earlier = NOTHING if tier.parallel else out * price.usd_per_1m_input
    return np.asarray(more * (tokens * rate + earlier) / 1e6)


def _verifier_usd(verifier: Verifier | None, n: int, tokens: Doubles, out: Doubles) -> Doubles:
    if verifier is None:
        return np.zeros_like(out)
    read = (tokens + out) * (verifier.usd_per_1m_input or 0.0)
    said = verifier.output_tokens * (verifier.usd_per_1m_output or 0.0)
    return np.asarray(n * ((verifier.usd_per_call or 0.0) + (read + said) / 1e6))
