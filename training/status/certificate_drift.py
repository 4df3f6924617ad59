"""Whether today's prompts still are the ones that a certificate was made on.

The certificate keeps no prompt and no embedding of one: counts per cluster, and the mean of random
Fourier features, which is all that a kernel two-sample test needs of its first sample (Rahimi &
Recht 2007; Gretton et al., JMLR 2012). The test's null distribution comes from today's rows, by a
Gaussian multiplier bootstrap. That a test is significant only says that there is enough traffic to
see a difference; a certificate ends where the difference is of a size that matters, too.
"""

from __future__ import annotations

import numpy as np

from router.core.certificate import Population
from router.core.manifest import Manifest
from router.types import Doubles, Floats, Ints

from ..retrain.log_rows import Traffic
from .detectors import direction_index, psi
from .finding import ALARM, OK, Finding
from .report import MIN_DECISIONS

FEATURES = 128
DRAWS = 999
MOST_ROWS = 4000  # an even sample of today's prompts beyond that
DIGITS = 6
LEVEL = 0.005  # of each of the two tests: together one false alarm in a hundred looks
PSI_EXPIRES = 0.1  # the field's line between stable and shifting


def population_of(embedding: Floats, cluster: Ints, seed: int) -> Population:
    """Describe calibration prompts: embeddings (n, d) and clusters (n,)."""
    rng = np.random.default_rng(seed)
    pairs = rng.integers(0, len(embedding), (2, 2000))
    gaps = ((embedding[pairs[0]] - embedding[pairs[1]]).astype(np.float64) ** 2).sum(axis=1)
    width = float(np.median(gaps[gaps > 0])) if (gaps > 0).any() else 1.0
    width = float(f"{width:.6g}")
    mean = _mapped(embedding, width, seed).mean(axis=0)
    return Population(
        prompts=len(embedding),
        clusters=tuple(int(count) for count in np.bincount(cluster)),
        embedding_mean=tuple(round(float(value), DIGITS) for value in mean),
        width=width,
        seed=seed,
    )


def _mapped(embedding: Floats, width: float, seed: int) -> Doubles:
    """Random Fourier features of a Gaussian kernel: (n, FEATURES)."""
    rng = np.random.default_rng([seed, 1])
    frequency = rng.normal(0, np.sqrt(1.0 / width), (embedding.shape[1], FEATURES))
    shift = rng.uniform(0, 2 * np.pi, FEATURES)
    return np.asarray(
        np.cos(embedding.astype(np.float64) @ frequency + shift) * np.sqrt(2 / FEATURES)
    )


def clusters_moved(population: Population, cluster: Ints) -> tuple[float, float]:
    """Stability index of cluster shares against the certificate's, and a p-value."""
    k = max(len(population.clusters), int(cluster.max()) + 1)
    then = np.zeros(k, dtype=np.int64)
    then[: len(population.clusters)] = population.clusters
    return psi(then, np.bincount(cluster, minlength=k))


def embeddings_moved(population: Population, embedding: Floats) -> tuple[float, float]:
    """How far embeddings moved from the certificate's, as a stability index, and a p-value."""
    rows = embedding[:: -(-len(embedding) // MOST_ROWS)]
    mapped = _mapped(rows, population.width, population.seed)
    mean = mapped.mean(axis=0)
    found = float(((mean - np.array(population.embedding_mean)) ** 2).sum())
    m, n = len(rows), population.prompts
    draws = np.random.default_rng(population.seed).normal(size=(DRAWS, m))
    null = draws @ (mapped - mean) * np.sqrt((1.0 / n + 1.0 / m) / m)
    larger = int(((null**2).sum(axis=1) >= found).sum())
    index = direction_index(np.array(population.embedding_mean), mapped)
    return index, (1 + larger) / (1 + DRAWS)


def certificate_findings(traffic: Traffic | None, manifest: Manifest) -> list[Finding]:
    """Today's prompts against the certificate's; nothing without one or on few decisions."""
    certificate = manifest.certificate
    if certificate is None or traffic is None or len(traffic) < MIN_DECISIONS:
        return []
    index, p = clusters_moved(certificate.population, traffic.cluster)
    moved, p_moved = embeddings_moved(certificate.population, traffic.inputs.embedding)
    return [
        Finding(kind="certificate_clusters", subject="traffic",
                level=_level(index, p), value=index, p_value=p,
                detail="stability index of cluster shares against the certificate's prompts"),
        Finding(kind="certificate_embeddings", subject="traffic",
                level=_level(moved, p_moved), value=moved, p_value=p_moved,
                detail="stability index of embeddings against the certificate's prompts"),
    ]  # fmt: skip


def _level(index: float, p_value: float) -> str:
    """An alarm ends the certificate: the difference is no chance, and of a size that matters."""
    return ALARM if p_value < LEVEL and index > PSI_EXPIRES else OK
