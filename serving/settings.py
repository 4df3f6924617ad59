"""Environment -> Settings: read once, checked at once, never changed.

Stands alone because the command line, the service and the tests must agree on every default.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent  # the checkout, or a Bento's source folder
STARTER = ROOT / "artifacts" / "starter"


class SettingsError(ValueError):
    """An environment variable cannot be used; the message names it and what would work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator decides. Every ceiling on input is here and is named in its error."""

    bundle: Path = STARTER
    port: int = 3000
    workers: int | str = 1  # processes; "cpu_count" is one per core
    cache_size: int = 4096  # prompts whose scores each worker remembers; 0 turns the cache off
    max_body_bytes: int = 4 * 1024 * 1024  # whole request body; images in messages count
    max_prompt_chars: int = 200_000  # text of all messages together
    max_messages: int = 1000
    max_allowed_models: int = 64  # patterns in `allowed_models`
    max_batch: int = 256  # prompts of one POST /route/batch
    max_concurrency: int = 64  # prompts being scored or waiting for it, per worker
    timeout_s: float = 2.0  # from the first byte to the answer
    api_keys: tuple[str, ...] = field(default=(), repr=False)  # () lets everybody in

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Read the environment; a variable that is unset or empty has its default.

        Raises:
            SettingsError: a value cannot be read or is out of range.
        """
        found = os.environ if env is None else env
        values: dict[str, Any] = {}
        for name, (variable, read) in VARIABLES.items():
            text = found.get(variable, "").strip()
            if text:
                values[name] = read(variable, text)
        return cls(**values)


def _whole(low: int, high: int) -> Callable[[str, str], int]:
    def read(variable: str, text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise SettingsError(f"{variable} must be a whole number {low} to {high}, got {text!r}")
        return value

    return read


def _seconds(low: float, high: float) -> Callable[[str, str], float]:
    def read(variable: str, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise SettingsError(f"{variable} must be {low:g} to {high:g} seconds, got {text!r}")
        return value

    return read


def _workers(variable: str, text: str) -> int | str:
    if text == "auto":
        return "cpu_count"
    try:
        return _whole(1, 1024)(variable, text)
    except SettingsError:
        raise SettingsError(
            f"{variable} must be a whole number 1 to 1024, or `auto` for one per core, got {text!r}"
        ) from None


def _path(_variable: str, text: str) -> Path:
    return Path(text).expanduser().resolve()


def _keys(variable: str, text: str) -> tuple[str, ...]:
    keys = tuple(key.strip() for key in text.split(",") if key.strip())
    if not keys:
        raise SettingsError(f"{variable} holds no key; separate keys by commas, or unset it")
    if not all(key.isascii() and key.isprintable() and " " not in key for key in keys):
        raise SettingsError(f"{variable} holds a key that no header can carry; use printable ASCII")
    return keys


# field -> (environment variable, how to read it)
VARIABLES: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "bundle": ("TIERWISE_BUNDLE", _path),
    "port": ("PORT", _whole(1, 65535)),
    "workers": ("TIERWISE_WORKERS", _workers),
    "cache_size": ("TIERWISE_CACHE_SIZE", _whole(0, 10_000_000)),
    "max_body_bytes": ("TIERWISE_MAX_BODY_BYTES", _whole(64, 1 << 30)),
    "max_prompt_chars": ("TIERWISE_MAX_PROMPT_CHARS", _whole(1, 1 << 30)),
    "max_messages": ("TIERWISE_MAX_MESSAGES", _whole(1, 1_000_000)),
    "max_allowed_models": ("TIERWISE_MAX_ALLOWED_MODELS", _whole(1, 10_000)),
    "max_batch": ("TIERWISE_MAX_BATCH", _whole(1, 100_000)),
    "max_concurrency": ("TIERWISE_MAX_CONCURRENCY", _whole(1, 100_000)),
    "timeout_s": ("TIERWISE_TIMEOUT_S", _seconds(0.05, 600)),
    "api_keys": ("TIERWISE_API_KEYS", _keys),
}
