"""Weave's calls: the export of W&B's trace table or API (JSONL, JSON, CSV).

Calls that were given messages are answers; the scores of an evaluation's step around one, and
feedback on it, count for it. Layout: "Export trace data" in Weave's documentation.
"""

from __future__ import annotations

from .fields import Fields, When, failed, format_of

FORMAT = format_of(
    Fields(
        name="weave",
        about="Weave calls (JSONL, JSON, CSV)",
        needs=(("op_name", "inputs", "output"), ("op_name", "inputs", "started_at")),
        rows=("calls", "data"),
        answers=(
            When("inputs/messages"),
            When("inputs/contents"),
            When("inputs/input", beside="inputs/model"),
            When("inputs/prompt", beside="inputs/model"),
        ),
        prompt=("inputs",),
        answer=("output",),
        model=("output/model", "inputs/model", "inputs/self/model_name", "inputs/model_name"),
        tier=("inputs/reasoning_effort",),
        usage=("output/usage", "output/usage_metadata"),
        scores=("output/scores", "summary/weave/feedback"),
        span=("id",),
        parent=("parent_id",),
        faults=(failed("exception"), failed("summary/weave/status", "error")),
    )
)
