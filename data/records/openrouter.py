"""OpenRouter's activity: one row a generation, as its site exports it (CSV), or its API (JSON).

There are neither texts nor scores: a table of prompts whose prompt_id is the generation's id brings
the first, `--labels` the second. Layout: openrouter.ai/docs, "Get a generation" and "Activity".
"""

from __future__ import annotations

from .fields import Fields, failed, format_of

FORMAT = format_of(
    Fields(
        name="openrouter",
        about="OpenRouter activity: a row a generation (CSV, JSON, JSONL)",
        needs=(
            ("generation_id", "model_permaslug", "tokens_prompt", "tokens_completion"),
            ("id", "model", "tokens_prompt", "tokens_completion", "total_cost"),
            ("data/id", "data/model", "data/tokens_prompt", "data/tokens_completion"),
        ),
        rows=("data",),
        prompt=("input", "prompt", "messages"),
        prompt_id=("generation_id", "id"),
        answer=("output", "completion"),
        model=("model_permaslug", "model"),
        # with a key of one's own, OpenRouter takes a fee and the provider the rest
        cost_usd=("cost_total+byok_usage_inference", "total_cost", "usage"),
        zero_is_unknown=False,  # models whose variant is `free` are
        input_tokens=("native_tokens_prompt", "tokens_prompt"),
        output_tokens=("native_tokens_completion", "tokens_completion"),
        record_id=("generation_id", "id"),
        faults=(
            failed("cancelled", "true", "1"),
            failed("finish_reason_normalized", "error"),
            failed("finish_reason", "error"),
        ),
        hint=(
            "OpenRouter's activity holds no texts: give a table of prompt_id (the generation's id) "
            "and prompt as well, and scores with --labels"
        ),
    )
)
