"""One file over HTTP: resumed where it broke off, checked, and only then in its place.

What has arrived lies in NAME.part, beside the server's mark of its version (NAME.part.etag); the
file gets its name by an atomic rename once size and digest are right.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import httpx2

from ..errors import FetchError

AGAIN = {408, 425, 429, 500, 502, 503, 504}  # statuses that may pass
RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
OnBytes = Callable[[int, int | None], None]  # bytes here, bytes in all or null


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchConfig:
    """How patient a download is."""

    stall_s: float = 30.0  # without a byte
    attempts: int = 6  # in a row without a new byte
    pause_s: float = 0.5  # before the second attempt; doubles up to 16 times

    def __post_init__(self) -> None:
        if self.stall_s <= 0 or self.attempts < 1 or self.pause_s < 0:
            raise ValueError(f"stall_s > 0, attempts >= 1 and pause_s >= 0 are needed, got {self}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A file on a server, and what is known of it."""

    url: str
    sha256: str | None = None
    size: int | None = None  # bytes


class _BrokeOff(Exception):  # not an error yet: it is tried again
    """The connection ended, or stalled, before the file did."""


def open_client(config: FetchConfig) -> httpx2.Client:
    """A client that follows redirects, but only to where bytes are safe from others on the way."""
    return httpx2.Client(
        follow_redirects=True,
        timeout=httpx2.Timeout(config.stall_s),
        headers={"Accept-Encoding": "identity"},  # ranges count bytes of the file itself
        event_hooks={"request": [_only_https]},
    )


def download(
    client: httpx2.Client,
    remote: Remote,
    target: Path,
    config: FetchConfig,
    on_bytes: OnBytes | None = None,
) -> str:
    """Bring a file to `target`, and tell its sha256.

    A file that is there already, with the right digest, is left alone.

    Raises:
        FetchError: the server has no such file, does not get on, sends other bytes than those
            expected, or there is no room for them.
    """
    if remote.sha256 is not None and target.is_file() and digest(target) == remote.sha256:
        return remote.sha256
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    resumed = part.exists()
    if resumed and remote.sha256 is not None and digest(part) == remote.sha256:
        part.replace(target)  # it was whole, only its name was missing
        _etag(part).unlink(missing_ok=True)
        return remote.sha256
    found = _complete(client, remote, part, config, on_bytes)
    if resumed and _wrong(remote, found):  # begun from other bytes, perhaps: once from the start
        _forget(part)
        found = _complete(client, remote, part, config, on_bytes)
    if _wrong(remote, found):
        _forget(part)
        raise FetchError(
            f"{remote.url} has sha256 {found}, not {remote.sha256}: the file was changed, or "
            "damaged on the way; nothing was kept"
        )
    part.replace(target)
    _etag(part).unlink(missing_ok=True)
    return found


def digest(path: Path) -> str:
    """A file's sha256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _wrong(remote: Remote, found: str) -> bool:
    return remote.sha256 is not None and found != remote.sha256


def _etag(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _etag(part).unlink(missing_ok=True)


def _complete(
    client: httpx2.Client,
    remote: Remote,
    part: Path,
    config: FetchConfig,
    on_bytes: OnBytes | None,
) -> str:
    """Fill the part until it is whole, over as many connections as it takes; its sha256."""
    failures, why = 0, ""
    while failures < config.attempts:
        if failures:
            time.sleep(config.pause_s * 2 ** min(failures - 1, 4))
        before = _size(part)
        try:
            _stream(client, remote, part, on_bytes)
            return digest(part)
        except (_BrokeOff, httpx2.TransportError) as err:
            why = str(err) or type(err).__name__
        failures = 0 if _size(part) > before else failures + 1
    raise FetchError(
        f"{remote.url} did not get on in {config.attempts} attempts ({why}); what has arrived is "
        f"kept in {part}: the same command goes on from there"
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _stream(client: httpx2.Client, remote: Remote, part: Path, on_bytes: OnBytes | None) -> None:
    """One connection: append to the part, or begin it anew where the server cannot go on."""
    have = _size(part)
    if have and remote.size is not None and have >= remote.size:
        if have == remote.size:
            return  # whole already; the digest decides
        _forget(part)
        have = 0
    with client.stream("GET", remote.url, headers=_going_on(part, have)) as response:
        if response.status_code == 416:
            _forget(part)
            raise _BrokeOff("the server has fewer bytes than have arrived; beginning anew")
        _check_status(response, remote)
        start = _start(response, have, part)
        total = remote.size if remote.size is not None else _total(response, start)
        if start == 0:
            _forget(part)
            _etag(part).write_text(response.headers.get("etag", ""), "utf-8")
        _room(part, (total or 0) - start)
        _append(response, part, start, total, on_bytes)


def _append(
    response: httpx2.Response, part: Path, start: int, total: int | None, on_bytes: OnBytes | None
) -> None:
    done = start
    with part.open("ab") as file:
        for chunk in response.iter_raw():  # as they arrive: a break loses none of them
            file.write(chunk)
            done += len(chunk)
            if on_bytes is not None:
                on_bytes(done, total)
            if total is not None and done > total:
                break
    if total is not None and done != total:
        if done > total:
            _forget(part)
        raise _BrokeOff(f"{done} of {total} bytes arrived")


def _going_on(part: Path, have: int) -> dict[str, str]:
    """Ask for the rest, if the file is still the one that was begun."""
    if not have:
        return {}
    mark = _etag(part).read_text("utf-8") if _etag(part).exists() else ""
    asked = {"Range": f"bytes={have}-"}
    return asked | {"If-Range": mark} if mark.startswith('"') else asked


def _start(response: httpx2.Response, have: int, part: Path) -> int:
    """At which byte of the file the answer begins: 0 where the server ignored the range."""
    if response.status_code != 206:
        return 0
    told = RANGE.fullmatch(response.headers.get("content-range", ""))
    if told is None or int(told[1]) != have:
        _forget(part)
        answer = response.headers.get("content-range")
        raise _BrokeOff(f"bytes from {have} on were asked for, and {answer!r} came")
    return have


def _total(response: httpx2.Response, start: int) -> int | None:
    length = response.headers.get("content-length")
    return start + int(length) if length is not None else None


def _check_status(response: httpx2.Response, remote: Remote) -> None:
    status = response.status_code
    if status in AGAIN:
        raise _BrokeOff(f"the server answers {status}")
    if status in {401, 403}:
        raise FetchError(
            f"{remote.url} answers {status}: it asks for an account; download it by hand and give "
            "the file to `tierwise data ingest`"
        )
    if status not in {200, 206}:
        raise FetchError(f"{remote.url} answers {status}: there is no such file at this revision")


def _room(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise FetchError(f"{part.parent} has {free} bytes left, and {needed} more are needed")


def _only_https(request: httpx2.Request) -> None:
    """Refuse plain HTTP, which anybody on the way can change; this machine itself is safe."""
    if request.url.scheme == "https" or _is_loopback(request.url.host):
        return
    raise FetchError(f"{request.url} is not HTTPS; nothing is brought over an open line")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
