"""Tiers that the operator declares: names under which a choice may mean several arms.

```toml
[tiers]
SIMPLE = ["gpt-4o-mini"]
COMPLEX = ["claude-*", "gpt-4o|high"]
```
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..tomls import read_toml


class TierFileError(ValueError):
    """The file cannot be used; the message says why."""


def read_tiers(path: Path) -> Mapping[str, tuple[str, ...]]:
    """Name -> patterns on `model` or `model|tier`.

    Raises:
        TierFileError: it cannot be read, or declares something else.
    """
    found = read_toml(path, "tiers", TierFileError)
    rows = found.get("tiers")
    if set(found) != {"tiers"} or not isinstance(rows, dict) or not rows:
        raise TierFileError(f"{path} must hold a table [tiers] and nothing else")
    for name, patterns in rows.items():
        texts = isinstance(patterns, list) and all(isinstance(p, str) and p for p in patterns)
        if not texts or not patterns:
            raise TierFileError(
                f'{path}: tiers.{name} must be a list of `model` or `model|tier`, as ["gpt-4o*"]'
            )
    return {name: tuple(patterns) for name, patterns in rows.items()}
