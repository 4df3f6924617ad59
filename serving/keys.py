"""Who may do what: the keys, their rights and their pace; no other place compares keys.

A key is kept as its SHA-256, so that no secret stays in memory and a file of keys holds none. Where
no key is set, everybody may route and read, and nobody is an admin.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from router.errors import PolicyError
from router.strict import FieldError, build

from .declared import DEFAULT_PERIOD, checked_period, checked_usd
from .problems import Problem
from .rate import Rate
from .tomls import read_toml

Right = Literal["route", "read", "admin"]
Rights = tuple[Right, ...]
EVERY: Rights = ("route", "read", "admin")
MOST_KEYS = 10_000  # each is compared with what a request carries
BURST_S = 10.0  # of a key's pace, which may come at once
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NOTHING = hashlib.sha256().hexdigest()
_DIGEST = re.compile(r"[0-9a-f]{64}")


class KeyFileError(ValueError):
    """The keys cannot be used; the message names the entry and what would work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key.

    Attributes:
        sha256: of its characters, in hexadecimal.
        rights: what it opens; see the table of the README.
        requests_per_minute: that it may send to one worker; null: no limit.
        usd: that it may spend in a period; null: no limit.
        period: a name of `router.budget.periods`, or seconds.
    """

    sha256: str = field(repr=False)
    rights: Rights = ("route",)
    requests_per_minute: int | None = None
    usd: float | None = None
    period: str = DEFAULT_PERIOD

    def __post_init__(self) -> None:
        if not _DIGEST.fullmatch(self.sha256):
            raise ValueError("sha256 must be 64 hexadecimal digits: printf %s KEY | sha256sum")
        if self.sha256 == _NOTHING:
            raise ValueError("sha256 is that of no character; give a key's")
        if not self.rights:
            raise ValueError(f"rights is empty; give some of {', '.join(EVERY)}")
        if self.requests_per_minute is not None and self.requests_per_minute < 1:
            raise ValueError(f"requests_per_minute must be >= 1, got {self.requests_per_minute}")
        try:
            if self.usd is not None:
                checked_usd(self.usd, "usd")
            checked_period(self.period)
        except PolicyError as err:
            raise ValueError(str(err)) from None

    @property
    def owner(self) -> str:
        """Its fingerprint: what logs and budgets call it."""
        return self.sha256[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    keys: dict[str, Key]


def read_keys(path: Path) -> dict[str, Key]:
    """Read a file of keys, `[keys.NAME]` tables.

    Raises:
        KeyFileError: it cannot be read, or an entry is wrong.
    """
    raw = read_toml(path, "keys", KeyFileError)
    try:
        found = build(_File, raw, "").keys
    except FieldError as err:
        raise KeyFileError(f"{path}: {err}") from None
    odd = next((name for name in found if not _NAME.fullmatch(name)), None)
    if odd is not None:
        raise KeyFileError(f"{path}: {odd!r} is no name; use up to 64 of A-Z a-z 0-9 . _ -")
    return found


def everyone(api: Sequence[str], admin: Sequence[str], named: Mapping[str, Key]) -> dict[str, Key]:
    """All keys by name: those of the two variables, which may route or do everything, and a file's.

    Raises:
        KeyFileError: one key stands in two places, or there are too many.
    """
    found = dict(named)
    given: tuple[tuple[str, Sequence[str], Rights], ...] = (
        ("TIERWISE_API_KEYS", api, ("route",)),
        ("TIERWISE_ADMIN_KEYS", admin, EVERY),
    )
    for variable, keys, rights in given:
        for i, key in enumerate(keys, 1):
            digest = hashlib.sha256(key.encode()).hexdigest()
            found[f"{variable}/{i}"] = Key(sha256=digest, rights=rights)
    if len(found) > MOST_KEYS:
        raise KeyFileError(f"there may be {MOST_KEYS:,} keys, there are {len(found):,}")
    first: dict[str, str] = {}
    for name, one in found.items():
        if first.setdefault(one.sha256, name) != name:
            raise KeyFileError(f"{first[one.sha256]} and {name} are one key; give it once")
    return found


class Keys:
    """All keys, as one worker lets their callers in."""

    def __init__(self, keys: Mapping[str, Key]) -> None:
        self._all = [(bytes.fromhex(key.sha256), name, key) for name, key in keys.items()]
        self._of = {key.owner: (name, key) for name, key in keys.items()}
        self._rates = {
            name: Rate(key.requests_per_minute, BURST_S)
            for name, key in keys.items()
            if key.requests_per_minute is not None
        }

    @property
    def administered(self) -> bool:
        """Whether some key is an admin's."""
        return any("admin" in key.rights for _, _, key in self._all)

    @property
    def owners(self) -> Iterable[str]:
        """The fingerprints of all of them."""
        return self._of

    def of(self, owner: str) -> tuple[str, Key] | None:
        """(name, key) of a fingerprint; null where no key was needed."""
        return self._of.get(owner)

    def let_in(self, headers: Mapping[bytes, bytes], rights: Rights, *, basic: bool = False) -> str:
        """Let a caller in, or not.

        Args:
            headers: of the request.
            rights: any of which is enough; () is everybody.
            basic: whether the key may come as a browser sends what its user typed.

        Returns:
            Fingerprint of the caller's key, "" where none is needed.

        Raises:
            Problem: `unauthorized`, the request carries none of the keys; `forbidden`, its key has
                none of the rights; `too_many_requests`, it comes too often.
        """
        if not rights or not self._all:
            return ""
        digest = hashlib.sha256(given_key(headers, basic=basic)).digest()
        # every key is compared, and digests are of one length: the time taken tells nothing
        found = [entry for entry in self._all if hmac.compare_digest(entry[0], digest)]
        if not found:
            raise Problem(
                "unauthorized",
                "send a key as `authorization: Bearer KEY` or `x-api-key: KEY`",
                headers=((b"www-authenticate", b"Bearer"),),
            )
        _, name, key = found[0]
        if not set(rights) & set(key.rights):
            needed = " or ".join(rights)
            raise Problem(
                "forbidden", f"this key may {', '.join(key.rights)}; here one needs to {needed}"
            )
        self._hold(name, key)
        return key.owner

    def _hold(self, name: str, key: Key) -> None:
        rate = self._rates.get(name)
        if rate is not None and not rate.take():
            raise Problem(
                "too_many_requests",
                f"the key {name} may send {key.requests_per_minute} requests a minute",
                headers=((b"retry-after", b"%d" % rate.wait_s),),
            )


def given_key(headers: Mapping[bytes, bytes], *, basic: bool = False) -> bytes:
    """The key that a request carries; empty without one."""
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer":
        return token.strip()
    if basic and scheme.lower() == b"basic":
        try:
            user, _, password = base64.b64decode(token.strip(), validate=True).partition(b":")
        except binascii.Error:
            return b""
        return password or user
    return headers.get(b"x-api-key", b"")
