"""What a refused request is told: RFC 9457 problem+json with a stable code.

Every refusal of this service is a row of `PROBLEMS`; the codes are part of the HTTP contract
and label a metric, so the set is closed.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

Headers = Sequence[tuple[bytes, bytes]]
MEDIA_TYPE = b"application/problem+json"
RETRY_SOON = ((b"retry-after", b"1"),)

# code -> (status, title); 400 is no JSON at all, 422 is JSON that cannot be acted on
PROBLEMS: dict[str, tuple[int, str]] = {
    "invalid_json": (400, "The body is not JSON"),
    "unauthorized": (401, "An API key is needed"),
    "forbidden": (403, "This key may not do that"),
    "not_found": (404, "There is nothing here"),
    "unknown_model": (404, "There is no such model here"),
    "unknown_decision": (404, "No such decision was made here"),
    "method_not_allowed": (405, "This method is not allowed here"),
    "request_timeout": (408, "The body did not arrive in time"),
    "refused_change": (409, "The store refuses this change"),
    "contradictory_feedback": (409, "This feedback contradicts an earlier one"),
    "body_too_large": (413, "The body is too large"),
    "prompt_too_long": (413, "The prompt is too long"),
    "batch_too_large": (413, "The batch has too many prompts"),
    "unsupported_media_type": (415, "The body's type is not supported"),
    "invalid_request": (422, "The request is not valid"),
    "invalid_prompt": (422, "There is nothing to route, or it cannot be read"),
    "unsupported_question": (422, "This is no question about routing"),
    "invalid_policy": (422, "A knob is out of range"),
    "conflicting_knobs": (422, "The knobs exclude each other"),
    "unsupported_knob": (422, "This knob is not supported"),
    "no_arm_allowed": (422, "The filters leave no arm"),
    "budget_too_small": (422, "The budget does not pay for the cheapest arms"),
    "unknown_budget": (422, "There is no such budget"),
    "budget_exhausted": (429, "The budget is spent"),
    "too_many_budgets": (429, "Too many budgets are in use"),
    "too_many_requests": (429, "Too many requests"),
    "upstream_busy": (429, "Every upstream is busy"),
    "internal_error": (500, "The service failed"),
    "upstream_failed": (502, "No upstream answered"),
    "log_off": (503, "The service keeps no log"),
    "log_full": (503, "The log cannot keep up"),
    "not_ready": (503, "The service has no bundle yet"),
    "upstream_timeout": (504, "No upstream answered in time"),
    "timeout": (504, "The answer would have come too late"),
}


class Problem(Exception):
    """A refusal on its way to the caller."""

    def __init__(
        self, code: str, detail: str, *, field: str | None = None, headers: Headers = ()
    ) -> None:
        """Make a refusal.

        Args:
            code: a key of `PROBLEMS`.
            detail: what was asked, what was found, what would work; never the prompt's text.
            field: path of the offending field, such as `messages[2].content`.
            headers: further response headers, such as Retry-After.
        """
        super().__init__(detail)
        self.code = code
        self.status, self.title = PROBLEMS[code]
        self.detail = detail
        self.field = field
        self.headers = headers

    def body(self) -> bytes:
        """The problem document, UTF-8 JSON."""
        document: dict[str, object] = {
            "type": f"urn:tierwise:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        if self.field is not None:
            document["field"] = self.field
        return msgspec.json.encode(document)
