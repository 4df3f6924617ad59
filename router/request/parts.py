"""Parts of a message, of any wire: words, files, calls of tools, their results, thinking.

One table says how each type of part is read. Wires mix in practice (Anthropic's blocks stand in
Chat messages), so all of them are read by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .draft import Draft
from .files import read_media
from .names import ARGUMENTS, CALLED, IDS, OUTPUTS, SEALED, UNTYPED, WORDS
from .notes import Notes, named, refused, shown
from .objects import first, first_text, json_text, listed, mapping
from .types import Call, Media, MediaKind, Result, Role

Part = Mapping[str, Any]
Reader = Callable[[Draft, Part, str], None]  # the turn, the part, where it stands


def read_parts(draft: Draft, content: object, where: str) -> None:
    """Read a message's content: a string, a list of parts, or null.

    Raises:
        PolicyError: it is something else.
    """
    if isinstance(content, str):
        draft.texts.append(content)
        return
    if content is None:
        return
    parts = listed(content)
    if parts is None:
        if mapping(content) is None:
            raise refused(f"{where} must be a string or a list of parts, got {shown(content)}")
        parts = (content,)
    for i, part in enumerate(draft.notes.count(parts, where)):
        if isinstance(part, str):
            draft.texts.append(part)
        else:
            read_part(draft, part, f"{where}[{i}]")


def read_part(draft: Draft, part: object, where: str) -> None:
    """Read one part; what is not understood is noted."""
    fields, notes = mapping(part), draft.notes
    if fields is None:
        notes.warn(f"{where} is {shown(part)}, no part: not read")
        return
    kind, fields = typed(fields)
    notes.kinds.add(kind)
    if (read := reader_of(kind)) is not None:
        read(draft, fields, where)
        return
    text = fields.get("text")
    if isinstance(text, str):
        draft.texts.append(text)
    what = f"unknown part type `{named(kind)}`" if kind else "a part without type or text"
    notes.warn(f"{what}: {'only its text is' if isinstance(text, str) else 'not'} read ({where})")


def typed(part: Part) -> tuple[str, Part]:
    """A part's type and its fields; where it has no type, its key tells."""
    kind = part.get("type")
    if isinstance(kind, str):
        return kind, part
    for name, (kind, key) in UNTYPED.items():
        if (value := part.get(name)) is not None:
            inner = mapping(value)
            return kind, {**part, **inner} if inner is not None else {**part, key: value}
    return "", part


def reader_of(kind: str) -> Reader | None:
    """How a type is read; whatever is named as calls and results are is read as such."""
    if (read := READERS.get(kind)) is not None:
        return read
    if kind.endswith(("_call", "_tool_use")):
        return _call
    return _result if kind.endswith(("_output", "_tool_result")) else None


def side_of(kind: str) -> Role:
    """Who says a part of such a type where it stands beside messages."""
    read = reader_of(kind)
    if read is _result:
        return "tool"
    return "assistant" if kind == "output_text" or read in {_call, _thinking, _held} else "user"


def read_output(value: object, where: str, notes: Notes) -> Draft:
    """What a tool answered: text, parts, or any JSON, as the words and files that it is."""
    draft = Draft("tool", notes)
    items = listed(value)
    for i, item in enumerate(notes.count((value,) if items is None else items, where)):
        if item is None:
            continue
        place = where if items is None else f"{where}[{i}]"
        inner = mapping(item)
        if isinstance(item, str):
            draft.texts.append(item)
        elif inner is None:
            draft.texts.append(json_text(item, place, notes))
        elif _is_part(inner):
            read_part(draft, inner, place)
        else:
            seen = {name: held for name, held in inner.items() if name not in SEALED}
            draft.texts.append(json_text(seen, place, notes))
    return draft


def _is_part(inner: Part) -> bool:
    """Whether an object in a tool's answer is a part, and not just an object with such a key."""
    kind = inner.get("type")
    if isinstance(kind, str):
        return reader_of(kind) is not None
    return len(inner) == 1 and typed(inner)[0] != ""


def words(value: object, notes: Notes) -> str:
    """The text in a small structure, such as the summaries of a reasoning item."""
    if isinstance(value, str):
        return value
    if (items := listed(value)) is not None:
        texts = (words(item, notes) for item in notes.count(items, "the thinking"))
        return "\n".join(text for text in texts if text)
    inner = mapping(value)
    return "" if inner is None else words(first(inner, WORDS), notes)


def _text(draft: Draft, part: Part, where: str) -> None:
    value = first(part, WORDS)
    text = words(value, draft.notes)
    if text:
        (draft.thinking if part.get("thought") is True else draft.texts).append(text)
    elif not isinstance(value, str):
        draft.notes.warn(f"{where} has no text: not read")


def _thinking(draft: Draft, part: Part, _where: str) -> None:
    """Thoughts in the open; sealed ones have no words."""
    draft.thinking += [text for name in WORDS if (text := words(part.get(name), draft.notes))]


def _media(kind: MediaKind) -> Reader:
    def read(draft: Draft, part: Part, where: str) -> None:
        found = read_media(kind, part)
        if found is None:
            draft.notes.warn(f"a video: not read ({where})")
        else:
            draft.media.append(found)

    return read


def _document(draft: Draft, part: Part, where: str) -> None:
    """Anthropic's document or search result: a file, or content of words and images."""
    source = mapping(part.get("source")) or part
    about = [text for name in ("title", "context") if (text := words(part.get(name), draft.notes))]
    if source.get("content") is not None:
        inner = read_output(source["content"], f"{where}.content", draft.notes)
        draft.media += [*inner.media, _paper([*about, *inner.texts])]
        return
    _media("document")(draft, part, where)
    if about:
        draft.media.append(_paper(about))


def _paper(texts: Sequence[str]) -> Media:
    text = "\n".join(texts)
    n_bytes = len(text.encode("utf-8", "surrogatepass"))
    return Media(kind="document", mime="text/plain", text=text, n_bytes=n_bytes)


def _call(draft: Draft, part: Part, where: str) -> None:
    """A call of a tool; those that a provider carries out hold their result as well."""
    kind = str(part.get("type") or "")
    fields = {**part, **(mapping(first(part, ("function", "custom"))) or {})}
    given = first(fields, ARGUMENTS)
    if given is not None and not isinstance(given, str):
        given = json_text(given, where, draft.notes)
    unnamed = "" if kind in READERS else kind.removesuffix("_call")  # the provider's own tool
    name = first_text(fields, CALLED) or unnamed
    draft.calls.append(Call(name=name, arguments=given or "", id=first_text(part, IDS)))
    if kind == "image_generation_call":
        if isinstance(part.get("result"), str):
            _media("image")(draft, {"result": part["result"]}, where)
    elif kind.endswith("_call") and first(part, OUTPUTS) is not None:
        _result(draft, part, where)


def _result(draft: Draft, part: Part, where: str) -> None:
    output = first(part, OUTPUTS)
    if (answer := part.get("response")) is not None:  # Gemini's: an object of the tool's own
        output = json_text(answer, where, draft.notes)
    inner = read_output(output, f"{where}.content", draft.notes)
    draft.results.append(
        Result(
            text="\n".join(inner.texts),
            id=first_text(part, IDS),
            error=_failed(part),
            media=tuple(inner.media),
        )
    )
    draft.results += inner.results


def _failed(part: Part) -> bool | None:
    """Whether a result says that the tool failed; null where it says nothing."""
    told = first(part, ("is_error", "isError", "error"))
    if told is not None:
        return bool(told)
    content = mapping(part.get("content"))
    within = str(content.get("type", "")) if content else ""
    return part.get("status") in ("failed", "error") or within.endswith("_error") or None


def _wrapped(draft: Draft, part: Part, where: str) -> None:
    """A page that a provider fetched, around its document."""
    draft.join(read_output(part.get("content"), f"{where}.content", draft.notes))


def _definitions(draft: Draft, part: Part, where: str) -> None:
    """Tools that are defined from here on."""
    tools = first(part, ("tools", "tool"))
    items = listed(tools)
    for tool in draft.notes.count((tools,) if items is None else items, where):
        if tool is not None:
            draft.notes.tools.append(json_text(tool, where, draft.notes))


def _update(draft: Draft, part: Part, _where: str) -> None:
    """Responses' new settings for the answers that follow."""
    for name in ("reasoning", "text"):
        if part.get(name) is not None:
            draft.notes.updates[name] = part[name]


def _held(draft: Draft, part: Part, where: str) -> None:
    """History that the provider holds; Anthropic's compaction has a summary in words."""
    if isinstance(part.get("content"), str):
        draft.texts.append(part["content"])
    else:
        kind = named(part.get("type"))
        draft.notes.warn(f"{where} ({kind}): what the provider holds of it is not seen")


def _nothing(_draft: Draft, _part: Part, _where: str) -> None:
    """A mark without words."""


_BY_READER: tuple[tuple[str, Reader], ...] = (
    ("text input_text output_text refusal", _text),
    ("thinking redacted_thinking reasoning reasoning_text summary_text", _thinking),
    ("image image_url input_image image_file computer_screenshot", _media("image")),
    ("audio input_audio audio_url", _media("audio")),
    ("file input_file file_url document_url container_upload media", _media("document")),
    ("resource resource_link", _media("document")),
    ("document search_result", _document),
    ("tool_use function_call tool_call tool-call program mcp_approval_request", _call),
    ("tool_result tool-result mcp_approval_response", _result),
    ("web_fetch_result", _wrapped),
    ("additional_tools mcp_list_tools mcp_tool_listing tool_addition", _definitions),
    ("configuration_update", _update),
    ("item_reference compaction", _held),
    ("tool_reference tool_removal fallback compaction_trigger cache_point", _nothing),
)
READERS = {kind: read for kinds, read in _BY_READER for kind in kinds.split()}
