"""What tiers cost, on numbers that can be checked by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.catalogue.catalogue import Catalogue, Model, Price, Retriever, Verifier
from router.catalogue.tiers import TierSpec
from router.errors import CatalogueError
from router.strict import build
from training.tiers.billing import Usage, bill

# a million tokens at these prices: 1, 10 and 0.1 dollars
PRICE = Price(usd_per_1m_input=1.0, usd_per_1m_output=10.0)
CACHES = Price(usd_per_1m_input=1.0, usd_per_1m_output=10.0, usd_per_1m_cached_input=0.1)
ONE = Usage(input_tokens=np.array([1e6]), output_tokens=np.array([1e5]))


def total(
    tier: dict[str, Any],
    price: Price = PRICE,
    api: str = "anthropic",
    *,
    usage: Usage = ONE,
    verifier: Verifier | None = None,
    retriever: Retriever | None = None,
) -> float:
    catalogue = Catalogue(
        models={"m": Model(price=price, api=api)},  # type: ignore[arg-type]
        verifiers={} if verifier is None else {"v": verifier},
        retrievers={} if retriever is None else {"wiki": retriever},
    )
    return float(bill(catalogue, "m", build(TierSpec, tier, ""), usage).total_usd[0])


def votes(n: int) -> dict[str, Any]:
    return {"sampling": {"n": n, "aggregator": "majority_vote"}}


@pytest.mark.parametrize(
    ("n", "price", "api", "usd"),
    [
        (1, PRICE, "openai", 1.0 + 1.0),
        (5, PRICE, "openai", 1.0 + 5.0),  # one call draws all five
        (5, PRICE, "anthropic", 5.0 + 5.0),
        (5, CACHES, "anthropic", 1.0 + 4 * 0.1 + 5.0),
    ],
)
def test_samples_count_the_input_once_where_it_is_cached(
    n: int, price: Price, api: str, usd: float
) -> None:
    assert total(votes(n) if n > 1 else {}, price, api) == pytest.approx(usd)


def test_rounds_of_a_revision_read_the_answer_before_them() -> None:
    tier = {"sampling": {"n": 3, "aggregator": "sequential_revision"}}
    assert total(tier, PRICE, "openai") == pytest.approx(3 * 1.0 + 2 * 0.1 + 3 * 1.0)


def test_depth_and_patches_multiply_the_price_of_a_token() -> None:
    deep = {"recurrence_depth": 32, "compute_factor": 2.0}
    assert total(deep) == pytest.approx(2 * total({}))
    vote = {**votes(3), "patch_entropy": 1.3, "compute_factor": 0.5}
    assert total(vote, CACHES) == pytest.approx(0.5 * total(votes(3), CACHES))


def test_a_verifier_reads_every_sample() -> None:
    tier = {"sampling": {"n": 4, "aggregator": "best_of_n", "verifier": "v"}}
    flat = Verifier(usd_per_call=0.5)
    reads = Verifier(usd_per_1m_input=2.0, usd_per_1m_output=5.0, output_tokens=1000)
    plain = 1.0 + 4.0
    assert total(tier, PRICE, "openai", verifier=flat) == pytest.approx(plain + 4 * 0.5)
    one = 1.1 * 2.0 + 0.005
    assert total(tier, PRICE, "openai", verifier=reads) == pytest.approx(plain + 4 * one)


def test_look_ups_pay_a_fee_and_lengthen_the_prompt() -> None:
    wiki = Retriever(usd_per_query=0.5, tokens_per_query=200_000)
    once = {"retrieval": {"when": "once", "retriever": "wiki"}}
    assert total(once, retriever=wiki) == pytest.approx(1.2 + 1.0 + 0.5)
    chain = {
        "retrieval": {"when": "chain", "length": 2, "retriever": "wiki", "step_output_tokens": 1000}
    }
    # steps read 1.0 and 1.2, the answer 1.4; two questions of 1,000 tokens
    assert total(chain, retriever=wiki) == pytest.approx(3.6 + 1.0 + 0.02 + 2 * 0.5)
    unsure = {
        "retrieval": {"when": "low_confidence", "below": 0.4, "share": 0.5, "retriever": "wiki"}
    }
    # a draft for everybody; half of them read 1.2 and write again
    assert total(unsure, retriever=wiki) == pytest.approx(1.0 + 0.6 + 1.5 + 0.25)


def test_output_is_capped() -> None:
    assert total({"max_output_tokens": 20_000}) == pytest.approx(1.0 + 0.2)


def test_an_unpriced_model_is_an_error() -> None:
    with pytest.raises(CatalogueError, match="x has no price"):
        bill(Catalogue(), "x", build(TierSpec, votes(5), ""), ONE)


@given(
    st.integers(1, 12),
    st.sampled_from([PRICE, CACHES]),
    st.sampled_from(["openai", "anthropic"]),
    st.sampled_from(["majority_vote", "sequential_revision"]),
    st.floats(0, 1e5),
    st.floats(0, 1e4),
)
def test_one_more_sample_never_costs_less_nor_more_than_another_call(
    n: int, price: Price, api: str, kind: str, tokens: float, out: float
) -> None:
    usage = Usage(input_tokens=np.array([tokens]), output_tokens=np.array([out]))

    def usd(samples: int) -> float:
        tier = {"sampling": {"n": samples, "aggregator": kind}} if samples > 1 else {}
        return total(tier, price, api, usage=usage)

    more = usd(n + 1) - usd(n)
    fed_back = out / 1e6 if kind == "sequential_revision" else 0.0
    assert -1e-12 <= more <= usd(1) + fed_back + 1e-12
