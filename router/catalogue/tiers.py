"""What a compute tier is: a declarative specification that a caller can execute.

A tier says how much computing one answer may take: how long a model thinks, how it words its
answer, how many samples are drawn and how they become one, what is retrieved first, and for
self-hosted models how deep a recurrent one iterates and how fine a byte-level one cuts its
patches. `hints` turns a specification into the fields of a request, `billing` into dollars,
`latency` into milliseconds.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Style = Literal["direct", "chain_of_thought", "chain_of_draft", "concise", "verbose"]
Aggregator = Literal["majority_vote", "best_of_n", "sequential_revision"]
Moment = Literal["none", "once", "chain", "low_confidence"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """Several answers to one prompt, and how they become one.

    `majority_vote` takes the most frequent answer (self-consistency, arXiv:2203.11171),
    `best_of_n` what a named verifier scores highest, `sequential_revision` the last of n rounds
    of which each sees the answer before it (Snell et al., arXiv:2408.03314).
    """

    n: int = 1
    aggregator: Aggregator | None = None
    verifier: str | None = None  # of the catalogue's verifiers; best_of_n needs one

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"n must be >= 1, got {self.n}")
        if (self.n > 1) != (self.aggregator is not None):
            raise ValueError(
                f"n = {self.n} and aggregator = {self.aggregator!r} contradict each other: more "
                "than one sample needs an aggregator, and one sample has none"
            )
        if (self.aggregator == "best_of_n") != (self.verifier is not None):
            raise ValueError(
                f"verifier is {self.verifier!r}, but aggregator is {self.aggregator!r}: best_of_n "
                "needs a named verifier, and nothing else has one"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieval:
    """What is looked up before the answer.

    `once` reads one set of passages, `chain` takes `length` steps of question and look-up
    (CoRAG, arXiv:2501.14342), `low_confidence` answers first and looks up only where a token's
    probability falls below `below` (FLARE, arXiv:2305.06983).
    """

    when: Moment = "none"
    length: int | None = None  # steps of a chain, >= 1
    below: float | None = None  # probability of a token, 0 to 1, for low_confidence
    share: float = 1.0  # of prompts that low_confidence looks up for; 1 bills every one
    step_output_tokens: int = 64  # of one step's question and note in a chain
    retriever: str | None = None  # of the catalogue's retrievers

    def __post_init__(self) -> None:
        for name, wanted in (("length", "chain"), ("below", "low_confidence")):
            if (self.when == wanted) != (getattr(self, name) is not None):
                raise ValueError(f"{name} belongs to when = {wanted!r} and only there")
        if (self.when != "none") != (self.retriever is not None):
            raise ValueError(f"when = {self.when!r} and retriever = {self.retriever!r} contradict")
        if self.length is not None and self.length < 1:
            raise ValueError(f"length must be >= 1, got {self.length}")
        if self.below is not None and not 0.0 < self.below < 1.0:
            raise ValueError(f"below must lie between 0 and 1, got {self.below}")
        if not 0.0 < self.share <= 1.0:
            raise ValueError(f"share must lie above 0 and up to 1, got {self.share}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TierSpec:
    """One tier. Whatever is left out is left to the model's own default."""

    reasoning_effort: Effort | None = None
    thinking_tokens: int | None = None  # budget of hidden reasoning; 0 asks for none
    no_thinking: bool = False  # prefill that ends the thinking at once (arXiv:2504.09858)
    style: Style | None = None
    prompt_suffix: str | None = None  # words of one's own in place of the style's
    assistant_prefill: str | None = None  # begins the answer; in place of no_thinking's
    max_output_tokens: int | None = None  # per sample
    temperature: float | None = None
    sampling: Sampling = field(default_factory=Sampling)
    retrieval: Retrieval = field(default_factory=Retrieval)
    recurrence_depth: int | None = None  # iterations of a recurrent block (arXiv:2502.05171)
    patch_entropy: float | None = None  # bits at which a byte patch ends (arXiv:2412.09871)
    compute_factor: float | None = None  # of one token, against the compute that the price is of
    extra_body: dict[str, Any] = field(default_factory=dict)  # passed on as it is

    def __post_init__(self) -> None:
        for name in ("max_output_tokens", "recurrence_depth"):
            _at_least(name, getattr(self, name), 1)
        for name in ("thinking_tokens", "patch_entropy", "temperature"):
            _at_least(name, getattr(self, name), 0)
        self_hosted = self.recurrence_depth is not None or self.patch_entropy is not None
        if self_hosted != (self.compute_factor is not None):
            raise ValueError(
                "recurrence_depth and patch_entropy change what a token costs, so compute_factor "
                "must say how: 1 for as much as the price is of, 2 for twice; nothing else has one"
            )
        if self.compute_factor is not None and not 0.0 < self.compute_factor < float("inf"):
            raise ValueError(f"compute_factor must be > 0 and finite, got {self.compute_factor}")
        thinks = [
            name
            for name, on in (
                ("reasoning_effort", self.reasoning_effort is not None),
                ("thinking_tokens", self.thinking_tokens is not None),
                ("no_thinking", self.no_thinking),
            )
            if on
        ]
        if len(thinks) > 1:
            raise ValueError(f"{' and '.join(thinks)} say the same thing twice; keep one")
        if self.sampling.n > 1 and self.temperature == 0.0:
            raise ValueError(
                f"temperature = 0 makes all {self.sampling.n} samples equal; leave it out"
            )

    @property
    def parallel(self) -> bool:
        """Whether the samples can be drawn at the same time."""
        return self.sampling.aggregator != "sequential_revision"

    def to_dict(self) -> dict[str, Any]:
        """What differs from the default, as plain values; `strict.build` reads it back."""
        return differences(self)


def differences(value: Any) -> dict[str, Any]:  # noqa: ANN401
    """The fields of a dataclass that are not its defaults, as plain values, section by section."""
    plain = asdict(value)
    out = {}
    for f in fields(value):
        default = f.default_factory() if callable(f.default_factory) else f.default
        now = getattr(value, f.name)
        if now != default:
            nested = hasattr(now, "__dataclass_fields__")
            out[f.name] = differences(now) if nested else plain[f.name]
    return out


def _at_least(name: str, value: float | None, least: float) -> None:
    if value is not None and not value >= least:
        raise ValueError(f"{name} must be >= {least}, got {value}")
