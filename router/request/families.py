"""Which tokenizer a model reads with, by the model's name."""

from __future__ import annotations

import re

# Each stands for the tokenizer that its counts were fitted to: OpenAI's two, Claude 2's (the last
# that Anthropic published), Gemma 3's (which Gemini shares, says Google), Llama 3.1's, Qwen 3's,
# Mistral's Tekken and DeepSeek V3's.
MEASURED = (
    "o200k", "cl100k", "claude", "gemini", "llama3", "qwen", "mistral", "deepseek",
)  # fmt: skip
FAMILIES = (*MEASURED, "other")

# The first that is found in the name, without its provider's prefix, decides. A model that was
# distilled into another's body ("deepseek-r1-distill-llama-70b") reads with that body's tokenizer.
_NAMES = (
    ("llama3", r"llama-?[34]|llama|hermes-3|nemotron"),
    ("qwen", r"qwen|qwq|qvq"),
    ("cl100k", r"gpt-?3\.?5|gpt-?35|gpt-4(?![o.\d])|text-embedding|cl100k"),
    ("o200k", r"gpt|chatgpt|codex|computer-use|(?<![a-z0-9])o[1-9](?![0-9])|o200k"),
    ("claude", r"claude"),
    ("gemini", r"gemini|gemma"),
    ("mistral", r"mi[sx]tral|codestral|devstral|magistral|ministral|pixtral|voxtral"),
    ("deepseek", r"deepseek"),
)
_FIND = tuple((family, re.compile(pattern)) for family, pattern in _NAMES)


def family_of(model: str) -> str:
    """One of FAMILIES for a model's name, as `gpt-4o`, `openai/gpt-4o` or `us.anthropic.claude-…`.

    A name that says nothing is "other".
    """
    name = model.lower()
    bare = name.rsplit("/", 1)[-1]
    for text in (bare, name):
        for family, pattern in _FIND:
            if pattern.search(text):
                return family
    return "other"


def family_index(model: str) -> int:
    """The place of a model's family in FAMILIES; a family's own name is understood too."""
    return FAMILIES.index(model if model in FAMILIES else family_of(model))
