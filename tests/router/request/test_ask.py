"""The ask of a turn: what is told apart from it, and what carries a task by itself."""

from __future__ import annotations

import pytest

from router.request.ask import Ask, carries_task, find_ask, is_wrapping

ASK = "Prove that every group of prime order is cyclic."
FILES = "\n".join(f"- src/module_{i}/file.py" for i in range(60))


def test_a_plain_prompt_is_its_own_ask() -> None:
    assert find_ask([ASK]) == Ask(ASK, 0)


@pytest.mark.parametrize(
    "name",
    ["system-reminder", "environment_details", "attached_files", "user_info", "ide_selection"],
)
def test_a_block_of_the_harness_is_not_the_ask(name: str) -> None:
    block = f"<{name}>\n{FILES}\n</{name}>"
    for texts in ([block, ASK], [ASK, block], [f"{block}\n\n{ASK}"], [f"{ASK}\n{block}"]):
        found = find_ask(texts)
        assert found.text == ASK
        assert found.around >= len(block)


@pytest.mark.parametrize("name", ["user_query", "task", "userRequest", "user_message", "feedback"])
def test_a_block_that_holds_the_ask_gives_its_inside(name: str) -> None:
    text = f"<context>\n{FILES}\n</context>\n<{name}>\n{ASK}\n</{name}>\nBe brief."
    assert find_ask([text]).text == ASK


def test_where_all_is_wrapping_all_is_the_ask() -> None:
    block = f"<system-reminder>{FILES}</system-reminder>"
    assert find_ask([block]).text == block
    assert find_ask([]) == Ask("", 0)
    assert is_wrapping([block, "  "])
    assert not is_wrapping([block, ASK])


SETTING_GOING = [
    "go", "Please answer now.", "start", "continue", "yes", "Go ahead, do it!",
    "ok 👍", "...", "", "Follow the instructions above.",
    "Answer the question.", "sí, continúa", "sim, pode continuar", "vas-y",
    "s’il te plaît, continue", "mach weiter", "Ja, bitte fang jetzt an.",
    "avanti", "да, давай", "продолжай, пожалуйста", "现在请回答", "请继续。",
    "はい、お願いします", "続けてください。", "계속해줘", "네, 진행해주세요", "نعم، استمر",
    "हाँ, जारी रखें", "tak, proszę", "evet, devam et",
]  # fmt: skip


@pytest.mark.parametrize("text", SETTING_GOING)
def test_words_that_only_set_going_carry_no_task(text: str) -> None:
    assert not carries_task(text)


@pytest.mark.parametrize(
    "text",
    [
        "hi",
        "What is 2+2?",
        "Commit it",
        "5",
        "Write a haiku",
        "Was ist das?",
        "解释相对论",
        "Why?",
        "?x",
    ],
)
def test_what_says_something_of_its_own_carries_a_task(text: str) -> None:
    assert carries_task(text)
