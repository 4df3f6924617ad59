"""The decision log's writer: whole lines, and no request waits for the disk.

A request puts a reference on a bounded queue and is done; one thread encodes and appends. A full
queue drops and counts. A line is written whole or cut off again, so that a segment never holds
half of one, except the last one of a process that was killed, which readers skip. Every process
has segments of its own: nothing is shared but the folder.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

log = logging.getLogger("tierwise.serving")

SUFFIX = ".jsonl"
PACKED = ".parquet"  # what `tierwise data pack-log` makes of it
OPEN = ".open"  # a segment that its process still writes to
MAX_QUEUED = 8192  # events that may wait
MAX_BATCH = 512  # events that are written at once
WRITES = 5  # per flush interval; the disk is asked to keep them once per interval
NAP_S = 0.05  # between two looks whether a batch is full
RETRY_S = 1.0  # pause after the disk refused
Event = Callable[[], dict[str, Any]]  # made into a line by the writer, off the request path


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLimits:
    """When lines reach the disk, and what is kept."""

    flush_s: float = 0.5  # lines older than this have been handed to the disk
    segment_bytes: int = 64 << 20
    segment_s: float = 3600.0
    keep_bytes: int = 1 << 30  # of closed segments; the oldest go first
    keep_s: float = 30 * 86400.0


class DecisionLog:
    """Appends events to segments in a folder."""

    def __init__(
        self,
        folder: Path,
        limits: LogLimits | None = None,
        *,
        dropped: Callable[[int], None] = lambda _: None,
        written: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Start the writer.

        Args:
            folder: made when it is not there.
            limits: flushing, rotation and retention.
            dropped: told how many events were lost, from any thread.
            written: told how many reached the file.
        """
        self.folder = folder
        self._limits = limits or LogLimits()
        self._dropped, self._written = dropped, written
        self._queue: queue.Queue[Event | None] = queue.Queue(MAX_QUEUED)
        self._encode = msgspec.json.Encoder()
        self._segment: Segment | None = None
        self._header: tuple[Event, ...] = ()
        self._refused_at = -RETRY_S
        self._complained = False
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def header(self, *events: Event) -> None:
        """The lines that explain those after them; they open every new segment from now on."""
        self._header = events
        if self._segment is not None:  # the next one opens with them anyway; twice does no harm
            for event in events:
                self.append(event)

    def append(self, event: Event) -> bool:
        """Queue one event; False, and counted, when the queue is full. Never waits."""
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self._dropped(1)
            return False
        return True

    def close(self, timeout_s: float = 2.0) -> None:
        """Write what waits and close the segment."""
        self._closing = True
        with contextlib.suppress(queue.Full):
            self._queue.put(None, timeout=timeout_s)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            adopt(self.folder)
        last_sync = time.monotonic()
        while True:
            batch, more = self._collect()
            if batch:
                self._write(batch)
            now = time.monotonic()
            segment = self._segment
            if segment is not None and (
                now - last_sync >= self._limits.flush_s or not more or segment.full
            ):
                self._sync(segment, close=segment.full or not more)
                last_sync = now
            if not more:
                return

    def _collect(self) -> tuple[list[Event], bool]:
        """What waits, at most a batch; False once the log is being closed."""
        found: list[Event] = []
        # a fraction of the interval: what a kill loses is what waits here
        deadline = time.monotonic() + self._limits.flush_s / WRITES
        patience: float | None = self._limits.flush_s / WRITES
        while len(found) < MAX_BATCH:
            try:
                event = self._queue.get(timeout=patience) if patience else self._queue.get_nowait()
            except queue.Empty:
                break
            if event is None:
                return found, False
            found.append(event)
            if patience:
                self._nap(deadline)
                patience = None
        return found, True

    def _nap(self, deadline: float) -> None:
        """Sleep on: to wake for every event would take the interpreter from requests each time."""
        while self._queue.qsize() < MAX_BATCH and not self._closing:
            left = deadline - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, NAP_S))

    def _write(self, batch: list[Event]) -> None:
        lines = []
        for event in batch:
            try:
                lines.append(self._encode.encode(event()) + b"\n")
            except Exception as err:  # one odd event costs no other
                self._lost(1, f"an event cannot be encoded: {type(err).__name__}")
        if time.monotonic() - self._refused_at < RETRY_S:
            self._dropped(len(lines))
            return
        try:
            self._open().append(b"".join(lines))
        except OSError as err:
            self._refused_at = time.monotonic()
            self._lost(len(lines), f"{self.folder} refuses to be written: {err.strerror}")
            self._abandon()
        else:
            self._complained = False
            self._written(len(lines))

    def _open(self) -> Segment:
        if self._segment is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._segment = Segment.create(self.folder, self._limits)
            self._retire()
            lines = [self._encode.encode(event()) + b"\n" for event in self._header]
            self._segment.append(b"".join(lines))
        return self._segment

    def _sync(self, segment: Segment, *, close: bool) -> None:
        """Have the disk keep the segment; one that refuses costs the segment, not the service."""
        try:
            segment.sync()
            if close:
                self._segment = None
                segment.close()
        except OSError as err:
            self._refused_at = time.monotonic()
            self._lost(0, f"{self.folder} refuses to be written: {err.strerror}")
            self._abandon()

    def _abandon(self) -> None:
        """Leave the segment as it is, whole lines only, and take another one later."""
        if self._segment is not None:
            with contextlib.suppress(OSError):
                self._segment.close()
            self._segment = None

    def _lost(self, count: int, why: str) -> None:
        self._dropped(count)
        if not self._complained:  # once, not for every event of a full disk
            log.error("decisions are not logged: %s", why)
            self._complained = True

    def _retire(self) -> None:
        """Remove closed segments, packed ones too, that are too old or too many."""
        kept, oldest = 0, time.time() - self._limits.keep_s
        for stem, paths in sorted(closed(self.folder).items(), reverse=True):
            with contextlib.suppress(OSError, ValueError):  # another worker was quicker
                kept += sum(path.stat().st_size for path in paths)
                born = int(stem.partition("-")[0]) / 1e9
                if kept > self._limits.keep_bytes or born < oldest:
                    for path in paths:
                        path.unlink(missing_ok=True)


def closed(folder: Path) -> dict[str, list[Path]]:
    """The files of every closed segment by its name, which begins with the time of its birth."""
    found: dict[str, list[Path]] = {}
    for path in folder.iterdir():
        if path.suffix in {SUFFIX, PACKED} and not path.name.startswith("."):
            found.setdefault(path.name.partition(".")[0], []).append(path)
    return found


def adopt(folder: Path) -> None:
    """Close the segments of processes that are gone, which could not do it themselves."""
    for path in folder.glob(f"*{SUFFIX}{OPEN}"):
        owner = path.name.removesuffix(f"{SUFFIX}{OPEN}").rpartition("-")[2]
        if not owner.isdigit() or _alive(int(owner)):
            continue
        with contextlib.suppress(OSError):  # another worker was quicker
            path.rename(path.with_name(path.name.removesuffix(OPEN)))


def _alive(pid: int) -> bool:
    """Whether another process has this number; our own number in an old name is a leftover."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


class Segment:
    """One file that one process appends to."""

    def __init__(self, path: Path, descriptor: int, limits: LogLimits) -> None:
        self.path = path
        self._descriptor = descriptor
        self._limits = limits
        self._size = 0
        self._born = time.monotonic()

    @classmethod
    def create(cls, folder: Path, limits: LogLimits) -> Segment:
        """A new file whose name sorts by time and is this process's own."""
        name = f"{time.time_ns():020d}-{os.getpid()}{SUFFIX}{OPEN}"
        path = folder / name
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        return cls(path, os.open(path, flags, 0o600), limits)

    @property
    def full(self) -> bool:
        """Whether it is time for the next one."""
        age = time.monotonic() - self._born
        return self._size >= self._limits.segment_bytes or age >= self._limits.segment_s

    def append(self, lines: bytes) -> None:
        """Write whole lines.

        Raises:
            OSError: the disk refused; the file ends where it ended before.
        """
        done, view = 0, memoryview(lines)
        try:
            while done < len(lines):
                done += os.write(self._descriptor, view[done:])
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            raise
        self._size += done

    def sync(self) -> None:
        """Have the disk keep what was written."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close it and take the mark of an open segment off its name; an empty one goes."""
        os.close(self._descriptor)
        if self._size == 0:
            self.path.unlink()
        else:
            self.path.rename(self.path.with_name(self.path.name.removesuffix(OPEN)))
