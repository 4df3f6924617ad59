"""What models can do: a small TOML file of capabilities, by model name or wildcard.

    [models."gpt-4o*"]
    context_tokens = 128000
    tools = true
    vision = true
    json = true

What is not stated is unknown, and an unknown capability cannot be required of an arm.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path

from .errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What one model can do; null is unknown."""

    context_tokens: int | None = None
    tools: bool | None = None
    vision: bool | None = None
    json: bool | None = None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Capabilities by pattern; the first that matches a model counts."""

    entries: dict[str, Capabilities]

    def of(self, model: str) -> Capabilities:
        """The capabilities of a model, all unknown where no pattern matches."""
        for pattern, capabilities in self.entries.items():
            if model == pattern or fnmatchcase(model, pattern):
                return capabilities
        return Capabilities()


def load_catalogue(path: str | None) -> Catalogue:
    """Read a catalogue, or an empty one where no path is given.

    Raises:
        ConfigError: the file cannot be read, or a key or type is not one of the above.
    """
    if path is None:
        return Catalogue({})
    try:
        raw = tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as err:
        raise ConfigError(f"catalogue {path} cannot be read: {err}") from err
    models = raw.get("models")
    if not isinstance(models, dict):
        raise ConfigError(f'catalogue {path} has no [models."NAME"] section')
    return Catalogue({name: _entry(name, values) for name, values in models.items()})


def _entry(model: str, values: dict[str, object]) -> Capabilities:
    known = {f.name: (int if f.name == "context_tokens" else bool) for f in fields(Capabilities)}
    for key, value in values.items():
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.0)[0]
            raise ConfigError(f"catalogue: {model} has unknown key {key}; did you mean {near}?")
        if type(value) is not known[key]:
            raise ConfigError(
                f"catalogue: {model}.{key} must be {known[key].__name__}, got {value!r}"
            )
    return Capabilities(**values)  # type: ignore[arg-type]
