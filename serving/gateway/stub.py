"""An upstream without a model: it speaks all three wires, streams, fails, stalls and lies.

`python -m serving.gateway.stub --port 3999` answers every request with words of its own, so that
the gateway can be tried without a key. What goes wrong is drawn by a seed (`--faults 0.1`), or
asked for behind a model's name: `small!503` answers 503, `small!stall` never begins.

Faults: a status (`408 429 500 503 401 404`); `reset` and `stall` before a byte; `cut` and `hang` in
the middle; `error`, an error as first event; `lie`, another model's name; `garbage`, no JSON;
`redirect`; `slow`, pieces that take their time.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import click
from aiohttp import web

Document = dict[str, Any]
# of the starter's bundle, so that it can be tried as it is
MODELS = ("gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06", "claude-3-haiku-20240307")
STATUSES = ("408", "429", "500", "503", "401", "404")
FAULTS = ("408", "429", "500", "503", "reset", "stall", "cut", "hang", "error", "lie")  # as drawn
LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
STALL_S = 3600.0
CACHED, THOUGHT = 2, 3  # tokens that every answer says were cached, and thought
WIRE_OF = {
    "/v1/chat/completions": "chat",
    "/v1/responses": "responses",
    "/v1/messages": "messages",
}


def echo(body: Document, place: int) -> str:  # noqa: ARG001
    """An answer: how much was asked, and its last words."""
    asked = json.dumps(body.get("messages", body.get("input", "")))
    return f"The stub was asked {len(asked)} characters. Answer: 391"


@dataclass
class Stub:
    """What it does and what it has done.

    Attributes:
        models: that it lists.
        reply: makes the text of an answer from a body and its place among `n`.
        faults: share of requests that go wrong.
        kinds: of faults, drawn evenly.
        piece_s: between two pieces of a stream.
        billed: id that a body carries (`user`, or `metadata.user_id`) -> answers begun for it.
        seen: bodies and headers of the last requests, newest last.
        cancelled: requests whose caller hung up.
    """

    models: Sequence[str] = MODELS
    reply: Callable[[Document, int], str] = echo
    faults: float = 0.0
    kinds: Sequence[str] = FAULTS
    seed: int = 0
    piece_s: float = 0.0
    billed: Counter[str] = field(default_factory=Counter)
    seen: list[tuple[Document, dict[str, str]]] = field(default_factory=list)
    cancelled: int = 0
    keep: int = 100

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311

    def app(self) -> web.Application:
        """The application."""
        app = web.Application(client_max_size=64 << 20)
        for path in WIRE_OF:
            app.router.add_post(path, self._answer)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/stub", self._ledger)
        return app

    async def _models(self, _request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": name} for name in self.models]})

    async def _ledger(self, _request: web.Request) -> web.Response:
        return web.json_response({"billed": self.billed, "cancelled": self.cancelled})

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.seen = [*self.seen, (body, dict(request.headers))][-self.keep :]
        wire, (model, fault) = WIRE_OF[request.path], self._fault(body)
        try:
            refused = await self._refused(request, fault)
            if refused is not None:
                return refused
            shown = "somebody-else-1" if fault == "lie" else model
            speak = Speaker(wire, body, shown, self.reply)
            if body.get("stream"):
                return await self._stream(request, speak, fault)
            return await self._whole(request, speak, fault)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        except ConnectionResetError:  # while it was written to
            self.cancelled += 1
            return web.StreamResponse()

    async def _refused(self, request: web.Request, fault: str) -> web.StreamResponse | None:
        """What goes wrong before an answer begins; null where nothing does."""
        if fault in STATUSES:
            return _status(int(fault))
        if fault == "redirect":
            return web.Response(status=307, headers={"location": "http://127.0.0.1:1/v1"})
        if fault == "reset":
            return _reset(request)
        if fault == "stall":
            await asyncio.sleep(STALL_S)
        if fault == "garbage":
            return web.Response(text="no JSON", content_type="application/json")
        return None

    def _fault(self, body: Document) -> tuple[str, str]:
        """The model that answers, and what goes wrong."""
        name, _, asked = str(body.get("model", "")).partition("!")
        if not asked and self._random.random() < self.faults:
            asked = self._random.choice(self.kinds)
        return name, asked

    def _bill(self, body: Document) -> None:
        self.billed[str(body.get("user") or (body.get("metadata") or {}).get("user_id"))] += 1

    async def _whole(self, request: web.Request, speak: Speaker, fault: str) -> web.StreamResponse:
        if fault == "error":
            return _status(500)
        data = json.dumps(speak.whole()).encode()
        self._bill(speak.body)
        if fault not in ("cut", "hang"):
            headers = {"x-request-id": "stub", "x-internal": "1"}
            return web.Response(body=data, content_type="application/json", headers=headers)
        response = web.StreamResponse(headers={"content-type": "application/json"})
        await response.prepare(request)
        await response.write(data[: len(data) // 2])
        if fault == "hang":
            await asyncio.sleep(STALL_S)
        return _reset(request)

    async def _stream(self, request: web.Request, speak: Speaker, fault: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        if fault == "error":
            await response.prepare(request)
            await response.write(speak.error())
            return response
        self._bill(speak.body)
        await response.prepare(request)
        sent = 0
        async for event in self._paced(speak.events(), 0.05 if fault == "slow" else self.piece_s):
            await response.write(event)
            sent += 1
            if sent == 3 and fault == "hang":
                await asyncio.sleep(STALL_S)
            if sent == 3 and fault == "cut":
                await response.write(b'data: {"half of an ev')
                return _reset(request)
        return response

    async def _paced(self, events: Sequence[bytes], pause: float) -> AsyncIterator[bytes]:
        for event in events:
            yield event
            if pause:
                await asyncio.sleep(pause)


def _status(status: int) -> web.Response:
    error = {"message": f"the stub says {status}", "type": "stub"}
    body = {"type": "error", "error": error}
    headers = {"retry-after": "1"} if status == 429 else {}
    return web.json_response(body, status=status, headers=headers)


def _reset(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.StreamResponse()


@dataclass
class Speaker:
    """One answer in the words of a wire."""

    wire: str
    body: Document
    model: str
    reply: Callable[[Document, int], str]

    @property
    def _n(self) -> int:
        return int(self.body.get("n") or 1)

    def _text(self, place: int = 0) -> str:
        """An answer, cut where the caller's limit cuts it."""
        words = self.reply(self.body, place).split(" ")
        limits = (self.body.get(name) for name in LIMITS)
        least = min((n for n in limits if n is not None), default=len(words) + THOUGHT)
        return " ".join(words[: max(int(least) - THOUGHT, 0)])

    def _words(self) -> list[str]:
        return [f"{word} " for word in self._text().split(" ")]

    def _usage(self) -> Document:
        """Tokens are words of the answer, and four characters each of what was asked."""
        read = max(sum(map(len, _strings(self.body.get("messages", self.body.get("input")))))
                   // 4, CACHED)  # fmt: skip
        written = sum(len(self._text(i).split()) for i in range(self._n)) + THOUGHT
        if self.wire == "chat":
            return {
                "prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written,
                "prompt_tokens_details": {"cached_tokens": CACHED},
                "completion_tokens_details": {"reasoning_tokens": THOUGHT},
            }  # fmt: skip
        if self.wire == "responses":
            return {
                "input_tokens": read, "output_tokens": written, "total_tokens": read + written,
                "input_tokens_details": {"cached_tokens": CACHED},
                "output_tokens_details": {"reasoning_tokens": THOUGHT},
            }  # fmt: skip
        return {
            "input_tokens": read - CACHED, "output_tokens": written,
            "cache_read_input_tokens": CACHED, "cache_creation_input_tokens": 0,
        }  # fmt: skip

    def whole(self) -> Document:
        """All of it."""
        if self.wire == "chat":
            choices = [
                {
                    "index": i, "finish_reason": "stop",
                    "message": {"role": "assistant", "content": self._text(i)},
                }
                for i in range(self._n)
            ]  # fmt: skip
            return {
                "id": "stub", "object": "chat.completion", "created": 0, "model": self.model,
                "choices": choices, "usage": self._usage(),
            }  # fmt: skip
        if self.wire == "responses":
            return self._response("completed")
        return {
            "id": "stub", "type": "message", "role": "assistant", "model": self.model,
            "content": [{"type": "text", "text": self._text()}],
            "stop_reason": "end_turn", "stop_sequence": None, "usage": self._usage(),
        }  # fmt: skip

    def _response(self, status: str) -> Document:
        done = status == "completed"
        text = {"type": "output_text", "text": self._text(), "annotations": []}
        item = {"id": "m", "type": "message", "role": "assistant", "status": status,
                "content": [text]}  # fmt: skip
        return {
            "id": "stub", "object": "response", "created_at": 0, "status": status,
            "model": self.model, "output": [item] if done else [],
            "usage": self._usage() if done else None, "incomplete_details": None,
        }  # fmt: skip

    def error(self) -> bytes:
        """An error as an event."""
        error = {"type": "overloaded_error", "message": "the stub is overloaded"}
        if self.wire == "chat":
            return _event(None, {"error": error})
        return _event("error", {**error, "type": "error", "error": error})

    def events(self) -> list[bytes]:
        """All of it as events."""
        if self.wire == "chat":
            return self._chat_events()
        return self._response_events() if self.wire == "responses" else self._message_events()

    def _chat_events(self) -> list[bytes]:
        options = self.body.get("stream_options") or {}
        wanted = options.get("include_usage")
        base = {"id": "stub", "object": "chat.completion.chunk", "created": 0, "model": self.model}
        base |= {"usage": None} if wanted else {}

        def chunk(delta: Document, finish: str | None = None) -> bytes:
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            return _event(None, {**base, "choices": [choice]})

        said = [chunk({"content": word}) for word in self._words()]
        usage = [_event(None, {**base, "choices": [], "usage": self._usage()})] if wanted else []
        role = chunk({"role": "assistant", "content": ""})
        return [role, *said, chunk({}, "stop"), *usage, b"data: [DONE]\n\n"]

    def _response_events(self) -> list[bytes]:
        begun = {"type": "response.created", "response": self._response("in_progress")}
        ended = {"type": "response.completed", "response": self._response("completed")}
        words = [{"type": "response.output_text.delta", "delta": word} for word in self._words()]
        events: list[Document] = [begun, *words, ended]
        return [_event(e["type"], {**e, "sequence_number": i}) for i, e in enumerate(events)]

    def _message_events(self) -> list[bytes]:
        usage = self._usage()
        start = {**self.whole(), "content": [], "stop_reason": None,
                 "usage": {**usage, "output_tokens": 1}}  # fmt: skip
        words = [
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": w}}
            for w in self._words()
        ]
        events: list[Document] = [
            {"type": "message_start", "message": start},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text",
                                                                          "text": ""}},
            *words,
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None},
             "usage": {"output_tokens": usage["output_tokens"]}},
            {"type": "message_stop"},
        ]  # fmt: skip
        return [_event(e["type"], e) for e in events]


def _strings(value: object) -> Iterator[str]:
    """Every text in a value but the names of roles and types."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name not in ("role", "type"):
                yield from _strings(item)


def _event(name: str | None, data: Document) -> bytes:
    head = "" if name is None else f"event: {name}\n"
    return f"{head}data: {json.dumps(data)}\n\n".encode()


@click.command()
@click.option("--port", default=3999, show_default=True)
@click.option("--faults", default=0.0, show_default=True, help="Share of requests that go wrong.")
@click.option("--kinds", default=" ".join(FAULTS), help="Of faults, drawn evenly.")
@click.option("--seed", default=0, show_default=True)
@click.option("--piece-s", default=0.0, help="Seconds between two pieces of a stream.")
@click.option("--words", default=0, help="Of every answer; 0 is a sentence.")
@click.option("--model", "models", multiple=True, default=MODELS, help="That it lists; repeat it.")
def main(
    port: int,
    faults: float,
    kinds: str,
    seed: int,
    piece_s: float,
    words: int,
    models: Sequence[str],
) -> None:
    """Serve the stub on this machine alone."""
    said = " ".join(f"word{i}" for i in range(words))
    stub = Stub(
        models=models, faults=faults, kinds=kinds.split(), seed=seed, piece_s=piece_s,
        reply=(lambda _body, _place: said) if words else echo,
    )  # fmt: skip
    click.echo(f"The stub listens on http://127.0.0.1:{port}/v1 (Ctrl+C stops it)")
    web.run_app(
        stub.app(), host="127.0.0.1", port=port, print=None, access_log=None,
        shutdown_timeout=0.5, handler_cancellation=True,
    )  # fmt: skip


if __name__ == "__main__":
    main()
