"""Hold the bundle that answers, and change it without a gap.

A new bundle is loaded and has answered its golden prompts before one assignment puts it in
place; until then, and whenever it is refused, the old one keeps serving. Everything that
depends on the bundle travels in the same object, so no answer mixes two of them.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from router.catalogue.catalogue import Catalogue
from router.core.bundle import find_bundle
from router.core.certificate import read_expiry
from router.core.manifest import MANIFEST, Manifest
from router.core.store import Store, is_store
from router.engine import Router
from router.errors import BundleError, NoArmAllowed

from .cache import ScoreCache
from .reading import encode
from .responses import arms_view, frontier_view

# A body may have so many bytes for each token of the largest known window, within bounds: English
# has four or five, escaped Chinese six; images and files come on top.
BYTES_PER_TOKEN = 8
LEAST_BODY_BYTES, MOST_BODY_BYTES = 4 << 20, 32 << 20
WARM_UP = "Which answer is worth its price?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A loaded bundle with the cache of its scores and its fixed answers.

    `bundled` is the router as the bundle has it, `stated` with the operator's catalogue over it and
    the latency that was measured, `router` without the models that cannot be reached, besides.
    """

    bundled: Router
    stated: Router
    router: Router
    cache: ScoreCache
    arms: bytes
    frontier: bytes
    max_body_bytes: int

    @property
    def bundle_id(self) -> str:
        """Of the loaded bundle."""
        return self.router.manifest.bundle_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A candidate beside the live bundle, and the share of requests that it answers."""

    live: Live
    share: float


class Measured(Protocol):
    """What is measured of models while the service runs."""

    version: int

    @property
    def catalogues(self) -> tuple[Catalogue, Catalogue]:
        """Latency and health, to be put over the operator's catalogue."""
        ...


class Holder:
    """The references to the bundle that answers and to the one that is tried."""

    measured: Measured | None = None
    _seen = 0  # version of what was measured

    def __init__(self, cache_size: int, catalogue: Path | None = None) -> None:
        self._cache_size = cache_size
        self._catalogue = catalogue
        self._made: tuple[int, int] | None = None  # of the manifest that was read last
        self._stamp: int | None = None  # of the catalogue that was read last
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
            BundleError, StoreError, CatalogueError: it cannot be trusted; what answered before
                still does.
        """
        refreshed, changed = self._refresh() | self._heed_measured(), self._heed_expiry()
        changed = changed or refreshed
        if not is_store(path):
            return self._heed_replaced(path) or changed
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
        made = written(path)
        self._live = live = self._load(path)
        self._made = made
        return live

    def _heed_replaced(self, path: Path) -> bool:
        """Load a bundle whose folder was replaced; False if it was not."""
        made = written(path)
        if self._live is None or made is None or made == self._made:
            return False
        self.swap(path)
        return True

    def _heed_expiry(self) -> bool:
        """Stop stating a certificate that has expired, cached decisions included."""
        live = self._live
        if live is None or live.router.manifest.certificate is None:
            return False
        bundle = live.router.bundle
        expired = read_expiry(bundle.path, bundle.manifest.bundle_id)
        if expired == live.router.expired:
            return False
        routers = (live.bundled, live.stated, live.router)
        self._live = self._dressed(*(router.with_expiry(expired) for router in routers))
        return True

    def _refresh(self) -> bool:
        """Put a catalogue that changed since over what is loaded; False if none did."""
        stamp, live, trial = self._modified(), self._live, self._trial
        if live is None or stamp == self._stamp:
            return False
        newer = self._of(live.bundled)
        tried = None if trial is None else replace(trial, live=self._of(trial.live.bundled))
        self._live, self._trial, self._stamp = newer, tried, stamp
        return True

    def _heed_measured(self) -> bool:
        """Put what was measured since over what is loaded; scores do not depend on it."""
        live, trial, measured = self._live, self._trial, self.measured
        if measured is None or live is None or measured.version == self._seen:
            return False
        self._seen = measured.version
        self._live = replace(self._of(live.bundled), cache=live.cache)
        if trial is not None:
            tried = replace(self._of(trial.live.bundled), cache=trial.live.cache)
            self._trial = replace(trial, live=tried)
        return True

    def _modified(self) -> int | None:
        """When the catalogue was written; null without one, and while it is being replaced."""
        try:
            return None if self._catalogue is None else self._catalogue.stat().st_mtime_ns
        except OSError:
            return self._stamp

    def _load(self, path: Path) -> Live:
        stamp = self._modified()
        live = self._of(Router.load(path))
        self._stamp = stamp
        return live

    def _of(self, bundled: Router) -> Live:
        over = [] if self._catalogue is None else [Catalogue.load(self._catalogue)]
        seen = () if self.measured is None else self.measured.catalogues
        latency, health = ([one] if one.models else [] for one in (seen or (Catalogue(),) * 2))
        stated = bundled.recatalogued(*over, *latency) if over or latency else bundled
        router = bundled.recatalogued(*over, *latency, *health) if health else stated
        with suppress(NoArmAllowed):  # of models that are all down for now
            router.route(WARM_UP)  # the first decision pays for lazy imports; no caller should
        return self._dressed(bundled, stated, router)

    def _dressed(self, bundled: Router, stated: Router, router: Router) -> Live:
        return Live(
            bundled=bundled,
            stated=stated,
            router=router,
            cache=ScoreCache(self._cache_size),
            arms=encode(arms_view(router)),
            frontier=encode(frontier_view(router.manifest, router.ended)),
            max_body_bytes=body_limit(router.manifest),
        )


def written(path: Path) -> tuple[int, int] | None:
    """Which manifest lies at a bundle's path, and since when; null while it is being replaced."""
    try:
        status = (find_bundle(path) / MANIFEST).stat()
    except (BundleError, OSError):
        return None
    return status.st_mtime_ns, status.st_ino


def body_limit(manifest: Manifest) -> int:
    """Bytes of a body that holds as much as the largest window among the arms."""
    windows = [info.context_tokens or 0 for info in manifest.arms]
    return min(max(max(windows) * BYTES_PER_TOKEN, LEAST_BODY_BYTES), MOST_BODY_BYTES)
