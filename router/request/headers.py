"""What a file's header tells without decoding the file: pixels, pages, seconds, its type.

Layouts: PNG 1.2 (IHDR), GIF89a, WebP container (RFC 9649), JPEG (ITU T.81, SOFn), RIFF WAVE, and
page objects of PDF 1.7.
"""

from __future__ import annotations

import binascii
import re
from struct import unpack

WHOLE_BYTES = 8 << 20  # larger documents are not decoded to count their pages
MAGIC = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
    b"%PDF": "application/pdf",
    b"ID3": "audio/mpeg",
    b"\xff\xfb": "audio/mpeg",
    b"OggS": "audio/ogg",
    b"fLaC": "audio/flac",
}
RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}
JPEG_SEGMENTS = 256  # before the frame; real files have some ten
_PAGE = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
_LINEAR = re.compile(rb"/Linearized\b[^>]{0,200}?/N\s+(\d{1,6})")


class File:
    """Bytes that are read where they are asked for, out of base64 or as they are."""

    __slots__ = ("data", "n_bytes")

    def __init__(self, data: str | bytes) -> None:
        if isinstance(data, str) and any(c in data[:100] for c in "\r\n "):
            data = "".join(data.split())  # base64 in lines, as mail has it
        self.data = data
        if isinstance(data, str):
            padding = 2 if data.endswith("==") else data.endswith("=")
            self.n_bytes = max(0, len(data) * 3 // 4 - padding)
        else:
            self.n_bytes = len(data)

    def at(self, start: int, count: int) -> bytes:
        """Up to so many bytes from a place on; fewer where the file ends or is no base64."""
        if isinstance(self.data, bytes):
            return self.data[start : start + count]
        # four letters are three bytes, so that a slice on a multiple of four stands alone
        letters = self.data[start // 3 * 4 : -(-(start + count) // 3) * 4]
        try:
            raw = letters.translate({45: 43, 95: 47}).encode("ascii")
            whole = binascii.a2b_base64(raw + b"=" * (-len(raw) % 4))
        except ValueError:
            return b""
        return whole[start % 3 : start % 3 + count]


def sniff(file: File) -> str | None:
    """A file's media type by its first bytes."""
    head = file.at(0, 16)
    if head[:4] == b"RIFF":
        return RIFF.get(head[8:12])
    return next((mime for magic, mime in MAGIC.items() if head.startswith(magic)), None)


def image_size(file: File) -> tuple[int, int] | None:
    """Width and height in pixels of a PNG, JPEG, GIF or WebP; null where they are not there."""
    head = file.at(0, 30)
    size = None
    if head.startswith(b"\x89PNG") and len(head) >= 24:
        size = unpack(">II", head[16:24])
    elif head.startswith(b"GIF8") and len(head) >= 10:
        size = unpack("<HH", head[6:10])
    elif head[8:12] == b"WEBP" and len(head) == 30:
        size = _webp(head)
    elif head.startswith(b"\xff\xd8"):
        size = _jpeg(file)
    return (size[0], size[1]) if size and size[0] and size[1] else None


def _webp(head: bytes) -> tuple[int, int] | None:
    if head[12:16] == b"VP8X":
        return (
            1 + int.from_bytes(head[24:27], "little"),
            1 + int.from_bytes(head[27:30], "little"),
        )
    if head[12:16] == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if head[12:16] == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None


def _jpeg(file: File) -> tuple[int, int] | None:
    """Hop from segment to segment: previews before the frame can take 64 kB and more."""
    place = 2
    for _ in range(JPEG_SEGMENTS):
        segment = file.at(place, 9)
        if len(segment) < 9 or segment[0] != 0xFF:
            return None
        marker = segment[1]
        if marker == 0xFF:  # a filling byte
            place += 1
        elif 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = unpack(">HH", segment[5:9])
            return width, height
        else:
            place += 2 + int.from_bytes(segment[2:4], "big")
    return None


def pdf_pages(file: File) -> int | None:
    """Pages of a PDF; null where it is too large, or keeps its page objects compressed."""
    if file.n_bytes > WHOLE_BYTES:
        return None
    whole = file.at(0, file.n_bytes)
    if b"%PDF" not in whole[:1024]:
        return None
    if pages := len(_PAGE.findall(whole)):
        return pages
    linear = _LINEAR.search(whole[:4096])
    return int(linear[1]) if linear else None


def wav_seconds(file: File) -> float | None:
    """Length of a WAVE file by its rate and its data; null where it is another format."""
    if file.at(0, 12)[8:] != b"WAVE":
        return None
    place, rate = 12, 0
    for _ in range(32):
        chunk = file.at(place, 24)
        if len(chunk) < 8:
            return None
        size = int.from_bytes(chunk[4:8], "little")
        if chunk[:4] == b"fmt " and len(chunk) >= 20:
            rate = int.from_bytes(chunk[16:20], "little")  # bytes a second
        elif chunk[:4] == b"data":
            # a sound that was recorded as a stream says 0 or the largest number
            there = min(size or file.n_bytes, max(0, file.n_bytes - place - 8))
            return there / rate if rate else None
        place += 8 + size + size % 2
    return None
