"""LiteLLM's proxy: the table LiteLLM_SpendLogs, or its StandardLoggingPayload as JSON lines.

Texts are there only with `store_prompts_in_spend_logs`; without them a row is told by its
request_id. There are no scores: bring them with `--labels`. Layout: schema.prisma and the logging
docs of BerriAI/litellm.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .fields import Fields, When, failed, format_of
from .files import UNREADABLE, Row, rows

# of call_type: what brings no answer to a prompt
NO_ANSWERS = (
    "embedding", "image", "moderation", "rerank", "transcription", "speech", "batch", "file",
    "vector_store", "ocr", "video", "search", "fine_tuning", "health", "list", "cancel", "delete",
)  # fmt: skip


def requests(path: Path) -> Iterator[Row]:
    """The rows, where `unanswering` tells of calls that are no questions, `cached` of free ones."""
    for row in rows(path):
        if row is UNREADABLE:
            yield row
            continue
        kind = str(row.get("call_type") or "").lower()
        cached = str(row.get("cache_hit")).lower() == "true"
        yield {
            **row,
            # an answer from the proxy's cache costs nothing there, and something anywhere else
            "billed": None if cached else _first(row.get("spend"), row.get("response_cost")),
            "unanswering": any(word in kind for word in NO_ANSWERS) or None,
        }


def _first(*values: object) -> object:
    return next((value for value in values if value not in (None, "")), None)


FORMAT = format_of(
    Fields(
        name="litellm",
        about="LiteLLM spend logs or logging payloads (CSV, JSON, JSONL, Parquet)",
        needs=(
            ("request_id", "spend", "prompt_tokens", "completion_tokens"),
            ("response_cost", "model_parameters", "prompt_tokens", "completion_tokens"),
        ),
        # messages, else the body that the client sent, where it is kept
        prompt=("messages", "proxy_server_request/body", "proxy_server_request"),
        prompt_id=("request_id", "id"),
        answer=("response",),
        model=("model", "model_group"),
        tier=(
            "proxy_server_request/reasoning_effort", "proxy_server_request/body/reasoning_effort",
            "model_parameters/reasoning_effort",
        ),
        cost_usd=("billed",),  # the proxy writes 0 for models that it has no price of
        input_tokens=("prompt_tokens",),
        output_tokens=("completion_tokens",),
        record_id=("request_id", "id"),
        faults=(("other_call", When("unanswering")), failed("status", "failure")),
        hint=(
            "LiteLLM's proxy keeps no texts unless store_prompts_in_spend_logs is set in its "
            "general_settings (some versions write {} even then; its logging payloads have them): "
            "give a table of prompt_id (the request_id) and prompt as well"
        ),
    ),
    reader=requests,
)  # fmt: skip
