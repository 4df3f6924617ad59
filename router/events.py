"""What is written down of every decision and of what became of it: the log's own schema.

One JSON object per line, of three types. A `bundle` line says which arms, in which order, the
`decision` lines after it mean; a `feedback` line joins a decision by its id. Decisions hold no
text unless the operator switched that on: a keyed hash tells equal prompts apart, and embedding
and text features are all that learning needs.

Readers accept every version up to `VERSION` and skip fields that they do not know.
"""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from .types import Floats

VERSION = 1

# what may become of a call of an upstream in place of a whole answer
FAILURES = (
    "unasked",  # nobody has the model, or the cap on cost pays for nobody
    "busy",  # at the operator's limit for it
    "open",  # left alone for a while, after failures in a row
    "connection",  # nobody there, or it hung up before a byte came
    "first_byte_timeout",
    "overloaded",  # 429
    "status",  # 408 or 5xx
    "refused",  # 401 or 403: the operator's key is not accepted there
    "redirect",
    "rejected",  # any other 4xx, which the caller gets as it is
    "broken",  # the answer ended in its middle
    "stalled",  # no piece of it came for too long
    "error_event",  # a stream told of an error
    "unreadable",  # an answer that is not of the wire; the caller gets it as it is
    "client_gone",  # the caller hung up
    "internal",
)
GATEWAY = "gateway"  # the source of what this service measured itself
JUDGE = "judge"  # and of what the judge said that it asked, where one is configured
Source = str  # who gave feedback: "user", "judge", "test" or a name of one's own


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleEvent:
    """The bundle that the following decisions of this segment were made by.

    Attributes:
        arms: ids, in the order that decisions index.
        encoder: sha256 of the encoder's file; embeddings of one encoder can be compared.
        features_version: of `router.core.features`.
        catalogue: id of the newer catalogue that was over the bundle; null without one.
    """

    time: float  # seconds since 1970
    bundle_id: str
    arms: tuple[str, ...]
    encoder: str
    features_version: int
    catalogue: str | None = None
    v: int = VERSION
    type: Literal["bundle"] = "bundle"

    def to_dict(self) -> dict[str, Any]:
        """The line's fields."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionEvent:
    """One decision.

    Attributes:
        decision_id: UUIDv7.
        request_hash: keyed hash of the prompt as the models saw it.
        embedding: base64 of little-endian float16, (d,).
        features: text features, (f,).
        eligible: indices of the arms that could have been chosen, (e,).
        propensity: probability of each of them at the time, (e,), sums to 1.
        quality: predicted, (e,), 0 to 1.
        cost_usd: predicted, (e,), US dollars.
        input_tokens: of the whole request in each arm's tokenizer, (e,); null in older lines.
        kind: of the request in its conversation, see `router.request.kinds`; null in older lines.
        chosen: index of the arm that was named.
        fallbacks: indices of those that were named beside it, in order; null in older lines.
        policy: the knobs that were given.
        seed: of the draw; null where nothing was drawn.
        draw: the number in [0, 1) that the seed and the id gave; null likewise.
        reasons: codes.
        ration: what a shared budget granted: λ, the arm that a batch chose, and what was left
            of a stream's budget in US dollars; null where a knob ruled.
        wire: by which API's rules the request was read; null in older lines, as the next two.
        max_output_tokens: that the request allowed; null without a limit.
        n: answers that it asked for.
        work: the kind of work that the decision named; null in older lines, or where it named none.
        role: "live", or what a candidate would have answered ("shadow"), or "canary"; "named"
            where the caller named the model and nothing was decided.
        text: the prompt, only where the operator switched that on.
    """

    time: float
    decision_id: str
    bundle_id: str
    request_hash: str
    embedding: str
    features: tuple[float, ...]
    n_chars: int
    cluster: int
    distance: float
    eligible: tuple[int, ...]
    propensity: tuple[float, ...]
    quality: tuple[float, ...]
    cost_usd: tuple[float, ...]
    chosen: int
    policy: dict[str, Any]
    seed: int | None
    draw: float | None
    reasons: tuple[str, ...]
    ration: dict[str, float | None] | None = None
    input_tokens: tuple[int, ...] | None = None
    fallbacks: tuple[int, ...] | None = None
    wire: str | None = None
    max_output_tokens: int | None = None
    n: int | None = None
    kind: str | None = None
    work: str | None = None
    role: str = "live"
    session: str | None = None
    text: str | None = None
    v: int = VERSION
    type: Literal["decision"] = "decision"

    def to_dict(self) -> dict[str, Any]:
        """The line's fields."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackEvent:
    """What became of a decision; every field but the id may be null, not all of them.

    Attributes:
        quality: was the answer right (0 or 1), or how good was it, 0 to 1.
        preferred_to: id of another decision whose answer was compared with this one's.
        preference: probability that this one's is better, 0 to 1; 0.5 is a tie.
        input_tokens, output_tokens, cost_usd, latency_ms: as they turned out.
        cached_tokens, cache_write_tokens: of the input tokens, read from and written to a prompt
            cache.
        arm: who answered, by id, or as the caller wrote it where the service knew no such arm;
            null: the arm that was chosen.
        offered: whether that is the chosen arm or one of its fallbacks; null where no arm is
            named, and where the service had forgotten the decision.
        source: who says so; a decision counts once per source. "gateway" is the service itself,
            of an answer that it fetched, and the fields below are its own.
        key: fingerprint of the API key that sent it, "" where none is needed.
        reasoning_tokens: of the output tokens.
        first_token_ms: from the call of who answered to the first piece of a stream; null where
            the answer came in one.
        finish_reason: as the upstream said it, such as "stop", "end_turn" or "max_tokens".
        upstream: who was called last, by the operator's name.
        asked_model: the model that it was asked for, as it is called there.
        served_model: the one that it said it was.
        attempts: calls that were made, those that failed before a byte came among them.
        error: what went wrong with the answer, a code of `FAILURES`; null where nothing
            did.
        against: the arm whose answer to the same request the service's judge compared with this
            one's; that answer reached nobody and has no decision of its own.
        against_tokens: output tokens of that answer.
        chance: on a line of that judge, the probability that this comparison was drawn, given who
            answered; on one of the gateway, that any was: 0 where none could be, null where none
            was thought of.
        judge_usd: dollars of the other answer and of the verdicts; null where unknown.
    """

    time: float
    decision_id: str
    quality: float | None = None
    preferred_to: str | None = None
    preference: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    latency_ms: float | None = None
    source: Source
    key: str
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    arm: str | None = None
    offered: bool | None = None
    reasoning_tokens: int | None = None
    first_token_ms: float | None = None
    finish_reason: str | None = None
    upstream: str | None = None
    asked_model: str | None = None
    served_model: str | None = None
    attempts: int | None = None
    error: str | None = None
    against: str | None = None
    against_tokens: int | None = None
    chance: float | None = None
    judge_usd: float | None = None
    v: int = VERSION
    type: Literal["feedback"] = "feedback"

    def to_dict(self) -> dict[str, Any]:
        """The line's fields."""
        return asdict(self)


def pack(embedding: Floats) -> str:
    """Base64 of an embedding (d,) as little-endian float16: three decimals, a kilobyte."""
    return base64.b64encode(embedding.astype("<f2").tobytes()).decode("ascii")


def unpack(text: str) -> Floats:
    """The embedding (d,) of `pack`, float32 and of unit length again.

    Raises:
        ValueError: this is no packed embedding.
    """
    vector = np.frombuffer(base64.b64decode(text, validate=True), dtype="<f2").astype(np.float32)
    length = float(np.linalg.norm(vector))
    if not np.isfinite(length) or length == 0.0:
        raise ValueError("the embedding is empty, zero or not finite")
    return np.asarray(vector / length, dtype=np.float32)
