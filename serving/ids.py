"""Decision ids: UUIDv7 of RFC 9562, so that ids sort by time and index well in a log."""

from __future__ import annotations

import os
import time

NS_PER_MS = 1_000_000


def uuid7() -> str:
    """A new UUIDv7: 48 bits of milliseconds, 12 of the fraction below, 62 random."""
    milliseconds, rest = divmod(time.time_ns(), NS_PER_MS)
    fraction = rest * 4096 // NS_PER_MS
    random = int.from_bytes(os.urandom(8), "big") >> 2
    value = (milliseconds << 80) | (7 << 76) | (fraction << 64) | (0b10 << 62) | random
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
