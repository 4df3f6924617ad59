"""Decision ids: UUIDv7 of RFC 9562 that only this service can have made.

Ids sort by time and index well in a log. Forty of their random bits are a keyed digest of the
rest, so feedback for a decision that was never made is told from late feedback without keeping
a list of ids, across restarts and replicas that share the key.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import time

NS_PER_MS = 1_000_000
TAG_BITS = 40
_FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class Ids:
    """Makes ids and knows its own."""

    def __init__(self, key: bytes | None = None) -> None:
        """Take a key of 16 bytes or more; without one, ids are known until the process ends."""
        self._key = key if key is not None else os.urandom(32)

    def new(self) -> str:
        """A new id: 48 bits of milliseconds, 12 of the fraction below, 22 random, 40 of digest."""
        milliseconds, rest = divmod(time.time_ns(), NS_PER_MS)
        fraction = rest * 4096 // NS_PER_MS
        random = int.from_bytes(os.urandom(3), "big") >> 2
        value = (milliseconds << 80) | (7 << 76) | (fraction << 64) | (0b10 << 62)
        value |= random << TAG_BITS
        text = f"{value | self._tag(value):032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def made(self, decision_id: str) -> bool:
        """Whether this service made the id, now or earlier."""
        if _FORM.fullmatch(decision_id) is None:
            return False
        value = int(decision_id.replace("-", ""), 16)
        tag = value & ((1 << TAG_BITS) - 1)
        wanted = self._tag(value - tag)
        size = TAG_BITS // 8
        return hmac.compare_digest(tag.to_bytes(size, "big"), wanted.to_bytes(size, "big"))

    def _tag(self, value: int) -> int:
        digest = hashlib.blake2b(
            value.to_bytes(16, "big"), digest_size=TAG_BITS // 8, key=self._key
        )
        return int.from_bytes(digest.digest(), "big")


def seconds_of(decision_id: str) -> float | None:
    """When an id was made, in seconds since 1970; null where it is none of this form."""
    if _FORM.fullmatch(decision_id) is None:
        return None
    return int(decision_id[:8] + decision_id[9:13], 16) / 1000.0
