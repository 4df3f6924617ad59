"""Blocks that clients put around a user's words: reminders, environments, attachments.

A block is `<name …>…</name>`. Some names hold the ask (`<user_query>`), some are known to hold
anything else (`<system-reminder>`); a block of another name is wrapping where it is long.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

LONG = 300  # characters from which on a block of an unknown name is wrapping
MOST_TAGS = 20_000  # bounds the time; more of them are a web page, not a request
MOST_ASKS = 3  # more blocks that seem to hold an ask are data about asks

# names are compared in lower case without - and _
_ASKS = """
userquery userrequest usermessage userprompt userinput userquestion userask userinstruction task
question query request prompt feedback ask problem issuedescription commandargs prdescription
"""
_WRAPPERS = """
systemreminder environmentdetails environmentcontext environmentinfo env environment attachedfiles
attachedfile attachments attachment file files filecontent filecontents document documents
documentcontents context userinfo openandrecentlyviewedfiles additionaldata commandname
commandmessage commandcontents localcommandstdout localcommandstderr localcommandcaveat
ideselection ideopenedfile idediagnostics taskmetadata slug todolist todos gitstatus projectlayout
workspaceinfo reminderinstructions reminder instructions custominstructions userinstructions rules
alwaysappliedworkspacerules cursorrules userrules memory memories currentfile openfiles selection
codeselection recentlyviewedfiles linterrors diagnostics terminal terminalselection toolresult
functionresults bashinput bashstdout bashstderr userprompthook posttoolusehook
userpromptsubmithook repomap repositorycontext repoinfo runtimeinformation uploadedfiles agentmd
agentsmd permissions permissionsinstructions collaborationmode skills skill editorcontext
toolreferences conversationsummary summary transcript log logs quote quoted email thread page
webpage websearchresults searchresults results source sources reference references passage article
text data content pastedcontent paste snippet code clipboard example examples metadata systeminfo
systemmessage systeminformation systemprompt system notes
"""
_ENDINGS = """
details context info reminder reminders files selection contents metadata stdout stderr
instructions rules status layout results
"""
ASKS, WRAPPERS = frozenset(_ASKS.split()), frozenset(_WRAPPERS.split())
ENDINGS = tuple(_ENDINGS.split())
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9_.:-]{0,63})(?:\s[^<>]{0,400})?(?<!/)>")


@dataclass(frozen=True, slots=True)
class _Block:
    """`<name>` at `start`, its inside from `inside` to `close`, `</name>` up to `end`."""

    name: str
    start: int
    inside: int
    close: int
    end: int


def outside_blocks(texts: Sequence[str]) -> list[str]:
    """What the user wrote: the inside of blocks that hold the ask, or what no wrapping block holds.

    Args:
        texts: parts of one turn, in order.
    Returns:
        One text a part that has some left; none where clients wrote all of it.
    """
    blocks = [_blocks(text) if "</" in text else [] for text in texts]
    asked = [
        text[block.inside : block.close]
        for text, found in zip(texts, blocks, strict=True)
        for block in found
        if block.name in ASKS and text[block.inside : block.close].strip()
    ]
    if 0 < len(asked) <= MOST_ASKS:
        return asked[-1:]
    left = [_without(text, found) for text, found in zip(texts, blocks, strict=True)]
    return [text for text in left if text.strip()]


def _blocks(text: str) -> list[_Block]:
    """The outermost blocks of a text, in order: one pass over its tags."""
    tags = list(islice(_TAG.finditer(text), MOST_TAGS))
    closing: dict[str, list[re.Match[str]]] = {}
    for tag in tags:
        if tag[1]:
            closing.setdefault(tag[2], []).append(tag)
    starts = {name: [tag.start() for tag in found] for name, found in closing.items()}
    blocks: list[_Block] = []
    free = 0
    for tag in tags:
        if tag[1] or tag.start() < free or tag[2] not in closing:
            continue
        place = bisect_left(starts[tag[2]], tag.end())
        if place == len(starts[tag[2]]):
            continue
        close = closing[tag[2]][place]
        name = tag[2].lower().replace("-", "").replace("_", "")
        blocks.append(_Block(name, tag.start(), tag.end(), close.start(), close.end()))
        free = close.end()
    return blocks


def _without(text: str, blocks: Sequence[_Block]) -> str:
    """A text without the blocks that wrap."""
    kept, place = [], 0
    for block in blocks:
        if (
            block.name in WRAPPERS
            or block.name.endswith(ENDINGS)
            or (block.close - block.inside >= LONG)
        ):
            kept.append(text[place : block.start])
            place = block.end
    kept.append(text[place:])
    return "".join(kept)
