"""The HTTP contract: what every endpoint takes and answers, as types.

Requests are decoded into these. Answers are made of plain values where they arise; their types
stand here, or are the core's own, for `GET /openapi.json`, and a test holds real answers to them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from router.catalogue.catalogue import Latency
from router.catalogue.tiers import Effort
from router.explain import ArmView, Change
from router.request.kinds import Kind
from router.request.needs import ABILITIES
from router.request.types import Wire
from router.types import Predicted, Reason

from .problems import PROBLEMS

Name = Annotated[str, Meta(min_length=1, max_length=256)]
Tokens = Annotated[int, Meta(ge=1, le=1_000_000_000)]
Counted = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Id = Annotated[str, Meta(min_length=36, max_length=36)]
Source = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
Share = Annotated[float, Meta(ge=0, le=1)]
# what a client's own body may hold; read by `router.request`, documented here
TEXT = Meta(description="a text, or a list with one")
MESSAGES = Meta(
    description="of Chat Completions, Messages or Ollama: role, and content as text or parts"
)
INPUT = Meta(description="of a Responses body: a text, or messages and items")
CONTENTS = Meta(description="of a Gemini body")
SYSTEM = Meta(description="of a Messages body: a text or blocks")
INSTRUCTIONS = Meta(description="of a Responses body: what a system message says elsewhere")
TOOLS = Meta(description="definitions of any wire; they count as input and need an arm with tools")
FORMAT = Meta(description="the form or schema of the answer; JSON needs an arm with json")
LIMIT = Meta(description="tokens that the answer may have: reserved in the window, cap its cost")
ANSWERS = Meta(description="answers asked for; all are paid")
REQUIRES = Meta(
    description="abilities of the answering model beside those that are seen in the request: their "
    f"names, or an object with values; {', '.join(ABILITIES)}, and context in tokens"
)
# told here, and refused in the core's own words
UNIT = Meta(extra_json_schema={"minimum": 0, "maximum": 1})
POSITIVE = Meta(extra_json_schema={"exclusiveMinimum": 0})
SOME = Meta(extra_json_schema={"minItems": 1})
Texts = str | list[Any] | None
Object = dict[str, Any]


class Knobs(Struct, frozen=True):
    """What we read of a request's body ourselves, strictly; everything else is the client's."""

    threshold: Annotated[float | None, UNIT] = None
    min_quality: Annotated[float | None, UNIT] = None
    max_quality_drop: Annotated[float | None, UNIT] = None
    max_cost_usd: Annotated[float | None, POSITIVE] = None
    budget_usd: Annotated[float | None, POSITIVE] = None
    budget: Name | None = None  # one that the operator declared
    budget_key: Name | None = None
    budget_period: str | int | None = None
    budget_hard_stop: bool | None = None
    allowed_models: Annotated[list[Name] | None, SOME] = None
    requires: Annotated[dict[Name, bool | Tokens | Name | None] | list[Name] | None, REQUIRES] = (
        None
    )
    session_id: Name | None = None
    current_arm: Name | None = None
    in_tool_loop: bool | None = None
    max_latency_ms: Annotated[float | None, POSITIVE] = None


class ClientBody(Knobs, frozen=True):
    """A client's body with our knobs beside it; fields that are not named here may stand in it."""

    system: Annotated[Texts | Object, SYSTEM] = None
    instructions: Annotated[Texts, INSTRUCTIONS] = None
    tools: Annotated[list[Object] | None, TOOLS] = None
    functions: Annotated[list[Object] | None, TOOLS] = None
    response_format: Annotated[Object | None, FORMAT] = None
    text: Annotated[str | Object | None, FORMAT] = None
    format: Annotated[str | Object | None, FORMAT] = None
    max_tokens: Annotated[int | None, LIMIT] = None
    max_completion_tokens: Annotated[int | None, LIMIT] = None
    max_output_tokens: Annotated[int | None, LIMIT] = None
    n: Annotated[int | None, ANSWERS] = None
    metadata: Annotated[Any, Meta(description="yours; not read")] = None


class RouteRequest(ClientBody, frozen=True):
    """One request: a prompt, or a body of Chat Completions, Responses, Messages, Ollama, Gemini."""

    prompt: Annotated[Texts | Object, TEXT] = None
    messages: Annotated[list[Object] | None, MESSAGES] = None
    input: Annotated[Texts, INPUT] = None
    contents: Annotated[Texts | Object, CONTENTS] = None


class BatchRequest(ClientBody, frozen=True):
    """Many requests with one policy; with `budget_usd`, one budget for all of them."""

    prompts: Annotated[
        list[str | list[Object] | Object] | None,
        Meta(description="texts, lists of messages, or bodies without knobs of ours"),
    ] = None


class TierName(Struct, frozen=True):
    """A tier as an answer of /route has it."""

    name: Name


class ArmName(Struct, frozen=True):
    """An arm as an answer of /route has it, such as one of its fallbacks."""

    model: Name
    tier: TierName | Name | None = None


class FeedbackRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What became of a decision, as one source says."""

    decision_id: Id
    correct: bool | None = None
    score: Share | None = None
    preferred_to: Id | None = None  # another decision
    preference: Share | None = None  # probability that this one's answer is the better one
    input_tokens: Counted | None = None
    output_tokens: Counted | None = None
    cost_usd: Annotated[float, Meta(ge=0, le=1e6)] | None = None
    latency_ms: Annotated[float, Meta(ge=0, le=1e9)] | None = None
    usage: dict[str, Any] | None = None  # a provider's, unchanged
    model: Name | None = None  # that answered, where it was not the chosen one
    tier: TierName | Name | None = None
    arm: ArmName | Name | None = None  # both in one: `model|tier`, or one of `fallbacks`
    source: Source = "user"


class Tier(Struct, kw_only=True):
    """A compute tier: its name and, where the catalogue knows it, what to do."""

    name: str
    spec: dict[str, Any] | UnsetType = UNSET
    request: dict[str, Any] | UnsetType = UNSET  # to merge into the request's body
    extra_body: dict[str, Any] | UnsetType = UNSET
    prompt_suffix: str | UnsetType = UNSET
    assistant_prefill: str | UnsetType = UNSET
    samples: dict[str, Any] | UnsetType = UNSET
    retrieval: dict[str, Any] | UnsetType = UNSET


class Choice(Struct, kw_only=True):
    """An arm: a model at a compute tier."""

    model: str
    tier: Tier


class Difficulty(Struct, kw_only=True):
    """1 - mean predicted quality, and its quintile on the training prompts.

    Both are null for a prompt that is far from training; a reason says so.
    """

    score: Share | None
    bin: Annotated[int, Meta(ge=1, le=5)] | None


class Expected(Struct, kw_only=True):
    """Means per request on the validation prompts.

    Null where no threshold rules, or nothing is known of the prompt.
    """

    quality: float | None
    cost_usd: float | None


class Decision(Choice, kw_only=True):
    """Who answers, and why."""

    fallbacks: list[Choice]
    predicted: Predicted
    difficulty: Difficulty
    cluster: int
    kind: str | None  # of work; null where the bundle names none
    reasons: list[Reason]
    threshold: float | None  # null where another knob rules
    expected: Expected
    propensity: Share
    bundle_id: str


class Asked(Struct, kw_only=True):
    """What was read of a request.

    Attributes:
        wire: by which API's rules.
        kind: of request in its conversation.
        requires: abilities that were seen or asked for.
        max_output_tokens: null without a limit.
        n: answers asked for.
    """

    wire: Wire
    kind: Kind
    requires: list[str]
    max_output_tokens: int | None
    n: int


class Answer(Decision, kw_only=True):
    """A decision on one request, with what was read of it and what was not understood."""

    request: Asked
    warnings: list[str]


class RouteAnswer(Answer, kw_only=True):
    """One decision."""

    decision_id: Id


class Gap(Struct, kw_only=True):
    """Mean quality that is missing to any allocation of the budget; null without one."""

    quality: float | None
    one_upgrade: float | None


class BatchAnswer(Struct, kw_only=True):
    """Decisions for many prompts, in order."""

    n_prompts: int
    budget_usd: float | None
    expected: Expected
    gap: Gap
    decisions: list[RouteAnswer]


class Range(Struct, kw_only=True, rename={"low": "from", "high": "to"}):
    """The thresholds between which an arm is chosen."""

    low: float
    high: float
    arm: str


class ExplainAnswer(Answer, kw_only=True):
    """A decision with how the rule saw every arm, and what would change the choice."""

    knobs: dict[str, float]
    near_tie: float
    arms: list[ArmView]
    ranges: list[Range]
    changes: list[Change]
    unreachable: list[str]
    text: str


class FeedbackAnswer(Struct, kw_only=True):
    """Whether the feedback was new, and on whose account it goes."""

    decision_id: Id
    status: Literal["recorded", "known"]
    arm: str | UnsetType = UNSET  # where one was named
    offered: bool | UnsetType | None = UNSET  # null: told from the log when it is read
    warnings: list[str] | UnsetType = UNSET


class ArmPrice(Struct, kw_only=True):
    """What the arm's tokens cost."""

    usd_per_1m_input: float
    usd_per_1m_output: float
    date: str | None
    metered_in: Literal["tokens", "usd"]


class Capabilities(Struct, kw_only=True):
    """What the arm's model can do; null is unknown."""

    context_tokens: int | None
    max_output_tokens: int | None
    tools: bool | None
    vision: bool | None
    audio: bool | None
    document: bool | None
    json: bool | None
    system_role: bool | None
    reasoning: bool | None
    efforts: list[Effort] | None  # levels that its API takes
    retired: str | None  # ISO date since when it answers no more


class Arm(Choice, kw_only=True):
    """One arm with its record on the training rows."""

    id: str
    family: str
    health: Literal["up", "down"] | None
    latency: Latency | None
    price: ArmPrice
    capabilities: Capabilities
    mean_quality: float
    mean_cost_usd: float
    rows: int


class ArmsAnswer(Struct, kw_only=True):
    """Every arm of the bundle."""

    bundle_id: str
    catalogue: str | None  # id of the newer one over the bundle's
    default_threshold: float
    best_single: str
    arms: list[Arm]


class Point(Struct, kw_only=True):
    """What a threshold is expected to reach."""

    threshold: float
    quality: float
    cost_usd: float


class KindPoints(Struct, kw_only=True):
    """What a threshold is expected to reach on one kind of work."""

    kind: str | None
    points: list[Point]


class Single(Choice, kw_only=True):
    """What one arm alone reaches."""

    id: str
    quality: float
    cost_usd: float


class FrontierAnswer(Struct, kw_only=True):
    """Expected quality and cost along the threshold."""

    bundle_id: str
    default_threshold: float
    points: list[Point]
    kinds: list[KindPoints]
    best_single: Single
    cheapest_single: Single
    singles: list[Single]
    certificate: dict[str, Any] | None


class Budget(Struct, kw_only=True):
    """One budget that paces requests, in its current period."""

    name: str
    declared: bool
    usd: float
    period: str
    hard_stop: bool
    period_start: str
    period_end: str
    spent_usd: float
    remaining_usd: float
    requests: int
    spend_pace: float | None  # 1 is even
    expected_requests_left: float
    target_usd_per_request: float
    equivalent_threshold: float
    realised_over_predicted_cost: float | None
    state: Literal["abundant", "paced", "scarce", "spent", "stopped"]


class BudgetsAnswer(Struct, kw_only=True):
    """The operator's budgets and the caller's own."""

    budgets: list[Budget]


class ProblemDocument(Struct, kw_only=True):
    """A refusal, RFC 9457."""

    type: str
    title: str
    status: int
    code: Annotated[str, Meta(extra_json_schema={"enum": list(PROBLEMS)})]
    detail: str
    field: str | UnsetType = UNSET  # that is to blame
