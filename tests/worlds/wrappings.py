"""What stands around asks in real requests: harness blocks, pasted documents, markdown.

Seeded, and of our own making: towns, letters, code and logs that nobody wrote.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

PASTE = 6000  # characters of a document
FILES = "\n".join(f"- src/module_{i}/file.py" for i in range(60))
TOWNS = ("Halverby", "Kestrel Bay", "Ornsund", "Talmere")
FACTS = (
    "{town} lies in the northern district and is known for its {thing}, built in {year}.",
    "The census of {year} counted {count} people, a tenth less than the one before.",
    "Its trade rests on timber, fishing and, since the {thing} was opened, on visitors.",
    "In {year} a fire took most of the old quarter, which was rebuilt in brick.",
    "The winters are mild, and it rains on {days} days of the year.",
    "A composer, two bishops and the inventor of the {thing} were born there.",
    "Critics have called the town hall austere, and the square in front of it too wide.",
    "From {town} a ferry leaves {days} times a week for the outer islands.",
)
LETTER = (
    "Thanks for the draft, I have read the second section and it looks fine to me.",
    "Could you please check whether the figures for March include the refunds?",
    "I am out of the office from Monday to Thursday next week.",
    "The vendor has promised a new quote until Friday.",
    "Attached is the new schedule, with the two rooms swapped.",
    "The customer would like a call on Tuesday, does ten o'clock work for you?",
)
ABROAD = {
    "german": "Der Ausschuss hat den Haushalt gebilligt. Im nächsten Jahr baut die Gemeinde zwei "
    "neue Brücken, von denen eine nur für Fahrräder gedacht ist. ",
    "russian": "Комитет одобрил бюджет. В следующем году город построит два новых моста, один из "
    "которых предназначен только для велосипедов. ",
    "chinese": "委员会批准了预算。明年该市将修建两座新桥，其中一座仅供自行车使用。",
}


@dataclass(frozen=True, slots=True)
class Wrapped:
    """One ask in one wrapping, as the text parts of a user turn."""

    kind: str
    texts: tuple[str, ...]

    @property
    def group(self) -> str:
        """Its kind in a word: block, after, before or markdown."""
        return self.kind.replace(":", " ").split()[0]


def _fact(source: random.Random) -> str:
    return source.choice(FACTS).format(
        town=source.choice(TOWNS),
        thing=source.choice(("lighthouse", "tide mill", "glass works", "bell")),
        year=source.randrange(1300, 2000),
        count=source.randrange(900, 90_000),
        days=source.randrange(2, 300),
    )


def _prose(source: random.Random) -> str:
    return " ".join(_fact(source) for _ in range(source.randrange(2, 7)))


def _article(source: random.Random) -> str:
    title = source.choice(("History", "Geography", "Economy", "Climate"))
    return f"== {title} ==\n{_prose(source)}"


def _manual(source: random.Random) -> str:
    name = source.choice(("ferry", "ledger", "harbour", "lantern"))
    return (
        f"## The {name} module\n\nInstall it first:\n\n```sh\npip install {name}\n```\n\n"
        f"- Run `{name} check` before each release.\n- See [the guide](docs/{name}.md).\n\n"
        f"{_fact(source)}"
    )


def _mail(source: random.Random) -> str:
    day, name = source.randrange(1, 28), source.choice(("anna", "ben", "carla"))
    said = "\n".join(f"> {line}" for line in source.sample(LETTER, 3))
    return f"On Tue, {day} Mar 2026, {name}@example.com wrote:\n> Hi all,\n>\n{said}\n>\n> Best"


def _letter(source: random.Random) -> str:
    name = source.choice(("Anna", "Ben", "Carla"))
    said = " ".join(source.sample(LETTER, 3))
    head = f"From: {name.lower()}@example.com\nSubject: Re: schedule"
    return f"{head}\n\nHi {name},\n\n{said}\n\nRegards,\n{name}"


def _code(source: random.Random) -> str:
    name = source.choice(("tide", "berth", "cargo", "pilot"))
    number = source.randrange(900)
    return (
        f"def {name}_{number}(rows: list[int]) -> int:\n"
        f'    """Add up what the {name} needs."""\n    total = 0\n    for row in rows:\n'
        f"        if row > {number}:\n            total += row * {number % 7}\n    return total\n"
    )


def _script(source: random.Random) -> str:
    number = source.randrange(900)
    return (
        f"export function pilot{number}(rows) {{\n"
        f"  const kept = rows.filter((r) => r > {number});\n"
        f"  // the tide decides\n  return kept.map((r) => r * 2);\n}}\n"
    )


def _log(source: random.Random) -> str:
    level, took = source.choice(("INFO", "WARN", "ERROR")), source.randrange(900)
    at = f"2026-03-04 12:{source.randrange(60):02d}:{source.randrange(60):02d},123"
    return f"{at} {level} worker-{took % 7} request {took * 37} took {took} ms"


def _row(source: random.Random) -> str:
    number = source.randrange(9999)
    return f"{number},item{number % 97},{number % 13},{number / 7:.2f},Ornsund,2026-01-07"


def _cells(source: random.Random) -> str:
    number = source.randrange(9999)
    return f"| {number} | item {number % 97} | {number * 3} |"


def _markup(source: random.Random) -> str:
    return f'<div class="row"><p>{_fact(source)}</p></div>'


def _record(source: random.Random) -> str:
    return json.dumps({"town": source.choice(TOWNS), "count": source.randrange(9999)}, indent=2)


def _speech(source: random.Random) -> str:
    asked, said = source.choice(
        (("When does it open?", "At nine."), ("And on Sundays?", "It is closed."))
    )
    return f"Caller: {asked}\nClerk: {said} {_fact(source)}"


DOCUMENTS: dict[str, tuple[Callable[[random.Random], str], str]] = {
    "prose": (_prose, "\n\n"),
    "prose in lines": (_prose, "\n"),
    "one paragraph": (_prose, " "),
    "article": (_article, "\n\n"),
    "markdown": (_manual, "\n\n"),
    "mail thread": (_mail, "\n\n"),
    "letters": (_letter, "\n\n"),
    "python": (_code, "\n\n"),
    "javascript": (_script, "\n"),
    "log": (_log, "\n"),
    "csv": (_row, "\n"),
    "table": (_cells, "\n"),
    "html": (_markup, "\n"),
    "json": (_record, ",\n"),
    "dialogue": (_speech, "\n"),
    "one sentence again and again": (lambda _: LETTER[3], " "),
    "one line again and again": (lambda _: LETTER[3], "\n"),
    **{name: (lambda _, text=text: text * 4, "\n\n") for name, text in ABROAD.items()},
}
BLOCKS = {
    "reminder": f"<system-reminder>\n{FILES}\n</system-reminder>",
    "environment": f"<environment_details>\n# Open tabs\n{FILES}\n</environment_details>",
    "attachment": f'<attached_files>\n<file path="a.py">\n{FILES}\n</file>\n</attached_files>',
    "instructions": "<user_instructions>\n"
    + "Run the tests first. Can you keep functions short? Yes.\n" * 30
    + "</user_instructions>",
}
MARKDOWN = {
    "heading": "# Task\n\n{ask}",
    "sections": "# Task\n\n{ask}\n\n## Output format\n\n- Use Markdown.\n\n## Notes\n\n- Be brief.",
    "between sections": "## Context\n\nOur team likes it short.\n\n## Question\n\n{ask}\n\n"
    "## Rules\n\n1. No jargon.",
    "bold": "**{ask}**",
    "label": "**Question:** {ask}\n\n**Answer:**",
    "fence": "```\n{ask}\n```",
    "rules": "---\n\n{ask}\n\n---",
    "polite": "Please answer the following question:\n\n{ask}\n\nThank you!",
    "template": "### Instruction:\n{ask}\n\n### Response:",
}  # fmt: skip
LEADS = ("", "Here is the document:\n\n", "Document:\n")


def document(kind: str, seed: int) -> str:
    """A document of PASTE characters."""
    make, between = DOCUMENTS[kind]
    source = random.Random(seed)  # noqa: S311
    text = ""
    while len(text) < PASTE:
        text += make(source) + between
    return text[:PASTE].rstrip()


def wrappings(ask: str, seed: int) -> Iterator[Wrapped]:
    """An ask in every block, beside every document, in every markdown."""
    source = random.Random(seed)  # noqa: S311
    for kind, block in BLOCKS.items():
        yield Wrapped(f"block: {kind}", (block, ask))
        yield Wrapped(f"block: {kind}", (f"{block}\n\n{ask}",))
    for kind in DOCUMENTS:
        pasted = source.choice(LEADS) + document(kind, source.randrange(1000))
        for join in ("\n\n", "\n"):
            yield Wrapped(f"after {kind}", (f"{pasted}{join}{ask}",))
            yield Wrapped(f"before {kind}", (f"{ask}{join}{pasted}",))
        yield Wrapped(f"after {kind}", (pasted, ask))
        yield Wrapped(f"before {kind}", (ask, pasted))
    for kind, form in MARKDOWN.items():
        yield Wrapped(f"markdown: {kind}", (form.format(ask=ask),))
