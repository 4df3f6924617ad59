"""What each wire calls things: one table for every kind of thing, shared by all readers.

Fields and types are those of the APIs' references and of their client libraries: OpenAI Chat
Completions and Responses, Anthropic Messages, Ollama, Gemini, Bedrock Converse, OpenRouter and
LiteLLM.
"""

from __future__ import annotations

from collections.abc import Mapping

from .types import Role, Wire


def _list(names: str) -> tuple[str, ...]:
    return tuple(names.split())


# -- bodies
PROMPTS = ("prompt", "messages", "input", "contents")  # what a body asks with; one of them
SYSTEMS = _list("system instructions system_instruction systemInstruction")
HELD = {  # path: what of the conversation is not in the request
    "previous_response_id": "the conversation that it continues",
    "conversation": "the conversation that it continues",
    "thread.previous_message_id": "the conversation that it continues",
    "context": "the turns that it encodes",
    "cachedContent": "the content that it caches",
    "cached_content": "the content that it caches",
}
ASKED: Mapping[str, Wire] = {"input": "responses", "contents": "gemini"}
# fields that tell wires with `messages` apart; the first wire with one of its own wins
SIGNS: Mapping[Wire, frozenset[str]] = {
    "ollama": frozenset(_list("options keep_alive format think template raw images")),
    "chat": frozenset(
        _list(
            "response_format max_completion_tokens reasoning_effort n stop functions function_call "
            "frequency_penalty presence_penalty logit_bias logprobs stream_options seed modalities "
            "parallel_tool_calls prediction verbosity"
        )
    ),
    "messages": frozenset(
        _list(
            "system thinking stop_sequences output_config output_format top_k anthropic_version "
            "anthropic_beta betas mcp_servers container context_management"
        )
    ),
}
# and types of parts that do, where no field does
KIND_SIGNS: Mapping[Wire, frozenset[str]] = {
    "ollama": frozenset({"images"}),
    "messages": frozenset(
        _list("image document tool_use tool_result thinking redacted_thinking search_result")
    ),
    "responses": frozenset(
        _list("input_text output_text input_image input_file reasoning function_call_output")
    ),
}

# -- messages
ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "tool": "tool",
    "function": "tool",
}
# thinking beside the content; where there are two they say the same, and the first one counts
THINKING = _list("thinking_blocks reasoning_details reasoning_content reasoning thinking")

# -- parts
WORDS = _list("text refusal content thinking reasoning reasoningText transcript value summary")
ARGUMENTS = _list("arguments args input parameters action actions operation code queries query")
OUTPUTS = _list("content output outputs result results reason tools")
IDS = _list("call_id tool_use_id tool_call_id toolUseId toolCallId id")
CALLED = _list("name tool_name toolName")
SEALED = frozenset(_list("encrypted_content signature encrypted_index"))  # no words of anybody's
# what a part without a type is, by its key, and where its value belongs if it is no object
UNTYPED: Mapping[str, tuple[str, str]] = {
    "text": ("text", "text"),
    "image_url": ("image_url", "url"),
    "inlineData": ("file", "data"),
    "inline_data": ("file", "data"),
    "fileData": ("file", "url"),
    "file_data": ("file", "data"),
    "functionCall": ("tool_use", "name"),
    "function_call": ("tool_use", "name"),
    "functionResponse": ("tool_result", "response"),
    "function_response": ("tool_result", "response"),
    "executableCode": ("program", "code"),
    "codeExecutionResult": ("tool_result", "output"),
    "toolUse": ("tool_use", "name"),
    "toolResult": ("tool_result", "content"),
    "reasoningContent": ("thinking", "thinking"),
    "input_audio": ("input_audio", "data"),
    "image": ("image", "image"),
    "document": ("document", "data"),
    "file": ("file", "url"),
    "cachePoint": ("cache_point", "kind"),
}

# -- files
# objects within a part that say more of the same file
INNER = _list(
    "image_url file source input_audio audio image document image_file audio_url document_url "
    "resource inlineData inline_data fileData file_data"
)
BYTES = _list("data base64 bytes blob file_data value result image audio")
URLS = _list(
    "url image_url image_uri file_url audio_url document_url fileUri file_uri uri document"
)
MIMES = _list("media_type mime_type mimeType mediaType")
NAMES = _list("filename file_name name title displayName display_name")
ENDINGS = {
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "json": "application/json",
    "html": "text/html",
    "xml": "application/xml",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
}

# -- settings, as dotted paths
LIMITS = _list(
    "max_tokens max_completion_tokens max_output_tokens max_tokens_to_sample options.num_predict "
    "generationConfig.maxOutputTokens generation_config.max_output_tokens "
    "inferenceConfig.maxTokens"
)
ANSWERS = _list("n generationConfig.candidateCount generation_config.candidate_count")
EFFORTS = _list(
    "reasoning_effort reasoning_effort.effort reasoning.effort output_config.effort "
    "thinking.effort think generationConfig.thinkingConfig.thinkingLevel"
)
BUDGETS = _list(
    "thinking.budget_tokens reasoning.max_tokens thinking_budget "
    "generationConfig.thinkingConfig.thinkingBudget "
    "generation_config.thinking_config.thinking_budget"
)
SWITCHES = _list(
    "thinking thinking.type think reasoning reasoning.enabled enable_thinking "
    "chat_template_kwargs.enable_thinking"
)
FORMATS = _list("response_format text.format text_format output_config.format output_format format")
SCHEMAS = _list(
    "generationConfig.responseSchema generationConfig.responseJsonSchema "
    "generation_config.response_schema guided_json structured_outputs.json"
)
JSON_MIMES = _list(
    "generationConfig.responseMimeType generation_config.response_mime_type response_mime_type"
)
_PATHS = (*LIMITS, *ANSWERS, *EFFORTS, *BUDGETS, *SWITCHES, *FORMATS, *SCHEMAS, *JSON_MIMES)
# fields that are objects with settings in them, and nothing else
SECTIONS = {path.split(".")[0] for path in _PATHS if "." in path}.difference(_PATHS)

# -- every field that a body may have
KNOBS = frozenset(
    _list(
        "prompt prompts messages threshold min_quality max_quality_drop max_cost_usd budget_usd "
        "budget budget_key budget_period budget_hard_stop allowed_models requires session_id "
        "current_arm in_tool_loop max_latency_ms metadata"
    )
)
FIELDS = frozenset(
    _list(
        # OpenAI: Chat Completions, Completions, Responses
        "model messages input contents instructions prompt suffix echo best_of tools functions "
        "tool_choice function_call parallel_tool_calls max_tool_calls response_format text "
        "text_format max_tokens max_completion_tokens max_output_tokens n temperature top_p stop "
        "stream stream_options seed frequency_penalty presence_penalty logit_bias logprobs "
        "top_logprobs user store metadata service_tier modalities audio prediction verbosity "
        "reasoning reasoning_effort safety_identifier moderation prompt_cache_key "
        "prompt_cache_options prompt_cache_retention web_search_options previous_response_id "
        "conversation include truncation background background_options context_management "
        "access_programs image client_metadata "
        # Anthropic
        "system thinking stop_sequences top_k output_config output_format container mcp_servers "
        "betas anthropic_version anthropic_beta cache_control inference_geo speed compaction "
        "thread fallbacks fallback_credit_token diagnostics billing_policy user_profile_id "
        "workspace_id max_tokens_to_sample "
        # Ollama
        "options format keep_alive think template raw context images width height steps "
        # Gemini and Bedrock
        "generationConfig generation_config systemInstruction system_instruction toolConfig "
        "tool_config safetySettings safety_settings cachedContent cached_content labels "
        "inferenceConfig additionalModelRequestFields guardrailConfig performanceConfig "
        "response_mime_type response_schema "
        # OpenRouter, LiteLLM, vLLM and the like
        "models route provider plugins transforms usage include_reasoning top_a min_p "
        "repetition_penalty extra_body extra_headers extra_query timeout api_key api_base "
        "api_version base_url custom_llm_provider num_retries max_retries drop_params "
        "litellm_metadata litellm_session_id litellm_trace_id litellm_call_id tags guardrails "
        "caching cache mock_response enable_thinking thinking_budget chat_template_kwargs "
        "guided_json guided_regex guided_choice guided_grammar structured_outputs min_tokens "
        "ignore_eos skip_special_tokens add_generation_prompt stop_token_ids length_penalty "
        "safe_prompt random_seed prompt_mode search_parameters citations documents"
    )
)
