"""The newest `tierwise status --metrics FILE`, told at /metrics beside the worker's own series.

The file is somebody else's, so it is read anew each time and shown only where it is whole: a
scraper refuses a page with one bad line, and the service's own series must not go with it.
"""

from __future__ import annotations

import logging
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from .metrics import Metrics

log = logging.getLogger("tierwise.serving")

MAX_STATUS_BYTES = 1 << 20
PREFIXES = ("tierwise_status_", "tierwise_drift_", "tierwise_certificate")


def rendered(metrics: Metrics, status: Path | None) -> bytes:
    """The worker's metrics, and those of the status file where one is named."""
    own = metrics.render()
    if status is None:
        return own
    found = read_status(status)
    readable = (
        f"# TYPE tierwise_status_readable gauge\ntierwise_status_readable {int(bool(found))}\n"
    )
    return own + readable.encode() + found


def read_status(path: Path) -> bytes:
    """The file's content; nothing where it is missing, too long, damaged or of foreign series."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_STATUS_BYTES + 1)
        families = list(text_string_to_metric_families(content.decode("utf-8")))
    except (OSError, ValueError) as err:
        log.debug("%s cannot be shown: %s", path, err)
        return b""
    ours = all(family.name.startswith(PREFIXES) for family in families)
    whole = content.endswith(b"\n") and len(content) <= MAX_STATUS_BYTES
    return content if families and ours and whole else b""
