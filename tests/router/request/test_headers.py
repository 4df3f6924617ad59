"""Pixels, pages and seconds out of a file's first bytes, base64 or not."""

from __future__ import annotations

import struct
from base64 import b64encode, encodebytes, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.request.headers import File, image_size, pdf_pages, sniff, wav_seconds


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height) + b"\x08\2\0\0\0"


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + bytes(20)


def jpeg(width: int, height: int, preview: int = 60_000) -> bytes:
    """A JPEG whose frame stands behind a preview, as cameras write it."""
    exif = b"\xff\xe1" + struct.pack(">H", preview + 2) + bytes(preview)
    tables = b"\xff\xdb\0\x04\0\0\xff\xff\xc4\0\x04\0\0"
    frame = b"\xff\xc2\0\x11\x08" + struct.pack(">HH", height, width) + bytes(20)
    return b"\xff\xd8" + exif + tables + frame


def webp(kind: bytes, width: int, height: int) -> bytes:
    sizes = {
        b"VP8X": bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little"),
        b"VP8L": b"\x2f" + ((width - 1) | (height - 1) << 14).to_bytes(4, "little") + bytes(9),
        b"VP8 ": bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", width, height) + bytes(4),
    }
    return b"RIFF" + bytes(4) + b"WEBP" + kind + bytes(4) + sizes[kind] + bytes(8)


def wav(seconds: float, size: int | None = None) -> bytes:
    data = bytes(int(16_000 * seconds))
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16_000, 2, 16)
    told = struct.pack("<I", len(data) if size is None else size)
    return b"RIFF" + bytes(4) + b"WAVE" + form + b"LIST\x03\0\0\0abc\0data" + told + data


IMAGES = {
    "png": png(1200, 801),
    "gif": gif(1200, 801),
    "jpeg": jpeg(1200, 801),
    **{kind.decode(): webp(kind, 1200, 801) for kind in (b"VP8X", b"VP8L", b"VP8 ")},
}


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("write", [bytes, b64encode, urlsafe_b64encode, encodebytes])
def test_the_size_of_an_image(name: str, write: object) -> None:
    data = IMAGES[name]
    written = data if write is bytes else write(data).decode()  # type: ignore[operator]
    file = File(written)
    assert image_size(file) == (1200, 801)
    assert (sniff(file) or "").startswith("image/")
    assert file.n_bytes == len(data)


@given(st.binary(max_size=80), st.integers(0, 90), st.integers(0, 90))
def test_bytes_are_found_at_any_place_of_base64(data: bytes, start: int, count: int) -> None:
    file = File(b64encode(data).decode())
    assert file.n_bytes == len(data)
    assert file.at(start, count) == data[start : start + count]


@given(st.binary(max_size=300))
def test_no_file_breaks_a_reader(data: bytes) -> None:
    heads = (
        b"",
        b"\xff\xd8\xff\xe0",
        b"RIFF\0\0\0\0WEBPVP8L",
        b"RIFF\0\0\0\0WAVEfmt ",
        b"%PDF-1.7",
    )
    for head in heads:
        for file in (File(head + data), File(b64encode(head + data).decode())):
            size, seconds, pages = image_size(file), wav_seconds(file), pdf_pages(file)
            assert size is None or min(size) > 0
            assert seconds is None or seconds >= 0
            assert pages is None or pages >= 0


@given(st.text(max_size=100))
def test_what_is_no_base64_has_no_size(text: str) -> None:
    file = File(text)
    assert file.n_bytes >= 0
    assert image_size(file) is None or sniff(file)


def test_an_image_without_a_size_has_none() -> None:
    assert image_size(File(png(0, 5))) is None
    assert image_size(File(png(3, 5)[:20])) is None
    assert image_size(File(jpeg(3, 5, preview=10)[:30])) is None


@pytest.mark.parametrize(
    ("text", "pages"),
    [
        (b"%PDF-1.4 /Type /Pages /Count 2 /Type /Page /Parent /Type/Page>> /Type /PageLabel", 2),
        (b"%PDF-1.5 << /Linearized 1 /L 9 /N 7 >> compressed", 7),
        (b"%PDF-1.5 compressed", None),
        (b"no PDF /Type /Page", None),
    ],
)
def test_pages_of_a_pdf(text: bytes, pages: int | None) -> None:
    assert pdf_pages(File(b64encode(text).decode())) == pages


@pytest.mark.parametrize("size", [None, 0, 0xFFFFFFFF])
def test_seconds_of_a_sound(size: int | None) -> None:
    """Recorders that stream write no size, or the largest one."""
    seconds = wav_seconds(File(b64encode(wav(1.5, size)).decode()))
    assert seconds == pytest.approx(1.5, abs=0.01)
    assert wav_seconds(File("SUQzBAAAAAAA")) is None
