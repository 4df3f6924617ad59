"""Files of a public set from the Hub, over HTTPS alone.

huggingface_hub speaks to the server. What has arrived of a file lies beside its place, in a part
that is named by its commit, and gets its name by an atomic rename once the digest is right.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import httpx2
from huggingface_hub import HfApi, hf_hub_url, set_client_factory
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

# hf_hub_download drops a part with its process; this, which it calls itself, goes on from one
from huggingface_hub.file_download import http_get
from huggingface_hub.hf_api import RepoSibling
from huggingface_hub.utils import build_hf_headers
from huggingface_hub.utils._http import default_client_factory

from ..errors import FetchError
from .catalogue import PublicSet, check_safe

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
MAY_PASS = {408, 425, 429, 500, 502, 503, 504}  # statuses
ATTEMPTS = 4  # in a row without a new byte, each of several connections
PAUSE_S = 1.0  # before the second attempt; doubles


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a set at one commit."""

    path: str
    commit: str
    url: str
    size: int | None  # bytes
    stated_sha256: str | None  # what the server says of a large file


def files_of(endpoint: str, public: PublicSet, revision: str) -> list[HubFile]:
    """The files of a set, by its patterns, at the commit that a revision is now.

    Raises:
        FetchError: there are none, one of them is not safe, or the server cannot be reached.
    """
    set_client_factory(_https_client)
    try:
        found = HfApi(endpoint=endpoint).dataset_info(
            public.repo, revision=revision, files_metadata=True, timeout=30
        )
    except (HfHubHTTPError, ValueError) as err:
        raise FetchError(
            f"{public.repo} at {revision} could not be read from {endpoint}: {_first_line(err)}"
        ) from err
    except (httpx2.TransportError, OfflineModeIsEnabled) as err:
        raise FetchError(
            f"{endpoint} cannot be reached ({_first_line(err)}); give a mirror with --endpoint, or "
            f"bring {', '.join(public.files)} of {public.repo} by other means and give the files "
            f"to `tierwise data ingest --from {public.read}`"
        ) from err
    listed = {file.rfilename: file for file in found.siblings or ()}
    chosen = [p for p in sorted(listed) if any(fnmatch(p, pattern) for pattern in public.files)]
    if not chosen:
        raise FetchError(
            f"{public.repo} has no file like {', '.join(public.files)} at {found.sha}; it has "
            f"{', '.join(sorted(listed)[:20]) or 'none'}"
        )
    for path in chosen:
        check_safe(path)
    return [_file(endpoint, public.repo, found.sha, listed[path]) for path in chosen]


def _file(endpoint: str, repo: str, commit: str, listed: RepoSibling) -> HubFile:
    path, large = listed.rfilename, listed.lfs
    url = hf_hub_url(repo, path, repo_type="dataset", revision=commit, endpoint=endpoint)
    size = large.size if large is not None and listed.size is None else listed.size
    return HubFile(path, commit, url, size, large.sha256 if large is not None else None)


def download(file: HubFile, target: Path, sha256: str | None = None) -> str:
    """Bring a file to `target`, and tell its sha256.

    A file that is there already, with the right digest, is left alone.

    Raises:
        FetchError: the server has no such file, does not get on, sends other bytes than those
            expected, or there is no room for them.
    """
    if sha256 is not None and target.is_file() and digest(target) == sha256:
        return sha256
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{file.commit[:12]}.part")
    resumed = part.exists()
    found = _complete(file, part)
    if resumed and sha256 not in (None, found):  # begun from other bytes, perhaps: once anew
        part.unlink()
        found = _complete(file, part)
    if sha256 not in (None, found):
        part.unlink()
        raise FetchError(
            f"{file.url} has sha256 {found}, not {sha256}: the file was changed, or damaged on the "
            "way; nothing was kept"
        )
    part.replace(target)
    return found


def digest(path: Path) -> str:
    """A file's sha256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _complete(file: HubFile, part: Path) -> str:
    """Fill the part until it is whole, over as many connections as it takes; its sha256."""
    failures, why = 0, ""
    while failures < ATTEMPTS:
        if failures:
            time.sleep(PAUSE_S * 2 ** (failures - 1))
        before = _size(part)
        try:
            _append(file, part)
            return digest(part)
        except HfHubHTTPError as err:
            why = _passing(err, file, part)
        except httpx2.TransportError as err:
            why = str(err) or type(err).__name__
        except OSError as err:
            if err.errno is not None:
                raise
            why = _first_line(err)  # the connection ended before the file did
        failures = 0 if _size(part) > before else failures + 1
    raise FetchError(
        f"{file.url} did not get on in {ATTEMPTS} attempts ({why}); what has arrived is kept in "
        f"{part}: the same command goes on from there"
    )


def _append(file: HubFile, part: Path) -> None:
    have = _size(part)
    if file.size is not None and have > file.size:
        part.unlink()
        have = 0
    free, needed = shutil.disk_usage(part.parent).free, (file.size or 0) - have
    if needed > free:
        raise FetchError(f"{part.parent} has {free} bytes left, and {needed} more are needed")
    # ranges count bytes of the file itself, not of a compressed answer
    headers = build_hf_headers() | {"Accept-Encoding": "identity"}
    with part.open("ab") as out:
        http_get(
            file.url,
            out,
            resume_size=have,
            headers=headers,
            expected_size=file.size,
            displayed_filename=file.path,
        )


def _passing(err: HfHubHTTPError, file: HubFile, part: Path) -> str:
    """Why an answer was none, where another attempt may bring one.

    Raises:
        FetchError: none would.
    """
    status = err.response.status_code
    if status == 416:
        part.unlink()
        return "the server has fewer bytes than have arrived; beginning anew"
    if status in MAY_PASS:
        return f"the server answers {status}"
    if status in {401, 403}:
        raise FetchError(
            f"{file.url} answers {status}: it asks for an account; set HF_TOKEN, or download it by "
            "hand and give the file to `tierwise data ingest`"
        ) from err
    raise FetchError(
        f"{file.url} answers {status}: there is no such file at this revision"
    ) from err


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _first_line(err: Exception) -> str:
    return next(iter(str(err).splitlines()), type(err).__name__)


def _https_client() -> httpx2.Client:
    client: httpx2.Client = default_client_factory()
    client.event_hooks["request"].append(_only_https)
    return client


def _only_https(request: httpx2.Request) -> None:
    """Refuse plain HTTP, which anybody on the way can change; this machine itself is safe."""
    if request.url.scheme != "https" and request.url.host not in LOOPBACK:
        raise FetchError(f"{request.url} is not HTTPS; nothing is brought over an open line")
