"""A service that answers typed questions, with the tiers that they may name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.serving.conftest import Driver

TIERS = {"SIMPLE": ("aster-nano", "brook-mini"), "COMPLEX": ("*",)}


@pytest.fixture(scope="session")
def asked(make_app: Callable[..., Driver]) -> Driver:
    """An application with declared tiers."""
    return make_app(tiers=TIERS)
