"""Which arms can be called for a request: in its wire, at their tiers, where somebody is well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from router.constraints.filters import Reach
from router.engine import Router

from ..holder import Live
from ..problems import Problem
from .bodies import Shape
from .failures import CallFailed, told
from .lines import Lines

MOST_VIEWS = 64  # of one router


class Reaching:
    """Routers among whoever can be called; made anew when an upstream comes or goes."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        # views of a router that is no longer held go with it
        self._views: WeakKeyDictionary[Router, dict[tuple[Any, ...], Router]] = WeakKeyDictionary()

    def through(self, shape: Shape) -> Callable[[Live], Router]:
        """The router among whoever can be called for a shape of request."""
        opened = tuple(line.breaker.open for line in self._lines.all)

        def through(live: Live) -> Router:
            router = live.stated  # who is well, we know better
            views = self._views.setdefault(router, {})
            key = (shape, opened, self._lines.listed)
            if key not in views:
                if len(views) >= MOST_VIEWS:
                    views.clear()
                views[key] = router.reaching(self._reach(router, shape))
            return views[key]

        return through

    def _reach(self, router: Router, shape: Shape) -> Reach:
        """The arms that can be called.

        Raises:
            Problem: none can.
        """
        found = set()
        closed: dict[str, CallFailed] = {}
        for arm in router.arms:
            lines = self._lines.of(arm.model, shape.wire)
            judge = router.tiers[arm.id].get("samples", {}).get("verifier", {}).get("model")
            if judge is not None and not self._lines.of(judge, shape.wire):
                continue
            if lines and shape.takes(router.tiers[arm.id], router.catalogue.model(arm.model).api):
                if any(not line.breaker.open for line, _ in lines):
                    found.add(arm.id)
                else:
                    closed |= {line.name: CallFailed("open") for line, _ in lines}
        if not found and closed:
            raise told(list(closed.items()))
        if not found:
            raise Problem("no_arm_allowed", self._unreached(shape), field="model")
        return Reach(
            frozenset(found), f"an upstream that serves the arm in the wire {shape.wire!r}"
        )

    def _unreached(self, shape: Shape) -> str:
        speaking = [line.name for line in self._lines.speaking(shape.wire)]
        if not speaking:
            spoken = ", ".join(
                f"{li.name}: {' '.join(li.upstream.spoken)}" for li in self._lines.all
            )
            return f"no upstream speaks {shape.wire} ({spoken}); `wires` in the file says who does"
        return (
            f"no arm of the bundle is known to be served by {', '.join(speaking)}; name them in "
            "`models` of the upstreams' file"
        )
