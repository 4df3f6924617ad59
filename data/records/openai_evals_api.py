"""OpenAI's Evals API: the output items of a run, as listed by the API or saved as JSON lines.

Each grader is a score; several ask for `--metric`. Layout: "Evals" in OpenAI's API reference.
"""

from __future__ import annotations

from .fields import Fields, failed, format_of

FORMAT = format_of(
    Fields(
        name="openai-evals-api",
        about="OpenAI Evals API output items (JSON, JSONL)",
        needs=(
            ("datasource_item", "results"),
            ("sample", "results", "run_id"),
            ("data/0/datasource_item",),
            ("items/0/datasource_item",),
        ),
        rows=("data", "items"),
        prompt=(
            "sample/input", "datasource_item/input", "datasource_item/item/input",
            "datasource_item/prompt", "datasource_item/query", "datasource_item/question",
            "datasource_item",
        ),
        answer=(
            "sample/output", "sample/output_text", "datasource_item/sample.output_text",
            "datasource_item/response",
        ),
        model=("sample/model", "datasource_item/model", "datasource_item/sample/model"),
        tier=("sample/reasoning_effort",),
        usage=("sample/usage",),
        scores=("results",),
        record_id=("id",),
        faults=(
            failed("sample/error/message"), failed("sample/error/code"), failed("status", "error"),
        ),
    )
)  # fmt: skip
