"""An upstream without a model: it speaks all three wires, streams, fails, stalls and lies.

`python -m serving.gateway.stub --port 3999` answers every request with words of its own, so that
the gateway can be tried without a key: with the call of a tool where the caller forces one, and by
the caller's JSON schema where there is one. What goes wrong is drawn by a seed (`--faults 0.1`), or
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
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import click
from aiohttp import web

from .speaker import Document, Speaker

# of the starter, so that it can be tried as it is, and some that the starter does not know
MODELS = (
    "gpt-5.4-mini-2026-03-17", "gpt-5.5", "claude-haiku-4.5",
    "gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06", "claude-3-haiku-20240307",
)  # fmt: skip
STATUSES = ("408", "429", "500", "503", "401", "404")
FAULTS = ("408", "429", "500", "503", "reset", "stall", "cut", "hang", "error", "lie")  # as drawn
STALL_S = 3600.0
WIRE_OF = {
    "/v1/chat/completions": "chat",
    "/v1/responses": "responses",
    "/v1/messages": "messages",
}


def echo(body: Document, place: int) -> str:  # noqa: ARG001
    """An answer: how much was asked, and its last words; as a judge it finds all answers equal."""
    asked = json.dumps(body.get("messages", body.get("input", "")))
    if "Reply with [[A]], [[B]], or [[TIE]]" in asked:
        return "[[TIE]]"
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


@click.command()
@click.option("--port", default=3999, show_default=True)
@click.option("--faults", default=0.0, show_default=True, help="Share of requests that go wrong.")
@click.option("--kinds", default=" ".join(FAULTS), help="Of faults, drawn evenly.")
@click.option("--seed", default=0, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0 for every network.")
@click.option("--piece-s", default=0.0, help="Seconds between two pieces of a stream.")
@click.option("--words", default=0, help="Of every answer; 0 is a sentence.")
@click.option("--model", "models", multiple=True, default=MODELS, help="That it lists; repeat it.")
def main(
    port: int,
    faults: float,
    kinds: str,
    seed: int,
    host: str,
    piece_s: float,
    words: int,
    models: Sequence[str],
) -> None:
    """Serve the stub."""
    said = " ".join(f"word{i}" for i in range(words))
    stub = Stub(
        models=models, faults=faults, kinds=kinds.split(), seed=seed, piece_s=piece_s,
        reply=(lambda _body, _place: said) if words else echo,
    )  # fmt: skip
    click.echo(f"The stub listens on http://{host}:{port}/v1 (Ctrl+C stops it)")
    web.run_app(
        stub.app(), host=host, port=port, print=None, access_log=None,
        shutdown_timeout=0.5, handler_cancellation=True,
    )  # fmt: skip


if __name__ == "__main__":
    main()
