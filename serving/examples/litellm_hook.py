"""A LiteLLM proxy whose model `auto` is decided by POST /route: copy this file beside its config.

```yaml
litellm_settings:
  callbacks: litellm_hook.hook
```

The proxy executes, with the request fields of an arm's tier; its model names are those of the arms.
What a call came to goes to POST /feedback. `TIERWISE_URL` and `TIERWISE_KEY` say where to ask,
`TIERWISE_FALLBACK` names the model that answers where nobody decides in time.
"""

from __future__ import annotations

import os
from typing import Any

import aiohttp
from fastapi import HTTPException
from litellm.integrations.custom_logger import CustomLogger

AUTO = "auto"
# of a client's body; everything else that the proxy keeps in `data` stays there
ASKED = (
    "messages", "input", "instructions", "system", "tools", "tool_choice", "response_format",
    "text", "max_tokens", "max_completion_tokens", "max_output_tokens", "n", "reasoning",
    "reasoning_effort", "thinking", "output_config",
)  # fmt: skip
KNOBS = ("threshold", "min_quality", "max_quality_drop", "max_cost_usd", "session_id")
TIMEOUT = aiohttp.ClientTimeout(total=3.0)


class Tierwise(CustomLogger):  # type: ignore[misc]
    """Asks before a call, reports after it."""

    def __init__(self) -> None:
        super().__init__()
        self.url = os.environ.get("TIERWISE_URL", "http://127.0.0.1:3000").rstrip("/")
        self.fallback = os.environ.get("TIERWISE_FALLBACK")
        key = os.environ.get("TIERWISE_KEY")
        self.headers = {"authorization": f"Bearer {key}"} if key else {}

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT, headers=self.headers) as session,
            session.post(self.url + path, json=body) as answer,
        ):
            found: dict[str, Any] = await answer.json(content_type=None)
            if answer.status != 200:  # what is wrong with a request is its caller's to know
                status = 400 if answer.status == 422 else answer.status
                raise HTTPException(status, f"tierwise: {found.get('detail')}")
            return found

    async def async_pre_call_hook(
        self,
        user_api_key_dict: Any,  # noqa: ANN401, ARG002
        cache: Any,  # noqa: ANN401, ARG002
        data: dict[str, Any],
        call_type: str,  # noqa: ARG002
    ) -> dict[str, Any]:
        """Put the decided model and its tier's fields in the place of `auto`."""
        if data.get("model") != AUTO:
            return data
        asked = {name: data[name] for name in ASKED if name in data}
        asked |= {name: data.pop(name) for name in KNOBS if name in data}
        try:
            made = await self._post("/route", {**asked, "allowed_models": callable_models()})
        except (aiohttp.ClientError, TimeoutError):
            if self.fallback is None:
                raise
            return {**data, "model": self.fallback}
        if odd := made["tier"].keys() - {"name", "request"}:
            more = f"the tier {made['tier']['name']} of {made['model']} asks for {sorted(odd)}"
            raise HTTPException(501, f"{more}: execute it through tierwise's own gateway")
        fallbacks = [arm["model"] for arm in made["fallbacks"]]
        data |= {**made["tier"].get("request", {}), "model": made["model"]}
        data["fallbacks"] = [name for name in dict.fromkeys(fallbacks) if name != made["model"]]
        for field in ("metadata", "litellm_metadata"):  # the second one of Responses and Messages
            if field in data or field == "metadata":
                data[field] = {**(data.get(field) or {}), "tierwise_decision": made["decision_id"]}
        return data

    async def async_log_success_event(
        self,
        kwargs: dict[str, Any],
        response_obj: Any,  # noqa: ANN401, ARG002
        start_time: Any,  # noqa: ANN401
        end_time: Any,  # noqa: ANN401
    ) -> None:
        """Report who answered, with how many tokens, for how much and how fast."""
        told = kwargs.get("litellm_params") or {}
        metadata = {**(told.get("metadata") or {}), **(told.get("litellm_metadata") or {})}
        made, seen = metadata.get("tierwise_decision"), kwargs.get("standard_logging_object") or {}
        if made is None:
            return
        report = {
            "decision_id": made,
            "source": "litellm",
            "model": seen.get("model_group") or kwargs.get("model"),
            "latency_ms": (end_time - start_time).total_seconds() * 1000.0,
        }
        if seen.get("prompt_tokens"):  # a stream that told no usage has zeros there
            report["input_tokens"] = seen["prompt_tokens"]
            report["output_tokens"] = seen.get("completion_tokens")
            report["cost_usd"] = kwargs.get("response_cost")
        await self._post("/feedback", {k: v for k, v in report.items() if v is not None})


def callable_models() -> list[str]:
    """The models of the proxy's list, but for `auto` itself."""
    from litellm.proxy.proxy_server import llm_router

    names = [] if llm_router is None else llm_router.get_model_names()
    return [name for name in names if name != AUTO]


hook = Tierwise()
