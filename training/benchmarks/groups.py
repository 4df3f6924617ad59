"""Which subjects are one task, where a dataset has more labels than can be left out one by one.

MMLU's four groups are those of its paper (2009.03300, appendix B); MMLU-Pro's subjects are put
into the same four.
"""

from __future__ import annotations

STEM, HUMANITIES, SOCIAL, OTHER = "STEM", "humanities", "social sciences", "other"

MMLU: dict[str, tuple[str, ...]] = {
    STEM: (
        "abstract_algebra", "anatomy", "astronomy", "college_biology", "college_chemistry",
        "college_computer_science", "college_mathematics", "college_physics",
        "computer_security", "conceptual_physics", "electrical_engineering",
        "elementary_mathematics", "high_school_biology", "high_school_chemistry",
        "high_school_computer_science", "high_school_mathematics", "high_school_physics",
        "high_school_statistics", "machine_learning",
    ),
    HUMANITIES: (
        "formal_logic", "high_school_european_history", "high_school_us_history",
        "high_school_world_history", "international_law", "jurisprudence", "logical_fallacies",
        "moral_disputes", "moral_scenarios", "philosophy", "prehistory", "professional_law",
        "world_religions",
    ),
    SOCIAL: (
        "econometrics", "high_school_geography", "high_school_government_and_politics",
        "high_school_macroeconomics", "high_school_microeconomics", "high_school_psychology",
        "human_sexuality", "professional_psychology", "public_relations", "security_studies",
        "sociology", "us_foreign_policy",
    ),
    OTHER: (
        "business_ethics", "clinical_knowledge", "college_medicine", "global_facts",
        "human_aging", "management", "marketing", "medical_genetics", "miscellaneous",
        "nutrition", "professional_accounting", "professional_medicine", "virology",
    ),
}  # fmt: skip

MMLU_PRO: dict[str, tuple[str, ...]] = {
    STEM: ("biology", "chemistry", "computer science", "engineering", "math", "physics"),
    HUMANITIES: ("history", "law", "philosophy"),
    SOCIAL: ("economics", "psychology"),
    OTHER: ("business", "health", "other"),
}

GROUP_OF = {
    subject: group
    for groups in (MMLU, MMLU_PRO)
    for group, subjects in groups.items()
    for subject in subjects
}


def task_of(label: str) -> str:
    """The task that a domain label belongs to: `mmlu/STEM`, `STEM`, or the label itself."""
    exam, slash, subject = label.rpartition("/")
    return f"{exam}{slash}{GROUP_OF.get(subject, subject)}"
