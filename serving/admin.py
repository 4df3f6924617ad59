"""POST /admin/promote, /admin/rollback and /admin/reload: which bundle of the store answers.

The rules are the store's, those of `tierwise promote` and `rollback`. A bundle is named by its id
and must lie in the store, and so must the gate's record: neither comes in by HTTP.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from router.core.store import Change as Made
from router.core.store import Store, is_store
from router.errors import RouterError, in_words

from .problems import Problem
from .reading import decode_body, encode
from .worker import Worker

log = logging.getLogger("tierwise.serving")
MOST_BODY_BYTES = 16 * 1024


class PromoteRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    """Which bundle of the store is to answer, and by what right."""

    bundle_id: str
    force: str | None = None  # a reason to go without a passed gate; it enters the history


class RollbackRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    """Go back to the bundle before."""

    why: str = "asked for"


class ChangeAnswer(Struct, kw_only=True):
    """One line of the store's history, and the bundle that this worker answers with now."""

    time: float
    action: Literal["promote", "rollback"]
    bundle_id: str
    previous: str | None
    why: str
    loaded: str


class ReloadRequest(Struct, kw_only=True):
    """Nothing."""


class ReloadAnswer(Struct, kw_only=True):
    """The bundle that this worker answers with now."""

    loaded: str


_PROMOTE = msgspec.json.Decoder(PromoteRequest)
_ROLLBACK = msgspec.json.Decoder(RollbackRequest)
Change = Callable[[Worker, bytes, str], Awaitable[bytes]]


async def promote(worker: Worker, body: bytes, key: str) -> bytes:
    """Make a bundle of the store the live one.

    Args:
        worker: whose store.
        body: the request's.
        key: fingerprint of the admin's key.

    Raises:
        Problem: the body is no request, or the store refuses the change.
    """
    asked = decode_body(_PROMOTE, body)

    def change(store: Store) -> Made:
        folder = _folder(store, asked.bundle_id)
        return store.promote(folder, gate=None, force=asked.force, time=time.time())

    return await _changed(worker, change, key)


async def rollback(worker: Worker, body: bytes, key: str) -> bytes:
    """Go back to the bundle that was live before; refuses as `promote`."""
    asked = decode_body(_ROLLBACK, body or b"{}")
    return await _changed(
        worker, lambda store: store.rollback(time=time.time(), why=asked.why), key
    )


async def reload(worker: Worker, _body: bytes, _key: str) -> bytes:
    """Look now at the bundle, the store and the catalogue; other workers do within `poll_s`.

    Raises:
        Problem: `refused_change`, what was found cannot be used; what answered before still does.
    """
    refused = await worker.look()
    if refused:
        raise Problem("refused_change", refused)
    return encode({"loaded": worker.live.bundle_id})


async def _changed(worker: Worker, change: Callable[[Store], Made], key: str) -> bytes:
    path = worker.settings.bundle
    try:
        made = await asyncio.to_thread(_change, path, change)
    except RouterError as err:
        raise Problem("refused_change", str(err)) from None
    except OSError as err:  # such as a store that the service may only read
        raise Problem("refused_change", in_words(err)) from None
    name, _ = worker.keys.of(key) or ("", None)
    log.info("%s of bundle %s, asked for with the key %s", made.action, made.bundle_id, name)
    await worker.look()
    return encode({**asdict(made), "loaded": worker.live.bundle_id})


def _change(path: Path, change: Callable[[Store], Made]) -> Made:
    if not is_store(path):
        raise Problem(
            "refused_change",
            "the service serves a bundle, not a store (tierwise serve STORE): replace its folder, "
            "and POST /admin/reload",
        )
    return change(Store(path))


def _folder(store: Store, bundle_id: str) -> Path:
    """Where a bundle of the store lies.

    Raises:
        Problem: it has no such bundle.
    """
    if not store.has(bundle_id):
        raise Problem(
            "refused_change",
            "the store has no such bundle; tierwise candidate BUNDLE --store STORE brings one in",
            field="bundle_id",
        )
    return store.folder(bundle_id)


PATHS: dict[str, Change] = {
    "/admin/promote": promote,
    "/admin/rollback": rollback,
    "/admin/reload": reload,
}
