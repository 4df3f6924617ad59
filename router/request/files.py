"""Images, sounds and documents of a message's part, under whatever names its wire has for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from .headers import File, image_size, pdf_pages, sniff, wav_seconds
from .names import BYTES, ENDINGS, INNER, MIMES, NAMES, URLS
from .objects import first, first_text, mapping
from .types import Media, MediaKind

UNTOLD = frozenset({None, "", "application/octet-stream"})
TEXTUAL = ("text/", "application/json", "application/xml", "application/yaml", "application/x-yaml")
TEXT_BYTES = 8 << 20  # larger files of text are counted by their bytes
SHORT = 128  # what stands in place of an address and is no longer is one; else it may be base64


def read_media(kind: MediaKind, part: Mapping[str, Any]) -> Media | None:
    """The file of a part.

    Args:
        kind: what the part says it is; a "document" may turn out to be an image or a sound.
        part: the part, as sent.

    Returns:
        Null for a video, which nothing here reads.
    """
    fields = _flat(part)
    data, mime = _source(fields)
    if mime in UNTOLD:
        mime = (sniff(data) if isinstance(data, File) else None) or _by_name(fields) or mime or None
    top = (mime or "").partition("/")[0]
    if top == "video":
        return None
    kind = "image" if top == "image" else "audio" if top == "audio" else kind
    detail = first_text(fields, ("detail",)) if kind == "image" else None
    if isinstance(data, File):
        return _measured(kind, mime, detail, data)
    if data is None:
        return Media(kind=kind, mime=mime, detail=detail)
    n_bytes = len(data.encode("utf-8", "surrogatepass"))
    text = data if kind == "document" else None
    return Media(kind=kind, mime=mime or "text/plain", detail=detail, n_bytes=n_bytes, text=text)


def _measured(kind: MediaKind, mime: str | None, detail: str | None, file: File) -> Media:
    if kind == "image":
        width, height = image_size(file) or (None, None)
        return Media(
            kind=kind, mime=mime, width=width, height=height, detail=detail, n_bytes=file.n_bytes
        )
    if kind == "audio":
        return Media(kind=kind, mime=mime, n_bytes=file.n_bytes, seconds=wav_seconds(file))
    text = pages = None
    if mime == "application/pdf":
        pages = pdf_pages(file)
    elif mime and mime.startswith(TEXTUAL) and file.n_bytes <= TEXT_BYTES:
        text = file.at(0, file.n_bytes).decode("utf-8", "replace")
    return Media(kind=kind, mime=mime, n_bytes=file.n_bytes, pages=pages, text=text)


def _flat(part: Mapping[str, Any]) -> dict[str, Any]:
    """The part with what its inner objects say; two levels, as in Bedrock's image.source.bytes."""
    fields = dict(part)
    for _ in range(2):
        for name in INNER:
            if (inner := mapping(fields.get(name))) is not None:
                del fields[name]
                fields |= inner
    return fields


def _source(fields: Mapping[str, Any]) -> tuple[File | str | None, str | None]:
    """A file's bytes, or its words, as far as they are in the request, and its media type."""
    mime = first_text(fields, MIMES) or _by_format(fields)
    data = first(fields, BYTES)
    if isinstance(data, bytes | bytearray):
        return File(bytes(data)), mime
    if fields.get("type") == "text":  # Anthropic's: the data are the words themselves
        return first_text(fields, ("data", "text")), mime
    if not isinstance(data, str):
        if "uri" in fields and isinstance(fields.get("text"), str):  # MCP's embedded resource
            return fields["text"], mime
        data = first_text(fields, URLS)
        if data is None or (len(data) <= SHORT and not data.startswith("data:")):
            return None, mime
    if data.startswith("data:"):
        head, _, data = data.partition(",")
        told, *rest = head[5:200].split(";")
        return (File(data) if "base64" in rest else unquote(data)), told or mime
    return (None if "://" in data[:24] else File(data)), mime


def _by_format(fields: Mapping[str, Any]) -> str | None:
    form = fields.get("format")
    if not isinstance(form, str):
        return None
    return form if "/" in form else ENDINGS.get(form.lower())  # LiteLLM's is a whole media type


def _by_name(fields: Mapping[str, Any]) -> str | None:
    """A media type by a file's name or address."""
    for name in (*NAMES, *URLS):
        if isinstance(text := fields.get(name), str):
            ending = text[:2048].partition("?")[0].rpartition(".")[2].lower()
            if ending in ENDINGS:
                return ENDINGS[ending]
    return None
