"""Bring a set: settle which bytes are meant, bring them, and write down what came.

`fetched.json` beside the files holds commit and digests; later fetches into the same folder are
held to it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from router.atomic import write_file

from ..errors import FetchError
from .catalogue import ENDPOINT, PublicSet, check_digest
from .download import HubFile, download, files_of

RECORD = "fetched.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What the user vouches for where a set is not pinned."""

    sha256: Mapping[str, str] = field(default_factory=dict)  # file, or "" for the only one
    revision: str | None = None
    first_use: bool = False  # take what the server has now, and hold later fetches to it


@dataclass(frozen=True, slots=True)
class Fetched:
    """What lies in the folder, and how its digests came to be known."""

    name: str
    repo: str
    revision: str  # a commit
    sha256: dict[str, str]
    known_by: dict[str, str]  # file -> pinned, given, recorded or first use


def fetch_set(
    public: PublicSet, out: Path, trust: Trust | None = None, *, endpoint: str = ENDPOINT
) -> Fetched:
    """Bring all files of a set into a folder.

    Raises:
        FetchError: the set is unverified and nobody vouches for it, the server fails, or bytes are
            not those that were expected.
    """
    trust = trust or Trust()
    before = _recorded(out / RECORD, public)
    _check_trust(public, trust, before)
    revision = public.revision or trust.revision or (before.revision if before else "main")
    files = files_of(endpoint, public, revision)
    expected = {file.path: _expected(file, files, public, trust, before) for file in files}
    digests = {file.path: download(file, out / file.path, expected[file.path][0]) for file in files}
    known_by = {path: why for path, (_, why) in expected.items()}
    fetched = Fetched(public.name, public.repo, files[0].commit, digests, known_by)
    _write(out / RECORD, fetched)
    return fetched


def _check_trust(public: PublicSet, trust: Trust, before: Fetched | None) -> None:
    if public.sha256 or trust.sha256 or trust.first_use or before is not None:
        return
    raise FetchError(
        f"no sha256 of {public.name} ({public.repo}) was verified for this release; give "
        "--sha256 [FILE=]HEX from a source that you trust, or --trust-first-use to take what the "
        "server has now and hold later fetches to it"
    )


def _expected(
    file: HubFile,
    files: list[HubFile],
    public: PublicSet,
    trust: Trust,
    before: Fetched | None,
) -> tuple[str | None, str]:
    """The digest that a file must have, and who says so."""
    given = trust.sha256.get(file.path) or (trust.sha256.get("") if len(files) == 1 else None)
    recorded = before.sha256.get(file.path) if before else None
    candidates = (
        ("pinned", public.sha256.get(file.path)),
        ("given", given),
        ("recorded", recorded),
    )
    found = next(((sha, why) for why, sha in candidates if sha is not None), None)
    if found is not None:
        return check_digest(found[0], file.path), found[1]
    if not trust.first_use:
        raise FetchError(
            f"nobody vouches for {file.path}; give --sha256 {file.path}=HEX, or --trust-first-use"
        )
    # the server's own word finds damage on the way, not a file that was exchanged
    return file.stated_sha256, "first use"


def _recorded(path: Path, public: PublicSet) -> Fetched | None:
    if not path.is_file():
        return None
    try:
        found = Fetched(**json.loads(path.read_text("utf-8")))
    except (ValueError, TypeError) as err:
        raise FetchError(f"{path} cannot be read: {err}; remove it to begin anew") from err
    if found.name != public.name:
        raise FetchError(f"{path.parent} holds {found.name}; give another folder for {public.name}")
    return found


def _write(path: Path, fetched: Fetched) -> None:
    write_file(path, json.dumps(asdict(fetched), indent=2, sort_keys=True) + "\n")
