"""Ragas' results: `EvaluationResult.to_pandas()` as CSV, JSONL, JSON or Parquet.

Every numeric column beside the sample's own is a metric. Nothing names the model: `--model` does.
Layout: "Evaluation Dataset" in Ragas' documentation; before 0.2 the
columns were question and answer.
"""

from __future__ import annotations

from .fields import Fields, format_of

SAMPLE = frozenset({
    "user_input", "retrieved_contexts", "reference_contexts", "retrieved_context_ids",
    "reference_context_ids", "response", "multi_responses", "reference", "rubrics",
    "reference_tool_calls", "reference_topics", "persona_name", "query_style", "query_length",
    "question", "answer", "contexts", "ground_truth", "ground_truths", "Unnamed: 0", "", "id",
    "index", "level_0", "model", "model_name", "synthesizer_name", "episode_done", "evolution_type",
})  # fmt: skip

FORMAT = format_of(
    Fields(
        name="ragas",
        about="Ragas results (CSV, JSONL, JSON, Parquet), with --model",
        needs=(("user_input", "response"), ("question", "answer", "contexts")),
        prompt=("user_input", "question"),
        answer=("response", "answer"),
        model=("model", "model_name"),
        scores=("",),
        plain=SAMPLE,
        nameless=True,
        hint="Ragas' results name no model: give --model NAME",
    )
)
