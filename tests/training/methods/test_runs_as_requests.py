"""Tokens of agents' runs beside those of requests: ratios between arms stay, the level does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from data.collection import Source
from router.types import Doubles
from tests.training.small import small_dataset
from training.methods.runs_as_requests import as_requests
from training.prepare.dataset import Dataset

PRICE_IN, PRICE_OUT = 1.0, 4.0  # US dollars per million tokens
REQUEST, RUN = np.array([100.0, 200.0, np.nan]), np.array([10_000.0, 40_000.0, 80_000.0])


def mixed(runs: int = 10, requests: int = 10) -> Dataset:
    """Requests of two arms, and runs of three that write more and resend much."""
    out: Doubles = np.concatenate([np.tile(REQUEST, (requests, 1)), np.tile(RUN, (runs, 1))])
    out *= np.linspace(0.9, 1.1, len(out))[:, None]
    into = np.where(np.isnan(out), np.nan, np.concatenate(
        [np.full((requests, 3), 50.0), np.full((runs, 3), 90_000.0)]))  # fmt: skip
    cost = (into * PRICE_IN + out * PRICE_OUT) / 1e6
    quality = np.where(np.isnan(out), np.nan, 0.5).astype(np.float32)
    paths = {"outcomes": "o", "prompts": "p"}
    return replace(
        small_dataset(quality, cost),
        input_tokens=into,
        output_tokens=out,
        n_chars=np.full(len(out), 400),
        sources=("chat",) * requests + ("agents",) * runs,
        collection=(
            Source(name="agents", per="task", **paths),
            Source(name="chat", **paths),
        ),
    )


def test_runs_are_scaled_to_the_requests_of_the_same_arms() -> None:
    found = as_requests(mixed(), None)
    run = found.output_tokens[10:]
    np.testing.assert_allclose(run[:, 1:] / run[:, :1], np.tile([4.0, 8.0], (10, 1)))
    level = np.exp(np.log(run[:, :2]).mean())
    assert level == pytest.approx(np.exp(np.log(found.output_tokens[:10, :2]).mean()))
    assert np.array_equal(found.output_tokens[:10], mixed().output_tokens[:10], equal_nan=True)


def test_a_run_costs_what_a_request_of_its_prompt_would() -> None:
    found = as_requests(mixed(), None)
    assert (found.input_tokens[10:] == 100.0).all(), "400 characters"
    expected = (100.0 * PRICE_IN + found.output_tokens[10:] * PRICE_OUT) / 1e6
    np.testing.assert_allclose(found.cost_usd[10:], expected, rtol=1e-6)


def test_a_table_of_runs_or_of_requests_alone_stays_as_it_is() -> None:
    for alone in (mixed(requests=0), mixed(runs=0)):
        assert as_requests(alone, None) is alone
