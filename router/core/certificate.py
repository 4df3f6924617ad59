"""A certified threshold: what was promised, on what evidence, and whether it still holds.

A certificate is part of a bundle's manifest and never changes. That it has expired is written
beside the bundle, by whoever found the drift; readers go by both. An expiry names the bundle that
it is about, so a copied folder takes it along and a new bundle in its place starts afresh.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..atomic import write_file
from ..types import Reason

EXPIRY = "certificate-expired.json"
GRID = 100  # thresholds are certified at hundredths; between them nothing was tested
SAME = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """The prompts that a certificate was made on, as far as a test of drift needs them.

    Attributes:
        prompts: how many there were.
        clusters: prompts per cluster of the bundle.
        embedding_mean: of random Fourier features of the embeddings, see
            `training.status.certificate_drift`.
        width: squared width of their kernel.
        seed: of their frequencies.
    """

    prompts: int
    clusters: tuple[int, ...]
    embedding_mean: tuple[float, ...]
    width: float
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """At every hundredth from `threshold` to 1, expected quality is at most so much below.

    Attributes:
        threshold: the cheapest certified one.
        max_quality_drop: promised bound on the expected loss against `best_single`.
        confidence: that the promise holds, over the draw of the calibration prompts.
        best_single: arm id, named by the bundle before the prompts were looked at.
        method: the test.
        quality_drop: observed mean loss at `threshold`; negative is a gain.
        upper_bound: of the expected loss there, at this confidence.
        quality: mean quality at `threshold` on the calibration prompts.
        cost_usd: mean US dollars per request there.
        saving: 1 - that over what the best single arm cost; null where it cost nothing.
        saving_interval: 95 %, paired bootstrap over the prompts.
        issued: ISO date.
        data_sha256: of the calibration prompts and outcomes.
        certifies: id of the bundle whose decisions were measured; the certificate's own bundle
            decides the same.
        population: the prompts, for the test of drift.
    """

    threshold: float
    max_quality_drop: float
    confidence: float
    best_single: str
    method: str
    quality_drop: float
    upper_bound: float
    quality: float
    cost_usd: float
    saving: float | None
    saving_interval: tuple[float, float] | None
    issued: str
    data_sha256: str
    certifies: str
    population: Population

    def covers(self, threshold: float) -> bool:
        """Whether decisions at this threshold were tested and passed."""
        on_grid = abs(threshold * GRID - round(threshold * GRID)) <= SAME * GRID
        return on_grid and threshold >= self.threshold - SAME

    def statement(self, threshold: float) -> Reason:
        """The promise in words."""
        return Reason(
            "certified",
            f"at threshold {threshold:g} expected quality is at most {self.max_quality_drop:g} "
            f"below {self.best_single} at {self.confidence:.0%} confidence "
            f"({self.population.prompts} prompts, {self.issued})",
        )

    def view(self, expired: str | None) -> dict[str, Any]:
        """The certificate in the words of the HTTP contract, with its state."""
        stated = asdict(self)
        del stated["population"]
        state = "valid" if expired is None else "expired"
        return {"state": state, "reason": expired, "prompts": self.population.prompts, **stated}


def certificate_of(raw: dict[str, Any]) -> Certificate:
    """Read a certificate back from JSON; raises TypeError or KeyError where it is none."""
    values = {**raw, "population": Population(**_tuples(raw["population"]))}
    return Certificate(**_tuples(values))


def _tuples(raw: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}


def read_expiry(folder: Path, bundle_id: str) -> str | None:
    """Why the certificate of the bundle in `folder` has expired; null where nobody said so.

    A record that cannot be read counts: a promise must not outlive a torn file.
    """
    try:
        raw = json.loads((folder / EXPIRY).read_text("utf-8"))
        return str(raw["reason"]) if raw["bundle_id"] == bundle_id else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as err:
        return f"{EXPIRY} cannot be read ({type(err).__name__})"


def write_expiry(folder: Path, bundle_id: str, reason: str, *, time: float) -> None:
    """Say that the certificate of the bundle in `folder` has expired, in one rename.

    Raises:
        OSError: the folder cannot be written.
    """
    record = {"bundle_id": bundle_id, "reason": reason, "time": time}
    write_file(folder / EXPIRY, json.dumps(record) + "\n", durable=True)
