"""Helicone's requests: `@helicone/export` or the query API (JSONL, JSON, CSV), bodies included.

Layout: "Export Data" in Helicone's documentation and HeliconeRequest in Helicone/helicone.
"""

from __future__ import annotations

from .fields import Fields, failed, format_of

ERRORS = tuple(str(code) for code in (-1, -2, -3, -4, *range(400, 600)))  # below 0: not answered

FORMAT = format_of(
    Fields(
        name="helicone",
        about="Helicone requests (JSONL, JSON, CSV; with --include-body)",
        needs=(
            ("request_id", "request_body", "response_status"),
            ("request_id", "prompt_tokens", "completion_tokens", "response_status"),
            ("data/0/request_id", "data/0/response_status"),
            ("request_id", "request_model", "response_model"),
        ),
        rows=("data",),
        prompt=("request_body", "request_prompt"),
        prompt_id=("request_id",),
        answer=("response_body", "response_prompt"),
        model=("response_model", "model_override", "request_model", "model", "request_body/model"),
        tier=("request_body/reasoning_effort",),
        cost_usd=("costUSD", "cost", "cost_usd"),
        usage=("response_body/usage", "response_body/usageMetadata"),
        input_tokens=("prompt_tokens",),
        output_tokens=("completion_tokens",),
        scores=("scores",),
        record_id=("request_id",),
        faults=(failed("response_status", *ERRORS), failed("response_body/error")),
        hint="Helicone's export holds texts only with --include-body",
    )
)
