"""Parts and messages of every wire become turns of words, files, calls, results and thinking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from router.request.needs import media_of
from router.request.read import read_request
from router.request.types import Call, Request, Result, Turn

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAACgAAAAe"  # the header of a PNG, 40 x 30
PLACE = {"city": "Bern"}


def turns(*messages: object) -> tuple[Turn, ...]:
    """Turns of messages that are understood without a warning."""
    request = read_request([{"role": "user", "content": "hi"}, *messages])
    assert request.warnings == ()
    return request.turns[1:]


def one(part: object, role: str = "user") -> Turn:
    """The turn of one part."""
    return turns({"role": role, "content": [part]})[0]


def items(*entries: Mapping[str, Any]) -> Request:
    return read_request({"input": [{"role": "user", "content": "hi"}, *entries]})


@pytest.mark.parametrize(
    "part",
    [
        "2+2?",
        {"text": "2+2?"},
        {"type": None, "text": "2+2?"},
        {"type": "text", "text": "2+2?", "cache_control": {"type": "ephemeral"}},
        {"type": "input_text", "text": "2+2?"},
        {"type": "output_text", "text": "2+2?", "annotations": []},
        {"type": "refusal", "refusal": "2+2?"},
    ],
)
def test_words_with_or_without_a_type(part: object) -> None:
    assert one(part).texts == ("2+2?",)


def test_a_content_that_is_one_part_is_read() -> None:
    assert turns({"role": "user", "content": {"type": "text", "text": "2+2?"}})[0].text == "2+2?"


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}, "image"),
        ({"type": "image_url", "image_url": f"data:image/png;base64,{PIXEL}"}, "image"),
        ({"image_url": {"url": f"data:image/png;base64,{PIXEL}"}}, "image"),
        ({"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"}, "image"),
        ({"type": "image", "source": {"type": "base64", "data": PIXEL}}, "image"),
        ({"type": "image", "data": PIXEL, "mimeType": "image/png"}, "image"),
        ({"type": "image", "image": PIXEL}, "image"),
        ({"inlineData": {"mimeType": "image/png", "data": PIXEL}}, "image"),
        ({"inline_data": {"mime_type": "image/png", "data": PIXEL}}, "image"),
        ({"image": {"format": "png", "source": {"bytes": PIXEL}}}, "image"),
        ({"type": "file", "file": {"file_data": f"data:image/png;base64,{PIXEL}"}}, "image"),
        ({"type": "file", "data": PIXEL, "mediaType": "image/png"}, "image"),
    ],
)
def test_an_image_by_whatever_names(part: object, kind: str) -> None:
    (image,) = one(part).media
    assert (image.kind, image.mime, image.width, image.height) == (kind, "image/png", 40, 30)
    assert image.n_bytes == 24


@pytest.mark.parametrize(
    ("part", "kind", "mime"),
    [
        ({"type": "image_url", "image_url": {"url": "https://a.b/c.png"}}, "image", "image/png"),
        ({"type": "input_image", "file_id": "file_1"}, "image", None),
        ({"type": "image", "source": {"type": "url", "url": "https://a.b/c"}}, "image", None),
        ({"type": "image", "source": {"type": "file", "file_id": "f"}}, "image", None),
        ({"type": "input_file", "file_id": "file_1"}, "document", None),
        ({"type": "input_file", "file_url": "https://a.b/c.pdf"}, "document", "application/pdf"),
        ({"type": "document", "source": {"type": "file", "file_id": "f"}}, "document", None),
        ({"type": "container_upload", "file_id": "f"}, "document", None),
        ({"type": "file", "file": {"file_id": "f", "format": "image/png"}}, "image", "image/png"),
        ({"fileData": {"mimeType": "audio/mpeg", "fileUri": "gs://a"}}, "audio", "audio/mpeg"),
        ({"type": "input_audio", "input_audio": {"data": "SUQz", "format": "mp3"}}, "audio",
         "audio/mpeg"),
        ({"type": "resource_link", "uri": "file:///a.csv"}, "document", "text/csv"),
    ],
)  # fmt: skip
def test_files_that_are_elsewhere_or_have_no_size(part: object, kind: str, mime: str) -> None:
    (found,) = one(part).media
    assert (found.kind, found.mime, found.width, found.pages) == (kind, mime, None, None)


@pytest.mark.parametrize("detail", ["low", "high", "auto", "original"])
def test_detail_is_kept(detail: str) -> None:
    url = {"url": "https://a.b/c.png", "detail": detail}
    assert one({"type": "image_url", "image_url": url}).media[0].detail == detail
    part = {"type": "input_image", "image_url": "https://a.b/c.png", "detail": detail}
    assert one(part).media[0].detail == detail


@pytest.mark.parametrize(
    "part",
    [
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Aha"}},
        {"type": "document", "source": {"type": "content", "content": "Aha"}},
        {"type": "document", "source": {"type": "content", "content": [{"type": "text",
                                                                      "text": "Aha"}]}},
        {"type": "search_result", "source": "https://a.b", "content": [{"type": "text",
                                                                       "text": "Aha"}]},
        {"type": "file", "file": {"filename": "a.txt", "file_data": "QWhh"}},
        {"type": "input_file", "file_data": "data:text/plain;base64,QWhh"},
        {"type": "input_file", "file_data": "data:text/plain,Aha"},
        {"type": "resource", "resource": {"uri": "file:///a", "mimeType": "text/plain",
                                          "text": "Aha"}},
    ],
)  # fmt: skip
def test_a_document_of_words(part: object) -> None:
    (paper,) = one(part).media
    assert (paper.kind, paper.text, paper.n_bytes) == ("document", "Aha", 3)


def test_a_documents_title_and_context_are_words_of_it() -> None:
    source = {"type": "url", "url": "https://a.b/c.pdf"}
    part = {"type": "document", "source": source, "title": "Coats", "context": "Of 1999"}
    paper, about = one(part).media
    assert (paper.mime, about.text) == ("application/pdf", "Coats\nOf 1999")


@pytest.mark.parametrize(
    "part",
    [
        {"type": "video_url", "video_url": {"url": "https://a.b/c.mp4"}},
        {"type": "hologram", "data": PIXEL},
    ],
)
def test_an_unknown_part_is_told_with_its_place(part: Mapping[str, Any]) -> None:
    message = {"role": "user", "content": [{"type": "text", "text": "hi"}, part]}
    request = read_request([message])
    assert request.turns[0].texts == ("hi",)
    told = f"unknown part type `{part['type']}`: not read (messages[0].content[1])"
    assert request.warnings == (told,)


def test_what_else_is_not_read_is_told() -> None:
    content = [{"type": "new", "text": "words"}, {"a": 1}, 5, None, {"type": "text", "text": 5},
               {"type": "file", "file": {"filename": "a.mp4"}}]  # fmt: skip
    request = read_request([{"role": "user", "content": content}, {"role": "assistant"}])
    assert request.turns[0].texts == ("words",)
    assert request.warnings == (
        "unknown part type `new`: only its text is read (messages[0].content[0])",
        "a part without type or text: not read (messages[0].content[1])",
        "messages[0].content[2] is 5, no part: not read",
        "messages[0].content[3] is null, no part: not read",
        "messages[0].content[4] has no text: not read",
        "a video: not read (messages[0].content[5])",
        "messages[1] has no content: not read",
    )


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "c1", "type": "function",
             "function": {"name": "w", "arguments": '{"city":"Bern"}'}}]},
        {"role": "assistant", "tool_calls": [{"id": "c1", "function": {"name": "w",
                                                                       "arguments": PLACE}}]},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "c1", "name": "w",
                                                             "args": PLACE}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "w",
                                           "input": PLACE}]},
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "c1", "name": "w",
                                                       "input": PLACE}}]},
        {"type": "function_call", "call_id": "c1", "id": "fc", "name": "w",
         "arguments": '{"city":"Bern"}'},
        {"role": "model", "parts": [{"functionCall": {"id": "c1", "name": "w", "args": PLACE}}]},
    ],
)  # fmt: skip
def test_a_call_of_every_wire(message: Mapping[str, Any]) -> None:
    (turn,) = turns(message)
    assert turn.role == "assistant"
    assert turn.calls == (Call(name="w", arguments='{"city":"Bern"}', id="c1"),)


def test_a_legacy_function_call() -> None:
    call = {"name": "w", "arguments": "{}"}
    (turn,) = turns({"role": "assistant", "content": None, "function_call": call})
    assert turn.calls == (Call(name="w", arguments="{}"),)


def test_a_custom_call_has_text_for_arguments() -> None:
    custom = {"id": "c1", "type": "custom", "custom": {"name": "sh", "input": "ls -l"}}
    (turn,) = turns({"role": "assistant", "tool_calls": [custom]})
    assert turn.calls == (Call(name="sh", arguments="ls -l", id="c1"),)


@pytest.mark.parametrize(
    "message",
    [
        {"role": "tool", "tool_call_id": "c1", "content": "4 °C"},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "4 °C"}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1",
                                      "content": "4 °C"}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1",
                                      "content": [{"type": "text", "text": "4 °C"}]}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "c1",
                                                     "content": [{"text": "4 °C"}]}}]},
        {"type": "function_call_output", "call_id": "c1", "output": "4 °C"},
        {"type": "function_call_output", "call_id": "c1",
         "output": [{"type": "input_text", "text": "4 °C"}]},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "4 °C"},
    ],
)  # fmt: skip
def test_a_result_of_every_wire(message: Mapping[str, Any]) -> None:
    (turn,) = turns(message)
    assert turn.results == (Result(text="4 °C", id="c1"),)
    assert turn.texts == ()


@pytest.mark.parametrize(
    ("part", "error"),
    [
        ({"type": "tool_result", "content": "no", "is_error": True}, True),
        ({"type": "tool_result", "content": "ok", "is_error": False}, False),
        ({"type": "tool_result", "content": "ok"}, None),
        ({"type": "web_search_tool_result", "content":
            {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"}}, True),
        ({"type": "mcp_call", "name": "a", "error": "broken", "output": "x"}, True),
    ],
)  # fmt: skip
def test_whether_a_tool_failed(part: object, error: bool | None) -> None:
    assert one(part).results[0].error is error


def test_an_image_in_a_result_is_the_results() -> None:
    image = {"type": "image", "source": {"type": "base64", "data": PIXEL}}
    turn = one({"type": "tool_result", "tool_use_id": "c1", "content": [image]})
    assert turn.media == ()
    assert [item.width for item in turn.results[0].media] == [40]
    shot = {"type": "computer_screenshot", "image_url": f"data:image/png;base64,{PIXEL}"}
    output = {"type": "computer_call_output", "call_id": "c1", "output": shot}
    assert [item.width for item in media_of(items(output))] == [40]


def test_json_that_a_tool_answers_is_text_whatever_its_keys() -> None:
    answer = {"image": "a.png", "text": "b", "size": 3}
    part = {"functionResponse": {"name": "ls", "response": answer}}
    assert one(part).results[0].text == '{"image":"a.png","text":"b","size":3}'
    shell = {"type": "shell_call_output", "call_id": "c", "output": [{"stdout": "a", "stderr": ""}]}
    assert items(shell).turns[-1].results[0].text == '{"stdout":"a","stderr":""}'


def test_sealed_content_is_no_text() -> None:
    found = {"type": "web_search_result", "title": "Coats", "encrypted_content": "AAAA"}
    part = {"type": "web_search_tool_result", "tool_use_id": "s", "content": [found]}
    assert one(part, "assistant").results[0].text == '{"type":"web_search_result","title":"Coats"}'


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm.",
                                           "signature": "c2ln"}, {"type": "text", "text": "4"}]},
        {"role": "assistant", "content": "4", "reasoning_content": "Hm."},
        {"role": "assistant", "content": "4", "reasoning": "Hm."},
        {"role": "assistant", "content": "4", "thinking": "Hm."},
        {"role": "assistant", "content": "4", "reasoning_content": "Hm.",
         "thinking_blocks": [{"type": "thinking", "thinking": "Hm."}]},
        {"role": "assistant", "content": "4",
         "reasoning_details": [{"type": "reasoning.text", "text": "Hm."}]},
        {"role": "model", "parts": [{"text": "Hm.", "thought": True}, {"text": "4"}]},
    ],
)  # fmt: skip
def test_thinking_of_every_wire(message: Mapping[str, Any]) -> None:
    (turn,) = turns(message)
    assert (turn.thinking, turn.texts) == ("Hm.", ("4",))


def test_items_of_one_answer_are_one_turn() -> None:
    request = items(
        {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "So"}],
        },
        {"type": "function_call", "call_id": "1", "name": "a", "arguments": "{}"},
        {"type": "function_call", "call_id": "2", "name": "b", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "x"},
        {"type": "function_call_output", "call_id": "2", "output": "y"},
        {"role": "user", "content": "Go on"},
    )
    assert [turn.role for turn in request.turns] == ["user", "assistant", "tool", "tool", "user"]
    answer = request.turns[1]
    assert (answer.thinking, answer.text) == ("Hm.", "So")
    assert [call.name for call in answer.calls] == ["a", "b"]


@pytest.mark.parametrize(
    ("item", "name", "arguments"),
    [
        ({"type": "web_search_call", "action": {"query": "coat"}}, "web_search",
         '{"query":"coat"}'),
        ({"type": "computer_call", "action": {"type": "click"}}, "computer", '{"type":"click"}'),
        ({"type": "local_shell_call", "action": {"command": ["ls"]}}, "local_shell",
         '{"command":["ls"]}'),
        ({"type": "code_interpreter_call", "code": "1+1"}, "code_interpreter", "1+1"),
        ({"type": "mcp_call", "name": "find", "arguments": "{}"}, "find", "{}"),
        ({"type": "custom_tool_call", "name": "sh", "input": "ls"}, "sh", "ls"),
        ({"type": "brand_new_call", "input": "ls"}, "brand_new", "ls"),
    ],
)  # fmt: skip
def test_calls_that_a_provider_carries_out(
    item: Mapping[str, Any], name: str, arguments: str
) -> None:
    request = items(item)
    assert request.warnings == ()
    assert request.turns[-1].calls == (Call(name=name, arguments=arguments),)


def test_a_providers_call_holds_its_result() -> None:
    call = {"type": "mcp_call", "id": "m", "name": "find", "arguments": "{}", "output": "a coat"}
    (turn,) = items(call).turns[1:]
    assert turn.results == (Result(text="a coat", id="m"),)
    drawn = items({"type": "image_generation_call", "id": "i", "result": PIXEL}).turns[1]
    assert [item.width for item in drawn.media] == [40]


def test_tools_that_are_listed_on_the_way_are_tools() -> None:
    listed = {"type": "mcp_list_tools", "tools": [{"name": "find"}, {"name": "buy"}]}
    request = items(listed)
    assert request.tools == ('{"name":"find"}', '{"name":"buy"}')
    assert len(request.turns) == 1


@pytest.mark.parametrize("item", [{"type": "item_reference", "id": "i"}, {"id": "i"}])
def test_items_that_the_provider_holds_are_told(item: Mapping[str, Any]) -> None:
    assert items(item).warnings == (
        "input[1] (item_reference): what the provider holds of it is not seen",
    )


def test_a_compaction_is_its_summary() -> None:
    assert (
        one({"type": "compaction", "content": "We chose red."}, "assistant").text == "We chose red."
    )
    sealed = items({"type": "compaction", "encrypted_content": "AAAA"})
    assert "not seen" in sealed.warnings[0]


def test_ollamas_images_belong_to_the_message() -> None:
    (turn,) = turns({"role": "user", "content": "What is it?", "images": [PIXEL]})
    assert [item.width for item in turn.media] == [40]
    request = read_request([{"role": "user", "content": "a", "images": [3]}])
    assert request.warnings == ("messages[0].images[0] is 3, no image: not read",)


def test_an_earlier_sound_is_heard_and_read() -> None:
    (turn,) = turns({"role": "assistant", "content": None,
                     "audio": {"id": "a", "transcript": "Hello."}})  # fmt: skip
    assert ([item.kind for item in turn.media], turn.text) == (["audio"], "Hello.")


def test_a_gemini_body() -> None:
    body = {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [{"role": "user", "parts": [{"text": "2+2?"}]}, {"parts": [{"text": "Now?"}]}],
        "tools": [{"functionDeclarations": [{"name": "w"}]}],
    }
    request = read_request(body)
    assert (request.wire, request.warnings) == ("gemini", ())
    assert [(turn.role, turn.text) for turn in request.turns] == [
        ("system", "Be brief."),
        ("user", "2+2?"),
        ("user", "Now?"),
    ]
