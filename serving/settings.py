"""Environment -> Settings: read once, checked at once, never changed.

Stands alone because the command line, the service and the tests must agree on every default.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from router.core.bundle import catalogue_beside

from .decisions.tiers import TierFileError, read_tiers
from .declared import BudgetFileError, Declared, read_budgets
from .gateway.traces import exportable
from .gateway.upstreams import UpstreamFileError, Upstreams, read_upstreams
from .keys import Key, KeyFileError, everyone, read_keys

ROOT = Path(__file__).resolve().parent.parent  # the checkout, or a Bento's source folder
STARTER = ROOT / "artifacts" / "starter"
LOG = ROOT / "artifacts" / "log"
BUDGETS = ROOT / "artifacts" / "budgets"


class SettingsError(ValueError):
    """An environment variable cannot be used; the message names it and what would work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator decides. Every ceiling on input is here and is named in its error."""

    bundle: Path = STARTER
    catalogue: Path | None = None  # newer prices, health and latency over the bundle's
    port: int = 3000
    workers: int | str = 1  # processes; "cpu_count" is one per core
    cache_size: int = 4096  # prompts whose scores each worker remembers; 0 turns the cache off
    max_body_bytes: int | None = None  # whole request body; null: what the bundle's arms can read
    max_prompt_chars: int | None = None  # of a whole conversation; null: the arms' windows decide
    max_messages: int = 10_000  # turns of one request
    max_allowed_models: int = 64  # patterns in `allowed_models`
    max_batch: int = 256  # prompts of one POST /route/batch
    batch_prompt_s: float = 0.25  # by which each prompt of a batch adds to the timeout
    max_concurrency: int = 64  # prompts being scored or waiting for it, per worker
    poll_s: float = 1.0  # between looks at a store's pointer
    timeout_s: float = 2.0  # from the first byte to the answer
    api_keys: tuple[str, ...] = field(default=(), repr=False)  # that may route
    admin_keys: tuple[str, ...] = field(default=(), repr=False)  # that may do everything
    keys: dict[str, Key] = field(default_factory=dict)  # of a file: with rights and limits
    log_dir: Path | None = LOG  # of decisions and feedback; None writes nothing down
    log_text: bool = False  # whether prompts are written down, too
    log_key: bytes | None = field(default=None, repr=False)  # None: kept in the log's folder
    log_flush_s: float = 0.5  # a kill loses at most so much
    log_max_mb: int = 1024  # of closed segments; the oldest go first
    log_days: int = 30
    explore_rate: float = 0.0  # share of requests that try another arm; 0.01 to 0.05 is usual
    explore_kind: str = "uniform"
    explore_quality_loss: float = 0.1  # predicted quality that a trial may give up
    explore_cost_ratio: float = 3.0  # a tried arm may cost so many times the ruling one
    seed: int = 0  # of the draws
    upstreams: Upstreams | None = field(default=None, repr=False)  # that execute requests
    tiers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of arms, for choices
    traces: bool = False  # whether spans of executed requests are sent
    status_metrics: Path | None = None  # what `tierwise status --metrics` wrote; told at /metrics
    budgets: tuple[Declared, ...] = ()  # that requests may name
    max_budgets: int = 1000  # of the requests' own, per worker
    budget_dir: Path | None = BUDGETS  # where workers meet and a restart finds what was spent
    budget_sync_s: float = 0.5  # between exchanges with other processes; a kill loses so much
    redis_url: str | None = field(default=None, repr=False)  # where replicas meet

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
        values.setdefault("catalogue", catalogue_beside(values.get("bundle", STARTER)))
        if "upstreams" in values:
            values["upstreams"] = _upstreams(values["upstreams"], found)
        settings = cls(**values)
        try:
            everyone(settings.api_keys, settings.admin_keys, settings.keys)
        except KeyFileError as err:
            raise SettingsError(str(err)) from None
        if settings.workers != 1 and settings.budget_dir is None and settings.redis_url is None:
            raise SettingsError(
                "TIERWISE_BUDGET_DIR=off needs TIERWISE_WORKERS=1 or a TIERWISE_REDIS_URL; workers "
                "that know nothing of each other would each spend the whole budget"
            )
        return settings


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


def _number(low: float, high: float, unit: str = "") -> Callable[[str, str], float]:
    form = f"{low:g} to {high:g} {unit}" if unit else f"a number {low:g} to {high:g}"

    def read(variable: str, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise SettingsError(f"{variable} must be {form}, got {text!r}")
        return value

    return read


def _seconds(low: float, high: float) -> Callable[[str, str], float]:
    return _number(low, high, "seconds")


def _switch(variable: str, text: str) -> bool:
    found = {"1": True, "true": True, "on": True, "0": False, "false": False, "off": False}
    if text.lower() not in found:
        raise SettingsError(f"{variable} must be on or off, got {text!r}")
    return found[text.lower()]


def _one_of(*names: str) -> Callable[[str, str], str]:
    def read(variable: str, text: str) -> str:
        if text not in names:
            raise SettingsError(f"{variable} must be {' or '.join(names)}, got {text!r}")
        return text

    return read


def _budgets(variable: str, text: str) -> tuple[Declared, ...]:
    try:
        return read_budgets(_path(variable, text))
    except BudgetFileError as err:
        raise SettingsError(f"{variable}: {err}") from None


def _traces(variable: str, text: str) -> bool:
    found = _one_of("otlp", "off")(variable, text) == "otlp"
    if found and not exportable():
        raise SettingsError(f"{variable}=otlp needs an exporter: pip install -e '.[otel]'")
    return found


def _key_file(variable: str, text: str) -> dict[str, Key]:
    try:
        return read_keys(_path(variable, text))
    except KeyFileError as err:
        raise SettingsError(f"{variable}: {err}") from None


def _tiers(variable: str, text: str) -> Mapping[str, tuple[str, ...]]:
    try:
        return read_tiers(_path(variable, text))
    except TierFileError as err:
        raise SettingsError(f"{variable}: {err}") from None


def _upstreams(path: Path, env: Mapping[str, str]) -> Upstreams:
    try:
        return read_upstreams(path, env)
    except UpstreamFileError as err:
        raise SettingsError(f"TIERWISE_UPSTREAMS: {err}") from None


def _redis(variable: str, text: str) -> str:
    if not text.startswith(("redis://", "rediss://", "unix://")):
        raise SettingsError(f"{variable} must begin with redis://, rediss:// or unix://")
    return text


def _folder(variable: str, text: str) -> Path | None:
    return None if text.lower() in ("off", "none") else _path(variable, text)


def _secret(variable: str, text: str) -> bytes:
    key = text.encode()
    if len(key) < 16:
        raise SettingsError(f"{variable} must have 16 characters or more, got {len(key)}")
    return hashlib.blake2b(key, digest_size=32).digest()


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
    "catalogue": ("TIERWISE_CATALOGUE", _path),
    "port": ("PORT", _whole(1, 65535)),
    "workers": ("TIERWISE_WORKERS", _workers),
    "cache_size": ("TIERWISE_CACHE_SIZE", _whole(0, 10_000_000)),
    "max_body_bytes": ("TIERWISE_MAX_BODY_BYTES", _whole(64, 1 << 30)),
    "max_prompt_chars": ("TIERWISE_MAX_PROMPT_CHARS", _whole(1, 1 << 30)),
    "max_messages": ("TIERWISE_MAX_MESSAGES", _whole(1, 1_000_000)),
    "max_allowed_models": ("TIERWISE_MAX_ALLOWED_MODELS", _whole(1, 10_000)),
    "max_batch": ("TIERWISE_MAX_BATCH", _whole(1, 100_000)),
    "batch_prompt_s": ("TIERWISE_BATCH_PROMPT_S", _seconds(0.001, 600)),
    "max_concurrency": ("TIERWISE_MAX_CONCURRENCY", _whole(1, 100_000)),
    "poll_s": ("TIERWISE_POLL_S", _seconds(0.02, 3600)),
    "timeout_s": ("TIERWISE_TIMEOUT_S", _seconds(0.05, 600)),
    "api_keys": ("TIERWISE_API_KEYS", _keys),
    "admin_keys": ("TIERWISE_ADMIN_KEYS", _keys),
    "keys": ("TIERWISE_KEYS", _key_file),
    "log_dir": ("TIERWISE_LOG_DIR", _folder),
    "log_text": ("TIERWISE_LOG_TEXT", _switch),
    "log_key": ("TIERWISE_LOG_KEY", _secret),
    "log_flush_s": ("TIERWISE_LOG_FLUSH_S", _seconds(0.01, 60)),
    "log_max_mb": ("TIERWISE_LOG_MAX_MB", _whole(1, 1 << 30)),
    "log_days": ("TIERWISE_LOG_DAYS", _whole(1, 36_500)),
    "explore_rate": ("TIERWISE_EXPLORE_RATE", _number(0, 1)),
    "explore_kind": ("TIERWISE_EXPLORE_KIND", _one_of("uniform", "softmax")),
    "explore_quality_loss": ("TIERWISE_EXPLORE_QUALITY_LOSS", _number(0, 1)),
    "explore_cost_ratio": ("TIERWISE_EXPLORE_COST_RATIO", _number(1, 1e6)),
    "seed": ("TIERWISE_SEED", _whole(0, (1 << 63) - 1)),
    "upstreams": ("TIERWISE_UPSTREAMS", _path),
    "tiers": ("TIERWISE_TIERS", _tiers),
    "traces": ("TIERWISE_TRACES", _traces),
    "status_metrics": ("TIERWISE_STATUS_METRICS", _path),
    "budgets": ("TIERWISE_BUDGETS", _budgets),
    "max_budgets": ("TIERWISE_MAX_BUDGETS", _whole(1, 1_000_000)),
    "budget_dir": ("TIERWISE_BUDGET_DIR", _folder),
    "budget_sync_s": ("TIERWISE_BUDGET_SYNC_S", _seconds(0.02, 60)),
    "redis_url": ("TIERWISE_REDIS_URL", _redis),
}
