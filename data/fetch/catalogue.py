"""The list of public sets, and what of each is pinned."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from ..errors import FetchError
from ..raw import PICKLES

ENDPOINT = os.environ.get("HF_ENDPOINT", "https://huggingface.co")  # mirrors have another
SETS = Path(__file__).with_name("sets.toml")
SAFE = (".parquet", ".csv", ".json", ".jsonl", ".csv.gz", ".json.gz", ".jsonl.gz", ".tar.gz")
DIGEST = re.compile(r"[0-9a-f]{64}")
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicSet:
    """Where a set lies, and which of its bytes were verified."""

    name: str
    about: str
    repo: str
    files: tuple[str, ...]  # patterns
    read: str  # the --from of `ingest`
    licence: str
    revision: str | None = None  # a commit; null where nobody has verified one
    sha256: Mapping[str, str] = field(default_factory=dict)  # file -> digest
    refused: str | None = None

    def __post_init__(self) -> None:
        if self.revision is not None and not COMMIT.fullmatch(self.revision):
            raise FetchError(f"{self.name}: revision must be a commit, got {self.revision!r}")
        for file, digest in self.sha256.items():
            check_digest(digest, f"{self.name}: {file}")


def check_digest(digest: str, where: str) -> str:
    """The digest; raises FetchError where it is none."""
    if not DIGEST.fullmatch(digest):
        raise FetchError(f"{where}: sha256 must be 64 hex digits in lower case, got {digest!r}")
    return digest


def check_safe(path: str) -> None:
    """Refuse files that may run code when read, or that nothing here reads.

    Raises:
        FetchError: says which kinds are brought.
    """
    name = path.lower()
    if name.endswith(PICKLES):
        raise FetchError(
            f"{path} is a pickle, which can run code when it is read, and is not brought; ask its "
            "publisher for Parquet, or fetch another copy of the set: `tierwise data fetch --list`"
        )
    if not name.endswith(SAFE) or ".." in path.split("/"):
        raise FetchError(f"{path} is of a kind that is not brought; those are {', '.join(SAFE)}")


def load_catalogue(path: Path = SETS) -> dict[str, PublicSet]:
    """All sets by name.

    Raises:
        FetchError: an entry is not complete or pins what is no digest.
    """
    entries = tomllib.loads(path.read_text("utf-8"))
    try:
        return {
            name: PublicSet(name=name, **(entry | {"files": tuple(entry["files"])}))
            for name, entry in entries.items()
        }
    except (TypeError, KeyError) as err:
        raise FetchError(f"{path}: an entry is not as it should be: {err}") from err


def find_set(name: str, catalogue: Mapping[str, PublicSet]) -> PublicSet:
    """The set of a name.

    Raises:
        FetchError: there is none, or it is not brought; says what is.
    """
    if name not in catalogue:
        near = get_close_matches(name, catalogue, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise FetchError(f"no set {name!r}{hint} There are {', '.join(sorted(catalogue))}")
    found = catalogue[name]
    if found.refused is not None:
        raise FetchError(f"{name} is not brought: {found.refused}")
    return found
