"""What to do at a tier, in the words of the model's API: the `tier` object of a decision.

`request` holds fields to merge into the request body, `extra_body` those that clients of the
OpenAI library pass under that name; suffix and prefill are text, samples and retrieval are work
for the caller. A tier that an API cannot be told is an error when a catalogue is read, never a
silent default when a request waits.

Fields by API: OpenAI Chat Completions (`reasoning_effort`, `max_completion_tokens`, `n`);
Anthropic Messages (`thinking.budget_tokens`, `output_config.effort`); Gemini's OpenAI endpoint
(`extra_body.google.thinking_config`); OpenRouter (`reasoning`); vLLM (`chat_template_kwargs`,
`thinking_token_budget`, `continue_final_message`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import CatalogueError
from ..types import Arm
from .catalogue import Catalogue, Model
from .tiers import TierSpec, differences

ONE_CALL = frozenset({"openai", "gemini", "vllm"})  # APIs whose `n` draws samples from one input
STYLES = {
    "direct": "Give only the final answer, without any explanation.",
    "chain_of_thought": "Think step by step, then give the final answer.",
    # the instruction of chain of draft, arXiv:2502.18600
    "chain_of_draft": (
        "Think step by step, but keep only a minimal draft of each step, five words at most. "
        "Then give the final answer."
    ),
    "concise": "Answer as briefly as you can without leaving out what matters.",
    "verbose": "Answer thoroughly and in detail.",
}
# "NoThinking", arXiv:2504.09858: the thinking block is closed before it begins
NO_THINKING = "<think>\nOkay, I think I have finished thinking.\n</think>\n\n"
EFFORTS = {
    "openai": ("none", "minimal", "low", "medium", "high", "xhigh"),
    "anthropic": ("none", "low", "medium", "high", "xhigh", "max"),
    "gemini": ("none", "minimal", "low", "medium", "high"),
    "openrouter": ("none", "minimal", "low", "medium", "high", "xhigh"),
    "vllm": ("none", "low", "medium", "high"),
}
MIN_THINKING_TOKENS = {"anthropic": 1024}  # tokens
PREFILLS = frozenset({"anthropic", "openrouter", "vllm"})  # continue a begun answer

Body = dict[str, Any]


class Unsupported(ValueError):
    """A tier asks for what an API has no field for."""


def tier_document(catalogue: Catalogue, arm: Arm) -> Body:
    """The `tier` object of an arm: its name and, where the catalogue knows it, what to do.

    Raises:
        CatalogueError: the model's API has no words for what the tier asks.
    """
    tier = catalogue.tier(arm)
    if tier is None:
        return {"name": arm.tier}
    try:
        parts = _parts(catalogue, tier, catalogue.model(arm.model))
    except Unsupported as err:
        raise CatalogueError(f"{arm.id}: {err}") from err
    return {"name": arm.tier, **{name: part for name, part in parts.items() if part}}


def _parts(catalogue: Catalogue, tier: TierSpec, model: Model) -> Body:
    body, extra = _thinking(tier, model), dict(tier.extra_body)
    extra |= body.pop("extra_body", {})
    if tier.max_output_tokens is not None:
        field = "max_completion_tokens" if model.api == "openai" else "max_tokens"
        body[field] = _within(tier.max_output_tokens, model)
    if tier.temperature is not None:
        body["temperature"] = tier.temperature
    if tier.sampling.n > 1 and tier.parallel and model.api in ONE_CALL:
        body["n"] = tier.sampling.n
    prefill = _prefill(tier, model)
    if prefill and model.api == "vllm":
        extra |= {"continue_final_message": True, "add_generation_prompt": False}
    extra |= _self_hosted(tier, model)
    return {
        "spec": tier.to_dict(),
        "request": body,
        "extra_body": extra,
        "prompt_suffix": tier.prompt_suffix or STYLES.get(tier.style or "", ""),
        "assistant_prefill": prefill,
        "samples": _samples(catalogue, tier, model),
        "retrieval": {} if tier.retrieval.when == "none" else differences(tier.retrieval),
    }


def _within(tokens: int, model: Model) -> int:
    most = model.max_output_tokens
    if most is not None and tokens > most:
        raise Unsupported(f"max_output_tokens = {tokens}, but the model writes at most {most}")
    return tokens


def _thinking(tier: TierSpec, model: Model) -> Body:
    """Fields for reasoning effort or a budget of hidden tokens."""
    if tier.reasoning_effort is not None:
        if tier.reasoning_effort not in EFFORTS[model.api]:
            raise Unsupported(
                f"reasoning_effort = {tier.reasoning_effort!r}, but the {model.api} API takes "
                f"{', '.join(EFFORTS[model.api])}"
            )
        return EFFORT[model.api](tier.reasoning_effort)
    if tier.thinking_tokens is None:
        return {}
    if model.api not in BUDGET:
        raise Unsupported(
            f"thinking_tokens is a budget that the {model.api} API does not take; state "
            f"reasoning_effort, or a model with api = {' or '.join(map(repr, BUDGET))}"
        )
    least = MIN_THINKING_TOKENS.get(model.api, 0)
    if 0 < tier.thinking_tokens < least:
        raise Unsupported(
            f"thinking_tokens = {tier.thinking_tokens}, but the {model.api} API takes 0 or at "
            f"least {least}"
        )
    return BUDGET[model.api](tier.thinking_tokens)


def _vllm_effort(effort: str) -> Body:
    return _vllm_budget(0) if effort == "none" else {"reasoning_effort": effort}


def _vllm_budget(tokens: int) -> Body:
    if tokens == 0:
        return {"extra_body": {"chat_template_kwargs": {"enable_thinking": False}}}
    return {"extra_body": {"thinking_token_budget": tokens}}


def _anthropic_effort(effort: str) -> Body:
    return _anthropic_budget(0) if effort == "none" else {"output_config": {"effort": effort}}


def _anthropic_budget(tokens: int) -> Body:
    if tokens == 0:
        return {"thinking": {"type": "disabled"}}
    return {"thinking": {"type": "enabled", "budget_tokens": tokens}}


EFFORT: dict[str, Callable[[str], Body]] = {
    "openai": lambda effort: {"reasoning_effort": effort},
    "gemini": lambda effort: {"reasoning_effort": effort},
    "openrouter": lambda effort: {"extra_body": {"reasoning": {"effort": effort}}},
    "anthropic": _anthropic_effort,
    "vllm": _vllm_effort,
}
BUDGET: dict[str, Callable[[int], Body]] = {
    "anthropic": _anthropic_budget,
    "gemini": lambda n: {
        "extra_body": {"google": {"thinking_config": {"thinking_budget": n}}},
    },
    "openrouter": lambda n: {
        "extra_body": {"reasoning": {"max_tokens": n} if n else {"enabled": False}}
    },
    "vllm": _vllm_budget,
}


def _prefill(tier: TierSpec, model: Model) -> str:
    text = tier.assistant_prefill or (NO_THINKING if tier.no_thinking else "")
    if text and model.api not in PREFILLS:
        raise Unsupported(
            f"a prefilled answer needs one of the APIs {', '.join(sorted(PREFILLS))}; this model "
            f"has {model.api}, for which reasoning_effort = 'none' may do"
        )
    return text


def _self_hosted(tier: TierSpec, model: Model) -> Body:
    """Depth of recurrence (Huginn's `num_steps`) and patch entropy (BLT's `patching_threshold`)."""
    asked = {"num_steps": tier.recurrence_depth, "patching_threshold": tier.patch_entropy}
    found = {name: value for name, value in asked.items() if value is not None}
    if found and model.api != "vllm":
        raise Unsupported(
            f"{', '.join(found)} can be set on a self-hosted model only; this one has "
            f"api = {model.api!r}, a self-hosted one has 'vllm'"
        )
    return found


def _samples(catalogue: Catalogue, tier: TierSpec, model: Model) -> Body:
    """How many answers to draw in how many calls, and how to make one of them."""
    sampling = tier.sampling
    if sampling.n == 1:
        return {}
    calls = 1 if tier.parallel and model.api in ONE_CALL else sampling.n
    out: Body = {
        "n": sampling.n,
        "calls": calls,
        "order": "parallel" if tier.parallel else "sequential",
        "aggregator": sampling.aggregator,
    }
    if sampling.verifier is not None:
        verifier = catalogue.verifiers[sampling.verifier]
        named = {} if verifier.model is None else {"model": verifier.model}
        out["verifier"] = {"name": sampling.verifier, **named}
    return out
