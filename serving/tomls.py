"""The operator's TOML files: read, or refused in the words of the file's reader."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from router.errors import in_words


def read_toml(path: Path, what: str, error: type[ValueError]) -> dict[str, Any]:
    """What the file says.

    Args:
        path: of the file.
        what: it holds, such as "keys".
        error: is raised where it cannot be read; the message names the file and the cause.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as err:
        raise error(f"no {what} {in_words(err)}") from None
    except ValueError as err:
        raise error(f"{path} cannot be read: {err}") from None
