"""Markdown and politeness around an ask: headings, labels, quotes, fences, a polite line.

`**Question:** …`, `# Task` and "Please answer the following question:" say that an ask follows, and
nothing of what is asked. What is inside the ask itself stays as it is.
"""

from __future__ import annotations

import re

POLITE = 40  # characters from which on a text says more than thanks

_ASKED = """
ask instruction instructions problem prompt query question request task
exercise aufgabe frage pregunta tarea tâche question 问题 任务 質問 課題
"""
_FRAME = """
about answer assistant background caution constraint constraints context criteria example
examples expected format formatting guidance guideline guidelines hint hints important info language
length limits metadata note notes output persona preferences reminder reminders reply requirements
response role rule rules settings solution style system tips tone warning
"""
ASKED, FRAME = frozenset(_ASKED.split()), frozenset(_FRAME.split())

_HEADING = re.compile(
    r"^[ \t]{0,3}(?:#{1,6}[ \t]+(.{1,120}?)[ \t#]*|\*\*(.{1,60}?)\*\*[ \t]*:?)$", re.M
)
_RULE = re.compile(r"[ \t]*(?:[-*_=][ \t]*){3,}$")
_FENCE = re.compile(r"(`{3,}|~{3,})[^\n`]*\n(.*?)\n\1$", re.DOTALL)
_QUOTED = re.compile(r"^[ \t]{0,3}>[ \t]?", re.M)
_MARKS = re.compile(r"\s*(?:#{1,6}|>)[ \t]+")
_BULLET = re.compile(r"[ \t]*(?:[-*+•]|\d{1,2}[.)])[ \t]+")
_BOLD = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1$", re.DOTALL)
_LABEL = re.compile(
    r"[*_]{0,2}(?:(?:my|the|user(?:'s)?|current)\s)?(?:question|task|query|q|problem|request|prompt|"
    r"instructions?|user|input|ask|aufgabe|frage|pregunta|问题|質問)\s{0,2}[*_]{0,2}[:：][*_]{0,2}\s+",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"(?:hi|hello|hey)?\W{0,3}"
    r"(?:please|kindly|can you|could you|i(?: would|'d) like you to|i need you to)?\s*"
    r"(?:help(?: me)?(?: with)?|answer|respond to|solve|complete|address|do|consider|handle|perform"
    r"|here is|this is|below is|i have)\s"
    r"(?:me\s)?(?:with\s)?(?:the|this|my|a|an)\s(?:(?:following|user|below|next)\s?'?s?\s?){0,2}"
    r"(?:question|task|problem|request|prompt|query|instruction|exercise|one)?s?"
    r"(?:\sbelow|\scarefully)?\s*[:.]\s+",
    re.IGNORECASE,
)
_THANKS = re.compile(
    r"\s(?:(?:many\s)?thanks?(?:\s(?:you|a\slot|so\smuch))?(?:\s(?:very\smuch|in\sadvance))?"
    r"|(?:best|kind)?\s?regards|cheers)[\s!.,]*$",
    re.IGNORECASE,
)
_REPLY = re.compile(
    r"\s(?:#{1,6}\s*|\*\*)(?:answer|response|assistant|reply|solution)\s*:?\s*(?:\*\*)?:?\s*$",
    re.IGNORECASE,
)


def asked_section(text: str) -> str:
    """What stands under a heading such as `# Task`, else the text."""
    found = _sections(text) if "#" in text or "**" in text else []
    # elsewhere it is a section of a document; what is before the first heading is one, too
    ends = [*found[:2], *found[2:][-1:]]
    asked = [body for title, body in ends if body and _is(title, ASKED)]
    return asked[-1] if asked else text


def undecorated(text: str) -> str:
    """An ask without what is around it; never empty unless the text is."""
    for _ in range(3):  # a bold label may be inside a quote inside a section
        bare = text.strip()
        for step in (asked_section, _without_frame, _unfenced, _unmarked, _unlabelled, _unbold):
            bare = step(bare).strip()
        if bare == text:
            break
        text = bare or text
    return text


def _unfenced(text: str) -> str:
    """The inside of a fence or a quote around the whole text."""
    fenced = _FENCE.match(text)
    text = fenced[2] if fenced else text
    if all(line.lstrip().startswith(">") or not line.strip() for line in text.split("\n")):
        text = _QUOTED.sub("", text)
    return text


def _unmarked(text: str) -> str:
    """A text without rules around it and without a lone bullet or the mark of a heading before."""
    lines = text.split("\n")
    while lines and (_RULE.match(lines[0]) or not lines[0].strip()):
        lines.pop(0)
    while lines and (_RULE.match(lines[-1]) or not lines[-1].strip()):
        lines.pop()
    if lines and not any(map(_BULLET.match, lines[1:])):
        lines[0] = _behind(_BULLET, lines[0])
    return _behind(_MARKS, "\n".join(lines))


def _unlabelled(text: str) -> str:
    """A text without its label or a polite line before it, thanks or an empty answer after it."""
    text = _behind(_LABEL, _behind(_LEAD, _REPLY.sub("", text)))
    return _THANKS.sub("", text) if len(text) > POLITE else text


def _unbold(text: str) -> str:
    """The inside of bold type around the whole text."""
    bold = _BOLD.match(text)
    return bold[2] if bold and bold[1] not in bold[2] else text


def _behind(start: re.Pattern[str], text: str) -> str:
    """What follows a beginning; all of a text that begins otherwise or is nothing else."""
    found = start.match(text)
    return text[found.end() :] if found and text[found.end() :].strip() else text


def _without_frame(text: str) -> str:
    """A text without sections about the answer's form, and without the marks of its headings."""
    kept: list[str] = []
    for title, body in _sections(text) if "#" in text or "**" in text else [("", text)]:
        if _is(title, FRAME):
            continue
        kept += [part for part in ("" if _is(title, ASKED) else title, body) if part]
    return "\n".join(kept)


def _sections(text: str) -> list[tuple[str, str]]:
    """Titles and what stands under them; what is before the first heading has no title."""
    out, title, place = [], "", 0
    for found in _HEADING.finditer(text):
        out.append((title, text[place : found.start()].strip()))
        title, place = (found[1] or found[2]).strip(), found.end()
    out.append((title, text[place:].strip()))
    return out if out[0][1] else out[1:] or out


def _is(title: str, words: frozenset[str]) -> bool:
    """Whether a title is one of these words, or ends with one, such as "User request:"."""
    bare = title.lower().strip(" :*_.!").split()
    return 0 < len(bare) <= 3 and (bare[-1] in words or (bare[0] in words and len(bare) <= 2))
