"""The thread behind the page: it follows the log once somebody opens the page, and not before.

It takes a few lines in under a lock and rests twice as long as it worked, so that decisions, which
need the same interpreter, are delayed by a few milliseconds at most.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from router.events import BundleEvent, DecisionEvent, FeedbackEvent

from ..ids import seconds_of
from .day import Kept
from .follow import Follower, Place
from .lines import decode
from .tally import Tally

log = logging.getLogger("tierwise.serving")

LOOK_S = 1.0  # between looks at the folder
LINES = 16  # that are taken in at a time: a millisecond or two
REST = 2.0  # times the work on them
NEAR_S = 60.0  # by which a decision's line may be older than the time in its id

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the log was read.

    Attributes:
        read, unread: bytes.
        packed: segments that were packed before they were read.
        unreadable: lines.
        unjoined: reports without a decision.
    """

    read: int
    unread: int
    packed: int
    unreadable: int
    unjoined: int

    @property
    def share(self) -> float:
        """Of what is there, 0 to 1."""
        return self.read / max(self.read + self.unread, 1)


NOTHING = Progress(read=0, unread=0, packed=0, unreadable=0, unjoined=0)


class Reader:
    """Reads one folder in the background; `see` looks at what is known."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._follower, self._tally = Follower(folder), Tally()
        self._lock = threading.Lock()
        self._turn = threading.Condition()
        self._wanted = self._done = 0  # passes over the folder
        self._over = False
        self._thread: threading.Thread | None = None

    def catch_up(self, seconds: float) -> None:
        """Read on, for so long at most; the rest follows in the background."""
        with self._turn:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="page", daemon=True)
                self._thread.start()
            self._wanted = wanted = self._wanted + 1
            self._turn.notify_all()
            # a pass that is under way may have looked before what is asked for was written
            self._turn.wait_for(lambda: self._done >= wanted, seconds)

    def see(self, look: Callable[[Tally], T]) -> T:
        """What `look` makes of the tally, while nothing is added to it."""
        with self._lock:
            return look(self._tally)

    @property
    def progress(self) -> Progress:
        """How far it is."""
        with self._lock:
            return Progress(
                read=self._follower.read_bytes,
                unread=self._follower.unread_bytes,
                packed=self._follower.packed,
                unreadable=self._tally.unreadable,
                unjoined=self._tally.unjoined,
            )

    def close(self) -> None:
        """Stop reading."""
        self._over = True
        with self._turn:
            self._turn.notify_all()
        if self._thread is not None:
            self._thread.join(2.0)

    def decision(
        self, decision_id: str
    ) -> tuple[DecisionEvent, tuple[str, ...], list[FeedbackEvent]] | None:
        """One decision's line, the arms it indexes and what was reported of it.

        Returns:
            Null where the log does not have it any more, or has it packed.
        """
        with self._lock:
            kept = self._tally.kept.get(decision_id)
            raws = self._lines_of(decision_id, kept)
            found = [line for raw in raws if (line := decode(raw)) is not None]
            bundles = dict(self._tally.bundles)
        for line in found:
            if isinstance(line, DecisionEvent) and line.bundle_id in bundles:
                reports = [one for one in found if isinstance(one, FeedbackEvent)]
                return line, bundles[line.bundle_id], reports
        return None

    def _lines_of(self, decision_id: str, kept: Kept | None) -> list[bytes]:
        if kept is not None:
            places = (kept.place, *kept.reports)
            return [raw for place in places if (raw := self._follower.line(place))]
        made, name = seconds_of(decision_id), decision_id.encode()
        if made is None:
            return []
        near = self._follower.near(made - NEAR_S)
        return [raw for raw in near if name in raw and b'"role":"shadow"' not in raw]

    def _run(self) -> None:
        while not self._over:
            with self._turn:
                begun = self._wanted
            try:
                self._read()
            except Exception as err:  # the page is no reason to stop serving
                log.exception("the page cannot read %s: %s", self.folder, type(err).__name__)
            with self._turn:
                self._done = begun
                self._turn.notify_all()
                self._turn.wait_for(lambda: self._over or self._wanted > self._done, LOOK_S)

    def _read(self) -> None:
        with self._lock:
            self._follower.look()
        for chunk in self._follower.chunks():
            while lines := list(islice(chunk, LINES)):
                begun = time.perf_counter()
                with self._lock:
                    for place, raw in lines:
                        self._take(place, raw)
                if self._over:
                    return
                time.sleep(REST * (time.perf_counter() - begun))

    def _take(self, place: Place, raw: bytes) -> None:
        line = decode(raw)
        if line is None:
            self._tally.unreadable += 1
            return
        if not isinstance(line, BundleEvent):
            self._follower.mark(place, line.time)
        self._tally.add(place, line)
