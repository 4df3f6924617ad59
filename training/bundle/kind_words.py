"""Kinds of work by the words of prompts, where nobody declared any.

A name is for people: it is read off prompts alone, moves no decision and is no feature.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from router.request.cues import OPTION

MOST = 0.5  # share of a cluster's prompts that must look like a kind for it to be named so
HEAD = 4000  # characters of a prompt that are read

# the first that fits a prompt counts: what is more special comes first
CUES = {
    "SQL": r"\bSQL\b|\bSELECT\b.{1,200}\bFROM\b|\bCREATE TABLE\b",
    "coding": r"```|\b(?:def|class|function|import|return)\b.{0,80}[(:{;]|\bpython\b|\bjavascript\b"
    r"|\btypescript\b|\bC\+\+|\bregex\b|\bunit tests?\b|\bdebug\b|\brefactor\b|\bstack ?trace\b"
    r"|\bcompil(?:e|er|es)\b|\bcode\b",
    "translation": r"\btranslat(?:e|es|ion)\b|\bübersetze?n?\b|\btradu(?:ce|cir|is|ire|za|zir)\b"
    r"|翻訳|翻译|번역",
    "mathematics": r"\\(?:frac|sqrt|int|sum|begin)\b|\$[^$\n]+\$|\bequations?\b|\bintegers?\b"
    r"|\bprove\b|\bproof\b|\bprobability\b|\btriangle\b|\bpolynomial\b|\bderivative\b"
    r"|\bhow (?:many|much)\b|\d\s*[-+*/^=×÷]\s*\d",
    "writing": r"\b(?:write|draft|compose|rewrite)\b.{0,60}\b(?:story|poem|essay|e-?mail|letter"
    r"|tweet|post|article|song|speech|haiku|slogan|toast)\b|\b(?:poem|haiku|short story)\b",
    "analysis": r"\bsummar(?:y|i[sz]e)\b|\banaly[sz]e\b|\bcompare\b|\bclassify\b|\bextract\b",
}
_CUES = {kind: re.compile(cue, re.IGNORECASE | re.DOTALL) for kind, cue in CUES.items()}
_OPTION = re.compile(rf"^(?:{OPTION.pattern})", re.MULTILINE)
OPTIONS = 3  # answers to choose from that make an exam's question


def kind_by_words(texts: Sequence[str]) -> str | None:
    """The kind that most of some prompts look like; null where most look like none."""
    found = [_kind(text[:HEAD]) for text in texts]
    names = [*CUES, "knowledge"]
    best = max(names, key=found.count)
    return best if found.count(best) > MOST * len(found) else None


def _kind(text: str) -> str | None:
    for kind, cue in _CUES.items():
        if cue.search(text):
            return kind
    return "knowledge" if len(_OPTION.findall(text)) >= OPTIONS else None
