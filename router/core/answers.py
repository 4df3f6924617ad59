"""Fill in a `Decision`: the chosen arm and those after it, with what a bundle says of them.

Arrays are (1, a); arm order is the manifest's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..request.needs import ABILITIES
from ..request.view import PromptView
from ..types import Arm, Bools, Decision, Predicted, Reason, Scores
from .manifest import ArmInfo, Manifest
from .policy import Requires
from .rules import Rule
from .scoring import unknown

FALLBACKS = 3  # further arms named, in order
INTERVAL_Z = 1.645  # standard errors of a two-sided 90 % interval


class Answers:
    """Makes decisions of one bundle's choices."""

    def __init__(
        self, manifest: Manifest, arms: tuple[Arm, ...], tiers: dict[str, dict[str, Any]]
    ) -> None:
        """Take what every decision names.

        Args:
            manifest: of the bundle.
            arms: (a,) in the manifest's order.
            tiers: what to do at the tier of an arm, by arm id.
        """
        self._manifest, self._arms, self._tiers = manifest, arms, tiers
        self._edges = np.array(manifest.decision.difficulty_edges)
        self._kinds = {c: region.kind for region in manifest.regions for c in region.clusters}

    def decision(
        self,
        scores: Scores,
        order: list[int],
        reasons: list[Reason],
        chances: dict[str, float],
        rule: Rule,
        *,
        promises: bool,
        easy: bool = False,
    ) -> Decision:
        """The decision for one prompt.

        Args:
            scores: of the prompt, with the prompt cache charged.
            order: arm indices, the chosen one first.
            reasons: why.
            chances: arm id -> the probability with which it was drawn.
            rule: what decided.
            promises: whether what the rule is expected to reach still holds.
            easy: whether the request asks for nothing, so that there is no difficulty in it.
        """
        arm = self._arms[order[0]]
        score, place = self._difficulty(scores, easy=easy)
        known = promises and not unknown(scores)[0]
        expected = rule.expected(scores) if known else None
        expected_quality, expected_usd = (None, None) if expected is None else expected
        return Decision(
            arm=arm,
            fallbacks=tuple(self._arms[i] for i in order[1:]),
            predicted=self._predicted(scores, order[0]),
            difficulty_score=score,
            difficulty_bin=place,
            cluster=int(scores.cluster[0]),
            kind=self.kind(scores),
            reasons=(*reasons, *evidence_reason(self._manifest.arms[order[0]])),
            threshold=rule.threshold,
            expected_quality=expected_quality,
            expected_cost_usd=expected_usd,
            bundle_id=self._manifest.bundle_id,
            propensity=chances[arm.id],
            propensities=chances,
            tiers=self._tiers,
        )

    def default(self, scores: Scores, eligible: Bools, reasons: list[Reason]) -> Decision:
        """Serve the declared default arm, with its training means, when a prediction is NaN."""
        infos, default = self._manifest.arms, self._manifest.decision.default_arm
        others = [i for i in range(len(infos)) if i != default]
        others.sort(key=lambda i: (-infos[i].mean_quality, infos[i].mean_cost_usd))
        indices = [default, *others]
        order = [i for i in indices if eligible[0, i]][: 1 + FALLBACKS]
        info = self._manifest.arms[order[0]]
        reason = Reason("invalid_prediction", "a prediction was not finite; the default arm serves")
        return Decision(
            arm=info.arm,
            fallbacks=tuple(self._arms[i] for i in order[1:]),
            predicted=Predicted(
                quality=info.mean_quality,
                interval=(0.0, 1.0),
                cost_usd=info.mean_cost_usd,
                input_tokens=round(float(scores.input_tokens[0, order[0]])),
                output_tokens=None,
            ),
            difficulty_score=None,
            difficulty_bin=None,
            cluster=int(scores.cluster[0]),
            kind=self.kind(scores),
            reasons=(*reasons, reason),
            threshold=None,
            expected_quality=None,
            expected_cost_usd=None,
            bundle_id=self._manifest.bundle_id,
            propensities={info.arm.id: 1.0},
            tiers=self._tiers,
        )

    def kind(self, scores: Scores) -> str | None:
        """The kind of work that the first prompt is, or is nearest to; null where nobody knows."""
        return self._kinds.get(int(scores.cluster[0]))

    def _difficulty(self, scores: Scores, *, easy: bool) -> tuple[float | None, int | None]:
        """Score, 0 to 1, and bin, 1 to 5; both null where nothing is known of the prompt."""
        if easy:
            return 0.0, 1
        if unknown(scores)[0]:
            return None, None
        score = float(1.0 - scores.quality[0].mean())
        return round(score, 6), int(np.searchsorted(self._edges, score)) + 1

    def _predicted(self, scores: Scores, index: int) -> Predicted:
        quality = float(scores.quality[0, index])
        half = INTERVAL_Z * float(scores.quality_se[0, index])
        tokens = float(scores.output_tokens[0, index])
        counted = self._manifest.arms[index].metered_in == "tokens"
        return Predicted(
            quality=round(quality, 6),
            interval=(round(max(quality - half, 0.0), 6), round(min(quality + half, 1.0), 6)),
            cost_usd=float(f"{scores.cost_usd[0, index]:.6g}"),
            input_tokens=round(float(scores.input_tokens[0, index])),
            output_tokens=round(tokens, 1) if counted and np.isfinite(tokens) else None,
        )

    def distance_reason(self, scores: Scores) -> list[Reason]:
        """A reason for prompts beyond the training range; none for the others."""
        weight = float(scores.in_distribution[0])
        if weight >= 1.0:
            return []
        beyond = (
            f"distance {scores.distance[0]:.3f} lies beyond the training 99th percentile "
            f"{self._manifest.decision.distance_p99:.3f}; "
        )
        if unknown(scores)[0]:
            kind = self.kind(scores) if self._manifest.mapped else None
            means = "their means" if kind is None else f"their means at {kind}, the nearest kind"
            rest = f"arms are compared by {means}, and the prompt's difficulty is not known"
        else:
            rest = f"predictions keep {weight:.0%} of their weight, the arms' means have the rest"
        return [Reason("out_of_distribution", beyond + rest)]


def request_view(view: PromptView, requires: Requires) -> dict[str, Any]:
    """What was read of a request, as its answer says it."""
    facts = view.asked
    request, wanted = facts.request, facts.needs | requires.abilities
    return {
        "wire": request.wire,
        "kind": facts.kind,
        "requires": [name for name in ABILITIES if name in wanted],
        "max_output_tokens": request.max_output_tokens,
        "n": request.n,
    }


def ranked(rule: Rule, scores: Scores, eligible: Bools) -> list[int]:
    """The chosen arm, then the next best eligible ones by the same rule."""
    chosen = int(rule.choose(scores, eligible)[0])
    others = [i for i in rule.order(scores, eligible).tolist() if eligible[0, i] and i != chosen]
    return [chosen, *others[:FALLBACKS]]


def evidence_reason(info: ArmInfo) -> list[Reason]:
    """A reason for arms that have no labelled outcome; none for the others."""
    if info.like is not None:
        return [
            Reason("likened", f"{info.arm.id} has no outcome; it is taken to be like {info.like}")
        ]
    if info.rows > 0 or info.battles == 0:
        return []
    start = f"{info.arm.id} has no labelled outcome; its quality follows from {info.battles}"
    return [Reason("battles_only", f"{start} preferences, and its interval is wide for that")]
