"""What the two decision wires take and answer, for `GET /openapi.json`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from ..schemas import Counted, Knobs, Share
from .questions import MOST_LEVELS, MOST_OPTIONS, MOST_QUESTIONS

Text = str | dict[str, Any] | list[Any]
MODEL = Meta(description="auto, auto:0.7, a declared route, or jev-latest, which is auto")
ABOUT = Meta(description="the request that is asked about: a text, messages, or a client's body")
OPTIONS = Meta(description="arms, or tiers that the operator declared", max_length=MOST_OPTIONS)
LEVELS = Meta(description="low to high", min_length=2, max_length=MOST_LEVELS)
SOME = Meta(min_length=1, max_length=MOST_QUESTIONS)


class Noul(Struct, tag_field="type", tag="noul"):
    """Will a model answer this right?"""

    instructions: Text | None = None
    criteria: dict[str, Any] | None = None


class Choice(Struct, tag_field="type", tag="choice"):
    """Who should answer?"""

    criteria: Annotated[dict[str, Any], OPTIONS]
    instructions: Text | None = None


class Score(Struct, tag_field="type", tag="score"):
    """How difficult is it?"""

    criteria: Annotated[list[Text], LEVELS]
    instructions: Text | None = None


class SystemOneRequest(Knobs, frozen=True, kw_only=True):
    """Questions about one request, by their ids."""

    state: Annotated[Text, ABOUT]
    questions: Annotated[dict[str, Noul | Choice | Score], SOME]
    model: Annotated[str | None, MODEL] = None


class NoulAnswer(Struct, tag_field="type", tag="noul"):
    """The probability of yes."""

    noul: Share


class ChoiceAnswer(Struct, tag_field="type", tag="choice"):
    """The option that the router's decision falls to."""

    choice: str
    probabilities: dict[str, Share]
    confidence: Share
    x_decision_id: str


class ScoreAnswer(Struct, tag_field="type", tag="score"):
    """The mean level, the lowest one being 0."""

    score: float
    legend: dict[str, Any]
    probabilities: dict[str, Share]
    confidence: Share


class SystemOneUsage(Struct):
    """Input tokens of the request that was asked about."""

    input_tokens: Counted
    output_tokens: Counted


class SystemOneAnswer(Struct):
    """One answer for each question."""

    model: str
    answers: dict[str, NoulAnswer | ChoiceAnswer | ScoreAnswer]
    usage: SystemOneUsage


class Place(Struct):
    """One thing that is wrong with a body."""

    loc: list[str | int]
    msg: str
    type: str


class Fault(Struct):
    """Any other refusal."""

    error_type: str
    message: str


class SystemOneError(Struct):
    """A refusal in the form that clients of System One know."""

    detail: list[Place] | Fault


class Part(Struct, tag_field="type", tag="input_text"):
    """A part of instructions."""

    text: str


class Predicate(Struct, tag_field="type", tag="predicate"):
    """A model will answer this right."""

    instructions: str | list[Part]
    name: str | None = None


class Option(Struct):
    """One option of a choice."""

    value: str
    description: str | None = None


class Options(Struct, tag_field="type", tag="choice"):
    """Who should answer?"""

    instructions: str | list[Part]
    choices: Annotated[list[Option], OPTIONS]
    name: str | None = None


class Level(Struct):
    """One level of a score."""

    label: str
    description: str | None = None


class Levels(Struct, tag_field="type", tag="score"):
    """How difficult is it?"""

    instructions: str | list[Part]
    levels: Annotated[list[Level], LEVELS]
    name: str | None = None


class DecisionsRequest(Knobs, frozen=True, kw_only=True):
    """Questions about one request, in their order."""

    input: Annotated[str | list[dict[str, Any]], ABOUT]
    questions: Annotated[list[Predicate | Options | Levels], SOME]
    model: Annotated[str | None, MODEL] = None


class Cached(Struct):
    """Nothing is cached."""

    cached_tokens: Literal[0]
    cache_write_tokens: Literal[0]


class Thought(Struct):
    """Nothing is thought."""

    reasoning_tokens: Literal[0]


class DecisionsUsage(Struct):
    """Input tokens of the request that was asked about."""

    input_tokens: Counted
    input_tokens_details: Cached
    output_tokens: Literal[0]
    output_tokens_details: Thought
    total_tokens: Counted


class OptionChance(Struct):
    """The probability of an option."""

    value: str
    probability: Share


class LevelChance(Struct):
    """The probability of a level."""

    value: int
    label: str
    probability: Share


class PredicateAnswer(Struct, tag_field="type", tag="predicate"):
    """The probability that it is so."""

    name: str | None
    probability: Share


class OptionsAnswer(Struct, tag_field="type", tag="choice"):
    """The option that the router's decision falls to."""

    name: str | None
    choice: str
    confidence: Share
    probabilities: list[OptionChance]


class LevelsAnswer(Struct, tag_field="type", tag="score"):
    """The mean level, the lowest one being 0."""

    name: str | None
    score: float
    confidence: Share
    probabilities: list[LevelChance]


class DecisionsAnswer(Struct):
    """One answer for each question."""

    model: str
    answers: list[PredicateAnswer | OptionsAnswer | LevelsAnswer]
    usage: DecisionsUsage
