"""What the Hub tells of a data set: the commit of a revision, and its files."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch
from urllib.parse import quote

import httpx2

from ..errors import FetchError
from .catalogue import COMMIT, PublicSet, check_safe


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a set at one commit."""

    path: str
    url: str
    size: int | None  # bytes
    stated_sha256: str | None  # what the server says of a large file


def commit_of(client: httpx2.Client, endpoint: str, repo: str, revision: str) -> str:
    """The commit that a revision is now.

    Raises:
        FetchError: the server does not know the set or revision, or cannot be reached.
    """
    found = _get(client, f"{endpoint}/api/datasets/{repo}/revision/{quote(revision, safe='')}")
    commit = found.get("sha") if isinstance(found, dict) else None
    if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
        raise FetchError(f"{endpoint} does not say which commit {revision} of {repo} is")
    return commit


def files_of(client: httpx2.Client, endpoint: str, public: PublicSet, commit: str) -> list[HubFile]:
    """The files of a set at a commit, by its patterns.

    Raises:
        FetchError: there are none, one of them is not safe, or the server cannot be reached.
    """
    listed = _get(client, f"{endpoint}/api/datasets/{public.repo}/tree/{commit}?recursive=true")
    entries = [e for e in listed if isinstance(e, dict)] if isinstance(listed, list) else []
    paths = {str(e["path"]): e for e in entries if e.get("type") == "file" and "path" in e}
    chosen = [p for p in sorted(paths) if any(fnmatch(p, pattern) for pattern in public.files)]
    if not chosen:
        raise FetchError(
            f"{public.repo} has no file like {', '.join(public.files)} at {commit}; it has "
            f"{', '.join(sorted(paths)[:20]) or 'none'}"
        )
    for path in chosen:
        check_safe(path)
    base = f"{endpoint}/datasets/{public.repo}/resolve/{commit}"
    return [_file(base, path, paths[path]) for path in chosen]


def _file(base: str, path: str, entry: dict[str, object]) -> HubFile:
    listed = entry.get("lfs")
    large = listed if isinstance(listed, dict) else {}
    stated, size = large.get("oid"), entry.get("size", large.get("size"))
    return HubFile(
        path,
        f"{base}/{quote(path)}",
        size if isinstance(size, int) else None,
        stated.removeprefix("sha256:") if isinstance(stated, str) else None,
    )


def _get(client: httpx2.Client, url: str) -> object:
    try:
        response = client.get(url)
        response.raise_for_status()
        return response.json()
    except (httpx2.HTTPError, ValueError) as err:
        raise FetchError(f"{url} could not be read: {err}") from err
