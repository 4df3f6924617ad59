"""Decisions of the committed starter on 200 prompts of our own: a golden file, and its making.

    python -m tests.training.commands.starter_decisions      # after the heads were rebuilt

The file must hold on every processor. Embeddings differ between processors by roundings that move
predicted quality by up to 0.0006 (AVX-512 against AVX2, forty prompts), so where another arm's
utility lies within MARGIN of the chosen one's both are right, and both are written down.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from data.simulation.world import SimulationConfig, simulate
from router import Router
from router.core.rules import ThresholdRule
from router.core.scoring import KNOWN, unknown
from router.types import Scores
from training.prepare.cache import CACHE
from training.prepare.golden import GOLDEN_PROMPTS
from training.starter import COMMITTED, assemble

GOLDEN = Path(__file__).with_name("starter_decisions.json")
MARGIN = 0.002  # in utility, whose unit is quality
NEAR = 0.04  # of the weight at which a prediction is dropped, where processors may disagree
THRESHOLDS = (0.1, 0.3, 0.5, 0.7, 0.9)
SIMULATED = 140
OWN = (
    "Hello! What can you help me with?",
    "Who wrote Pride and Prejudice?",
    "Give me three names for a bakery near a railway station.",
    "Convert 72 degrees Fahrenheit to Celsius.",
    "What is the derivative of x^2 * sin(x)?",
    "Integrate 1/(1+x^4) from 0 to infinity and show every step.",
    "How many ways are there to place 8 non-attacking rooks on a chessboard?",
    "Prove that every bounded monotone sequence of reals converges.",
    "A fair coin is tossed until two heads come in a row. What is the expected number of tosses?",
    "Let G be a group of order 35. Show that G is cyclic.",
    "Write a SQL query that returns the second highest salary of each department.",
    "def f(n):\n    return f(n-1) + f(n-2)\n\nWhy does this never stop?",
    "Implement an LRU cache in Go with O(1) get and put, safe for concurrent use.",
    "As a comprehension:\nout = []\nfor x in xs:\n    if x > 0:\n        out.append(x * x)",
    "Write a regular expression that matches ISO 8601 dates but not times.",
    "My Rust function does not compile: cannot borrow `v` as mutable because it is also borrowed.",
    "Explain the difference between a mutex and a semaphore to a junior developer.",
    "git rebase says 'fatal: refusing to merge unrelated histories'. What should I do?",
    "Design the tables of a library that lends books, with keys and constraints.",
    "Write unit tests for a function that parses durations such as 1h30m.",
    "Why is my Kubernetes pod in CrashLoopBackOff, and how do I find out?",
    "Optimise: SELECT * FROM orders WHERE lower(email) = 'a@example.org'",
    "Summarise in one sentence: The bridge was under repair, so the ferry ran twice as often.",
    "Rewrite more politely: Send me the report now.",
    "Write a limerick about a cat who is afraid of cucumbers.",
    "Continue the story: The lighthouse keeper found a letter addressed to nobody.",
    "Draft a cover letter for a nurse who wants to move into hospital administration.",
    "What should I pack for four days of hiking in the rain?",
    "Compare renting and buying a flat for somebody who may move in three years.",
    "Which vitamins are fat-soluble, and what follows for taking too much of them?",
    "A child of two has swallowed a button battery. What must be done first?",
    "Explain the holding and the dissent of an imaginary case on dog bites in a public park.",
    "What does force majeure mean in a supply contract?",
    "Name two causes of the French Revolution and weigh them.",
    "Is the following argument valid? All A are B. Some B are C. So some A are C.",
    "You have a 3-litre and a 5-litre jug. Measure exactly 4 litres.",
    'Return only JSON: {"city": ..., "country": ...} for the capital of Mongolia.',
    "Extract all dates: We met on 3 May 2021, again on the 7th of June, and never since.",
    "Is the sentiment positive, negative or neutral? The soup was warm, the waiter was not.",
    "Schreibe ein Gedicht über den Herbst in vier Zeilen.",
    "Erkläre den Unterschied zwischen Mitose und Meiose für die zehnte Klasse.",
    "Wie berechne ich die Standardabweichung von 3, 5, 7 und 9?",
    "Traduis en anglais : Le train de sept heures a été supprimé.",
    "Explique la photosynthèse à un enfant de dix ans.",
    "¿Cuál es la diferencia entre ser y estar? Da dos ejemplos.",
    "Escribe una función en Python que compruebe si una cadena es un palíndromo.",
    "Qual è la capitale dell'Australia?",
    "Escreva um e-mail curto para adiar uma reunião para sexta-feira.",
    "東京から大阪まで新幹線でどのくらいかかりますか。",
    "二次方程式 x^2 - 5x + 6 = 0 を解いてください。",
    "请用三句话解释什么是机器学习。",
    "写一个计算斐波那契数列的 Python 函数,并说明时间复杂度。",
    "대한민국의 수도는 어디인가요?",
    "Напиши короткое поздравление коллеге с днём рождения.",
    "ما هي عاصمة المغرب؟",
    "भारत की राजधानी क्या है?",
    "Türkiye'nin en uzun nehri hangisidir?",
    "Schrijf een korte samenvatting van de Tachtigjarige Oorlog.",
    "ok",
    "Which gas do plants take in?\nA. Oxygen\nB. Carbon dioxide\nC. Helium",
)


def prompts() -> list[str]:
    """Sentences of the simulated world and requests written for this file; nobody's data."""
    world = simulate(SimulationConfig(n_prompts=SIMULATED, seed=11))
    return [*GOLDEN_PROMPTS, *OWN, *world.prompts["prompt"]]


def settled(router: Router, texts: list[str]) -> list[str]:
    """Prompts that every processor finds known, or unknown."""
    decision = router.manifest.decision
    distance = router.bundle.score_texts(texts).distance
    weight = (decision.distance_far - distance) / (decision.distance_far - decision.distance_p99)
    sure = np.abs(weight - KNOWN) > NEAR
    return [text for text, kept in zip(texts, sure, strict=True) if kept]


def allowed(router: Router, scores: Scores, threshold: float) -> list[list[str]]:
    """For each prompt the chosen arm, then every arm that a change within MARGIN would choose.

    Where nothing is known of a prompt, arms are compared by their means, which do not change.
    """
    rule = ThresholdRule.of(threshold, router.manifest)
    everything = np.ones(scores.quality.shape, dtype=np.bool_)
    chosen = rule.choose(scores, everything)
    weight = np.reshape(rule.weight(scores), (-1, 1))
    utility = scores.quality - weight * scores.cost_usd
    floor = utility.max(axis=1) - rule.band(scores, everything)
    certain = np.where(utility >= floor[:, None] + MARGIN, scores.cost_usd, np.inf).min(axis=1)
    may = (utility >= floor[:, None] - MARGIN) & (scores.cost_usd <= certain[:, None])
    may &= ~unknown(scores)[:, None]
    names = router.arm_ids
    return [
        [names[first], *(names[i] for i in np.flatnonzero(others) if i != first)]
        for first, others in zip(chosen, may, strict=True)
    ]


def decisions(router: Router, texts: list[str]) -> dict[str, Any]:
    """What the golden file holds: for every prompt the right arms at every threshold."""
    scores = router.bundle.score_texts(texts)
    by_threshold = [allowed(router, scores, threshold) for threshold in THRESHOLDS]
    rows = [
        {"prompt": text, "arms": [at[i] for at in by_threshold]} for i, text in enumerate(texts)
    ]
    return {"margin": MARGIN, "thresholds": THRESHOLDS, "decisions": rows}


def main() -> None:
    """Write the golden file anew."""
    with tempfile.TemporaryDirectory() as folder:
        assemble(COMMITTED, Path(folder) / "starter", CACHE)
        router = Router.load(Path(folder) / "starter")
        found = decisions(router, settled(router, prompts())[:200])
    text = json.dumps(found, ensure_ascii=False, indent=0)
    GOLDEN.write_text(text + "\n", "utf-8")
    sys.stdout.write(f"{len(found['decisions'])} prompts in {GOLDEN}\n")


if __name__ == "__main__":
    main()
