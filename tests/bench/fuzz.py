"""Requests made up from `GET /openapi.json` by schemathesis, sent to the application in process.

    python -m tests.bench.fuzz [--requests 20000] [--seed 0] [--bundle BUNDLE]

Half of them are valid by the schema and half are not; most have the fields of a body that is
answered among theirs, so that they get beyond the first check. Every answer must be of a
documented status, type and schema, and none a 5xx. The same seed makes the same requests.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from router.request.names import PROMPTS
from serving.app import HEALTH, App
from serving.declared import Declared
from serving.openapi import OPERATIONS
from serving.settings import STARTER, Settings

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
Pairs = st.SearchStrategy[tuple[Case, dict[str, Any] | None]]
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


@dataclass
class Found:
    """What came back.

    Attributes:
        statuses: (operation, status) -> how many.
        failures: what was wrong, in schemathesis' words, each once.
    """

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    failures: dict[str, None] = field(default_factory=dict)


def fuzz(bundle: Path, log: Path, *, requests: int, seed: int) -> Found:
    """Send so many requests, as many to each operation that takes a body."""
    app = App(
        Settings(
            bundle=bundle,
            log_dir=log,
            budget_dir=None,
            budgets=(Declared(name="team", usd=5.0, period="hour"),),
        )
    )
    app.metrics.name_arms(app.holder.swap(bundle).router.arms)
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    found, posts = Found(), [one for one in OPERATIONS if one.takes is not None]
    for one in OPERATIONS:
        if one.takes is None and one.path not in HEALTH:  # those are BentoML's
            _send(schema[one.path]["GET"].Case(), found)
    each = -(-requests // (len(posts) * len(MODES)))
    for one in posts:
        bodies = [*one.examples.values()]
        if one.path == "/feedback":  # about a decision that was made
            made = schema["/route"]["POST"].Case(body={"prompt": "Name a prime."}).call()
            bodies = [{"decision_id": made.json()["decision_id"]}]
        for mode in MODES:
            cases = schema[one.path]["POST"].as_strategy(generation_mode=mode)
            _run(st.tuples(cases, st.sampled_from([None, *bodies])), found, each, seed)
    return found


def _run(pairs: Pairs, found: Found, each: int, seed: int) -> None:
    """Send `each` cases, the fields of a body put over those that were made up."""

    @hypothesis.seed(seed)
    @settings(
        max_examples=each,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(pairs)
    def one(pair: tuple[Case, dict[str, Any] | None]) -> None:
        case, body = pair
        if body is not None and isinstance(case.body, dict):
            case.body = {k: v for k, v in case.body.items() if k not in PROMPTS} | body
        _send(case, found)

    one()


def _send(case: Case, found: Found) -> None:
    response = case.call()
    found.statuses[case.operation.label, response.status_code] += 1
    try:
        case.validate_response(response, checks=CHECKS)
    except AssertionError as err:
        found.failures[f"{case.operation.label}: {err}"[:2000]] = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bundle", type=Path, default=STARTER)
    args = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as log:
        found = fuzz(args.bundle, Path(log), requests=args.requests, seed=args.seed)
    for (label, status), count in sorted(found.statuses.items()):
        print(f"{label:18} {status} {count:6}")
    failed = sum(n for (_, status), n in found.statuses.items() if status >= 500)
    print(
        f"{found.statuses.total()} requests in {time.monotonic() - begun:.0f} s, {failed} of 5xx, "
        f"{len(found.failures)} answers that the document does not allow"
    )
    for text in found.failures:
        print(text)
    raise SystemExit(bool(failed or found.failures))


if __name__ == "__main__":
    main()
