"""Hold the bundle that answers, and change it without a gap.

A new bundle is loaded and has answered its golden prompts before one assignment puts it in
place; until then, and whenever it is refused, the old one keeps serving. Everything that
depends on the bundle travels in the same object, so no answer mixes two of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from router.engine import Router

from .cache import ScoreCache
from .schemas import encode
from .views import arms_view, frontier_view

WARM_UP = "Which answer is worth its price?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A loaded bundle with the cache of its scores and its fixed answers."""

    router: Router
    cache: ScoreCache
    arms: bytes
    frontier: bytes


class Holder:
    """The reference to the bundle that answers."""

    def __init__(self, cache_size: int) -> None:
        self._cache_size = cache_size
        self._live: Live | None = None

    @property
    def current(self) -> Live | None:
        """What answers now; take it once per request."""
        return self._live

    def swap(self, path: Path) -> Live:
        """Load the bundle at `path`, then let it answer from the next request on.

        Raises:
            BundleError: it cannot be trusted; what answered before still does.
        """
        router = Router.load(path)
        router.route(WARM_UP)  # the first decision pays for lazy imports; no caller should
        live = Live(
            router=router,
            cache=ScoreCache(self._cache_size),
            arms=encode(arms_view(router.manifest)),
            frontier=encode(frontier_view(router.manifest)),
        )
        self._live = live
        return live
