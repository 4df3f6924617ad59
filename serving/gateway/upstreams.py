"""Who executes requests: a TOML file of upstreams and of routes that callers may name.

```toml
[upstreams.openai]
url = "https://api.openai.com/v1"
key_env = "OPENAI_API_KEY"
```

is enough. Keys stand in the environment alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from router.core.policy import Policy
from router.errors import PolicyError
from router.strict import FieldError, build

from ..tomls import read_toml
from .wires import PATHS, Wire

# what well-known hosts speak; anything else is asked in Chat Completions unless the file says
SPOKEN: Mapping[str, tuple[Wire, ...]] = {
    "api.openai.com": ("chat", "responses"),
    "api.anthropic.com": ("messages",),
}
AUTO = "auto"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")


class UpstreamFileError(ValueError):
    """The file cannot be used; the message names the key and what would work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """One place that answers.

    Attributes:
        url: up to where the wires' paths begin, such as https://api.openai.com/v1.
        key_env: environment variable that holds its key; null needs none.
        wires: that it speaks; () is what its host is known for, else chat.
        models: our name of a model -> its name there; empty: those that it lists itself.
        auth: header of the key; null is the wire's own.
        connect_s, first_byte_s: until it is reached, and until a stream begins.
        idle_s: between two pieces of an answer.
        timeout_s: for a whole answer.
        requests_per_minute: that it is sent at most; null: no limit.
        max_in_flight: requests at a time.
        stream_usage: whether chat streams are asked to end with their usage.
    """

    url: str
    key_env: str | None = None
    wires: tuple[Wire, ...] = ()
    models: dict[str, str] = field(default_factory=dict)
    auth: Literal["bearer", "x-api-key"] | None = None
    connect_s: float = 5.0
    first_byte_s: float = 60.0
    idle_s: float = 60.0
    timeout_s: float = 600.0
    requests_per_minute: int | None = None
    max_in_flight: int = 1000
    stream_usage: bool = True

    def __post_init__(self) -> None:
        found = urlsplit(self.url)
        odd = found.username or found.password or found.query or found.fragment
        if found.scheme not in ("http", "https") or not found.hostname or odd:
            raise ValueError(f"url must be http(s)://HOST/PATH and no more, got {self.url!r}")
        for name in ("connect_s", "first_byte_s", "idle_s", "timeout_s", "max_in_flight"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be > 0 and finite, got {getattr(self, name)}")
        if self.requests_per_minute is not None and self.requests_per_minute < 1:
            raise ValueError(f"requests_per_minute must be >= 1, got {self.requests_per_minute}")

    @property
    def spoken(self) -> tuple[Wire, ...]:
        """The wires that it speaks."""
        return self.wires or SPOKEN.get(urlsplit(self.url).hostname or "", ("chat",))

    def endpoint(self, wire: Wire) -> str:
        """Where a request of a wire goes. Nothing that a caller sends is part of it."""
        return self.url.rstrip("/") + PATHS[wire]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Knobs under a name that callers give as `model`; null leaves one to the request."""

    threshold: float | None = None
    min_quality: float | None = None
    max_quality_drop: float | None = None
    max_cost_usd: float | None = None
    max_latency_ms: float | None = None
    allowed_models: tuple[str, ...] | None = None
    budget: str | None = None

    def __post_init__(self) -> None:
        known = {k: v for k, v in self.knobs().items() if k != "budget"}
        try:
            Policy(**known)
        except PolicyError as err:
            raise ValueError(str(err)) from None

    def knobs(self) -> dict[str, Any]:
        """Those that it sets."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """A model that compares answers, and how often it may.

    Attributes:
        model: as some upstream has it.
        usd_per_day: that second answers and verdicts may cost together, in a day (UTC).
        share: of requests for which a comparison is thought of.
        seed: of the draws.
        usd_per_1m_input, usd_per_1m_output: of its tokens; null: as the bundle has the model.
        max_tokens: of a verdict; a model that thinks needs more.
    """

    model: str
    usd_per_day: float
    share: float = 0.05
    seed: int = 0
    usd_per_1m_input: float | None = None
    usd_per_1m_output: float | None = None
    max_tokens: int = 16

    def __post_init__(self) -> None:
        if not 0.0 < self.usd_per_day < float("inf"):
            raise ValueError(f"usd_per_day must be > 0 and finite, got {self.usd_per_day}")
        if not 0.0 < self.share <= 1.0:
            raise ValueError(f"share must be above 0 and at most 1, got {self.share}")
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens must be >= 1, got {self.max_tokens}")
        prices = (self.usd_per_1m_input, self.usd_per_1m_output)
        if (None in prices) != (prices == (None, None)):
            raise ValueError("give usd_per_1m_input and usd_per_1m_output, or neither")
        if any(price is not None and not 0.0 <= price < float("inf") for price in prices):
            raise ValueError(f"prices must be >= 0 and finite, got {prices}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstreams:
    """The whole file, with the keys that it names.

    Attributes:
        upstreams: by the operator's names, in the order in which they are tried.
        routes: by the names that callers give.
        judge: compares some answers with others; null: nothing is compared.
        keys: of upstreams, by name.
    """

    upstreams: dict[str, Upstream]
    routes: dict[str, Route] = field(default_factory=dict)
    judge: Judge | None = None
    keys: dict[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.upstreams:
            raise ValueError("upstreams is empty; add [upstreams.NAME] with a url")
        for name in (*self.upstreams, *self.routes):
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name; use up to 64 of A-Z a-z 0-9 . _ : / -")
        for name in self.routes:
            if name == AUTO or name.startswith(f"{AUTO}:"):
                raise ValueError(f"routes.{name}: {AUTO} is taken; give the route another name")

    @property
    def longest_s(self) -> float:
        """What one request may take at most, all that is tried included."""
        return sum(upstream.timeout_s for upstream in self.upstreams.values())


def read_upstreams(path: Path, env: Mapping[str, str]) -> Upstreams:
    """Read the file, and its keys from the environment.

    Raises:
        UpstreamFileError: it cannot be read, something in it is wrong, or a key is not set.
    """
    raw = read_toml(path, "upstreams", UpstreamFileError)
    if "keys" in raw:
        raise UpstreamFileError(f"{path}: keys stand in the environment; name them by key_env")
    try:
        found = build(Upstreams, _listed(raw), "")
    except FieldError as err:
        raise UpstreamFileError(f"{path}: {err}") from None
    return replace(found, keys=_keys(found, env))


def _listed(raw: dict[str, Any]) -> dict[str, Any]:
    """The same, where a list of models is a table of names that are the same there."""
    for upstream in raw.get("upstreams", {}).values():
        if isinstance(upstream, dict) and isinstance(models := upstream.get("models"), list):
            upstream["models"] = {str(name): str(name) for name in models}
    return raw


def _keys(found: Upstreams, env: Mapping[str, str]) -> dict[str, str]:
    keys = {}
    for name, upstream in found.upstreams.items():
        if upstream.key_env is None:
            continue
        key = env.get(upstream.key_env, "").strip()
        if not key:
            raise UpstreamFileError(
                f"upstreams.{name} needs its key in the environment variable {upstream.key_env}, "
                "which is not set"
            )
        if not (key.isascii() and key.isprintable()):
            raise UpstreamFileError(f"{upstream.key_env} holds a key that no header can carry")
        keys[name] = key
    return keys
