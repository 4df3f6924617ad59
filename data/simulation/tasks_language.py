"""Prompts about texts and knowledge: summaries, extraction, translation, trivia, cases, chat.

Difficulty is what the text shows: its length, how rare the topic, how many demands.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import cases, passages
from .text_sampler import Dice, Draft, clip
from .words import CITIES, COMPANIES, GOODS, MONTHS, NAMES, PRODUCTS

KEYS = (
    "customer", "order_number", "date", "items", "total_usd", "currency", "delivery_city", "email",
    "complaint_type", "urgency", "refund_requested", "quantity", "due_date", "tax_rate",
)  # fmt: skip
EXTRACTION_ASKS: tuple[tuple[str, float], ...] = (
    ("Return JSON with the keys {keys}.", 0.05),
    ("Extract {keys} as a JSON object. Use null where the text does not say.", 0.12),
    ("Make a CSV line with the columns {keys}.", 0.08),
    ("Output only valid JSON ({keys}); dates as ISO 8601, amounts as integers in cents.", 0.25),
    ("Give JSON with {keys}, and next to each value the exact quote that supports it.", 0.35),
)
LETTER = (
    "On {month} {k} I ordered {n} {goods} and one {product} from {company}.",
    "My order number is {code}.",
    "Please deliver to {city}, attention of {name}.",
    "The {product} arrived broken and I want my money back.",
    "The invoice says ${big}.50 but we had agreed on ${n}.",
    "If I hear nothing by {month} {k}, I will cancel everything except the {goods}.",
    "You can reach me at {mail}@example.org, not at the old address.",
    "The first parcel held {k} {goods}, the second {n}, and the third was empty.",
    "My colleague {other} already wrote to you about a different order, please ignore that one.",
    "VAT of {p} % seems to have been charged twice.",
)
MEETING = (
    "{name}: we still have {n} open {goods} orders from {city}.",
    "{name}: {other} will call {company} before {month} {k}.",
    "{name}: the budget for the {product} is ${big}, not a cent more.",
    "{name}: I disagree, {city} is too far away.",
    "{name}: can someone take notes? {other}?",
    "{name}: correction, it was {n} {goods}, not {k}.",
    "{name}: fine, then {company} gets the contract for the {product}.",
    "{name}: let us postpone {city} to {month}.",
)
NEEDLES: tuple[tuple[str, float], ...] = (
    ("Who will call {company}?", 0.15),
    ("Which figures were corrected later, and to what?", 0.4),
    ("List all decisions with the person responsible.", 0.4),
    ("How much money was agreed on in total?", 0.5),
    ("Who contradicted whom, and about which city?", 0.55),
    ("Is any statement of {name} in conflict with an earlier one? Quote both.", 0.7),
)


def slots(dice: Dice) -> dict[str, object]:
    """Values for every slot that these templates use."""
    name, other = dice.several(NAMES, 2)
    return {
        "name": name,
        "other": other,
        "goods": dice.pick(GOODS),
        "city": dice.pick(CITIES),
        "company": dice.pick(COMPANIES),
        "month": dice.pick(MONTHS),
        "product": dice.pick(PRODUCTS),
        "n": dice.number(11, 480),
        "k": dice.number(2, 9),
        "p": dice.number(2, 40),
        "age": dice.number(17, 84),
    }


def order_slots(dice: Dice) -> dict[str, object]:
    """As `slots`, and what only letters and minutes hold."""
    found = slots(dice)
    found["big"] = dice.number(500, 98_000)
    found["code"] = f"{dice.pick('ABCDEFGHK')}{dice.number(10_000, 999_999)}"
    found["mail"] = str(found["name"]).lower()
    return found


def _sentences(dice: Dice, templates: Sequence[str], count: int) -> list[str]:
    """`count` filled sentences; a template comes again only when all have been used."""
    rounds = -(-count // len(templates))
    order = [line for _ in range(rounds) for line in dice.several(templates, len(templates))]
    return [line.format(**slots(dice)) for line in order[:count]]


def summary(dice: Dice) -> Draft:
    """A report of three to twenty sentences to be shortened."""
    count = 3 + int(17 * dice.unit() ** 2)
    body = " ".join(_sentences(dice, passages.REPORT, count))
    ask, effort = dice.pick(passages.SUMMARY_ASKS)
    text = f"{ask.format(n=dice.number(15, 60), k=dice.number(2, 6))}\n\n{body}"
    return Draft(text, "summary", "report", clip(0.1 + effort + 0.025 * count), 50 + 6 * count)


def extraction(dice: Dice) -> Draft:
    """A letter from which two to nine fields are to be read."""
    shared = order_slots(dice)
    body = " ".join(
        line.format(**(shared | {"n": dice.number(2, 900), "k": dice.number(2, 28)}))
        for line in dice.several(LETTER, dice.number(3, 9))
    )
    keys = dice.several(KEYS, dice.number(2, 9))
    ask, effort = dice.pick(EXTRACTION_ASKS)
    asked = ask.format(keys=", ".join(keys))
    text = f"{asked}\n\n{body}" if dice.chance(0.6) else f"{body}\n\n{asked}"
    hard = clip(effort + 0.03 * len(keys) + len(body) / 3000)
    return Draft(text, "extraction", "letter", hard, 20 + 14 * len(keys))


def translation(dice: Dice) -> Draft:
    """One to six sentences from English to another language, or the reverse."""
    count = 1 + int(5 * dice.unit() ** 1.5)
    style, effort = dice.pick(passages.STYLES)
    lines: Sequence[str]
    if dice.chance(0.6):
        target, rare = dice.pick(passages.TARGETS)
        lines, family = passages.ENGLISH, "from_english"
    else:
        source, lines, rare = dice.pick(passages.FOREIGN)
        target, family = dice.pick(("English", "English", "Italian")), "to_english"
        rare += 0.08 * (target != "English") + 0.01 * len(source)
    body = " ".join(_sentences(dice, lines, count))
    opener = dice.pick(("Translate into {t}:", "Translate to {t}.", "How do you say this in {t}?"))
    text = f"{opener.format(t=target)}{style}\n{body}"
    hard = clip(0.1 + rare + effort + 0.03 * count)
    return Draft(text, "translation", family, hard, 10 + 22 * count)


def local(dice: Dice) -> Draft:
    """A question that is asked, and to be answered, in another language."""
    template, effort = dice.pick(passages.LOCAL_QUESTIONS)
    return Draft(template.format(**slots(dice)), "translation", "local_question", effort, 260)


def trivia(dice: Dice) -> Draft:
    """A question of fact; rare countries, years and ranks make it harder."""
    template, effort = dice.pick(passages.TRIVIA)
    country, rare = dice.pick(passages.COUNTRIES)
    rank = dice.number(2, 12)
    year = dice.number(1850, 2015)
    ordinal = f"{rank}{ {2: 'nd', 3: 'rd'}.get(rank, 'th') }"
    text = template.format(country=country, k=dice.number(2, 9), rank=ordinal, year=year)
    far = 0.1 * ("{year}" in template) * (year < 1930) + 0.012 * rank * ("{rank}" in template)
    tail = dice.pick(("", "", "", " Answer in one word.", " Cite your source.", " Be brief."))
    return Draft(text + tail, "trivia", "fact", clip(effort + rare + far), 15 + 90 * effort)


def case(dice: Dice) -> Draft:
    """A vignette in law or medicine, usually with options."""
    legal = dice.chance(0.5)
    facts = cases.LEGAL_FACTS if legal else cases.MEDICAL_FACTS
    issue, effort = dice.pick(cases.LEGAL_ISSUES if legal else cases.MEDICAL_ISSUES)
    pool = cases.LEGAL_OPTIONS if legal else cases.MEDICAL_OPTIONS[issue]
    shared = slots(dice) | {"who": dice.pick(cases.PEOPLE)}
    lines = [
        fact.format(**(shared | _clinic(dice)))
        for fact in (facts[0], *dice.several(facts[1:], dice.number(1, 6)))
    ]
    count = dice.pick((0, 4, 4, 5, 10))
    options = "".join(
        f"\n{letter}. {option.format(**shared)}"
        for letter, option in zip("ABCDEFGHIJ", dice.several(pool, count), strict=False)
    )
    text = " ".join([*lines, issue.format(**shared)]) + options
    hard = clip(effort + 0.035 * len(lines) + 0.018 * count)
    domain = "law" if legal else "medicine"
    return Draft(text, domain, "options" if count else "open", hard, 110 + 25 * len(lines))


def _clinic(dice: Dice) -> dict[str, object]:
    return {
        "n": dice.number(2, 72),
        "sign": dice.pick(cases.SIGNS),
        "illness": dice.pick(cases.ILLNESSES),
        "drug": dice.pick(cases.DRUGS),
        "job": dice.pick(cases.JOBS),
        "ecg": dice.pick(cases.ECGS),
        "s": dice.number(88, 195),
        "d": dice.number(50, 87),
        "pulse": dice.number(44, 148),
        "temp": f"{dice.shift(35.6, 40.4):.1f}",
        "na": dice.number(118, 158),
        "cr": f"{dice.shift(0.6, 4.2):.1f}",
    }


def chat(dice: Dice) -> Draft:
    """Everyday advice and small creative wishes."""
    template, effort = dice.pick(cases.ADVICE)
    tail, more = dice.pick(cases.ADVICE_TAILS)
    text = (template + tail).format(**slots(dice), who=dice.pick(cases.PEOPLE))
    return Draft(text, "chat", "advice", clip(effort + more), 160 + 160 * effort)


def long_context(dice: Dice) -> Draft:
    """Minutes of 15 to 90 lines with one question at the end."""
    count = 15 + int(76 * dice.unit() ** 2)
    rows = [dice.pick(MEETING).format(**order_slots(dice)) for _ in range(count)]
    ask, effort = dice.pick(NEEDLES)
    text = "Minutes of the meeting:\n" + "\n".join(rows) + "\n\n" + ask.format(**slots(dice))
    return Draft(text, "long_context", "minutes", clip(0.1 + effort + 0.004 * count), 70 + count)
