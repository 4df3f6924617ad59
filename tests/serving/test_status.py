"""The status file at /metrics: shown when it is whole, never at the service's own expense."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.serving.conftest import Driver

GOOD = '# TYPE tierwise_drift_level gauge\ntierwise_drift_level{kind="price",subject="m"} 2.0\n'


def series(ask: Driver) -> dict[str, float]:
    """Every sample of /metrics by name; a page that no scraper could read fails here."""
    text = ask(path="/metrics", method="GET").body.decode()
    return {s.name: s.value for f in text_string_to_metric_families(text) for s in f.samples}


def test_a_status_file_is_told_beside_the_service_s_own_series(
    make_app: Callable[..., Driver], tmp_path: Path
) -> None:
    path = tmp_path / "status.prom"
    ask = make_app(status_metrics=path)
    assert series(ask)["tierwise_status_readable"] == 0
    path.write_text(GOOD)
    found = series(ask)
    assert found["tierwise_drift_level"] == 2
    assert found["tierwise_status_readable"] == 1
    assert "tierwise_ready_workers" in found


@pytest.mark.parametrize(
    "text",
    ["", "no metric at all", GOOD + "cut_off{", "python_info 1.0\n", GOOD.rstrip(), "\0" * 10,
     "# long\n" * 200_000 + GOOD],
)  # fmt: skip
def test_a_damaged_or_foreign_file_is_left_out(
    make_app: Callable[..., Driver], tmp_path: Path, text: str
) -> None:
    path = tmp_path / "status.prom"
    path.write_text(text)
    found = series(make_app(status_metrics=path))
    assert found["tierwise_status_readable"] == 0
    assert "tierwise_drift_level" not in found
    assert "tierwise_ready_workers" in found
