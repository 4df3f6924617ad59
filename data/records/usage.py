"""Tokens of any provider's usage object, and of what tools make of it.

What is counted differs: the input of OpenAI's APIs has the cached tokens among it, that of
Anthropic's, Bedrock's and Inspect's has not; Gemini counts thinking beside the answer.
"""

from __future__ import annotations

from collections.abc import Mapping

Names = tuple[str, ...]
# Members whose sum is the input, and the output. The first of each is the mark of the format.
FORMATS: tuple[tuple[Names, Names], ...] = (
    (("prompt_tokens",), ("completion_tokens",)),  # Chat Completions, LiteLLM
    (
        # Messages, Responses (which has its details elsewhere), Inspect
        (
            "input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens",
            "input_tokens_cache_read", "input_tokens_cache_write",
        ),
        ("output_tokens",),
    ),
    (
        ("promptTokenCount", "toolUsePromptTokenCount"),
        ("candidatesTokenCount", "thoughtsTokenCount"),
    ),
    (
        ("prompt_token_count", "tool_use_prompt_token_count"),
        ("candidates_token_count", "thoughts_token_count"),
    ),
    (
        ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"),
        ("outputTokens",),
    ),  # Bedrock, Vercel 5
    (("promptTokens",), ("completionTokens",)),  # Vercel 4, Langfuse's API
    (("prompt",), ("completion",)),  # promptfoo
    (("prompt_eval_count",), ("eval_count",)),  # Ollama
)  # fmt: skip


def tokens_of(usage: object) -> tuple[object, object]:
    """Input and output tokens; null where the object does not say."""
    if not isinstance(usage, Mapping):
        return None, None
    for read, written in FORMATS:
        if _has(usage, read[0]) or _has(usage, written[0]):
            inputs = _sum(usage, read) if _has(usage, read[0]) else None
            return inputs, _with_thinking(usage, inputs, _sum(usage, written))
    return _by_kind(usage)


def _with_thinking(usage: Mapping[str, object], inputs: object, outputs: object) -> object:
    """The output with the reasoning that the total says stands beside it."""
    details = usage.get("completion_tokens_details")
    thought = _count(details.get("reasoning_tokens")) if isinstance(details, Mapping) else None
    if thought and isinstance(inputs, int) and isinstance(outputs, int):
        beside = _count(usage.get("total_tokens")) == inputs + outputs + thought
        return outputs + thought if beside else outputs
    return outputs


def _by_kind(usage: Mapping[str, object]) -> tuple[object, object]:
    """Langfuse's kinds: `input`, `output` and kinds of these, which the total has once."""
    counts = {str(name): n for name, value in usage.items() if (n := _count(value)) is not None}
    inputs = {name: n for name, n in counts.items() if "input" in name}
    outputs = {name: n for name, n in counts.items() if "output" in name}
    if counts.get("total") == inputs.get("input", 0) + outputs.get("output", 0):
        return inputs.get("input"), outputs.get("output")  # kinds are parts of these
    return (
        sum(inputs.values()) if inputs else None,
        sum(outputs.values()) if outputs else None,
    )


def _has(usage: Mapping[str, object], name: str) -> bool:
    return usage.get(name) not in (None, "")


def _sum(usage: Mapping[str, object], names: Names) -> object:
    """The sum of what is there; what is no count stays as it is, to be rejected with a reason."""
    found = [usage[name] for name in names if _has(usage, name)]
    counts = [_count(value) for value in found]
    if None in counts:
        return found[counts.index(None)]
    return sum(n for n in counts if n is not None) if counts else None


def _count(value: object) -> int | None:
    try:
        return None if isinstance(value, bool) else int(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
