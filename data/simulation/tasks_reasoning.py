"""Prompts with one right answer to reach by steps: sums, word problems, proofs, puzzles, code.

Difficulty is what the text shows: how many steps, how large the numbers, how many constraints.
The order of draws is part of a world: another order is another world for the same seed.
"""

from __future__ import annotations

from collections.abc import Sequence

from .text_sampler import TEMPLATES, WORDS, PromptSpec, TextSampler, clip


def word_problem(sampler: TextSampler) -> PromptSpec:
    """A story of two to eight steps about counted goods."""
    count = 1 + int(7 * sampler.unit() ** 1.4)
    size = sampler.number(1, 4)
    slots = sampler.two_people()
    slots |= {"goods": sampler.word("goods"), "place": sampler.word("places")}

    def fill(template: str) -> str:
        n, k, tenths = sampler.digits(size), sampler.number(3, 9), sampler.number(1, 15)
        return template.format(**slots, n=n, k=k, p=5 * tenths)

    slots["start"] = sampler.digits(size + 1)
    parts = [fill("{name} works at {place} and starts with {start} {goods}.")]
    effort = 0.02 * size
    for _ in range(count):
        cost, step = sampler.graded("steps")
        parts.append(fill(step))
        effort += cost
    if sampler.chance(0.25):
        parts.insert(sampler.number(1, len(parts)), fill(sampler.word("asides")))
        effort += 0.06
    text = " ".join([*parts, fill(sampler.word("questions"))]) + sampler.word("asks")
    return PromptSpec(text, "maths", "word_problem", clip(effort), 60 + 45 * count)


def arithmetic(sampler: TextSampler) -> PromptSpec:
    """A bare sum of two to five terms."""
    terms = sampler.number(2, 5) if sampler.chance(0.6) else 2
    size = 1 + int(5 * sampler.unit() ** 1.3)
    expression = str(sampler.digits(size))
    effort = 0.05 * size
    for _ in range(terms - 1):
        sign = sampler.pick("+-**/")
        effort += 0.02 * size * (3 if sign in "*/" else 1)
        expression += f" {sign} {sampler.digits(max(1, size - sampler.number(0, 2)))}"
        if sampler.chance(0.15):
            expression = f"({expression})"
    tidy = expression if sampler.chance(0.5) else expression.replace("*", "×").replace(" ", "")
    text = sampler.word("sum_openers").format(e=tidy) + sampler.word("asks")
    return PromptSpec(text, "maths", "arithmetic", clip(effort), 12 + 9 * terms * size)


def competition(sampler: TextSampler) -> PromptSpec:
    """A contest question: counting, remainders, probability, equations."""
    a, b, c, d = sampler.several(range(2, 31), 4)
    effort, template = sampler.graded("contests")
    n, k = sampler.number(40, 9_000), sampler.number(3, 9)
    text = template.format(a=a, b=b, c=c, d=d, n=n, k=k, total=a + b, product=a * b)
    tail = "" if text.startswith("Prove") else sampler.word("asks")
    return PromptSpec(text + tail, "maths", "competition", effort, 120 + 420 * effort)


def puzzle(sampler: TextSampler) -> PromptSpec:
    """Who sits where: three to eight people, and clues."""
    count = sampler.number(3, 8)
    people = sampler.several(WORDS["names"], count)
    clues = []
    for _ in range(count - 1 + sampler.number(0, 2)):
        a, b = sampler.several(people, 2)
        clue = sampler.word("clues")
        clues.append(clue.format(a=a, b=b, k=sampler.number(2, max(2, count - 2))))
    listed = "\n".join(f"{i}. {clue}" for i, clue in enumerate(clues, 1))
    row, seat = sampler.word("rows"), sampler.number(1, count)
    ask = sampler.word("seating_asks").format(seat=seat)
    text = f"{', '.join(people[:-1])} and {people[-1]} sit on {row}.\n{listed}\n{ask}"
    hard = clip(0.1 * count + 0.02 * len(clues))
    return PromptSpec(text, "logic", "seating", hard, 90 + 50 * count)


def function(sampler: TextSampler) -> PromptSpec:
    """Write a function: a task, a language, none to three further demands."""
    effort, task = sampler.graded("code_tasks")
    rare, language = sampler.graded("languages")
    limits = sampler.several(TEMPLATES["graded"]["code_limits"], int(4 * sampler.unit() ** 1.7))
    opener = sampler.word("function_openers").format(l=language, t=task)
    demands = " ".join(demand for _, demand in limits)
    sample = ""
    if sampler.chance(0.4):
        sample = f" Call it `{sampler.word('names').lower()}_{sampler.number(1, 999)}`."
    hard = clip(effort + rare + sum(cost for cost, _ in limits))
    text = f"{opener}. {demands}{sample}".strip()
    return PromptSpec(text, "code", "function", hard, 130 + 380 * hard)


def debugging(sampler: TextSampler) -> PromptSpec:
    """A snippet that fails, and the question why."""
    effort, snippet = sampler.graded("snippets")
    a, b = sampler.several(WORDS["variables"], 2)
    code = snippet.format(a=a, b=b, n=sampler.number(2, 500), k=sampler.number(2, 9))
    text = f"{sampler.word('debugging_asks')}\n\n```\n{code}\n```"
    return PromptSpec(text, "code", "debugging", effort, 150 + 220 * effort)


class _DrawnAnew(dict[str, object]):
    """Slots of which every occurrence is drawn by itself: a column, or a number of `{low-high}`."""

    def __init__(self, sampler: TextSampler, columns: Sequence[str]) -> None:
        self._sampler, self._columns = sampler, columns

    def __missing__(self, slot: str) -> object:
        if slot == "column":
            return self._sampler.pick(self._columns)
        low, high = slot.split("-")
        return self._sampler.number(int(low), int(high))


def query(sampler: TextSampler) -> PromptSpec:
    """An SQL question over one to three tables."""
    tables = sampler.several(TEMPLATES["sql_tables"], sampler.number(1, 3))
    drawn = _DrawnAnew(sampler, [column for table in tables for column in table["columns"]])
    wants = [want.format_map(drawn) for want in WORDS["sql_wants"]]
    wants = sampler.several(wants, sampler.number(1, 4))
    schema = "\n".join(f"{table['name']}({', '.join(table['columns'])})" for table in tables)
    dialect = sampler.word("dialects")
    text = f"Tables:\n{schema}\n\nWrite one {dialect} query that returns {'; '.join(wants)}."
    hard = clip(0.12 * len(tables) + 0.14 * len(wants))
    return PromptSpec(text, "code", "sql", hard, 90 + 200 * hard)
