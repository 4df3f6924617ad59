"""A real Redis server for tests, started and stopped by them."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

BINARIES = ("redis-server", "valkey-server")


class RedisServer:
    """One server on loopback that keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        found = next((path for path in map(shutil.which, BINARIES) if path), None)
        if found is None:
            pytest.skip("no redis-server on PATH: apt-get install redis-server")
        self._binary, self._folder = found, folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        options = {
            "--port": str(self.port), "--bind": "127.0.0.1", "--save": "", "--appendonly": "no",
            "--dir": str(self._folder),
        }  # fmt: skip
        self._process = subprocess.Popen(
            [self._binary, *(word for pair in options.items() for word in pair)],
            stdout=subprocess.DEVNULL,
        )
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as link:
                    link.sendall(b"PING\r\n")
                    if link.recv(16) == b"+PONG\r\n":
                        return
            except OSError:
                time.sleep(0.02)
        pytest.fail(f"{self._binary} did not answer on port {self.port}")

    def stop(self) -> None:
        """End it; what it held is gone."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None
