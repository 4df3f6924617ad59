"""How each API and each tool counts tokens in the usage objects that it writes.

What is counted differs. OpenAI's input tokens have the cached ones among them, those of Anthropic,
Bedrock and Inspect have not; Gemini counts thinking beside the answer, and so do some that speak
OpenAI's Chat format, which is told by their total.
"""

from __future__ import annotations

from dataclasses import dataclass

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How one API counts; a name with a dot is a member of a member.

    Attributes:
        of: its name.
        read, written: members whose sum is the input, and the output; the first is its own mark.
        cached, cache_write: members of which the first that is there counts.
        thought: reasoning tokens, among the output tokens.
        total: input and output; where it says so, thinking stands beside the output.
    """

    of: str
    read: Names
    written: Names
    cached: Names = ()
    cache_write: Names = ()
    thought: str = ""
    total: str = ""


APIS = (
    Format(
        of="OpenAI Chat Completions", read=("prompt_tokens",), written=("completion_tokens",),
        cached=(
            "prompt_tokens_details.cached_tokens", "cache_read_input_tokens",
            "prompt_cache_hit_tokens", "cached_tokens",
        ),
        cache_write=(
            "prompt_tokens_details.cache_write_tokens",
            "prompt_tokens_details.cache_creation_tokens", "cache_creation_input_tokens",
        ),
        thought="completion_tokens_details.reasoning_tokens", total="total_tokens",
    ),
    Format(
        of="Anthropic Messages",
        read=("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"),
        written=("output_tokens",),
        cached=("cache_read_input_tokens",), cache_write=("cache_creation_input_tokens",),
    ),
    Format(
        of="OpenAI Responses", read=("input_tokens",), written=("output_tokens",),
        cached=("input_tokens_details.cached_tokens", "input_token_details.cache_read"),
        cache_write=("input_token_details.cache_creation",),
        thought="output_tokens_details.reasoning_tokens",
    ),
    Format(
        of="Gemini", read=("promptTokenCount", "toolUsePromptTokenCount"),
        written=("candidatesTokenCount", "thoughtsTokenCount"), thought="thoughtsTokenCount",
        cached=("cachedContentTokenCount",),
    ),
    Format(
        of="Gemini in Python", read=("prompt_token_count", "tool_use_prompt_token_count"),
        written=("candidates_token_count", "thoughts_token_count"), thought="thoughts_token_count",
        cached=("cached_content_token_count",),
    ),
    Format(of="Ollama", read=("prompt_eval_count",), written=("eval_count",)),
    Format(
        of="Bedrock Converse",
        read=("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"),
        written=("outputTokens",),
        cached=("cacheReadInputTokens", "cachedInputTokens"),
        cache_write=("cacheWriteInputTokens",),
    ),
)  # fmt: skip
# what tools make of them in their logs
TOOLS = (
    Format(
        of="Inspect",
        read=("input_tokens", "input_tokens_cache_read", "input_tokens_cache_write"),
        written=("output_tokens",),
    ),
    Format(of="Vercel 4, Langfuse's API", read=("promptTokens",), written=("completionTokens",)),
    Format(of="promptfoo", read=("prompt",), written=("completion",)),
)
