"""LiteLLM's proxy: the table LiteLLM_SpendLogs, or its StandardLoggingPayload as JSON lines.

Texts are there only with `store_prompts_in_spend_logs`; there are no scores: bring them with
`--labels`, by request_id. Layout: schema.prisma and the logging docs of BerriAI/litellm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from .base import (
    FAILED,
    LOST,
    Format,
    Options,
    Outcome,
    at,
    billed,
    each,
    first,
    label,
    parsed,
    text,
)
from .files import Head, Row, rows

SPEND_LOG = {"request_id", "spend", "prompt_tokens", "completion_tokens"}
PAYLOAD = {"response_cost", "model_parameters", "prompt_tokens", "completion_tokens"}


def recognises(head: Head) -> bool:
    """Whether the columns are those of a spend log or of a logging payload."""
    return head.keys >= SPEND_LOG or head.keys >= PAYLOAD


def read(paths: Sequence[Path], options: Options) -> Iterator[Outcome]:
    """One outcome per request, without a quality."""
    for path in paths:
        yield from each(rows(path), lambda row: [_outcome(row, options)], LOST)


def _outcome(row: Row, options: Options) -> Outcome:
    body = row.get("proxy_server_request")  # what the client sent, where it is kept
    cached = str(row.get("cache_hit")).lower() == "true"
    cost = first(row.get("spend"), row.get("response_cost"))
    return Outcome(
        prompt=text(first(parsed(row.get("messages")), parsed(at(body, "messages")))),
        model=label(first(row.get("model"), row.get("model_group"), options.model)),
        tier=label(
            first(at(body, "reasoning_effort"), at(row, "model_parameters", "reasoning_effort"))
        ),
        input_tokens=row.get("prompt_tokens"),
        output_tokens=row.get("completion_tokens"),
        # the proxy writes 0 for models that it has no price of, and for answers from its cache
        cost_usd=None if cached else billed(cost, row.get("completion_tokens")),
        record_id=label(first(row.get("request_id"), row.get("id"))),
        fault=FAILED if str(row.get("status")).lower() == "failure" else None,
    )


FORMAT = Format(
    name="litellm",
    about="LiteLLM spend logs or logging payloads (CSV, JSON, JSONL, Parquet)",
    recognises=recognises,
    read=read,
    apart=True,
)
