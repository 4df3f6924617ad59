"""Put a certificate into a bundle: the same files, a manifest that states it, a new id."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from router import Router
from router.core.certificate import Certificate
from router.core.manifest import Manifest

from ..bundle.export import rewrite_bundle
from ..bundle.oof_predictions import read_oof_predictions


def store_certificate(router: Router, certificate: Certificate, out: Path) -> Manifest:
    """Write the router's bundle with the certificate to `out`, which may be its own folder.

    Raises:
        ExportError: `out` exists and is no bundle.
    """
    bundle = router.bundle
    manifest = replace(bundle.manifest, certificate=certificate)
    return rewrite_bundle(
        bundle.path, out, manifest, oof=read_oof_predictions(bundle.path), rows=bundle.map_rows
    )
