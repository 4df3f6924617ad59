"""Vignettes of the simulated expert questions: facts, issues and options in law and medicine."""

from __future__ import annotations

LEGAL_FACTS = (
    "{name} signed a contract with {company} for {n} {goods}, payable in {month}.",
    "The seller knew that the {product} was defective but said nothing.",
    "{other} promised by telephone to lower the rent by {p} % and later denied it.",
    "Before delivery, a fire in {city} destroyed the warehouse; neither party was to blame.",
    "The deed was recorded {n} days after the sale to {other}, who paid full value.",
    "{name}, aged {age}, had been told by {other} that the paper was only a receipt.",
    "The police searched the car without a warrant while it was parked in {city}.",
    "The witness, {other}, had seen the accident from {n} metres away at night.",
    "{company} dismissed {name} after {k} warnings, the last of them by text message.",
    "The will was signed in the presence of {k} witnesses, one of them a beneficiary.",
)
LEGAL_ISSUES: tuple[tuple[str, float], ...] = (
    ("May {name} withdraw from the contract?", 0.3),
    ("Who bears the loss?", 0.4),
    ("Is the evidence admissible?", 0.45),
    ("Can {other} keep the {product}?", 0.35),
    ("Which defence is most likely to succeed?", 0.5),
    ("Which party prevails in a dispute over priority, and on what theory?", 0.65),
)
LEGAL_OPTIONS = (
    "Yes, because the other side acted in bad faith.",
    "Yes, but only if notice was given within {n} days.",
    "No, because the risk had already passed.",
    "No, because the promise was not in writing.",
    "Only if {other} relied on the statement to their detriment.",
    "The question is one of fact for the jury.",
    "{company}, under the doctrine of apparent authority.",
    "{name}, since the later buyer had constructive notice.",
    "Neither; the contract is void for mutual mistake.",
    "The court will reform the deed to match the intent.",
)
MEDICAL_FACTS = (
    "A {age}-year-old {job} comes in with {sign} that began {n} hours ago.",
    "There is a history of {illness}, treated with {drug}.",
    "Blood pressure is {s}/{d} mmHg and the pulse is {pulse} per minute.",
    "The temperature is {temp} °C.",
    "On examination there is {sign}.",
    "Laboratory tests show sodium {na} mmol/l and creatinine {cr} mg/dl.",
    "The patient stopped taking {drug} {k} days ago.",
    "A sibling had {illness} at the age of {k}{k}.",
    "The electrocardiogram shows {ecg}.",
)
MEDICAL_ISSUES: tuple[tuple[str, float], ...] = (
    ("What is the most likely diagnosis?", 0.3),
    ("What is the best next step?", 0.4),
    ("Which drug should be avoided?", 0.35),
    ("Which enzyme is most likely deficient?", 0.6),
    ("Which finding would you expect on biopsy?", 0.65),
)
BIOPSIES = (
    "granulomas without necrosis", "crypt abscesses", "flattened villi", "needle-shaped crystals",
    "fibrosis around the vessels", "giant cells", "fat droplets", "amyloid deposits", "no change",
    "a dense infiltrate of lymphocytes",
)  # fmt: skip
ENZYMES = (
    "glucose-6-phosphate dehydrogenase", "21-hydroxylase", "alpha-galactosidase A", "lactase",
    "phenylalanine hydroxylase", "xanthine oxidase", "hexosaminidase A", "pyruvate kinase",
    "ornithine transcarbamylase", "galactose-1-phosphate uridylyltransferase",
)  # fmt: skip
NEXT_STEPS = (
    "computed tomography of the chest", "immediate surgery", "observation for a day",
    "intravenous fluids", "a lumbar puncture", "measure the hormone levels", "oxygen",
    "stop all drugs", "coronary angiography", "reassurance and discharge",
)  # fmt: skip
SIGNS = (
    "chest pain", "a dry cough", "blurred vision", "joint swelling", "a stiff neck", "night sweats",
    "shortness of breath", "numbness of the left hand", "a scaly rash", "flank pain",
    "yellowish skin", "a systolic murmur",
)  # fmt: skip
ILLNESSES = (
    "diabetes mellitus", "asthma", "hypertension", "coeliac disease", "gout", "hypothyroidism",
    "sarcoidosis", "sickle cell trait", "atrial fibrillation", "Crohn's disease",
)  # fmt: skip
DRUGS = (
    "metformin", "lisinopril", "warfarin", "prednisone", "allopurinol", "levothyroxine",
    "amiodarone", "methotrexate", "lithium", "salbutamol",
)  # fmt: skip
MEDICAL_OPTIONS: dict[str, tuple[str, ...]] = {
    "What is the most likely diagnosis?": ILLNESSES,
    "What is the best next step?": NEXT_STEPS,
    "Which drug should be avoided?": DRUGS,
    "Which enzyme is most likely deficient?": ENZYMES,
    "Which finding would you expect on biopsy?": BIOPSIES,
}
ECGS = ("ST elevation in V1 to V4", "a prolonged QT interval", "no P waves", "peaked T waves")
JOBS = ("teacher", "farmer", "pilot", "nurse", "student", "carpenter", "cook", "retired clerk")
ADVICE: tuple[tuple[str, float], ...] = (
    ("How do I tell my {who} that I cannot come to the wedding in {city}?", 0.12),
    ("Give me {k} ideas for a {month} weekend with my {who}.", 0.05),
    ("Hi! My {who} gave me a {product} and I do not like it. What should I say?", 0.08),
    ("Write a short thank-you note to my {who} for the {product}.", 0.04),
    ("I have {n} euros left this month and {k} people to feed. Any tips?", 0.12),
    ("Write a {k}-line poem about {goods} and the sea near {city}.", 0.2),
    ("Should I leave my job at {company} for one in {city} that pays {p} % less?", 0.25),
    ("Act as my {who} and interview me for a position at {company}.", 0.2),
    ("Plan {k} days in {city} for {n} euros with a {who} in a wheelchair.", 0.35),
    ("My {who} and I disagree about selling the house in {city}. Help us find a fair way.", 0.3),
    ("Write a sonnet about a {product} in which every line begins with a different vowel.", 0.6),
    ("Tell a story in exactly {n} words about my {who} and {goods}, without the letter e.", 0.85),
)
PEOPLE = (
    "sister", "boss", "flatmate", "grandfather", "neighbour", "best friend", "daughter",
    "mother-in-law", "colleague", "landlady", "cousin", "coach",
)  # fmt: skip
ADVICE_TAILS: tuple[tuple[str, float], ...] = (
    ("", 0.0), ("", 0.0), ("", 0.0), (" Keep it friendly.", 0.0), (" Be brutally honest.", 0.02),
    (" Use at most {n} words.", 0.12), (" Do not use any adjective.", 0.25),
    (" Answer as a table with {k} rows.", 0.08), (" Thanks!!", 0.0),
    (" Begin every sentence with the last word of the previous one.", 0.4),
)  # fmt: skip
