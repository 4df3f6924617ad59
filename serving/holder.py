"""Hold the bundle that answers, and change it without a gap.

A new bundle is loaded and has answered its golden prompts before one assignment puts it in
place; until then, and whenever it is refused, the old one keeps serving. Everything that
depends on the bundle travels in the same object, so no answer mixes two of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from router.certificate import read_expiry
from router.engine import Router
from router.store import Store, is_store

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

    @property
    def bundle_id(self) -> str:
        """Of the loaded bundle."""
        return self.router.manifest.bundle_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A candidate beside the live bundle, and the share of requests that it answers."""

    live: Live
    share: float


class Holder:
    """The references to the bundle that answers and to the one that is tried."""

    def __init__(self, cache_size: int) -> None:
        self._cache_size = cache_size
        self._live: Live | None = None
        self._trial: Trial | None = None

    @property
    def current(self) -> Live | None:
        """What answers now; take it once per request."""
        return self._live

    @property
    def trial(self) -> Trial | None:
        """What is tried now; take it once per request."""
        return self._trial

    def follow(self, path: Path) -> bool:
        """Take over what is live, what is to be tried and what expired; False if nothing changed.

        Raises:
            BundleError, StoreError: it cannot be trusted; what answered before still does.
        """
        changed = self._heed_expiry()
        if not is_store(path):
            return changed
        store, live = Store(path), self._live
        if store.current is not None and (live is None or store.current != live.bundle_id):
            self.swap(path)
            changed = True
        wanted, trial = store.candidate, self._trial
        if wanted is None or wanted.bundle_id == store.current:
            self._trial = None
            return changed or trial is not None
        if trial is None or (trial.live.bundle_id, trial.share) != (wanted.bundle_id, wanted.share):
            known = trial is not None and trial.live.bundle_id == wanted.bundle_id
            loaded = trial.live if trial and known else self._load(store.folder(wanted.bundle_id))
            self._trial = Trial(live=loaded, share=wanted.share)
            return True
        return changed

    def swap(self, path: Path) -> Live:
        """Load the bundle at `path`, then let it answer from the next request on.

        Raises:
            BundleError: it cannot be trusted; what answered before still does.
        """
        self._live = live = self._load(path)
        return live

    def _heed_expiry(self) -> bool:
        """Stop stating a certificate that has expired, cached decisions included."""
        live = self._live
        if live is None or live.router.manifest.certificate is None:
            return False
        bundle = live.router.bundle
        expired = read_expiry(bundle.path, bundle.manifest.bundle_id)
        if expired == live.router.expired:
            return False
        self._live = self._dressed(live.router.with_expiry(expired))
        return True

    def _load(self, path: Path) -> Live:
        router = Router.load(path)
        router.route(WARM_UP)  # the first decision pays for lazy imports; no caller should
        return self._dressed(router)

    def _dressed(self, router: Router) -> Live:
        return Live(
            router=router,
            cache=ScoreCache(self._cache_size),
            arms=encode(arms_view(router.manifest)),
            frontier=encode(frontier_view(router.manifest, router.ended)),
        )
