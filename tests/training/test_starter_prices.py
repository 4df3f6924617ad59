"""Prices of the starter's models: their makers', else the median of hosts, else an error."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from training.errors import TrainingError
from training.starter_prices import write_prices

DAY = date(2026, 11, 1)


def listed(folder: Path) -> Path:
    """LiteLLM's file with three hosts of one open model, one of which gives it away."""
    usd = {
        "hosta/acorn-7b": 0.2,
        "hostb/org/Acorn-7B": 0.4,
        "hostc/acorn-7b": 0.6,
        "free/acorn-7b": 0,
    }
    entries = {
        name: {"input_cost_per_token": price / 1e6, "output_cost_per_token": 2 * price / 1e6,
               "mode": "chat", "litellm_provider": name.split("/")[0]}
        for name, price in usd.items()
    }  # fmt: skip
    path = folder / "prices.json"
    path.write_text(json.dumps(entries), "utf-8")
    return path


def test_open_models_cost_the_median_of_hosts_and_others_what_their_makers_ask(
    tmp_path: Path,
) -> None:
    out = tmp_path / "prices.csv"
    assert write_prices(["acorn-7b", "gpt-4o-mini"], listed(tmp_path), DAY, out) == 2
    rows = {row["model"]: row for row in pl.read_csv(out).iter_rows(named=True)}
    assert rows["acorn-7b"]["usd_per_1m_input"] == pytest.approx(0.4)
    assert rows["acorn-7b"]["usd_per_1m_output"] == pytest.approx(0.8)
    assert rows["acorn-7b"]["source"] == "median of 3 hosts"
    assert rows["gpt-4o-mini"]["usd_per_1m_input"] > 0
    assert {row["valid_from"] for row in rows.values()} == {"2026-11-01"}


def test_a_model_that_nobody_sells_is_named(tmp_path: Path) -> None:
    out = tmp_path / "prices.csv"
    with pytest.raises(TrainingError, match=r"no price of oak-1: leave them out"):
        write_prices(["acorn-7b", "oak-1"], listed(tmp_path), DAY, out)
    assert not out.exists()
