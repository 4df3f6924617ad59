"""Which headers pass: those that steer a wire one way, those that its clients read the other.

Keys, cookies and everything else stay on their side.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from ..problems import Headers
from .calls import Answer
from .execution import Execution

ASKED = ("anthropic-beta", "anthropic-version", "openai-beta")
TOLD = ("x-request-id", "request-id", "retry-after", "openai-processing-ms", "openai-version")
TOLD_PREFIXES = ("x-ratelimit-", "anthropic-ratelimit-")
MOST = 128  # characters of a name
MOST_WARNED = 1024  # of all warnings
PLAIN = "/:@+ "  # stands in a header as it is


def asked_headers(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """Those of a request that go to an upstream."""
    found = {name: headers.get(name.encode()) for name in ASKED}
    return {name: value.decode("latin-1") for name, value in found.items() if value is not None}


def told_headers(answer: Answer) -> Headers:
    """Those of an upstream's answer that go to the caller."""
    return tuple(
        (name.lower().encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in answer.response.headers.items()
        if name.lower() in TOLD or name.lower().startswith(TOLD_PREFIXES)
    )


def own_headers(done: Execution, usd: float | None) -> Headers:
    """What we say of an answer; nothing of a caller's goes in unquoted."""
    arm = None if done.target is None else done.target.arm
    model = done.named if arm is None else arm.model
    said = {
        "decision": done.decision_id,
        "model": None if model is None else quote(model[:MOST], safe=PLAIN)[:MOST],
        "tier": None if arm is None else quote(arm.tier, safe=PLAIN),
        "cost-usd": None if usd is None else f"{usd:.8f}",
        "reason": ",".join(done.reasons),
        "warnings": _plain("; ".join(done.warnings)),
    }
    return tuple(
        (f"x-tierwise-{name}".encode(), value.encode()) for name, value in said.items() if value
    )


def _plain(text: str) -> str:
    """A text that may quote a caller, as a header carries it: printable ASCII, cut."""
    return "".join(c if " " <= c <= "~" else "?" for c in text[:MOST_WARNED])
