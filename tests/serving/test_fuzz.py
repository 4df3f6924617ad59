"""Requests that schemathesis makes up from the OpenAPI document; see `tests.bench.fuzz`."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.openapi import OPERATIONS
from tests.bench.fuzz import fuzz

REQUESTS = 2000


@pytest.mark.slow
def test_every_answer_to_a_made_up_request_is_a_documented_one(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    found = fuzz(tiny_bundle, tmp_path, requests=REQUESTS, seed=0)
    assert not found.failures, "\n".join(found.failures)
    assert found.statuses.total() >= REQUESTS
    assert all(status < 500 for _, status in found.statuses)
    for one in OPERATIONS:
        if one.takes is not None:  # they get beyond the checks
            assert found.statuses[f"POST {one.path}", 200] > 0
