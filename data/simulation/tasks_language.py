"""Prompts about texts and knowledge: summaries, extraction, translation, trivia, cases, chat.

Difficulty is what the text shows: its length, how rare the topic, how many demands. The order of
draws is part of a world: another order is another world for the same seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .text_sampler import TEMPLATES, WORDS, PromptSpec, TextSampler, clip

LETTERS = "ABCDEFGHIJ"


def text_slots(sampler: TextSampler) -> dict[str, Any]:
    """Values for every slot that these templates use."""
    return sampler.two_people() | sampler.slots("text")


def order_slots(sampler: TextSampler) -> dict[str, Any]:
    """As `text_slots`, and what only letters and minutes hold."""
    found = text_slots(sampler)
    found["big"] = sampler.number(500, 98_000)
    found["code"] = f"{sampler.pick('ABCDEFGHK')}{sampler.number(10_000, 999_999)}"
    found["mail"] = found["name"].lower()
    return found


def patient_slots(sampler: TextSampler) -> dict[str, Any]:
    """What only a vignette in medicine holds."""
    found = sampler.slots("patient")
    found["temp"] = sampler.decimal(35.6, 40.4)  # °C
    found["na"] = sampler.number(118, 158)  # mmol/l
    found["cr"] = sampler.decimal(0.6, 4.2)  # mg/dl
    return found


def _sentences(sampler: TextSampler, templates: Sequence[str], count: int) -> str:
    """`count` filled sentences; a template comes again only when all have been used."""
    rounds = -(-count // len(templates))
    order = [line for _ in range(rounds) for line in sampler.several(templates, len(templates))]
    return " ".join(line.format(**text_slots(sampler)) for line in order[:count])


def summary(sampler: TextSampler) -> PromptSpec:
    """A report of three to twenty sentences to be shortened."""
    count = 3 + int(17 * sampler.unit() ** 2)
    body = _sentences(sampler, WORDS["report"], count)
    effort, ask = sampler.graded("summary_asks")
    text = f"{ask.format(n=sampler.number(15, 60), k=sampler.number(2, 6))}\n\n{body}"
    return PromptSpec(text, "summary", "report", clip(0.1 + effort + 0.025 * count), 50 + 6 * count)


def extraction(sampler: TextSampler) -> PromptSpec:
    """A letter from which two to nine fields are to be read."""
    shared = order_slots(sampler)
    body = " ".join(
        line.format(**(shared | {"n": sampler.number(2, 900), "k": sampler.number(2, 28)}))
        for line in sampler.several(WORDS["letter"], sampler.number(3, 9))
    )
    keys = sampler.several(WORDS["keys"], sampler.number(2, 9))
    effort, ask = sampler.graded("extraction_asks")
    asked = ask.format(keys=", ".join(keys))
    text = f"{asked}\n\n{body}" if sampler.chance(0.6) else f"{body}\n\n{asked}"
    hard = clip(effort + 0.03 * len(keys) + len(body) / 3000)
    return PromptSpec(text, "extraction", "letter", hard, 20 + 14 * len(keys))


def translation(sampler: TextSampler) -> PromptSpec:
    """One to six sentences from English to another language, or the reverse."""
    count = 1 + int(5 * sampler.unit() ** 1.5)
    effort, style = sampler.graded("styles")
    if sampler.chance(0.6):
        rare, target = sampler.graded("targets")
        lines, family = WORDS["english"], "from_english"
    else:
        source = sampler.pick(TEMPLATES["foreign"])
        lines, family = source["lines"], "to_english"
        target = sampler.pick(("English", "English", "Italian"))
        rare = source["difficulty"]
        rare += 0.08 * (target != "English") + 0.01 * len(source["language"])
    body = _sentences(sampler, lines, count)
    text = f"{sampler.word('translation_openers').format(t=target)}{style}\n{body}"
    hard = clip(0.1 + rare + effort + 0.03 * count)
    return PromptSpec(text, "translation", family, hard, 10 + 22 * count)


def local(sampler: TextSampler) -> PromptSpec:
    """A question that is asked, and to be answered, in another language."""
    effort, template = sampler.graded("local_questions")
    text = template.format(**text_slots(sampler))
    return PromptSpec(text, "translation", "local_question", effort, 260)


def trivia(sampler: TextSampler) -> PromptSpec:
    """A question of fact; rare countries, years and ranks make it harder."""
    effort, template = sampler.graded("trivia")
    rare, country = sampler.graded("countries")
    rank, year = sampler.number(2, 12), sampler.number(1850, 2015)
    ordinal = f"{rank}{ {2: 'nd', 3: 'rd'}.get(rank, 'th') }"
    text = template.format(country=country, k=sampler.number(2, 9), rank=ordinal, year=year)
    far = 0.1 * ("{year}" in template) * (year < 1930) + 0.012 * rank * ("{rank}" in template)
    hard = clip(effort + rare + far)
    return PromptSpec(text + sampler.word("trivia_tails"), "trivia", "fact", hard, 15 + 90 * effort)


def case(sampler: TextSampler) -> PromptSpec:
    """A vignette in law or medicine, usually with options."""
    domain, kind = ("law", "legal") if sampler.chance(0.5) else ("medicine", "medical")
    facts = WORDS[f"{kind}_facts"]
    effort, issue = sampler.graded(f"{kind}_issues")
    pool = WORDS[TEMPLATES["options"].get(issue, "legal_options")]
    shared = text_slots(sampler) | {"who": sampler.word("people")}
    told = [facts[0], *sampler.several(facts[1:], sampler.number(1, 6))]
    lines = [fact.format(**(shared | patient_slots(sampler))) for fact in told]
    count = sampler.pick((0, 4, 4, 5, 10))
    options = zip(LETTERS, sampler.several(pool, count), strict=False)
    listed = "".join(f"\n{letter}. {option.format(**shared)}" for letter, option in options)
    text = " ".join([*lines, issue.format(**shared)]) + listed
    hard = clip(effort + 0.035 * len(lines) + 0.018 * count)
    return PromptSpec(text, domain, "options" if count else "open", hard, 110 + 25 * len(lines))


def chat(sampler: TextSampler) -> PromptSpec:
    """Everyday advice and small creative wishes."""
    effort, template = sampler.graded("advice")
    more, tail = sampler.graded("advice_tails")
    text = (template + tail).format(**text_slots(sampler), who=sampler.word("people"))
    return PromptSpec(text, "chat", "advice", clip(effort + more), 160 + 160 * effort)


def long_context(sampler: TextSampler) -> PromptSpec:
    """Minutes of 15 to 90 lines with one question at the end."""
    count = 15 + int(76 * sampler.unit() ** 2)
    rows = [sampler.word("meeting").format(**order_slots(sampler)) for _ in range(count)]
    effort, ask = sampler.graded("needles")
    asked = ask.format(**text_slots(sampler))
    text = "\n".join(["Minutes of the meeting:", *rows, "", asked])
    hard = clip(0.1 + effort + 0.004 * count)
    return PromptSpec(text, "long_context", "minutes", hard, 70 + count)
