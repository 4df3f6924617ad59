"""The golden prompts: a bundle must answer them on every load as it did when it was built.

Our own sentences, so that no bundle carries anybody's prompts.
"""

GOLDEN_PROMPTS = (
    "What is 17*23?",
    "A train leaves at 9:40 and arrives at 13:05. How long does the journey take?",
    "Find all real x with x^3 - 6x^2 + 11x - 6 = 0 and prove that there are no others.",
    "Write a Python function that merges two sorted lists without using sort().",
    "Why does this raise a KeyError?\n```python\nd = {}\nprint(d['a'])\n```",
    "Translate into French: The meeting was moved to Thursday afternoon.",
    "Fasse in einem Satz zusammen: Der Fluss trat über die Ufer, Straßen wurden gesperrt.",
    "Return a JSON object with the keys name and price for: two kilos of apples at 3.20 each.",
    "Which of these is a noble gas?\nA. Oxygen\nB. Argon\nC. Nitrogen\nD. Chlorine",
    "Explain to a ten-year-old why the sky is blue.",
    "A patient on warfarin starts an antibiotic. Which interaction matters most, and why?",
    "Draft a polite reply that declines an invitation to speak at a conference.",
    "Is an oral agreement to sell land enforceable? Name the rule and one exception.",
    "日本の首都はどこですか。",
    "Plan a three-day walking trip for two people with one rest afternoon.",
    "Prove that the sum of the first n odd numbers is n squared, then generalise to cubes.",
)
