"""What processes that spend from the same budgets tell each other, and what a restart finds.

Every process publishes its own totals under its own name and reads those of the others; a budget
has spent the sum. Totals replace totals, so a message that is lost, repeated or late does no
harm, and a medium that was down, or has forgotten everything, is caught up with by the next
exchange. A process that ended is one that publishes no more: its spending still counts.

Both media block; they are used from a thread, never on the request path.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Annotated, Any, Protocol

import msgspec
from msgspec import Meta, Struct

from router.atomic import write_file
from router.budget.pace import Pace
from router.budget.periods import Window

from .token_price import TokenPrice

SUFFIX = ".json"
HASH = "tierwise:budgets"  # of Redis: process -> its document
REDIS_TIMEOUT_S = 1.0
Number = Annotated[float, Meta(ge=-1e15, le=1e15)]


class Share(Struct, array_like=True, frozen=True):
    """One process's part of one account; the fields of `Pace`."""

    start: Number
    end: Number
    born: Number
    at: Number
    spent_usd: Number
    requests: int
    dual_adjustment: Number
    arrivals: Number
    usual_requests: Number
    reports: Number
    realised_usd: Number
    predicted_usd: Number

    @classmethod
    def of(cls, pace: Pace) -> Share:
        """The part as it is published."""
        return cls(
            pace.window.start, pace.window.end, pace.born, pace.at, pace.spent_usd, pace.requests,
            pace.dual_adjustment, pace.arrivals, pace.usual_requests, pace.reports,
            pace.realised_usd, pace.predicted_usd,
        )  # fmt: skip

    def pace(self) -> Pace:
        """The part as it is reckoned with."""
        values = {n: getattr(self, n) for n in self.__struct_fields__ if n not in ("start", "end")}
        return Pace(window=Window(self.start, self.end), **values)


class Charge(Struct, array_like=True, frozen=True):
    """What a decision was charged, until its real cost is reported."""

    account: str
    window: float  # start of the period that paid
    charge_usd: float
    predicted_usd: float
    owner: str  # fingerprint of the API key that asked; nobody else's report counts
    usd_per_input: float | None  # per token; null where the arm is not priced by tokens
    usd_per_output: float | None
    input_tokens: float  # expected
    usd_per_cached: float | None = None  # null: as input
    usd_per_cache_write: float | None = None

    def usd(self, report: Report) -> float | None:
        """The cost that a report comes to; null where it has tokens and the arm no price."""
        if report.cost_usd is not None:
            return report.cost_usd
        if report.output_tokens is None or self.usd_per_input is None:
            return None
        price = TokenPrice(
            self.usd_per_input, self.usd_per_output or 0.0, self.usd_per_cached,
            self.usd_per_cache_write,
        )  # fmt: skip
        read = self.input_tokens if report.input_tokens is None else report.input_tokens
        written = report.output_tokens
        return price.usd(read, written, report.cached_tokens, report.cache_write_tokens)


class Report(Struct, array_like=True, frozen=True):
    """A realised cost whose decision some other process may have made."""

    decision_id: str
    at: float
    owner: str
    cost_usd: float | None
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class Document(Struct, frozen=True):
    """All that one process publishes."""

    process: str
    at: float
    expires: float  # when nothing in it matters any more
    shares: dict[str, Share]
    reports: list[Report] = []
    charges: dict[str, Charge] = {}  # the latest ones, for whoever follows on this machine


class Medium(Protocol):
    """Where documents are exchanged."""

    name: str

    def exchange(self, mine: Document | None, now: float) -> list[Document]:
        """Publish one's own, if there is one, and read everybody else's that still matters.

        Raises:
            OSError: the medium cannot be reached.
        """
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


_DECODER = msgspec.json.Decoder(Document)


def _read(raw: bytes) -> Document | None:
    try:
        return _DECODER.decode(raw)
    except (msgspec.DecodeError, ValueError):  # of another version, or cut off: as if never sent
        return None


class Files:
    """One file per process in a folder: for workers of one machine, and for restarts."""

    name = "file"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, tuple[tuple[int, int], Document | None]] = {}

    def exchange(self, mine: Document | None, now: float) -> list[Document]:
        """See `Medium`."""
        if mine is not None:
            # not durable: an exchange comes twice a second, and a kill loses one at most anyway
            write_file(self._folder / f"{mine.process}{SUFFIX}", msgspec.json.encode(mine))
        found = []
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            if mine is not None and path.name == f"{mine.process}{SUFFIX}":
                continue
            document = self._load(path)
            if document is not None and document.expires < now:
                path.unlink(missing_ok=True)
            elif document is not None:
                found.append(document)
        return found

    def close(self) -> None:
        """Nothing is held."""

    def _load(self, path: Path) -> Document | None:
        """Read it again only if it changed: those of ended processes never do."""
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            known = self._known.get(path.name)
            if known is None or known[0] != stamp:
                known = (stamp, _read(path.read_bytes()))
                self._known[path.name] = known
        except FileNotFoundError:  # another process found that it had expired
            self._known.pop(path.name, None)
            return None
        return known[1]


class Redis:
    """One hash in Redis with a field per process: for replicas on several machines."""

    name = "redis"

    def __init__(self, url: str) -> None:
        import redis

        self._errors = redis.RedisError
        self._client: Any = redis.Redis.from_url(
            url, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S
        )

    def exchange(self, mine: Document | None, now: float) -> list[Document]:
        """See `Medium`; publishing and reading are one transaction."""
        try:
            with self._client.pipeline(transaction=True) as pipe:
                if mine is not None:
                    slim = msgspec.structs.replace(mine, charges={})
                    pipe.hset(HASH, mine.process, msgspec.json.encode(slim))
                pipe.hgetall(HASH)
                answered = pipe.execute()[-1]
            documents = [(field, _read(raw)) for field, raw in answered.items()]
            stale = [f for f, d in documents if d is not None and d.expires < now]
            if stale:
                self._client.hdel(HASH, *stale)
        except self._errors as err:
            raise OSError(f"Redis: {type(err).__name__}") from err  # its text may hold the URL
        me = None if mine is None else mine.process
        return [d for f, d in documents if d is not None and f not in stale and d.process != me]

    def close(self) -> None:
        """See `Medium`."""
        self._client.close()


def merged(documents: list[Document]) -> dict[str, Document]:
    """Process -> its latest document, whichever medium it came by."""
    found: dict[str, Document] = {}
    for document in documents:
        known = found.get(document.process)
        if known is None or known.at <= document.at:
            kept = known.charges if known is not None and not document.charges else None
            found[document.process] = (
                document if kept is None else msgspec.structs.replace(document, charges=kept)
            )
    return found


def process_name() -> str:
    """A name that no other process has or will have."""
    return f"{time.time_ns():020d}-{os.urandom(4).hex()}-{os.getpid()}"


def ended(process: str) -> bool:
    """Whether a process of this machine is gone; our own number in another name is a leftover."""
    number = process.rpartition("-")[2]
    if not number.isdigit() or int(number) == os.getpid():
        return True
    with contextlib.suppress(ProcessLookupError):
        try:
            os.kill(int(number), 0)
        except PermissionError:
            return False
        return False
    return True
