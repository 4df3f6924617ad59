"""LangSmith's runs: the bulk export (Parquet), the API or a client's runs as JSON lines, or CSV.

Feedback of a run, or of the chain or trace around it, is its score. Layout: "Run (span) data
format" and "Bulk export trace data" in LangSmith's documentation.
"""

from __future__ import annotations

from .fields import Fields, When, failed, format_of

FORMAT = format_of(
    Fields(
        name="langsmith",
        about="LangSmith runs (Parquet, JSONL, JSON, CSV)",
        needs=(
            ("run_type", "inputs", "outputs"), ("run_type", "inputs", "trace_id"),
            ("runs/0/run_type",), ("items/0/run_type",), ("data/0/run_type",),
        ),
        rows=("runs", "items", "data"),
        answers=(When("run_type", frozenset({"llm"})),),
        prompt=("inputs/messages", "inputs/prompts", "inputs/prompt", "inputs/input", "inputs"),
        answer=("outputs",),
        model=(
            "outputs/llm_output/model_name", "outputs/model", "extra/metadata/ls_model_name",
            "metadata/ls_model_name", "extra/invocation_params/model",
            "extra/invocation_params/model_name", "inputs/model",
        ),
        tier=("extra/invocation_params/reasoning_effort",),
        cost_usd=("total_cost", "prompt_cost+completion_cost"),
        usage=(
            "outputs/usage_metadata", "outputs/llm_output/token_usage", "outputs/usage",
            "usage_metadata", "extra/metadata/usage_metadata",
            "outputs/generations/0/0/message/kwargs/usage_metadata",
        ),
        input_tokens=("prompt_tokens",),
        output_tokens=("completion_tokens",),
        scores=("feedback_stats",),
        span=("id",),
        parent=("parent_run_id", "parent_run_ids/0", "trace_id"),
        domain=("session_name",),
        faults=(failed("error"), failed("status", "error")),
    )
)  # fmt: skip
