"""What the models see of a request."""

from __future__ import annotations

from router.request.view import CONTEXT_CHARS, read_prompt


def test_the_last_user_turn_leads_and_earlier_turns_follow() -> None:
    view = read_prompt(
        [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "write a parser"},
            {"role": "assistant", "content": "done"},
            {"role": "user", "content": "commit it"},
        ]
    )
    assert view.text == "commit it\n\nwrite a parser\ndone"
    assert view.turns == 2
    assert view.n_chars == len("be briefwrite a parserdonecommit it")


def test_earlier_turns_are_bounded_so_that_they_cannot_fill_the_window() -> None:
    long = [{"role": "user", "content": "x" * 50_000}, {"role": "user", "content": "hello"}]
    assert len(read_prompt(long).text) == len("hello\n\n") + CONTEXT_CHARS


def test_an_image_part_is_seen_and_text_parts_are_joined() -> None:
    parts = [{"type": "text", "text": "what is"}, {"type": "image_url"}, {"text": "this?"}]
    view = read_prompt([{"role": "user", "content": parts}])
    assert (view.text, view.asked.needs) == ("what is\nthis?", {"vision"})
