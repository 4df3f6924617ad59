"""The router: prompt in, decision out.

Composes encoder, features, heads and policy; it has no state but the bundle, so a decision is
a pure function of (request, bundle, policy).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from .catalogue.catalogue import Catalogue
from .catalogue.hints import tier_document
from .constraints.admission import Admission
from .core import features
from .core.bundle import Bundle
from .core.certificate import read_expiry
from .core.evidence import evidence_reason
from .core.explore import OFF, Exploration, certainly, pick, propensities
from .core.manifest import Manifest
from .core.overlay import Overlay, overlaid, overlay_of
from .core.policy import (
    Policy,
    Ration,
    choose,
    choose_floor,
    expected_at,
    money_price_at,
    near_tie_band,
    within,
)
from .core.prompt import Prompt, PromptView, read_prompt
from .core.scoring import finite
from .core.session import blend
from .errors import BundleError, CatalogueError
from .types import Arm, Bools, Decision, Doubles, Ints, Predicted, Reading, Reason, Scores

FALLBACKS = 3  # further arms named, in order
INTERVAL_Z = 1.645  # standard errors of a two-sided 90 % interval


class Router:
    """Routes prompts by one bundle. Safe to share between threads."""

    def __init__(
        self, bundle: Bundle, *, overlay: Overlay | None = None, expired: str | None = None
    ) -> None:
        """Make a router of a loaded bundle.

        Args:
            bundle: a verified bundle.
            overlay: a newer catalogue that was put over it; where that changes a price, what
                the threshold map says of quality and cost is promised no more.
            expired: why its certificate has ended, if it has.

        Raises:
            BundleError: the manifest's catalogue is not one.
        """
        self.bundle = bundle
        self.overlay = overlay
        self._promises = overlay is None or not overlay.repriced
        self.expired = expired
        self.manifest: Manifest = bundle.manifest
        self._arms: tuple[Arm, ...] = tuple(info.arm for info in self.manifest.arms)
        try:
            self.catalogue = Catalogue.of(self.manifest.catalogue)
            self.tiers = {arm.id: tier_document(self.catalogue, arm) for arm in self._arms}
        except CatalogueError as err:
            raise BundleError(f"the manifest's catalogue cannot be used: {err}") from err
        self.admission = Admission(self.catalogue, self.manifest.arms, bundle.scorer)
        self._edges = np.array(self.manifest.decision.difficulty_edges)
        # callers use few thresholds, and reading the map anew costs more than choosing does
        table = self.manifest.threshold_map
        self._price_at = lru_cache(maxsize=256)(partial(money_price_at, table))
        self._expected_at = lru_cache(maxsize=256)(partial(expected_at, table))

    @classmethod
    def load(cls, path: str | Path) -> Router:
        """Load and verify the bundle at `path`.

        Raises:
            BundleError: the bundle is missing, damaged or foreign.
        """
        bundle = Bundle.load(path)
        return cls(bundle, expired=read_expiry(bundle.path, bundle.manifest.bundle_id))

    def recatalogued(self, catalogue: Catalogue) -> Router:
        """This router with a newer catalogue over its bundle; see `overlay`.

        Raises:
            BundleError: the API of an arm's model has no words for what its tier asks.
        """
        bundle = overlaid(self.bundle, catalogue)
        overlay = overlay_of(self.manifest, bundle.manifest)
        return Router(bundle, overlay=overlay, expired=self.expired)

    @property
    def ended(self) -> str | None:
        """Why the bundle's certificate is not stated; null where it is, or where there is none."""
        if self.expired is None and not self._promises:
            return "prices are not those that it was made at"
        return self.expired

    def with_expiry(self, expired: str | None) -> Router:
        """This router with a certificate that has ended for a reason, or stands again."""
        return Router(self.bundle, overlay=self.overlay, expired=expired)

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms in array order."""
        return self._arms

    def route(self, prompt: Prompt, policy: Policy | None = None) -> Decision:
        """Choose an arm for one prompt or one list of Chat-Completions messages.

        Raises:
            PolicyError: the prompt has no text.
            NoArmAllowed: the filters leave no arm.
        """
        return self.route_many([prompt], policy)[0]

    def route_many(self, prompts: Sequence[Prompt], policy: Policy | None = None) -> list[Decision]:
        """Choose an arm for each prompt; each decision equals that of `route`, bit for bit."""
        policy = policy or Policy()
        views = [read_prompt(prompt) for prompt in prompts]
        return [self.decide(view, self.score(view), policy) for view in views]

    def score(self, view: PromptView) -> Scores:
        """Predict quality and cost of every arm for one prompt; a batch of one.

        Earlier user turns are scored, too, at most `prompt.EARLIER_TURNS`: what they were worth
        is what a follow-up inherits.
        """
        own = self.score_reading(self.read(view))
        return self.inherit(view, own, [self.score(turn) for turn in view.earlier])

    def inherit(self, view: PromptView, own: Scores, earlier: Sequence[Scores]) -> Scores:
        """Blend the scores of earlier turns into those of the last one, where there are any."""
        if not earlier or not all(finite(scores)[0] for scores in earlier):
            return own
        return blend(view, own, earlier)

    def read(self, view: PromptView) -> Reading:
        """Embed one prompt and compute its text features; a batch of one.

        One at a time: matrix kernels round differently by batch size, and a rounding must not
        move a decision.
        """
        return Reading(
            self.bundle.encoder.encode([view.text]),
            features.extract([view.text], [view.turns]),
            np.array([view.n_chars], dtype=np.int64),
        )

    def score_reading(self, reading: Reading) -> Scores:
        """Predict quality and cost of every arm for prompts that are read already."""
        return self.bundle.scorer.score(reading.embedding, reading.features, reading.n_chars)

    def decide(
        self,
        view: PromptView,
        scores: Scores,
        policy: Policy,
        exploration: Exploration = OFF,
        number: float | None = None,
        *,
        ration: Ration | None = None,
    ) -> Decision:
        """Apply a policy to the scores of one prompt; a ration takes its threshold's place.

        Args:
            view: the prompt.
            scores: of the prompt.
            policy: the caller's knobs.
            exploration: how much to try other arms.
            number: in [0, 1), decides the draw; see `explore.draw`. None explores nothing.
            ration: what a shared budget grants this prompt; it explores nothing.
        Raises:
            NoArmAllowed: the filters leave no arm.
        """
        scores = self.admission.charged(view, scores, policy)
        eligible, reasons = self.admission.eligible(view, scores, policy)
        if not finite(scores)[0]:
            return self._invalid(scores, eligible, reasons)
        eligible = self.admission.affordable(scores, eligible, policy)
        if ration is not None:
            order = self._rationed(scores, eligible, ration)
            reasons += [ration.reason, *self._distance_reason(scores)]
            chances = certainly(self._arms, eligible[0], order[0])
            return self._decision(scores, order, reasons, None, chances)
        order = self._ranking(scores, eligible, policy)
        ruling = order[0]
        if number is None or exploration.rate == 0.0:
            chances = certainly(self._arms, eligible[0], order[0])
        else:
            chance = propensities(
                scores.quality[0],
                scores.quality_se[0],
                scores.cost_usd[0],
                eligible=eligible[0],
                ruling=order[0],
                exploration=exploration,
            )
            chances = {self._arms[i].id: float(chance[i]) for i in np.flatnonzero(eligible[0])}
            order = _tried(order, pick(chance, number))
        reasons.append(self._knob_reason(scores, float(scores.quality[0, order[0]]), policy))
        reasons += self._distance_reason(scores)
        tested = view.turns == 1 and policy.current_arm is None and bool(eligible.all())
        if tested and (number is None or exploration.rate == 0.0):
            reasons += self._certified(policy)
        if order[0] != ruling:
            name = self._arms[ruling].id
            reasons.append(Reason("exploration", f"drawn in place of {name} to learn from it"))
        return self._decision(scores, order, reasons, self._ruling(policy), chances)

    def _ranking(self, scores: Scores, eligible: Bools, policy: Policy) -> list[int]:
        """The chosen arm, then the next best ones by the same knob."""
        chosen = int(self.choose(scores, eligible, policy)[0])
        quality, cost = scores.quality[0], scores.cost_usd[0]
        floor = self.floor(scores, policy)
        if floor is None:
            order = np.argsort(self.money_price(policy) * cost - quality, kind="stable")
        else:  # those that reach the floor, by cost, before the others, by quality
            good = quality >= floor[0]
            order = np.lexsort((np.where(good, cost, -quality), ~good))
        return _with_fallbacks(chosen, order, eligible)

    def _rationed(self, scores: Scores, eligible: Bools, ration: Ration) -> list[int]:
        """The arm that a budget buys, then the next best ones at its price of money."""
        chosen, price = ration.arm, ration.money_price
        if chosen is None:
            paid = within(scores.cost_usd, eligible, ration.cap_usd)
            chosen = int(self._choose_at(scores, paid, price)[0])
        order = np.argsort(price * scores.cost_usd[0] - scores.quality[0], kind="stable")
        return _with_fallbacks(chosen, order, eligible)

    def choose(self, scores: Scores, eligible: Bools, policy: Policy) -> Ints:
        """Apply a policy's knob to n prompts: (n,) arm indices, -1 where none is eligible."""
        quality, cost = scores.quality, scores.cost_usd
        floor = self.floor(scores, policy)
        if floor is not None:
            return choose_floor(quality, cost, eligible=eligible, floor=floor)
        return self._choose_at(scores, eligible, self.money_price(policy))

    def _choose_at(self, scores: Scores, eligible: Bools, money_price: float) -> Ints:
        band = near_tie_band(scores.quality_se, eligible, self.manifest.decision.tie_band)
        return choose(
            scores.quality, scores.cost_usd, eligible=eligible, money_price=money_price, band=band
        )

    def floor(self, scores: Scores, policy: Policy) -> Doubles | None:
        """The quality that an arm must reach on each prompt (n,), where a knob asks for one."""
        if policy.min_quality is not None:
            return np.full(len(scores.quality), policy.min_quality)
        if policy.max_quality_drop is not None:
            best: Doubles = scores.quality[:, self.manifest.decision.best_single]
            return best - policy.max_quality_drop
        return None

    def money_price(self, policy: Policy) -> float:
        """λ of the policy, quality per US dollar; a cost cap alone asks for the best there is."""
        return 0.0 if policy.max_cost_usd is not None else self._price_at(self.threshold(policy))

    def threshold(self, policy: Policy) -> float:
        """The policy's threshold, or the bundle's default."""
        if policy.threshold is not None:
            return policy.threshold
        return self.manifest.decision.default_threshold

    def expected(self, threshold: float) -> tuple[float, float]:
        """(mean quality, mean US dollars per request) that a threshold promises."""
        return self._expected_at(threshold)

    def _distance_reason(self, scores: Scores) -> list[Reason]:
        if scores.in_distribution[0] >= 1.0:
            return []
        weight = float(scores.in_distribution[0])
        return [
            Reason(
                "out_of_distribution",
                f"distance {scores.distance[0]:.3f} lies beyond the training 99th percentile "
                f"{self.manifest.decision.distance_p99:.3f}; predictions keep {weight:.0%} of "
                "their weight, global means have the rest",
            )
        ]

    def _knob_reason(self, scores: Scores, quality: float, policy: Policy) -> Reason:
        floor = policy.min_quality
        if policy.max_quality_drop is not None:
            best = self.manifest.decision.best_single
            floor = float(scores.quality[0, best]) - policy.max_quality_drop
        if floor is not None:
            if quality >= floor:
                return Reason("quality_floor", f"cheapest arm predicted to reach {floor:.3f}")
            return Reason(
                "quality_floor_unreachable",
                f"no arm is predicted to reach {floor:.3f}; the best there is has {quality:.3f}",
            )
        if policy.max_cost_usd is not None:
            return Reason("cost_cap", f"best arm within ${policy.max_cost_usd:g} per request")
        threshold = self.threshold(policy)
        return Reason("threshold", f"best quality for its price at threshold {threshold:g}")

    def _certified(self, policy: Policy) -> list[Reason]:
        """The certificate's statement, where it covers this decision.

        It was made on single prompts, by threshold, among every arm, without exploration, and
        where no arm was cheaper for having answered before.
        """
        certificate, threshold = self.manifest.certificate, self._ruling(policy)
        if certificate is None or self.ended is not None or threshold is None:
            return []
        return [certificate.statement(threshold)] if certificate.covers(threshold) else []

    def _ruling(self, policy: Policy) -> float | None:
        """The threshold, where it is what decides."""
        knobs = (policy.min_quality, policy.max_quality_drop, policy.max_cost_usd)
        return self.threshold(policy) if all(knob is None for knob in knobs) else None

    def _decision(
        self,
        scores: Scores,
        order: list[int],
        reasons: list[Reason],
        threshold: float | None,
        chances: dict[str, float],
    ) -> Decision:
        promised = threshold if self._promises else None
        expected = self.expected(promised) if promised is not None else (None, None)
        index = order[0]
        score = float(1.0 - scores.quality[0].mean())
        return Decision(
            arm=self._arms[index],
            fallbacks=tuple(self._arms[i] for i in order[1:]),
            predicted=self._predicted(scores, index),
            difficulty_score=round(score, 6),
            difficulty_bin=int(np.searchsorted(self._edges, score)) + 1,
            cluster=int(scores.cluster[0]),
            reasons=(*reasons, *evidence_reason(self.manifest.arms[index])),
            threshold=threshold,
            expected_quality=expected[0],
            expected_cost_usd=expected[1],
            bundle_id=self.manifest.bundle_id,
            propensity=chances[self._arms[index].id],
            propensities=chances,
            tiers=self.tiers,
        )

    def _predicted(self, scores: Scores, index: int) -> Predicted:
        quality = float(scores.quality[0, index])
        half = INTERVAL_Z * float(scores.quality_se[0, index])
        tokens = float(scores.output_tokens[0, index])
        counted = self.manifest.arms[index].metered_in == "tokens"
        return Predicted(
            quality=round(quality, 6),
            interval=(round(max(quality - half, 0.0), 6), round(min(quality + half, 1.0), 6)),
            cost_usd=float(f"{scores.cost_usd[0, index]:.6g}"),
            output_tokens=round(tokens, 1) if counted and np.isfinite(tokens) else None,
        )

    def _invalid(self, scores: Scores, eligible: Bools, reasons: list[Reason]) -> Decision:
        """Serve the declared default arm, with its training means, when a prediction is NaN."""
        default = self.manifest.decision.default_arm
        order = [default, *(i for i in range(len(self._arms)) if i != default)]
        order = [i for i in order if eligible[0, i]][: 1 + FALLBACKS]
        info = self.manifest.arms[order[0]]
        reason = Reason("invalid_prediction", "a prediction was not finite; the default arm serves")
        return Decision(
            arm=info.arm,
            fallbacks=tuple(self._arms[i] for i in order[1:]),
            predicted=Predicted(
                quality=info.mean_quality,
                interval=(0.0, 1.0),
                cost_usd=info.mean_cost_usd,
                output_tokens=None,
            ),
            difficulty_score=0.5,
            difficulty_bin=3,
            cluster=int(scores.cluster[0]),
            reasons=(*reasons, reason),
            threshold=None,
            expected_quality=None,
            expected_cost_usd=None,
            bundle_id=self.manifest.bundle_id,
            propensities={info.arm.id: 1.0},
            tiers=self.tiers,
        )


def _tried(order: list[int], arm: int) -> list[int]:
    """The drawn arm first, then the order as it was."""
    return [arm, *(i for i in order if i != arm)][: 1 + FALLBACKS]


def _with_fallbacks(chosen: int, order: Ints, eligible: Bools) -> list[int]:
    others = [i for i in order.tolist() if eligible[0, i] and i != chosen]
    return [chosen, *others[:FALLBACKS]]
