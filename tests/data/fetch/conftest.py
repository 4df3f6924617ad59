"""A real server on this machine that serves a public set, and misbehaves as it is told."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from huggingface_hub import constants, file_download
from huggingface_hub.utils import _http

from data.fetch import download

COMMIT = "a" * 40


@dataclass
class Hub:
    """What the server has, how it behaves, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)  # one for each coming download, then none
    asked: list[str] = field(default_factory=list)  # `status range` of every download
    lists_sizes: bool = True
    states_digests: bool = True
    version: str = "v1"
    url: str = ""

    def listing(self) -> dict[str, object]:
        """What the Hub says of a data set, its files included."""
        siblings = []
        for path, content in self.files.items():
            entry: dict[str, object] = {"rfilename": path, "blobId": "b" * 40}
            if self.lists_sizes:
                entry["size"] = len(content)
            if self.states_digests:
                size = len(content)
                entry["lfs"] = {"sha256": sha256(content), "size": size, "pointerSize": 134}
            siblings.append(entry)
        return {"id": "org/mine", "sha": COMMIT, "siblings": siblings}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """The API call and the files of the Hub."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Tests read `hub.asked` instead."""

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path.endswith("/revision/nowhere"):
            self.answer(404, b"")
        elif "/revision/" in path:
            self.answer(200, json.dumps(self.hub.listing()).encode())
        else:
            self.file(path.partition(f"/resolve/{COMMIT}/")[2])

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def file(self, name: str) -> None:
        fault = self.hub.faults.pop(0) if self.hub.faults else ""
        content = self.hub.files.get(name)
        if content is None or fault == "gone":
            self.answer(404, b"")
            return
        if fault.isdigit():
            self.note(int(fault))
            self.answer(int(fault), b"")
            return
        if fault == "elsewhere":
            self.answer(302, b"", Location="http://192.0.2.1/stolen")
            return
        if fault == "redirect":
            self.answer(302, b"", Location=f"{self.hub.url}{self.path}")
            return
        self.send(content, fault)

    def note(self, status: int) -> None:
        self.hub.asked.append(f"{status} {self.headers.get('Range', 'all')}")

    def start(self, fault: str) -> int:
        """The first byte that is asked for; 0 where the range does not hold."""
        etag = f'"{self.hub.version}"'
        asked = self.headers.get("Range")
        same = self.headers.get("If-Range") in (None, etag)
        if asked is None or not same or fault == "ignores range":
            return 0
        return int(asked.removeprefix("bytes=").removesuffix("-"))

    def send(self, content: bytes, fault: str) -> None:
        start = self.start(fault)
        if start >= len(content):
            self.note(416)
            self.answer(416, b"")
            return
        body = content[start:]
        if fault == "corrupts":
            body = body[:-1] + bytes([body[-1] ^ 1])
        self.note(206 if start else 200)
        self.send_response(206 if start else 200)
        if start:
            shift = 1 if fault == "wrong range" else 0
            last, size = len(content) - 1, len(content)
            self.send_header("Content-Range", f"bytes {start + shift}-{last}/{size}")
        self.send_header("ETag", f'"{self.hub.version}"')
        if fault == "closes":  # without a length: the end of the connection is the end of the file
            self.send_header("Connection", "close")
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.body(body, fault)

    def body(self, body: bytes, fault: str) -> None:
        half = len(body) // 2
        if fault in {"truncates", "closes"}:
            self.wfile.write(body[:half])
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif fault == "stalls":
            self.wfile.write(body[:half])
            self.wfile.flush()
            time.sleep(1.5)  # longer than the tests' patience
            self.close_connection = True
        else:
            self.wfile.write(body)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A server with a set of two files."""
    state = Hub(
        {
            "data/train.parquet": bytes(range(256)) * 4000,
            "data/test.csv": b"prompt,model,score\n" * 2000,
            "README.md": b"# A set\n",
        }
    )
    handler = type("BoundHandler", (Handler,), {"hub": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    with monkeypatch.context() as patience:
        patience.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.4)  # seconds
        patience.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1024)  # what a break can lose
        patience.setattr(download, "PAUSE_S", 0.0)
        no_sleep = SimpleNamespace(sleep=lambda _: None)
        patience.setattr(file_download, "time", no_sleep)
        patience.setattr(_http, "time", no_sleep)
        yield state
    server.shutdown()
    thread.join()
    server.server_close()
