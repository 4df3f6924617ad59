"""Run the heads: embedding and features in, quality, tokens and dollars out.

Stands alone because offline evaluation scores cached embeddings through the same code as the
live service. Arrays are (n prompts, a arms); arm order is the manifest's.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import BundleError
from ..types import Bools, Doubles, Floats, Ints, Scores
from .encoder import open_session
from .manifest import ArmInfo, Manifest
from .map_rows import MapRows

KNOWN = 0.5  # weight of a prediction below which it is dropped and the arms' means stand alone
OUTPUTS = ("quality", "quality_se", "output_tokens", "cluster", "distance")


class Scorer:
    """`router.onnx` with the arithmetic of prices and of fading outside the training range."""

    def __init__(self, path: Path, manifest: Manifest, rows: MapRows | None = None) -> None:
        """Open the graph and check that it fits the manifest.

        Args:
            path: of the graph.
            manifest: of the bundle.
            rows: the bundle's, which say what arms are like at a kind of work.

        Raises:
            BundleError: it cannot be opened, or its outputs are not those of this protocol.
        """
        self._session = open_session(path)
        found = {item.name: item.shape for item in self._session.get_outputs()}
        missing = [name for name in OUTPUTS if name not in found]
        if missing:
            raise BundleError(f"{path.name} lacks the outputs {', '.join(missing)}")
        if found["quality"][-1] != len(manifest.arms):
            raise BundleError(
                f"{path.name} scores {found['quality'][-1]} arms, manifest.json names "
                f"{len(manifest.arms)}"
            )
        arms, decision = manifest.arms, manifest.decision
        self._far = decision.distance_far
        self._fade = max(decision.distance_far - decision.distance_p99, 1e-9)
        self._mean = np.array([arm.mean_quality for arm in arms])
        self._spread = np.array([arm.quality_spread for arm in arms])
        self._input_usd = np.array([arm.usd_per_1m_input for arm in arms]) / 1e6
        self._output_usd = np.array([arm.usd_per_1m_output for arm in arms]) / 1e6
        self._input_base = np.array([arm.input_tokens_base for arm in arms])
        self._input_per_char = np.array([arm.input_tokens_per_char for arm in arms])
        self._tokens = np.array([mean_output_tokens(arm) for arm in arms])
        self._counted = np.array([arm.metered_in == "tokens" for arm in arms])
        if rows is not None and manifest.mapped:  # what is far has the means of the nearest kind
            mean, spread, tokens = rows.by_kind(manifest.regions)
            of = manifest.region_of
            self._mean, self._spread = mean[of], np.hypot(self._spread, spread)[of]  # (k, a)
            self._tokens = tokens[of]

    @property
    def outside(self) -> tuple[Doubles, Doubles, Doubles]:
        """Quality, its error and tokens where nothing is known of a prompt.

        (a,) each, or (k, a) by cluster where a bundle has maps of kinds of work.
        """
        return self._mean, self._spread, self._tokens

    def score(self, embedding: Floats, features: Floats, n_chars: Ints) -> Scores:
        """Predict for n prompts, at what a training table's calls would have cost.

        Args:
            embedding: (n, d) unit rows.
            features: (n, f), `features.extract`.
            n_chars: (n,), characters of the prompts.
        """
        raw = self._session.run(OUTPUTS, {"embedding": embedding, "features": features})
        quality, quality_se, tokens = (part.astype(np.float64) for part in raw[:3])
        distance = raw[4].astype(np.float64)
        inputs = self.table_tokens(n_chars)
        inside = np.minimum((self._far - distance) / self._fade, 1.0)
        scores = Scores(
            quality=quality,
            quality_se=quality_se,
            output_tokens=tokens,
            cost_usd=inputs * self._input_usd + tokens * self._output_usd,
            input_tokens=inputs,
            cluster=raw[3],
            distance=distance,
            in_distribution=inside,
        )
        # nearly all prompts are inside; each call of numpy counts right after an embedding
        return scores if inside.min() == 1.0 else self.faded(scores, np.maximum(inside, 0.0))

    def faded(self, scores: Scores, inside: Doubles) -> Scores:
        """Scores that keep a part of their weight, the arms' means having the rest.

        Those are the means at the nearest kind of work, where a bundle has maps of kinds. Quality,
        its error, tokens and with them dollars fade together. A prediction that would keep less
        than `KNOWN` of its weight is dropped whole, so that all prompts that nothing is known of
        are alike.

        Args:
            scores: of n prompts, as the heads give them.
            inside: (n,) weight, 0 to 1.
        """
        inside = np.where(inside < KNOWN, 0.0, inside)
        weight = inside[:, None]
        mean, spread, usual = (
            part if part.ndim == 1 else part[scores.cluster]
            for part in (self._mean, self._spread, self._tokens)
        )
        tokens = weight * scores.output_tokens + (1 - weight) * usual
        return replace(
            scores,
            quality=weight * scores.quality + (1 - weight) * mean,
            quality_se=weight * scores.quality_se + (1 - weight) * spread,
            output_tokens=tokens,
            cost_usd=scores.cost_usd + (tokens - scores.output_tokens) * self._output_usd,
            in_distribution=inside,
        )

    def table_tokens(self, n_chars: Ints) -> Doubles:
        """Input tokens (n, a) that the calls of a training table had for prompts of this length.

        Those calls carried more than the prompt, such as examples before it; a request that is
        routed is counted as it is, see `priced`.
        """
        tokens: Doubles = self._input_base + n_chars[:, None] * self._input_per_char
        return tokens

    def priced(
        self, scores: Scores, input_tokens: Doubles, *, max_output_tokens: int | None, n: int
    ) -> Scores:
        """The scores at what one request costs.

        Args:
            scores: of one prompt.
            input_tokens: (1, a), of the whole request.
            max_output_tokens: beyond which an answer is cut; null without a limit.
            n: answers that are asked for; all of them are paid, the input once.
        """
        limit = np.inf if max_output_tokens is None else float(max_output_tokens)
        # an arm that is metered in dollars has no tokens that a limit could cut
        cut = np.minimum(scores.output_tokens, limit)
        output = np.where(self._counted, cut, scores.output_tokens)
        cost = input_tokens * self._input_usd + n * output * self._output_usd
        return replace(scores, cost_usd=cost, output_tokens=output, input_tokens=input_tokens)


def mean_output_tokens(arm: ArmInfo) -> float:
    """An arm's mean output in training; of a bundle that does not say, what its dollars leave.

    Those are its mean cost less the input of a prompt without characters, so that they are rather
    too many than too few.
    """
    if arm.mean_output_tokens is not None:
        return arm.mean_output_tokens
    left = arm.mean_cost_usd - arm.input_tokens_base * arm.usd_per_1m_input / 1e6
    return max(left, 0.0) / arm.usd_per_1m_output * 1e6 if arm.usd_per_1m_output > 0 else 0.0


def unknown(scores: Scores) -> Bools:
    """(n,), whether too little is known of a prompt for more than the arms' means."""
    return np.asarray(scores.in_distribution < KNOWN)


def finite(scores: Scores) -> Bools:
    """(n,), whether every number that a decision needs is finite."""
    parts = (scores.quality, scores.quality_se, scores.cost_usd)
    rows: Bools = np.logical_and.reduce([np.isfinite(part).all(axis=1) for part in parts])
    return rows
