"""From a decision log to rows: what was known, who was asked, and what came of it.

A row is one decision: an embedding, the arm that answered, the probabilities of all arms, and
what feedback said, if any came. Nothing here needs the text of a prompt.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from data.events import EventLog
from router.core import features
from router.core.manifest import Manifest
from router.events import GATEWAY, JUDGE, DecisionEvent, unpack
from router.request.kinds import HOUSEKEEPING, SMALL_TALK
from router.types import Arm, Bools, Doubles, Floats, Ints

from ..errors import TrainingError
from ..methods.base import Inputs
from .preferences import Preferred, read_preferences
from .reports import SILENCE, Reported, read_feedback

HELD_OUT = 0.2  # share of logged prompts that retraining leaves to the gate


def held_out(hashes: Sequence[str], share: float = HELD_OUT) -> Bools:
    """(n,) decisions that belong to the gate: by the prompt's hash, so that equal ones agree."""
    numbers = [zlib.crc32(name.encode()) / 2**32 for name in hashes]
    return np.asarray(np.array(numbers) < share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """n logged decisions over the a arms of a bundle.

    Attributes:
        decision_ids: (n,).
        hashes: (n,) keyed hashes of the prompts; equal prompts have equal ones.
        time: (n,) seconds since 1970.
        cluster: (n,) nearest centroid.
        distance: (n,) to it.
        arm: (n,) index of the arm that answered: the one that feedback names, else the chosen one.
        drawn: (n,) whether that is the arm that was chosen; another one's answer is an outcome
            like any other, and has no propensity.
        propensity: (n, a), 0 where an arm could not answer.
        expected: (n, a) quality that was predicted at the time; NaN where not eligible.
        expected_usd: (n, a) cost that was predicted at the time; NaN likewise.
        quality: (n,) mean of what the sources said; NaN where nobody did.
        output_tokens, input_tokens, cost_usd: (n,) as they turned out, NaN where unknown.
        keys: (n,) fingerprint of the API key that the feedback came by.
        rejected: reason -> decisions that could not be used.
        preferred: comparisons of decisions' answers with others.
        considered: (n,) probability that the service's judge was to compare the answer with any
            other; NaN where it was not thought of, or came to no verdict.
    """

    arms: tuple[Arm, ...]
    decision_ids: tuple[str, ...]
    hashes: tuple[str, ...]
    time: Doubles
    inputs: Inputs
    n_chars: Ints
    cluster: Ints
    distance: Doubles
    arm: Ints
    drawn: Bools
    propensity: Doubles
    expected: Doubles
    expected_usd: Doubles
    quality: Doubles
    input_tokens: Doubles
    output_tokens: Doubles
    cost_usd: Doubles
    keys: tuple[str, ...]
    rejected: Counter[str]
    considered: Doubles
    preferred: tuple[Preferred, ...] = ()

    def __len__(self) -> int:
        return len(self.decision_ids)


def read_traffic(log: EventLog, manifest: Manifest) -> Traffic:
    """The decisions of a log that a bundle's arms and encoder can learn from.

    Raises:
        TrainingError: there is none.
    """
    arms = tuple(info.arm for info in manifest.arms)
    place = {arm.id: i for i, arm in enumerate(arms)}
    rejected: Counter[str] = Counter(log.rejected)
    said = read_feedback(log, place, rejected)
    events, vectors = [], []
    for event in sorted(log.decisions.values(), key=lambda event: event.time):
        reason = _refusal(event, log, manifest, place)
        if reason is None:
            try:
                vectors.append(unpack(event.embedding))
            except ValueError:
                reason = "an embedding that cannot be read"
            else:
                events.append(event)
        if reason is not None:
            rejected[reason] += 1
    if not events:
        raise TrainingError(
            f"the log has no decision that {manifest.bundle_id} can learn from: {dict(rejected)}"
        )
    return _rows(events, vectors, log, arms, place, said, rejected)


def _refusal(
    event: DecisionEvent, log: EventLog, manifest: Manifest, place: dict[str, int]
) -> str | None:
    if event.kind in HOUSEKEEPING | SMALL_TALK:
        return f"decisions on no task of a user: {event.kind}"
    bundle = log.bundles.get(event.bundle_id)
    if bundle is None:
        return "decisions of a bundle that the log does not describe"
    if bundle.encoder != manifest.encoder_sha256:
        return "decisions on embeddings of another encoder"
    if bundle.features_version != features.VERSION:
        return f"decisions on text features of version {bundle.features_version}"
    if bundle.arms[event.chosen] not in place:
        return "decisions for an arm that the base does not have"
    return None


def _rows(
    events: list[DecisionEvent],
    vectors: list[Floats],
    log: EventLog,
    arms: tuple[Arm, ...],
    place: dict[str, int],
    said: dict[str, Reported],
    rejected: Counter[str],
) -> Traffic:
    chosen, propensity, expected, usd = _predicted(events, log, place)
    reports = [said.get(event.decision_id, SILENCE) for event in events]
    answered = [at if r.arm is None else r.arm for at, r in zip(chosen, reports, strict=True)]
    arm = np.array(answered, dtype=np.int64)
    row_of = {e.decision_id: i for i, e in enumerate(events) if reports[i].usable}
    hashes = tuple(event.request_hash for event in events)

    def reported(name: str) -> Doubles:
        return np.array([getattr(report, name) for report in reports], dtype=np.float64)

    tokens = reported("output_tokens")
    preferred = read_preferences(log, row_of, place, arm, tokens, hashes, rejected)

    return Traffic(
        arms=arms,
        decision_ids=tuple(event.decision_id for event in events),
        hashes=hashes,
        time=np.array([event.time for event in events]),
        inputs=Inputs(
            np.stack(vectors), np.array([event.features for event in events], dtype=np.float32)
        ),
        n_chars=np.array([event.n_chars for event in events], dtype=np.int64),
        cluster=np.array([event.cluster for event in events], dtype=np.int64),
        distance=np.array([event.distance for event in events]),
        arm=arm,
        drawn=np.asarray(arm == chosen),
        propensity=propensity,
        expected=expected,
        expected_usd=usd,
        quality=reported("quality"),
        input_tokens=reported("input_tokens"),
        output_tokens=tokens,
        cost_usd=reported("cost_usd"),
        keys=tuple(report.key for report in reports),
        rejected=rejected,
        considered=np.array([_considered(log, event.decision_id) for event in events]),
        preferred=preferred,
    )


def _considered(log: EventLog, decision_id: str) -> float:
    """Probability that an answer was to be compared; NaN where it was, and nothing came of it."""
    booked = log.feedback.get((decision_id, GATEWAY))
    judged = log.feedback.get((decision_id, JUDGE))
    lost = judged is not None and judged.against is not None and judged.preference is None
    return nan if booked is None or booked.chance is None or lost else booked.chance


def _predicted(
    events: list[DecisionEvent], log: EventLog, place: dict[str, int]
) -> tuple[Ints, Doubles, Doubles, Doubles]:
    """The arms that were chosen (n,); propensities, expected qualities and costs, (n, a) each."""
    n, a = len(events), len(place)
    propensity, expected, usd = np.zeros((n, a)), np.full((n, a), np.nan), np.full((n, a), np.nan)
    arm = np.zeros(n, dtype=np.int64)
    for i, event in enumerate(events):
        names = log.bundles[event.bundle_id].arms
        arm[i] = place[names[event.chosen]]
        known = [(j, place[names[k]]) for j, k in enumerate(event.eligible) if names[k] in place]
        ours = [at for _, at in known]
        for matrix, column in (
            (propensity, "propensity"),
            (expected, "quality"),
            (usd, "cost_usd"),
        ):
            matrix[i, ours] = [getattr(event, column)[j] for j, _ in known]
    # what went to arms that the base does not have is no option any more
    propensity /= np.maximum(propensity.sum(axis=1, keepdims=True), 1e-12)
    return arm, propensity, expected, usd
