"""Calls that a client makes for itself: titles, summaries, compactions, probes; and sub-agents.

Recognised by what an instruction asks for, not by one client's exact words. Instructions are looked
for in the head of a short system message, and in head and tail of the last ask; a long text that
quotes one in its middle is none. The rules, sentence by sentence, the first that holds:

- `probe`: one token is wanted, of a word or two.
- `title`: somebody is told to write a title, topic, tag, follow-up question or the like of a
  conversation, or to put one into so few words that it is a title.
- `compaction`: a summary of the conversation is wanted that takes its place.
- `summary`: somebody is told to sum up a conversation.

A sentence that speaks of code to be built, or of what "I" or "we" want, is no instruction of a
client: "write a function that titles each chat".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from .types import Request

Housekeeping = Literal["probe", "title", "compaction", "summary"]

PROBE_CHARS = 32  # of an ask; a longer one may want one letter in earnest
HEAD_CHARS = 700  # of a text, in which an instruction is looked for
LONGEST_SYSTEM = 12_000  # characters; a longer system message describes an agent, not one chore
FAR = 12  # words between a verb and what it makes
FEW = {"word": 20, "words": 20, "characters": 80, "chars": 80}  # that a title may have


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_VERBS = _words(
    """generate create write provide give extract coming come crafting craft produce suggest reply
    respond return output make propose choose pick assign predict generating creating writing
    extracting suggesting determine identify name analyze"""
)
_SUMS = _words(
    """summarize summarise summarizing summarising summary recap condense condensing compress
    compressing compact compacting description describe"""
)
# a verb after one of these is told to somebody, as is one that leads
_LEADS = _words(
    """please you must should will now then and to in at with just briefly concisely simply first
    carefully immediately only task are ,"""
)
_OURS = _words("i we i'm we're i'd my how")
_BUILT = _words(
    """function functions script scripts code class method component test tests app program
    endpoint api regex database table column schema feature ui button page django react essay
    article blog book paper song movie story poem email"""
)
_LABELS = _words(
    """title titles subtitle topic topics tags label labels headline emoji category categories
    follow-up followup queries questions"""
)
_TALK = re.compile(
    r"\b(?:conversations?|chats?|chat(?:bot)? history|dialog(?:ue)?s?|transcript|messages|"
    r"(?:this|the|our|your|coding|current) (?:[\w-]+ )?(?:session|discussion|thread|exchange)|"
    r"(?:this|first|following) (?:user )?(?:message|prompt|request|query)|"
    r"user's (?:first |last )?(?:message|prompt|request|query|question|input))\b"
)
_KEPT_FOR = re.compile(
    r"\bso far\b|\bcontinu(?:e|ing)\b|\bresum(?:e|ing)\b|\bcarry on\b|\bpick up\b|future context"
    r"|\breplace|context (?:window|limit)|another (?:llm|assistant|agent|model|instance)"
    r"|next (?:agent|assistant|session)|\btasked with\b|\bdetailed summary\b"
)
_PHRASES: dict[Housekeeping, re.Pattern[str]] = {
    "title": re.compile(
        r"\b(?:title|topic|tag|emoji) (?:generator|generation|summari[sz]er|extractor|writer)\b"
        r"|isnewtopic|\bnew conversation topic\b|\bsuggestion mode\b|\bconversation title\b"
        r"|(?:what|messages) (?:the|this) user (?:might|would|may)(?: naturally)? "
        r"(?:type|say|ask|send) next"
        r"|(?:标题|標題|主题|主題|标签).{0,60}(?:对话|對話|会话|會話|聊天)"
        r"|(?:对话|對話|会话|會話|聊天|这句话).{0,60}(?:标题|標題|主题|主題|标签)"
        r"|(?:会話|チャット|対話).{0,40}(?:タイトル|題名)|(?:대화|채팅).{0,40}제목"
        r"|\b(?:titel|überschrift)\b.{0,80}\b(?:chat|gespräch|unterhaltung|konversation)"
        r"|\b(?:titre|título|titolo)\b.{0,80}\b(?:chat|convers)"
        r"|(?:заголовок|название).{0,60}(?:диалог|чат|разговор|бесед)"
    ),
    "compaction": re.compile(
        r"\b(?:context|conversation|history) (?:window )?(?:checkpoint )?"
        r"(?:compaction|compression|condensation|condenser)\b"
        r"|\bcheckpoint (?:compaction|summary)\b|\bhandoff (?:summary|document|note)"
        r"|<state_snapshot>|\bstate summary\b|\binternal chat history\b"
        r"|\bprompt for continuing (?:our|the|this) conversation\b"
    ),
    "summary": re.compile(
        r"(?:总结|總結|概括).{0,30}(?:对话|對話|会话|會話|聊天)|(?:会話|チャット|対話).{0,20}要約"
        r"|(?:대화|채팅).{0,20}요약|fass.{0,40}(?:gespräch|unterhaltung|chat).{0,20}zusammen"
        r"|\b(?:résume|resume|resuma|riassumi).{0,30}(?:convers|discussion)"
    ),
}
# every rule's sentences hold one of these; most texts hold none, and are not looked at further
_CUES = (
    "title", "topic", "tag", "tags", "label", "headline", "emoji", "categor", "follow-up",
    "followup", "queries", "questions", "summar", "recap", "condens", "compress", "compact",
    "descri", "checkpoint", "handoff", "snapshot", "what the user", "this user", "suggestion mode",
    "prompt for continuing", "internal chat", "标", "標", "主题", "主題", "总结", "總結",
    "概括", "題名", "タイトル", "要約", "제목", "요약", "titel", "überschrift", "zusammen",
    "titre", "título", "titolo", "résum", "resum", "riassum", "заголов", "назван",
)  # fmt: skip
_AGENTS = (
    "agent", "specialist", "explorer", "reviewer", "planner", "spawned", "launched", "dispatched",
    "invoked", "delegated", "called by", "tasked by",
)  # fmt: skip
_SENTENCE = re.compile(r"(?<=[.!?:;])\s+|\n+|\. |(?<=[。！？])")
_SUBAGENT = re.compile(
    r"\b(?:you are|you're|acting as|act as|role is|as) (?:an? |the |one of the )?(?:[\w-]+ ){0,4}?"
    r"(?:sub-?agents?|(?:worker|child|delegated) agent)\b"
    r"|\byou are an? (?:[\w-]+ ){0,5}?(?:agent|specialist|explorer|reviewer|planner) for "
    r"(?:claude|codex|cline|opencode|cursor|gemini|copilot|roo|the (?:main|parent|lead|primary))"
    r"|\b(?:spawned|launched|dispatched|invoked|delegated|called|tasked) by (?:an? |the |your )?"
    r"(?:main|parent|lead|primary|orchestrat|supervisor|coordinator|calling|another agent)"
    r"|\b(?:report|return|reply|respond)\b[^.\n]{0,60}\bto (?:the|your) "
    r"(?:main|parent|lead|primary|orchestrat\w+|supervisor|coordinator|calling) agent\b"
    r"|\byour (?:parent|main|lead|orchestrat\w+|supervisor) agent\b"
)


def housekeeping(request: Request, ask: str) -> tuple[Housekeeping, str] | None:
    """The kind of a call that no user made, with its instruction; null for any other call.

    Args:
        request: the whole of it.
        ask: of its last user turn.
    """
    if request.max_output_tokens == 1 and len(ask) <= PROBE_CHARS:
        return "probe", ask
    places = [(ask, ask[:HEAD_CHARS]), (ask, ask[HEAD_CHARS:][-HEAD_CHARS:])]
    places += [(text, text[:HEAD_CHARS]) for text in _chores(request)]
    for text, end in places:
        for sentence in _sentences(end):
            kind = _kind(sentence)
            if kind is not None:
                return kind, text
    return None


def is_subagent(request: Request, ask: str) -> bool:
    """Whether a system message, or the first user turn itself, makes a sub-agent of the model."""
    heads = [text[:HEAD_CHARS].lower() for text in (*_systems(request), ask)]
    return any(_SUBAGENT.search(head) for head in heads if any(word in head for word in _AGENTS))


def _systems(request: Request) -> list[str]:
    return [text for turn in request.turns if turn.role == "system" for text in turn.texts]


def _chores(request: Request) -> list[str]:
    """System messages that may be one chore's instruction: no tools, no book of rules."""
    texts = _systems(request)
    return [] if request.tools or sum(map(len, texts)) > LONGEST_SYSTEM else texts


def _sentences(text: str) -> list[str]:
    """A short text's sentences in lower case; none where no rule can hold of one."""
    low = text.lower()
    if not any(cue in low for cue in _CUES):
        return []
    return [part for part in _SENTENCE.split(low.replace("’", "'")) if part]


def _kind(sentence: str) -> Housekeeping | None:
    """What a sentence tells a model to do for a client."""
    for kind, phrases in _PHRASES.items():
        if phrases.search(sentence):
            return kind
    words = re.findall(r"[\w'-]+|,", sentence)
    if not _BUILT.isdisjoint(words):
        return None
    if not _TALK.search(sentence):
        return None
    told = _told(words, _VERBS | _SUMS, _SUMS)
    if _told(words, _VERBS, _LABELS) or (told and _few(words)):
        return "title"
    if not _SUMS.isdisjoint(words) and _KEPT_FOR.search(sentence) and _OURS.isdisjoint(words):
        return "compaction"
    return "summary" if told else None


def _told(words: Sequence[str], verbs: frozenset[str], things: frozenset[str]) -> bool:
    """Whether somebody is told to do one of `verbs` to one of `things`, which may be the same."""
    for i, word in enumerate(words):
        if word in _OURS:
            return False
        if word in verbs and (i == 0 or words[i - 1] in _LEADS):
            return not things.isdisjoint(words[i : i + FAR])
    return False


def _few(words: Sequence[str]) -> bool:
    """Whether a sentence allows only so many words as a title has."""
    spelt = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "ten": 10}
    for number, unit in pairwise(words):
        digits = re.sub(r"\D.*", "", number)
        most = int(digits) if digits else spelt.get(number, 0)
        if 0 < most <= FEW.get(unit.removesuffix("-"), 0):
            return True
    return False
