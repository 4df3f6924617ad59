"""Words that graders write instead of a number."""

from __future__ import annotations

from ..values import GRADES as GRADES  # noqa: PLC0414  # word in lower case -> quality
