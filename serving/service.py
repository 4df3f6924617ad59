"""The BentoML service, in the configuration that was measured to be fast.

What each setting is for: tracing is off for our paths because its middleware costs four fifths
of the throughput even without an exporter; BentoML's timeout is left out (see `_untimed`), because
ours end every request in time, a batch later than others; BentoML's access log and request metrics
are off (see `metrics`); the collector is frozen because a full pass over the loaded libraries
stalls for 100 ms. Models are opened in the worker, so that the parent process stays small.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from typing import Any

os.environ["BENTOML_DO_NOT_TRACK"] = "true"  # before BentoML looks: only this spelling counts

import bentoml
from bentoml._internal.server.http import traffic

from .app import App
from .settings import Settings, SettingsError

try:
    SETTINGS = Settings.from_env()
except SettingsError as err:  # one line, not a traceback through the loader
    raise SystemExit(f"tierwise: {err}") from None
APP = App(SETTINGS)
EXECUTED_S = 0.0 if SETTINGS.upstreams is None else SETTINGS.upstreams.longest_s
LONGEST_S = SETTINGS.timeout_s + SETTINGS.max_batch * SETTINGS.batch_prompt_s + EXECUTED_S + 1.0
GC_THRESHOLDS = (50_000, 50, 1_000)

logging.getLogger("tierwise").setLevel(logging.INFO)


def _untimed(app: Any, timeout: float) -> Any:  # noqa: ANN401, ARG001
    """Stand in for BentoML's timeout, which no setting turns off.

    It starts a timer for every request and never cancels it: 0.8 kB stay until it has passed, and
    it must not pass before the longest batch has its answer. Where a later BentoML does not ask
    for it here, LONGEST_S holds, and all that is lost is that memory.
    """
    return app


traffic.TimeoutMiddleware = _untimed


@bentoml.service(
    name="tierwise",
    workers=SETTINGS.workers,
    traffic={"timeout": LONGEST_S},
    http={"port": SETTINGS.port},
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},
    tracing={"excluded_urls": ".*"},
)
@bentoml.asgi_app(APP, path="/")
class Tierwise:
    """Routes prompts; see the README beside this file."""

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    async def start(self) -> None:
        """Load the bundle in the background, then freeze the garbage collector."""
        APP.start()
        asyncio.get_running_loop().create_task(_freeze())

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    async def stop(self) -> None:
        """Finish."""
        await APP.stop()

    async def __is_ready__(self) -> bool:
        """Whether /readyz says 200: a bundle has answered its golden prompts."""
        return APP.ready


async def _freeze() -> None:
    """Spare the collector what is loaded: it lives as long as the process."""
    while not APP.ready:
        await asyncio.sleep(0.05)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
