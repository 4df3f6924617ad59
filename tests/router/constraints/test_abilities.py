"""Arms are left out for what they are known not to do, and for what nobody says that they do."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router import NoArmAllowed, Policy, PolicyError, Requires, Router
from router.catalogue.tiers import TierSpec
from router.constraints.abilities import _thinks
from router.core.manifest import Manifest
from router.request.needs import ABILITIES
from router.request.types import Media, Request, Thinking, Turn
from router.request.view import view_of
from tests.router.catalogued import with_abilities, with_manifest

TODAY = date(2026, 11, 1)
ASK = Request(wire="chat", turns=(Turn(role="user", texts=("What is this?",)),))
CALLS = Request(wire="chat", turns=(*ASK.turns, Turn(role="tool", texts=("42",))))
ALL = ("vision", "audio", "document", "tools", "json", "system_role", "effort")


@pytest.fixture(scope="module")
def router(tiny_bundle: Path) -> Router:
    """The first arm can do everything, the second nothing; of the others nobody knows."""
    plain = with_abilities(Router.load(tiny_bundle), tools=None)
    names = [name for name in ALL if name != "effort"]
    able = with_abilities(plain, 0, **dict.fromkeys(names, True), reasoning=True)
    return with_abilities(able, 1, **dict.fromkeys(names, False), reasoning=False)


def passing(router: Router, request: Request, **asked: Any) -> set[int]:  # noqa: ANN401
    """Indices of the arms that pass every filter that needs no scores."""
    left = np.ones(len(router.arms), dtype=bool)
    for item in router.admission.filters(view_of(request), Policy(**asked)):
        left &= item.passed
    return set(np.flatnonzero(left).tolist())


@pytest.mark.parametrize("name", ALL)
def test_an_ability_that_is_asked_for_is_known_of_whoever_is_left(
    router: Router, name: str
) -> None:
    everyone = set(range(len(router.arms)))
    left = everyone - {1} if name == "system_role" else {0}
    assert passing(router, ASK, requires={name: True}) == left
    assert passing(router, ASK, requires={name: False}) == everyone
    decision = router.route("Hello", Policy(requires=[name]))
    (reason,) = [r for r in decision.reasons if r.code == "capability_filter"]
    assert f"'{name}'" in reason.detail


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        (replace(ASK, turns=(Turn(role="user", media=(Media(kind="audio"),)),)), "audio"),
        (replace(ASK, turns=(Turn(role="user", media=(Media(kind="document"),)),)), "document"),
        (replace(ASK, turns=(Turn(role="system", texts=("Hi",)), *ASK.turns)), "system_role"),
        (CALLS, "tools"),
        (replace(ASK, json=True), "json"),
        (replace(ASK, thinking=Thinking()), "effort"),
    ],
)
def test_what_a_request_needs_counts_as_if_it_were_asked_for(
    router: Router, request_: Request, name: str
) -> None:
    assert passing(router, request_) == passing(router, ASK, requires=[name])


wanted = st.sets(st.sampled_from(ABILITIES), max_size=4)
stated = st.fixed_dictionaries(
    {}, optional={n: st.sampled_from([True, False, None]) for n in (*ALL[:-1], "reasoning")}
)


@settings(max_examples=60, deadline=None)
@given(some=wanted, more=wanted, said=st.lists(stated, min_size=6, max_size=6))
def test_another_ability_never_adds_an_arm(
    tiny_bundle: Path, some: set[str], more: set[str], said: list[dict[str, object]]
) -> None:
    router = PLAIN.setdefault(tiny_bundle, Router.load(tiny_bundle))
    for i, entry in enumerate(said):
        router = with_abilities(router, i, **entry)
    fewer = passing(router, ASK, requires=some | more)
    assert fewer <= passing(router, ASK, requires=some)
    assert fewer == passing(router, ASK, requires=some) & passing(router, ASK, requires=more)


PLAIN: dict[Path, Router] = {}


def test_a_refusal_names_the_ability_who_has_it_unknown_and_what_to_state(router: Router) -> None:
    nobody = with_abilities(router, 0, audio=False)
    with pytest.raises(NoArmAllowed) as found:
        nobody.route("Hello", Policy(requires=["vision", "audio"]))
    text = str(found.value)
    assert text.startswith("requires=['audio'] leaves no arm")
    assert "could" not in text  # nobody hears
    only = router.arms[1]
    with pytest.raises(NoArmAllowed) as found:
        router.route("Hello", Policy(requires=["audio"], allowed_models=(only.id,)))
    text = str(found.value)
    assert f"{router.arms[0].id} could, but for allowed_models=['{only.id}']" in text
    third = router.arms[2]
    with pytest.raises(NoArmAllowed, match="it is not known of") as found:
        router.route("Hello", Policy(requires=["audio"], allowed_models=(third.id,)))
    assert f"{third.id}: state audio = true in the catalogue" in str(found.value)


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        (["visoin"], "requires.visoin is unknown; known are vision, audio, document, tools"),
        ({"vision": "yes"}, "requires.vision must be true or false"),
        ({"effort": "huge"}, "requires.effort must be true, false or one of none, minimal, low"),
        ({"context": 0}, "requires.context must be a number of tokens"),
    ],
)
def test_requires_refuses_what_it_does_not_know(asked: Any, known: str) -> None:  # noqa: ANN401
    with pytest.raises(PolicyError, match=known):
        Policy(requires=asked)


def test_requires_takes_names_or_values() -> None:
    assert Policy(requires=["vision"]).requires == Requires(vision=True)  # type: ignore[arg-type]
    assert Requires.of("tools") == Requires(tools=True)
    assert Requires.of({"effort": "high", "context": 9}) == Requires(effort="high", context=9)


HIGH, LOW, NONE = (TierSpec(reasoning_effort=e) for e in ("high", "low", "none"))  # type: ignore[arg-type]
BUDGET, QUIET, SILENT = TierSpec(thinking_tokens=4096), TierSpec(thinking_tokens=0), TierSpec()


@pytest.mark.parametrize(
    ("asked", "tiers"),
    [
        (Thinking(effort="high"), [HIGH]),
        (Thinking(effort="low"), [LOW]),
        (Thinking(tokens=9000), [HIGH, LOW, BUDGET]),
        (Thinking(), [HIGH, LOW, BUDGET]),
        (Thinking(on=False), [NONE, QUIET, SILENT]),
        (Thinking(effort="none"), [NONE, QUIET, SILENT]),
    ],
)
def test_a_tier_that_states_how_it_thinks_does_that_alone(
    asked: Thinking, tiers: list[TierSpec]
) -> None:
    model: Any = SimpleNamespace(reasoning=None, efforts=None)
    every = [HIGH, LOW, NONE, BUDGET, QUIET, SILENT]
    assert [tier for tier in every if _thinks(model, tier, asked) is True] == tiers


@pytest.mark.parametrize(
    ("reasoning", "efforts", "passes"),
    [
        (None, None, [None, None, None]),
        (False, None, [False, False, False]),
        (True, None, [True, True, True]),
        (True, ("low", "high"), [True, True, True]),
        (True, ("low",), [False, True, True]),
        (True, (), [False, False, True]),  # thinks, but cannot be told how much
    ],
)
def test_a_silent_tier_leaves_it_to_the_model(
    reasoning: bool | None, efforts: tuple[str, ...] | None, passes: list[bool | None]
) -> None:
    model: Any = SimpleNamespace(reasoning=reasoning, efforts=efforts)
    asked = [Thinking(effort="high"), Thinking(tokens=100), Thinking()]
    assert [_thinks(model, SILENT, one) for one in asked] == passes


def test_a_model_is_not_asked_to_write_more_than_its_api_lets_it(router: Router) -> None:
    short = with_abilities(router, 2, max_output_tokens=4096)
    everyone = set(range(len(router.arms)))
    assert passing(short, replace(ASK, max_output_tokens=4096)) == everyone
    assert passing(short, replace(ASK, max_output_tokens=4097)) == everyone - {2}
    only = Policy(allowed_models=(router.arms[2].id,))
    view = view_of(replace(ASK, max_output_tokens=5000))
    with pytest.raises(NoArmAllowed, match="max_tokens=5000, .*; ask for 4096 tokens or fewer"):
        short.decide(view, short.score(view), only)


def on(router: Router, day: date | None) -> Router:
    return Router(router.bundle, today=day)


@pytest.fixture(scope="module")
def ended(router: Router) -> Router:
    """The last arm answers no more since the day before, the first since today."""
    last = len(router.arms) - 1
    gone = with_abilities(router, last, retired="2026-10-31")
    return with_abilities(gone, 0, retired=TODAY.isoformat())


def test_retired_models_are_left_out_from_their_day_on(ended: Router) -> None:
    everyone, last = set(range(len(ended.arms))), len(ended.arms) - 1
    assert passing(on(ended, TODAY), ASK) == everyone - {0, last}
    assert passing(on(ended, date(2026, 10, 31)), ASK) == everyone - {last}
    assert passing(on(ended, date(2026, 10, 30)), ASK) == everyone
    assert passing(on(ended, None), ASK) == everyone
    reasons = on(ended, TODAY).route("Hello").reasons
    assert "retired_filter" in {reason.code for reason in reasons}
    assert on(ended, TODAY).with_expiry("x").today == TODAY


def test_a_retired_model_that_is_named_may_answer(ended: Router) -> None:
    today, gone = on(ended, TODAY), ended.arms[0]
    for pattern in (gone.id, gone.model, f"somewhere/{gone.model}", f"{gone.model[:-1]}*"):
        assert 0 in passing(today, ASK, allowed_models=(pattern,)), pattern
    for pattern in ("*", "*|default", "?*"):
        assert 0 not in passing(today, ASK, allowed_models=(pattern,)), pattern
    assert 0 in passing(today, ASK, current_arm=gone.id)  # it answered just now
    decision = today.route("Hello", Policy(allowed_models=(gone.id,)))
    (reason,) = [r for r in decision.reasons if r.code == "retired"]
    assert (
        reason.detail == f"{gone.model} since 2026-11-01 answer no more, but the request names them"
    )


def test_where_every_model_has_retired_none_is_left_out(router: Router) -> None:
    gone = on(with_abilities(router, retired="2020-01-01"), TODAY)
    assert passing(gone, ASK) == set(range(len(router.arms)))
    details = [r.detail for r in gone.route("Hello").reasons if r.code == "retired"]
    assert len(details) == 1
    assert details[0].endswith("all of this bundle are so")


def test_a_refusal_says_that_a_retired_model_could(ended: Router) -> None:
    with pytest.raises(NoArmAllowed) as found:
        on(ended, TODAY).route("Hello", Policy(requires=["audio"]))
    assert f"{ended.arms[0].id} could, but for leaving out models" in str(found.value)
    assert "name one in allowed_models" in str(found.value)


def renamed(router: Router, *models: str) -> Router:
    """The router with other models in its first arms."""
    manifest: Manifest = router.manifest
    arms = [replace(info, model=m) for info, m in zip(manifest.arms, models, strict=False)]
    return with_manifest(router, replace(manifest, arms=(*arms, *manifest.arms[len(arms) :])))


def test_names_match_with_and_without_a_provider(router: Router) -> None:
    named = renamed(router, "gpt-4o", "azure/gpt-4o-mini", "claude-haiku-4-5")

    def allowed(pattern: str) -> set[int]:
        return passing(named, ASK, allowed_models=(pattern,))

    assert allowed("openai/gpt-4o") == allowed("gpt-4o") == {0}
    assert allowed("openai/*") == {0}
    assert allowed("anthropic/*") == {2}
    assert allowed("gpt-4o-mini") == allowed("azure/*") == {1}
    assert allowed("openai/gpt-4o-mini") == set()
    assert allowed("gpt-4o*") == {0, 1}
    session = named.admission.pool.session
    for current in ("openai/gpt-4o", "gpt-4o|default", "gpt-4o-2024-08-06"):
        assert session.stays(current).tolist() == [True] + [False] * (len(named.arms) - 1)
    assert not session.stays("openai/gpt-4o-mini").any()
