"""Server-sent events on their way through: whole events, unchanged, with an ear on what they tell.

An event goes out as soon as its blank line has come, byte for byte. What a broken stream leaves of
one is dropped, so that an error can follow in its place.
"""

from __future__ import annotations

import re

from .wires import TELLING, Document, Told, Wire, decode

MOST_HELD = 4 << 20  # bytes of one event; a longer one is no event
_BLANK = re.compile(rb"\r?\n\r?\n|\r\r")
_DATA = re.compile(rb"^data:[ ]?(.*?)\r?$", re.MULTILINE)


def streamed_text(wire: Wire, raw: bytes) -> str:
    """What a stream that went out says, of its first choice."""
    documents = (decode(b"\n".join(_DATA.findall(event))) for event in _BLANK.split(raw))
    return "".join(_said(wire, d) for d in documents if isinstance(d, dict))


def _said(wire: Wire, document: Document) -> str:
    found: object = None
    if wire == "chat":
        choices = document.get("choices")
        first = choices[0] if isinstance(choices, list) and choices else None
        delta = first.get("delta") if isinstance(first, dict) else None
        found = delta.get("content") if isinstance(delta, dict) else None
    elif wire == "responses":
        if document.get("type") == "response.output_text.delta":
            found = document.get("delta")
    elif document.get("type") == "content_block_delta":
        delta = document.get("delta")
        found = delta.get("text") if isinstance(delta, dict) else None
    return found if isinstance(found, str) else ""


class Tap:
    """One stream."""

    def __init__(self, wire: Wire, *, usage_alone: bool = True) -> None:
        """Hear nothing yet.

        Args:
            wire: of the stream.
            usage_alone: whether the caller asked for the event that holds nothing but usage; we
                asked for it in any case.
        """
        self.told = Told()
        self.begun = False  # whether an event has come that is no error
        self._wire, self._usage_alone = wire, usage_alone
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """What may go out after this chunk: every event that is whole."""
        data = self._held + chunk if self._held else chunk
        if self._silent(data):
            return self._whole(data)
        out, start = [], 0
        for blank in _BLANK.finditer(data):
            event = data[start : blank.end()]
            start = blank.end()
            if self._passes(event):
                out.append(event)
        self._held = data[start:]
        if len(self._held) > MOST_HELD:
            out.append(self._held)
            self._held = b""
        return b"".join(out)

    def _silent(self, data: bytes) -> bool:
        """Whether a chunk says nothing that is booked: most of them, so it is told quickly."""
        if self.told.model is None or b"[DONE]" in data:
            return False
        return TELLING[self._wire].search(data) is None

    def _whole(self, data: bytes) -> bytes:
        end = max(data.rfind(b"\n\n") + 2, data.rfind(b"\r\n\r\n") + 4, data.rfind(b"\r\r") + 2)
        if end < 4 or len(data) - end > MOST_HELD:  # where none was found, -1 + 4 is the most
            end = len(data) if len(data) > MOST_HELD else 0
        self._held = data[end:]
        return data[:end]

    def _passes(self, event: bytes) -> bool:
        """Hear an event; whether it goes on to the caller."""
        told, wire = self.told, self._wire
        text = b"\n".join(_DATA.findall(event))
        if text.strip() == b"[DONE]":
            told.ended = True
            return True
        telling = TELLING[wire].search(event) is not None
        if text and (telling or told.model is None):
            document = decode(text)
            told.hear(wire, document)
            if not self._usage_alone and isinstance(document, dict):
                return not (document.get("choices") == [] and document.get("usage"))
        self.begun = self.begun or (bool(text) and not told.failed)
        return True

    def rest(self) -> bytes:
        """What a stream that ended well left without a blank line."""
        rest, self._held = self._held, b""
        return rest if not rest or self._passes(rest) else b""
