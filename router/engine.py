"""The router: prompt in, decision out.

Composes encoder, features, heads and policy; it has no state but the bundle, so a decision is
a pure function of (request, bundle, policy).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from datetime import date
from functools import lru_cache
from pathlib import Path

import numpy as np

from .catalogue.catalogue import Catalogue
from .catalogue.hints import tier_document
from .constraints.admission import Admission
from .constraints.filters import Reach
from .core import features
from .core.answers import FALLBACKS, Answers, ranked, request_view
from .core.bundle import Bundle
from .core.certificate import read_expiry
from .core.explore import OFF, Exploration, certainly, pick, propensities
from .core.manifest import Manifest, retired_by
from .core.map_rows import narrowed
from .core.overlay import Overlay, overlaid, overlay_of
from .core.policy import Policy
from .core.rules import BudgetGrant, BudgetRule, CheapestRule, Rule
from .core.scoring import finite
from .core.session import KIND_REASONS, blend, harder, harder_by_stall
from .errors import BundleError, CatalogueError
from .request.kinds import CHEAP, SMALL_TALK
from .request.view import PromptView, read_prompt
from .types import Arm, Bools, Decision, Reading, Reason, Scores

RULES = 256  # policies whose rule is remembered


class Router:
    """Routes prompts by one bundle. Safe to share between threads."""

    def __init__(
        self,
        bundle: Bundle,
        *,
        overlay: Overlay | None = None,
        expired: str | None = None,
        today: date | None = None,
    ) -> None:
        """Make a router of a loaded bundle.

        Args:
            bundle: a verified bundle.
            overlay: a newer catalogue that was put over it; where that changes a price, or an
                arm retired since, what the threshold map says of quality and cost is promised
                no more.
            expired: why its certificate has ended, if it has.
            today: models that have retired by then are left out unless a request names them;
                null leaves none out.

        Raises:
            BundleError: the manifest's catalogue is not one.
        """
        self.bundle = bundle
        self.overlay = overlay
        self.expired, self.today = expired, today
        self.manifest: Manifest = bundle.manifest
        self._arms: tuple[Arm, ...] = tuple(info.arm for info in self.manifest.arms)
        self.arm_ids = tuple(arm.id for arm in self._arms)
        try:
            self.catalogue = Catalogue.of(self.manifest.catalogue)
            self.tiers = {arm.id: tier_document(self.catalogue, arm) for arm in self._arms}
        except CatalogueError as err:
            raise BundleError(f"the manifest's catalogue cannot be used: {err}") from err
        self.admission = Admission(self.catalogue, self.manifest.arms, today)
        retired = self.admission.pool.retired
        known = retired_by(self.manifest.decision.today, [i.retired for i in self.manifest.arms])
        # the map speaks of the arms that were there when it was made, at their prices
        same_arms = retired.all() or np.array_equal(retired, known)
        self._promises = same_arms and (overlay is None or not overlay.repriced)
        self._answers = Answers(self.manifest, self._arms, self.tiers)
        # callers use few policies, and reading the map anew costs more than choosing does
        self._rule = lru_cache(maxsize=RULES)(self.resolved)
        self._among = lru_cache(maxsize=RULES)(self._narrowed)

    @classmethod
    def load(cls, path: str | Path, *, today: date | None = None) -> Router:
        """Load and verify the bundle at `path`.

        Args:
            path: of the bundle.
            today: as of which models have retired; left out, the day on which it is loaded.

        Raises:
            BundleError: the bundle is missing, damaged or foreign.
        """
        bundle = Bundle.load(path)
        expired = read_expiry(bundle.path, bundle.manifest.bundle_id)
        return cls(bundle, expired=expired, today=today or date.today())

    def recatalogued(self, *catalogues: Catalogue) -> Router:
        """This router with newer catalogues over its bundle, the last one on top; see `overlay`.

        Raises:
            BundleError: the API of an arm's model has no words for what its tier asks.
        """
        bundle = self.bundle
        for catalogue in catalogues:
            bundle = overlaid(bundle, catalogue)
        overlay = overlay_of(self.manifest, bundle.manifest)
        return Router(bundle, overlay=overlay, expired=self.expired, today=self.today)

    @property
    def ended(self) -> str | None:
        """Why the bundle's certificate is not stated; null where it is, or where there is none."""
        if self.expired is None and not self._promises:
            return "prices or arms are not those that it was made at"
        return self.expired

    def with_expiry(self, expired: str | None) -> Router:
        """This router with a certificate that has ended for a reason, or stands again."""
        return Router(self.bundle, overlay=self.overlay, expired=expired, today=self.today)

    def reaching(self, reach: Reach) -> Router:
        """This router where only some arms can be called; made in microseconds."""
        view = copy(self)
        view.admission = self.admission.reaching(reach)
        view._rule = lru_cache(maxsize=RULES)(view.resolved)
        return view

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms in array order."""
        return self._arms

    @property
    def present(self) -> Bools:
        """(a,) arms that a request gets without naming them: not retired, or all where all are."""
        retired = self.admission.pool.retired
        return np.ones_like(retired) if retired.all() else ~retired

    def route(self, prompt: object, policy: Policy | None = None) -> Decision:
        """Choose an arm for one prompt: plain text, messages, or a whole body of any wire.

        A body may hold the knobs of POST /route; where a policy is given, that counts alone.

        >>> router = Router.load(bundle)
        >>> decision = router.route("What is 17*23?", Policy(threshold=0.3))
        >>> decision.arm in router.arms, decision.threshold
        (True, 0.3)
        >>> talk = [{"role": "user", "content": "Name a prime."}]
        >>> router.route(talk, Policy(min_quality=0.6)).reasons[0].code.startswith("quality_floor")
        True

        Raises:
            PolicyError: the request cannot be read, or one of its knobs is wrong.
            NoArmAllowed: the filters leave no arm.
        """
        return self.route_many([prompt], policy)[0]

    def route_many(self, prompts: Sequence[object], policy: Policy | None = None) -> list[Decision]:
        """Choose an arm for each prompt; each decision equals that of `route`, bit for bit."""
        asked = [(read_prompt(prompt), policy or Policy.of(prompt)) for prompt in prompts]
        return [self.decide(view, self.score(view), own) for view, own in asked]

    def score(
        self, view: PromptView, score_turn: Callable[[PromptView], Scores] | None = None
    ) -> Scores:
        """Predict quality and cost of every arm for one prompt; a batch of one.

        Earlier asks are scored, too, at most `view.EARLIER_TURNS`: what they were worth is what a
        follow-up inherits; and so is a plan that the user approved.

        Args:
            view: the prompt.
            score_turn: gives the scores of one turn, which a service may have in its cache;
                left out, the turn is read and scored now.
        """
        of_turn = score_turn or (lambda turn: self.score_reading(self.read(turn)))
        own = of_turn(view)
        if not view.text:  # nothing to read, so nothing is known
            own = self.bundle.scorer.faded(own, np.zeros(1))
        earlier = [of_turn(turn) for turn in view.earlier]
        if earlier and all(finite(scores)[0] for scores in earlier):
            own = blend(view, own, earlier)
        if view.plan is not None:
            plan = of_turn(view.plan)
            own = harder(own, plan) if finite(plan)[0] else own
        return self.priced(view, own)

    def priced(self, view: PromptView, scores: Scores) -> Scores:
        """The scores of a prompt at what the whole request costs: see `Scorer.priced`."""
        if view.facts is None:  # an earlier turn, which nobody is asked to answer again
            return scores
        request = view.facts.request
        return self.bundle.scorer.priced(
            scores,
            self.admission.input_tokens(view),
            max_output_tokens=request.max_output_tokens,
            n=request.n,
        )

    def read(self, view: PromptView) -> Reading:
        """Embed one prompt and compute its text features; a batch of one.

        One at a time: matrix kernels round differently by batch size, and a rounding must not
        move a decision.
        """
        return Reading(
            self.bundle.encoder.encode([view.text]),
            features.extract([view.text], [view.turns]),
            np.array([len(view.text)], dtype=np.int64),
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
        grant: BudgetGrant | None = None,
    ) -> Decision:
        """Apply a policy to the scores of one prompt; a grant takes its knob's place.

        Args:
            view: the prompt.
            scores: of the prompt.
            policy: the caller's knobs.
            exploration: how much to try other arms.
            number: in [0, 1), decides the draw; see `explore.draw`. None explores nothing.
            grant: what a shared budget leaves this prompt; it explores nothing.
        Raises:
            NoArmAllowed: the filters leave no arm.
        """
        decision = self._decided(view, scores, policy, exploration, number, grant)
        request = request_view(view, policy.requires)
        return replace(decision, request=request, warnings=view.asked.request.warnings)

    def _decided(
        self,
        view: PromptView,
        scores: Scores,
        policy: Policy,
        exploration: Exploration,
        number: float | None,
        grant: BudgetGrant | None,
    ) -> Decision:
        raw, scores = scores, self.admission.charged(view, scores, policy)
        eligible, reasons = self.admission.eligible(view, scores, policy)
        if not finite(scores)[0]:
            return self._answers.default(scores, eligible, reasons)
        eligible = self.admission.affordable(scores, eligible, policy)
        rule = self.rule(policy, grant, view)
        compared, eligible = self.compared(view, raw, eligible, rule, policy)
        scores = harder_by_stall(view, scores)
        ranking = order = ranked(rule, compared, eligible)
        chances = certainly(self.arm_ids, eligible[0], ranking[0])
        draws = number is not None and exploration.rate > 0.0 and grant is None
        if draws and number is not None:
            order, chances = self._drawn(scores, eligible, ranking, exploration, number)
        reasons.append(rule.reason(compared, order[0]))
        easy = view.asked.kind in SMALL_TALK
        if not easy:
            reasons += self._answers.distance_reason(scores)
        # a certificate was made on single prompts, among every arm, without exploration, and
        # where no arm was cheaper for having answered before
        plain = view.asked.kind == "new_task" and policy.current_arm is None
        if plain and eligible.all() and not draws:
            reasons += self._certified(rule)
        if order[0] != ranking[0]:
            name = self.arm_ids[ranking[0]]
            reasons.append(Reason("exploration", f"drawn in place of {name} to learn from it"))
        reasons += self.admission.switch_reasons(view, scores, eligible, order[0], policy)
        answers, sure = self._answers, self._promises
        return answers.decision(scores, order, reasons, chances, rule, promises=sure, easy=easy)

    def compared(
        self, view: PromptView, scores: Scores, eligible: Bools, rule: Rule, policy: Policy
    ) -> tuple[Scores, Bools]:
        """The scores as the rule should compare them, and (1, a) who may answer.

        See `Session.compared`. A task that is stalled is harder than it looked, and never gets a
        cheaper arm than it would get otherwise.

        Args:
            view: the prompt.
            scores: of it, as `score` gives them.
            eligible: (1, a) who passes the filters.
            rule: that decides.
            policy: the caller's knobs.
        """
        if view.asked.kind in CHEAP:
            return self.admission.charged(view, scores, policy), eligible
        found = self.admission.compared(view, scores, policy, rule)
        if not view.asked.stalled:
            return found, eligible
        least = found.cost_usd[0, rule.choose(found, eligible)[0]]
        return harder_by_stall(view, found), eligible & (found.cost_usd >= least)

    def rule(
        self, policy: Policy, grant: BudgetGrant | None = None, view: PromptView | None = None
    ) -> Rule:
        """What decides: the policy's knob, or what a budget grants in its place.

        Args:
            policy: whose knob.
            grant: of a budget.
            view: the prompt; some kinds of request get the cheapest arm by any knob.
        """
        if view is not None and view.asked.kind in CHEAP and (grant is None or grant.arm is None):
            return CheapestRule(why=KIND_REASONS[view.asked.kind])
        if grant is None:
            return self._rule(policy)
        tie_band = self.manifest.decision.tie_band
        return BudgetRule(cost_weight=grant.cost_weight, tie_band=tie_band, grant=grant)

    def resolved(self, policy: Policy) -> Rule:
        """The rule of a policy's knob, among the arms that it allows; not remembered."""
        allowed = self.admission.pool.allowed(policy)
        return policy.resolve(self.manifest if allowed is None else self._among(allowed.tobytes()))

    def _narrowed(self, allowed: bytes) -> Manifest:
        """The manifest with the constants of a choice among some arms, a byte for each."""
        bundle, mask = self.bundle, np.frombuffer(allowed, dtype=np.bool_)
        found = narrowed(bundle.made, bundle.map_rows, mask)
        return replace(
            self.manifest,
            decision=found.decision,
            threshold_map=found.threshold_map,
            regions=found.regions,
        )

    def _drawn(
        self,
        scores: Scores,
        eligible: Bools,
        order: list[int],
        exploration: Exploration,
        number: float,
    ) -> tuple[list[int], dict[str, float]]:
        """The drawn arm before the order as it was, and the chances of every arm by id."""
        chance = propensities(
            scores.quality[0],
            scores.quality_se[0],
            scores.cost_usd[0],
            eligible=eligible[0],
            ruling=order[0],
            exploration=exploration,
        )
        arm = pick(chance, number)
        tried = [arm, *(i for i in order if i != arm)][: 1 + FALLBACKS]
        return tried, {self.arm_ids[i]: float(chance[i]) for i in np.flatnonzero(eligible[0])}

    def _certified(self, rule: Rule) -> list[Reason]:
        """The certificate's statement, where it covers this rule: a threshold that was tested."""
        certificate, threshold = self.manifest.certificate, rule.threshold
        if certificate is None or self.ended is not None or threshold is None:
            return []
        return [certificate.statement(threshold)] if certificate.covers(threshold) else []
