"""Cues in words: what a line looks like that asks for something, and one that was pasted.

Each pattern is linear: it is matched at the start of a line, or bounded, or anchored at its end.
"""

from __future__ import annotations

import re

DATA = re.compile(
    r"""\s{4,}\S | \t | \s*[>|"'\[\]{}<@/*\\+=~] | \s*--- | \#!?[^\s\#]
      | \s*(?:
        \d{4}-\d\d-\d\d[T ] | \d\d?[:/.]\d\d[:/.]\d\d | [A-Z][a-z]{2}\s+\d+\s\d\d:
        | \d+\.\d+\.\d+\.\d+\s | (?:INFO|DEBUG|WARN|WARNING|ERROR|TRACE|FATAL)\b
        | (?:import|from|async|def|class|return|const|var|fn|func|function|public|private|static
          |package|use|struct|impl|enum|elif|except|catch|raise|throw|select|insert|create|drop
          |begin|end)\s+[\w.*]+\s*[\w.(:;{=*]*(?:$|[({;:=]|\simport\s)
        | (?:From|To|Cc|Subject|Date|Sent|Message-ID|Received|Content-Type|Reply-To):\s
        | On\s[^\n]{5,120}\swrote:\s*$
        | [\w.-]{1,40}:\s*(?:$|[\w"'\[{/.-]{1,60}$)
        | [\w.\[\]"']{1,60}\s*[-+*/|&:]?=\s*\S
        | (?:[^,\n]{0,40},){5,}[^,\n]{0,40}$)
      | [^\n]{0,200}(?:[{};\\] | [)\]]\s*[:{])\s*$""",
    re.VERBOSE,
)
OPTION = re.compile(r"\s*\(?([A-J])[.):]\s|\s*(?:Answer|A|Antwort|答案)\s*[:：]?\s*$")
MARKED = re.compile(r"\s*(?:#{1,6}\s|(?:[-*+•]|\d{1,3}[.)])\s+)")
LEAD = re.compile(
    r"\W{0,9}(?:here (?:is|are|'s|comes)|below (?:is|are)|the following is"
    r"|(?:document|context|text|passage|article|file|attachment|input|content|source|reference"
    r"|background|transcript|code|log|logs|data|email)s?\b[^\n]{0,30}:)[^\n]{0,80}$"
    r"|\W{0,9}(?:use|using|read|see|refer to|consider|given|based on)\s(?:only\s)?"
    r"(?:the|this|these)\s[^\n.]{0,60}"
    r"(?:context|text|document|file|below|information|background|reference)s?\W*$",
    re.IGNORECASE,
)
LABEL = re.compile(
    r"\W{0,9}(?:question|task|q|problem|query|request|instruction|instructions|prompt|my question"
    r"|aufgabe|frage|pregunta|问题|質問)\W{0,3}[:：]",
    re.IGNORECASE,
)
_VERBS = """
act add analyse analyze annotate answer argue arrange ask assess assume brainstorm build
calculate categorize change check choose cite clarify classify combine compare complete compose
compute condense conduct confirm consider construct convert correct count create criticize
critique debug decide deduce defend define delete demonstrate derive describe design detect
determine develop differentiate discuss divide draft draw edit elaborate estimate evaluate
examine expand explain explore express extract factor fill find fix forecast format generate
give grade guess help highlight identify illustrate imagine implement improve infer integrate
interpret introduce invent investigate judge let list locate make match mention merge migrate
multiply name optimize organize outline paraphrase pick plan plot port predict prepare pretend
proofread propose prove provide quote rearrange recite recommend reduce refactor reformat remove
rename repeat rephrase replace reply research respond restate reverse review reword rewrite
schedule search select shorten show simplify simulate sketch solve split subtract suggest
summarise summarize suppose teach tell think trace train transcribe transform translate trim
turn update validate verify write
"""
STARTS = re.compile(
    r"""\W{0,9}(?:
      (?:(?:please|now|then|next|also|first|finally|okay|ok|so|kindly|just|(?:hi|hello|hey)
          (?:\s\w{1,20})?)[\s,!:]{1,3}){0,3}
        (?:(?:can|could|would|will)\s(?:you|someone|u|we|i)
        |i\s(?:need|want|would\slike|am\s(?:looking|trying)|have|'m)|i'd\slike|let'?s|act\sas
        |you\s(?:should|need|must|will\sbe\sgiven|are\sgiven)
        |what|who|whom|whose|when\s(?:did|does|do|is|was|were|will)|where|why|how|which
        |is\s(?:it|there|this|the)|are\sthere|does|do\syou|did|should|(?:VERBS))
      |(?:using|based|given|in|for|from|to)\s[^\n.?!]{1,60}?[,:]\s(?:please\s)?(?:what|how|(?:VERBS))
      )\b(?!:)""".replace("VERBS", "|".join(_VERBS.split())),
    re.VERBOSE | re.IGNORECASE,
)
# of lower case; no branch begins with a mere position, so most places are passed over at once
INSIDE = re.compile(
    r"which\sof\sthe\sfollowing|how\s(?:many|much|long|far|old|do\si|would\syou|can\si)\b"
    r"|what\s(?:is|are|was|were|will|would|does|do|did|percent)\b"
    r"|best\s(?:describes|explains)|most\slikely"
    r"|(?:find|determine|calculate|compute|evaluate|prove|show|simplify|solve)"
    r"(?:\s(?:the|that|all|its|a|an|in|if|for|each|\w)\b|\s?[$\\:])"
    r"|please|can\syou|could\syou|i\sneed|i\swant|for\sme|help\sme|__"
    r"|bitte|warum|erkläre|schreibe|por\sfavor|qué\s|cómo|pourquoi|expliquez|perché|explique"
    r"|请|請|什么|怎么|如何|为什么|吗|ください|教えて|ですか|ますか|なさい|해\s?주세요|무엇"
    r"|пожалуйста|почему|напиши|объясни|сколько"
)
WORD = re.compile(r"[^\W\d_]{4,}")
LATEX = re.compile(r"\\[a-zA-Z]{2,}|\\[\[(]|\$[^$\n]+\$")
ASKS = re.compile(r"[?？؟][\s\"'”’)\]*_»]*$")
SENTENCE = re.compile(r"(?<=[.!?。！？])(?:[\"'”’)]?\s+|(?<=[。！？]))")


def asking(text: str) -> float:
    """How much a line of prose asks for something: -0.4 where nothing says so, up to 4.5."""
    score = -0.4
    if LABEL.match(text):
        score += 2.0
    if ASKS.search(text):
        score += 3.0
    elif "?" in text or "？" in text:
        score += 1.0
    marked = MARKED.match(text)  # in a list of rules imperatives are the rule
    if STARTS.match(text, marked.end() if marked else 0):
        score += 1.0 if marked else 2.5
    if INSIDE.search(text.lower()):
        score += 1.5
    return min(score, 4.5)


def is_data(line: str) -> bool:
    """Whether a line is code, a log, a table, a quote or a mail's header."""
    return bool(DATA.match(line)) and not (OPTION.match(line) or LATEX.search(line))


def words(text: str) -> list[str]:
    """Its words of four letters or more, in lower case."""
    return WORD.findall(text.lower())
