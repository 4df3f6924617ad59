"""Every upstream as this process knows it: what it has, whether it is well, how busy it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from router.catalogue.names import find

from ..rate import Rate
from .breaker import Breaker
from .failures import BLAMED, CallFailed
from .upstreams import Upstream, Upstreams
from .wires import ANTHROPIC_VERSION, Wire

Headers = dict[str, str]


@dataclass(slots=True)
class Line:
    """One upstream.

    Attributes:
        listed: models that it says it has; null until it has said so, or where the file does.
        in_flight: calls that have not ended.
    """

    name: str
    upstream: Upstream
    key: str | None = field(repr=False)
    breaker: Breaker = field(default_factory=Breaker)
    listed: frozenset[str] | None = None
    in_flight: int = 0
    rate: Rate = field(init=False)
    _found: dict[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rate = Rate(self.upstream.requests_per_minute)

    def serves(self, model: str) -> str | None:
        """Its name of one of our models; null where it has none that we know of."""
        if self.upstream.models:
            return self.upstream.models.get(model)
        if self.listed is None:
            return None
        if model not in self._found:
            self._found[model] = find(model, sorted(self.listed))
        return self._found[model]

    def lists(self, models: frozenset[str]) -> bool:
        """Take in what it says that it has; whether that is news."""
        if models == self.listed:
            return False
        self.listed, self._found = models, {}
        return True

    def headers(self, wire: Wire) -> Headers:
        """What every call carries. Nothing of the caller's own keys is among it."""
        found = {"accept-encoding": "identity", "user-agent": "tierwise"}
        if wire == "messages":
            found["anthropic-version"] = ANTHROPIC_VERSION
        if self.key is not None:
            own = "x-api-key" if wire == "messages" else "bearer"
            bearer = (self.upstream.auth or own) == "bearer"
            found |= {"authorization": f"Bearer {self.key}"} if bearer else {"x-api-key": self.key}
        return found

    def spares(self, calls: int) -> bool:
        """Whether so many calls leave half of its room to others."""
        room = 2 * (self.in_flight + calls) <= self.upstream.max_in_flight
        return room and not self.breaker.open and self.rate.spares(calls)

    def begin(self) -> None:
        """Take a place for one call.

        Raises:
            CallFailed: it is left alone, or at its limit.
        """
        if self.breaker.open:
            raise CallFailed("open")
        if self.in_flight >= self.upstream.max_in_flight or not self.rate.take():
            raise CallFailed("busy")
        self.in_flight += 1
        self.breaker.begin()

    def end(self, failed: CallFailed | None = None, *, unknown: bool = False) -> None:
        """Give the place back.

        Args:
            failed: what the call came to; null where it was answered.
            unknown: whether it ended for a reason that says nothing of the upstream.
        """
        self.in_flight -= 1
        if unknown:
            self.breaker.ended()
        elif failed is not None and failed.code in BLAMED:
            self.breaker.failed()
        elif failed is not None and failed.code == "overloaded":
            self.breaker.ended()
        else:
            self.breaker.succeeded()


class Lines:
    """All upstreams of one process, in the file's order."""

    def __init__(self, upstreams: Upstreams) -> None:
        self.all = tuple(
            Line(name, upstream, upstreams.keys.get(name))
            for name, upstream in upstreams.upstreams.items()
        )
        self.listed = 0  # changes of what they list

    def speaking(self, wire: Wire) -> Iterator[Line]:
        """Those that speak a wire."""
        return (line for line in self.all if wire in line.upstream.spoken)

    def of(self, model: str, wire: Wire) -> list[tuple[Line, str]]:
        """Who can be asked for one of our models, with its name there; the well ones first."""
        found = [(line, n) for line in self.speaking(wire) if (n := line.serves(model)) is not None]
        return sorted(found, key=lambda pair: pair[0].breaker.open)

    def have(self, model: str) -> bool:
        """Whether anybody serves one of our models, in whatever wire."""
        return any(line.serves(model) is not None for line in self.all)

    def down(self, models: Sequence[str]) -> frozenset[str]:
        """Models of which every upstream that serves them is left alone for now."""
        found = set()
        for model in models:
            serving = [line for line in self.all if line.serves(model) is not None]
            if serving and all(line.breaker.open for line in serving):
                found.add(model)
        return frozenset(found)
