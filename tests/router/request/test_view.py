"""What the models see of a request: whose ask, and what it inherits, in one form for all."""

from __future__ import annotations

from typing import Any

import pytest

from router.request.view import PromptView, read_prompt

HARD = "Prove that every bounded monotone sequence of real numbers converges, from the axioms."
PLAN = "Plan:\n1. Read the schema\n2. Write the migration\nShall I go on?"
REPORT = "I rewrote the helper and moved the configuration into its own module. " * 30


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def says(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def system(text: str) -> dict[str, Any]:
    return {"role": "system", "content": text}


CALLED = {"role": "assistant", "content": None,
          "tool_calls": [{"id": "1", "function": {"name": "look", "arguments": "{}"}}]}  # fmt: skip
RESULT = {"role": "tool", "tool_call_id": "1", "content": "42"}


def scored(prompt: object) -> PromptView:
    """A view without the facts of its request."""
    view = read_prompt(prompt)
    return PromptView(view.text, view.turns, view.earlier, view.plan)


@pytest.mark.parametrize(
    "wrapped",
    [
        [system("Be brief."), user(HARD)],
        [user("<system-reminder>\n" + "- a file\n" * 60 + "</system-reminder>"), user(HARD)],
        [user(HARD), says(REPORT), user("yes")],
        [user(HARD), says(REPORT), user("继续")],
        [user(HARD), CALLED, RESULT],
        [user(HARD), says("x"), user("go on"), CALLED, RESULT],
        [user(HARD), says(REPORT), user("yes"), says(REPORT), user("ok, the second one")],
        [system(HARD), user("Please answer now.")],
        [system(HARD)],
    ],
)
def test_one_ask_is_one_view_however_it_is_wrapped(wrapped: list[dict[str, Any]]) -> None:
    assert scored(wrapped) == scored(HARD)
    assert len(read_prompt(wrapped).text) < read_prompt(wrapped).asked.n_chars + 1


def test_a_plan_that_is_approved_is_scored_beside_the_ask() -> None:
    view = read_prompt([user(HARD), says(PLAN), user("perfect")])
    assert view.plan == PromptView(PLAN, 1)
    assert view.conversation == (view, view.plan)
    assert read_prompt([user(HARD), says(REPORT), user("yes")]).plan is None


def test_a_follow_up_inherits_from_asks_and_not_from_small_talk() -> None:
    talk = [user("hi"), says("Hi!"), user(HARD), says(REPORT), user("thanks"), says("Welcome."),
            user("And for nets?")]  # fmt: skip
    view = read_prompt(talk)
    assert (view.text, view.turns) == ("And for nets?", 4)
    assert view.earlier == (PromptView(HARD, 2),)


def test_yes_with_nothing_before_it_is_itself() -> None:
    assert scored([user("yes")]) == PromptView("yes")
    assert scored([system(HARD), user("yes")]) == PromptView(HARD)


def test_a_clients_own_call_is_its_instruction_alone() -> None:
    title = "Generate a concise, 3-5 word title for this conversation."
    view = read_prompt([user(HARD), says(REPORT), user(title)])
    assert scored([user(HARD), says(REPORT), user(title)]) == PromptView(title)
    assert view.asked.housekeeping


def test_an_image_alone_has_no_text_and_image_parts_join_no_words() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    parts = [{"type": "text", "text": "what is"}, image, {"type": "text", "text": "this?"}]
    view = read_prompt([{"role": "user", "content": parts}])
    assert (view.text, "vision" in view.asked.needs) == ("what is\nthis?", True)
    alone = read_prompt([{"role": "user", "content": [image]}])
    assert (alone.text, "vision" in alone.asked.needs) == ("", True)


def test_a_failing_call_that_is_repeated_is_a_fact_of_its_loop() -> None:
    failed = [CALLED, {**RESULT, "content": "Error: no such table"}]
    assert read_prompt([user(HARD), *failed * 3]).asked.stalled
    assert not read_prompt([user(HARD), *failed * 2]).asked.stalled
    assert not read_prompt(
        [user(HARD), *failed * 3, says("x"), user("Name a prime.")]
    ).asked.stalled
