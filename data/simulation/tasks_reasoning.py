"""Prompts with one right answer to reach by steps: sums, word problems, proofs, puzzles, code.

Difficulty is what the text shows: how many steps, how large the numbers, how many constraints.
"""

from __future__ import annotations

from .text_sampler import Dice, Draft, clip
from .words import CODE_LIMITS, CODE_TASKS, GOODS, LANGUAGES, NAMES, PLACES, SNIPPETS, SQL_TABLES

# a step of a story: the sentence, and how hard it is to carry out
STEPS: tuple[tuple[str, float], ...] = (
    ("Then {name} buys {n} more.", 0.03),
    ("A neighbour takes away {n} of them.", 0.03),
    ("{other} brings {k} boxes with {n} {goods} in each.", 0.07),
    ("The next morning the number doubles.", 0.05),
    ("{p} % of the {goods} turn out to be damaged and are thrown away.", 0.13),
    ("{name} gives one in every {k} of the remaining {goods} to {other}.", 0.15),
    (
        "{name} sells {n} of them at ${k} each and spends half of the money on {goods} at $2 each.",
        0.2,
    ),
    (
        "On each of the next {k} days {n} {goods} are added, except on the last, when none is.",
        0.17,
    ),
    (
        "{other}, who owns {k} times as many as {name} has now, hands over a third of them.",
        0.2,
    ),
)
ASIDES = (
    "The shop is {n} metres from the station.",
    "It has been raining for {k} days.",
    "{other} is {k} years older than {name}.",
    "The crates are painted green and weigh {n} grams each.",
)
QUESTIONS = (
    "How many {goods} does {name} have in the end?",
    "How many {goods} are left?",
    "What is the final number of {goods}?",
    "If {k} friends share the rest equally, how many {goods} does each get, and what remains?",
)
ASKS = ("", "", "", " Show your working.", " Give only the final number.", " Think step by step.")
CONTESTS: tuple[tuple[str, float], ...] = (
    ("How many integers from 1 to {n} are divisible by {a} but not by {b}?", 0.4),
    ("How many integers from 1 to {n} are divisible by exactly two of {a}, {b} and {c}?", 0.6),
    ("Find the remainder when ${a}^{{{n}}}$ is divided by {b}.", 0.55),
    ("Solve $x^2 - {total}x + {product} = 0$ over the real numbers.", 0.2),
    ("Solve for x: {a}x + {b} = {c}x - {d}.", 0.12),
    (
        "A fair die is rolled {a} times. What is the probability that the sum of the rolls is "
        "divisible by {k} and that no two neighbouring rolls are equal?",
        0.85,
    ),
    (
        "Let $f(x) = x^3 - {a}x^2 + {b}x - {c}$ have roots $r, s, t$. Find "
        "$\\frac{{1}}{{r+{d}}} + \\frac{{1}}{{s+{d}}} + \\frac{{1}}{{t+{d}}}$.",
        0.75,
    ),
    (
        "In triangle ABC, AB = {total}, BC = {a} + {c} and the angle at B is {k}0 degrees. "
        "Find the length of the median from A.",
        0.5,
    ),
    (
        "In how many ways can {a} identical balls be put into {k} different boxes so that each "
        "box holds at most {d} and at least one box stays empty?",
        0.8,
    ),
    (
        "Prove that there are infinitely many primes p such that p divides $m^2 + {a}m + {n}$ "
        "for some integer m.",
        0.95,
    ),
)
SUM_OPENERS = (
    "What is {e}?",
    "Compute {e}.",
    "{e} = ?",
    "Please calculate {e}",
    "Evaluate {e} exactly.",
)


def word_problem(dice: Dice) -> Draft:
    """A story of two to eight steps about counted goods."""
    count = 1 + int(7 * dice.unit() ** 1.4)
    size = dice.number(1, 4)
    name, other = dice.several(NAMES, 2)
    slots = {
        "name": name,
        "other": other,
        "goods": dice.pick(GOODS),
        "place": dice.pick(PLACES),
    }

    def fill(template: str) -> str:
        figures = {"n": dice.digits(size), "k": dice.number(3, 9), "p": 5 * dice.number(1, 15)}
        return template.format(**slots, **figures)

    parts = [
        fill(f"{{name}} works at {{place}} and starts with {dice.digits(size + 1)} {{goods}}.")
    ]
    effort = 0.02 * size
    for _ in range(count):
        step, cost = dice.pick(STEPS)
        parts.append(fill(step))
        effort += cost
    if dice.chance(0.25):
        parts.insert(dice.number(1, len(parts)), fill(dice.pick(ASIDES)))
        effort += 0.06
    text = " ".join([*parts, fill(dice.pick(QUESTIONS))]) + dice.pick(ASKS)
    return Draft(text, "maths", "word_problem", clip(effort), 60 + 45 * count)


def arithmetic(dice: Dice) -> Draft:
    """A bare sum of two to five terms."""
    terms = dice.number(2, 5) if dice.chance(0.6) else 2
    size = 1 + int(5 * dice.unit() ** 1.3)
    expression = str(dice.digits(size))
    effort = 0.05 * size
    for _ in range(terms - 1):
        sign = dice.pick("+-**/")
        effort += 0.02 * size * (3 if sign in "*/" else 1)
        expression += f" {sign} {dice.digits(max(1, size - dice.number(0, 2)))}"
        if dice.chance(0.15):
            expression = f"({expression})"
    tidy = expression if dice.chance(0.5) else expression.replace("*", "×").replace(" ", "")
    text = dice.pick(SUM_OPENERS).format(e=tidy) + dice.pick(ASKS)
    return Draft(text, "maths", "arithmetic", clip(effort), 12 + 9 * terms * size)


def competition(dice: Dice) -> Draft:
    """A contest question: counting, remainders, probability, equations."""
    a, b, c, d = dice.several(range(2, 31), 4)
    template, effort = dice.pick(CONTESTS)
    text = template.format(
        a=a,
        b=b,
        c=c,
        d=d,
        n=dice.number(40, 9_000),
        k=dice.number(3, 9),
        total=a + b,
        product=a * b,
    )
    tail = "" if text.startswith("Prove") else dice.pick(ASKS)
    return Draft(text + tail, "maths", "competition", effort, 120 + 420 * effort)


def puzzle(dice: Dice) -> Draft:
    """Who sits where: three to eight people, and clues."""
    count = dice.number(3, 8)
    people = dice.several(NAMES, count)
    clues = []
    for _ in range(count - 1 + dice.number(0, 2)):
        a, b = dice.several(people, 2)
        clue = dice.pick(
            (
                "{a} sits somewhere left of {b}.",
                "{a} and {b} are not neighbours.",
                "{a} sits next to {b}.",
                "There are exactly {k} people between {a} and {b}.",
                "If {a} sits at an end, so does {b}.",
            )
        )
        clues.append(clue.format(a=a, b=b, k=dice.number(2, max(2, count - 2))))
    listed = "\n".join(f"{i}. {clue}" for i, clue in enumerate(clues, 1))
    row = dice.pick(("a bench", "a row of chairs", "one side of a long table", "the back row"))
    text = f"{', '.join(people[:-1])} and {people[-1]} sit on {row}.\n{listed}\n" + dice.pick(
        (
            f"Who sits in seat {dice.number(1, count)}?",
            "Give one order that fits all clues, or say that there is none.",
            "How many orders are possible?",
        )
    )
    return Draft(text, "logic", "seating", clip(0.1 * count + 0.02 * len(clues)), 90 + 50 * count)


def function(dice: Dice) -> Draft:
    """Write a function: a task, a language, none to three further demands."""
    task, effort = dice.pick(CODE_TASKS)
    language, rare = dice.pick(LANGUAGES)
    limits = dice.several(CODE_LIMITS, int(4 * dice.unit() ** 1.7))
    opener = dice.pick(
        (
            "Write a {l} function that {t}",
            "Implement in {l}: a function that {t}",
            "I need {l} code that {t}",
            "In {l}, how would you write something that {t}",
        )
    ).format(l=language, t=task)
    demands = " ".join(demand for demand, _ in limits)
    sample = (
        f" Call it `{dice.pick(NAMES).lower()}_{dice.number(1, 999)}`." if dice.chance(0.4) else ""
    )
    hard = clip(effort + rare + sum(cost for _, cost in limits))
    text = f"{opener}. {demands}{sample}".strip()
    return Draft(text, "code", "function", hard, 130 + 380 * hard)


def debugging(dice: Dice) -> Draft:
    """A snippet that fails, and the question why."""
    snippet, effort = dice.pick(SNIPPETS)
    names = dice.several(("rows", "items", "users", "orders", "cells", "nodes", "jobs", "tags"), 2)
    code = snippet.format(a=names[0], b=names[1], n=dice.number(2, 500), k=dice.number(2, 9))
    ask = dice.pick(
        (
            "Why does this not do what I expect?",
            "Find the bug and fix it:",
            "This passes on my machine and fails in production. What is wrong?",
            "Review this code. Is it correct for empty input?",
            "What does this print, and why?",
        )
    )
    return Draft(f"{ask}\n\n```\n{code}\n```", "code", "debugging", effort, 150 + 220 * effort)


def query(dice: Dice) -> Draft:
    """An SQL question over one to three tables."""
    tables = dice.several(SQL_TABLES, dice.number(1, 3))
    columns = [column for _, row in tables for column in row]
    wants = dice.several(
        (
            f"the {dice.number(2, 50)} largest {dice.pick(columns)} per {dice.pick(columns)}",
            f"only rows of the last {dice.number(2, 90)} days",
            f"the running total of {dice.pick(columns)}",
            f"each {dice.pick(columns)} with its share of the whole in percent",
            f"no {dice.pick(columns)} that occurs fewer than {dice.number(2, 40)} times",
            f"rows without a match, too, with {dice.pick(columns)} shown as 'none'",
            f"the median {dice.pick(columns)}",
        ),
        dice.number(1, 4),
    )
    schema = "\n".join(f"{name}({', '.join(row)})" for name, row in tables)
    dialect = dice.pick(("PostgreSQL", "SQLite", "MySQL 8", "standard SQL"))
    text = f"Tables:\n{schema}\n\nWrite one {dialect} query that returns {'; '.join(wants)}."
    hard = clip(0.12 * len(tables) + 0.14 * len(wants))
    return Draft(text, "code", "sql", hard, 90 + 200 * hard)
