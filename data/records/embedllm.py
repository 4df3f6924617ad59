"""EmbedLLM's correctness sets: one row a question and model, whether the answer was right.

There are neither answers nor tokens, so costs need `--tokens IN:OUT` and a price of the model.
Layout: the data card of RZ412/EmbedLLM on the Hub.
"""

from __future__ import annotations

from .fields import Fields, format_of

FORMAT = format_of(
    Fields(
        name="embedllm",
        about="EmbedLLM's sets (CSV, Parquet), with --tokens",
        needs=(("prompt_id", "model_id", "model_name", "label", "prompt"),),
        prompt=("prompt",),
        prompt_id=("prompt_id",),
        model=("model_name",),
        quality=("label",),
        domain=("category",),
        hint=(
            "EmbedLLM's sets hold neither answers nor tokens: give --tokens IN:OUT, what a request "
            "takes on average"
        ),
    )
)
