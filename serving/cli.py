"""`tierwise serve`: check what can be checked, say where to ask, and become the service."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from router.catalogue.catalogue import Catalogue
from router.core.bundle import find_bundle, verify_files
from router.core.manifest import read_manifest
from router.errors import BundleError, CatalogueError

from .settings import ROOT, STARTER, Settings, SettingsError

SERVICE = "serving.service:Tierwise"
ASKED = '{"prompt": "What is 17*23?", "threshold": 0.3}'
CALLED = '{"model": "auto", "messages": [{"role": "user", "content": "What is 17*23?"}]}'


@click.command()
@click.argument("bundle", required=False, type=click.Path(path_type=Path))
@click.option("--port", type=click.IntRange(1, 65535), help="3000, or the variable PORT.")
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0 for every network.")
@click.option("--workers", help="Processes, or `auto` for one per core; 1 when left out.")
@click.option(
    "--upstreams",
    type=click.Path(path_type=Path),
    help="TOML of who executes requests; without it, decisions alone.",
)
def serve(
    bundle: Path | None, port: int | None, host: str, workers: str | None, upstreams: Path | None
) -> None:
    """Serve BUNDLE over HTTP; without a bundle, the starter router."""
    given = {
        "TIERWISE_BUNDLE": bundle,
        "PORT": port,
        "TIERWISE_WORKERS": workers,
        "TIERWISE_UPSTREAMS": upstreams,
    }
    env = {**os.environ, **{key: str(value) for key, value in given.items() if value is not None}}
    env["BENTOML_DO_NOT_TRACK"] = "true"
    try:
        settings = Settings.from_env(env)
        check_bundle(settings.bundle)
        check_catalogue(settings)
    except (SettingsError, BundleError) as err:
        raise click.ClickException(str(err)) from err
    env["TIERWISE_BUNDLE"] = str(settings.bundle)
    if upstreams is not None:
        env["TIERWISE_UPSTREAMS"] = str(upstreams.resolve())
    click.echo(greeting(host, settings))
    become(settings, host, env)


def check_bundle(path: Path) -> None:
    """Refuse at once what the service would only refuse after starting.

    Raises:
        BundleError: there is no complete bundle at `path`.
    """
    if path == STARTER and not path.exists():
        raise BundleError(
            f"there is no starter router at {path}; run `make setup` once, or name a bundle: "
            "tierwise serve BUNDLE"
        )
    folder = find_bundle(path)
    verify_files(folder, read_manifest(folder))


def check_catalogue(settings: Settings) -> None:
    """Refuse a catalogue at once that the service would refuse after starting.

    Raises:
        SettingsError: it cannot be read, or something in it is wrong.
    """
    if settings.catalogue is None:
        return
    try:
        Catalogue.load(settings.catalogue)
    except CatalogueError as err:
        raise SettingsError(f"TIERWISE_CATALOGUE: {err}") from err


def greeting(host: str, settings: Settings) -> str:
    """Where the service will listen, and a request to try."""
    shown = "localhost" if host in ("0.0.0.0", "::", "127.0.0.1") else host  # noqa: S104
    key = " -H 'authorization: Bearer KEY'" if settings.api_keys else ""
    executes = settings.upstreams is not None
    path = "v1/chat/completions" if executes else "route"
    asked = CALLED if executes else ASKED
    return (
        f"Serving {settings.bundle} on http://{shown}:{settings.port} (Ctrl+C stops it). Try:\n"
        f"  curl -s http://{shown}:{settings.port}/{path} -H 'content-type: application/json'{key} "
        f"-d '{asked}'"
    )


def become(settings: Settings, host: str, env: Mapping[str, str]) -> None:
    """Replace this process by BentoML's; does not return."""
    arguments = ["-m", "bentoml", "serve", SERVICE, "--working-dir", str(ROOT)]
    arguments += ["--host", host, "--port", str(settings.port)]
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *arguments], dict(env))  # noqa: S606
