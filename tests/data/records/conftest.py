"""Small files in the layouts that other tools document."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from data.prices import Price, PriceTable

Writer = Callable[..., Path]


@pytest.fixture
def lines(tmp_path: Path) -> Writer:
    """Write rows as JSON lines below the test's folder."""

    def write(name: str, rows: Iterable[Any]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return path

    return write


@pytest.fixture
def whole(tmp_path: Path) -> Writer:
    """Write one JSON document below the test's folder."""

    def write(name: str, document: object) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document), "utf-8")
        return path

    return write


@pytest.fixture
def prices() -> PriceTable:
    """1 dollar per million input tokens, 2 per million output tokens, for two models."""
    return PriceTable(
        tuple(
            Price(model=model, usd_per_1m_input=1.0, usd_per_1m_output=2.0)
            for model in ("aster", "brook")
        )
    )
