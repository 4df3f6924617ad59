"""Sentences of the simulated prompts about texts: sources to read, translate, judge and answer."""

from __future__ import annotations

# sentences of a report; slots are filled by `tasks_language`
REPORT = (
    "{company} opened a new site in {city} in {month}, {k} months later than planned.",
    "According to {name}, the delay was caused by a shortage of {goods}.",
    "The council of {city} approved the plan by {n} votes to {k}.",
    "Sales of the {product} rose by {p} % while returns fell slightly.",
    "Residents complained about noise and asked for a review before {month}.",
    "The audit found {n} missing invoices but no sign of intent.",
    "{name} argued that the figures compare two different periods and should not be used.",
    "Costs per unit fell from ${n} to ${k}, mostly because of cheaper transport.",
    "A survey among {n} customers in {city} gave the service {k} points out of ten.",
    "Nobody could say whether the repairs would be finished before the end of {month}.",
    "The union of {company} rejected the offer and announced a strike of {k} days.",
    "A second opinion from {city} contradicts this view and points to faulty sensors.",
    "Until then, the old {product} stays in use, although spare parts are no longer made.",
    "If the permit is refused, {company} will move the whole line to {city}.",
)
SUMMARY_ASKS: tuple[tuple[str, float], ...] = (
    ("Summarise the following text in one sentence.", 0.0),
    ("Summarise this in {k} bullet points:", 0.03),
    ("tl;dr please:", 0.0),
    ("Summarise the text in exactly {n} words.", 0.3),
    ("Explain the following to a ten-year-old in at most {k} sentences.", 0.1),
    ("Write a neutral headline and a two-sentence abstract for this report:", 0.08),
    ("List every claim in the text and mark which of them contradict each other.", 0.35),
    ("Summarise the positions of all parties without using any number.", 0.22),
)
TARGETS: tuple[tuple[str, float], ...] = (
    ("German", 0.0), ("French", 0.0), ("Spanish", 0.0), ("Italian", 0.03), ("Portuguese", 0.03),
    ("Dutch", 0.05), ("Polish", 0.12), ("Japanese", 0.15), ("Turkish", 0.16), ("Korean", 0.18),
    ("Finnish", 0.24), ("Swahili", 0.34), ("Icelandic", 0.38), ("Welsh", 0.42), ("Quechua", 0.6),
)  # fmt: skip
STYLES: tuple[tuple[str, float], ...] = (
    ("", 0.0), ("", 0.0), (" Keep it formal.", 0.05), (" Use the informal form of address.", 0.08),
    (" Keep the rhyme and the metre.", 0.45), (" It is a contract: be legally precise.", 0.25),
    (" Explain every idiom in a footnote.", 0.2), (" Keep all HTML tags as they are.", 0.08),
)  # fmt: skip
ENGLISH = (
    "Please send the {product} back to our office in {city} before the end of {month}.",
    "The train to {city} leaves at {k} o'clock from platform {k}.",
    "We regret that {n} {goods} arrived broken.",
    "It never rains but it pours, as {name} used to say in {city}.",
    "Had we known about the strike, we would not have ordered {n} {goods}.",
    "The undersigned waives any claim against {company}, whether arising before or after {month}.",
    "My grandmother kept {k} {goods} in the drawer and nobody was allowed to touch them.",
    "Could you tell me where I can buy {goods} around here?",
)
# source sentences in other languages, with their tongue
FOREIGN: tuple[tuple[str, tuple[str, ...], float], ...] = (
    (
        "German",
        (
            "Bitte schicken Sie mir bis zum {k}. des Monats ein Angebot über {n} Stück.",
            "{name} hätte den Zug nach {city} nicht verpasst, wenn der Wecker geklingelt hätte.",
            "Die Lieferung von {company} ist leider unvollständig; es fehlen {n} Teile.",
            "Wir wohnen seit {k} Jahren in {city} und kennen hier fast jeden.",
        ),
        0.04,
    ),
    (
        "French",
        (
            "{name} habite à {city} depuis {k} ans et ne veut plus déménager.",
            "Veuillez trouver ci-joint la facture n° {n} de {company}.",
            "Il aurait fallu prévenir la mairie de {city} au moins {k} semaines à l'avance.",
            "On m'a dit que le magasin fermerait dans {k} jours.",
        ),
        0.04,
    ),
    (
        "Spanish",
        (
            "{name} compró {n} entradas para el concierto de {city}.",
            "Si hubiera sabido que {company} cerraba, no habría pedido nada.",
            "El tren sale a las {k} y llega a {city} por la noche.",
            "Nos faltan {n} euros para pagar el alquiler.",
        ),
        0.04,
    ),
    (
        "Chinese",
        (
            "{name}在{city}住了{k}年，现在想换一份工作。",
            "请在{k}天之内把这份合同寄回{company}。",
            "这家店的东西又便宜又好，我们买了{n}个。",
        ),
        0.16,
    ),
    (
        "Arabic",
        (
            "وصل {name} إلى {city} قبل {k} أيام.",
            "نرجو إرسال {n} نسخة إلى مكتب {company}.",
        ),
        0.22,
    ),
    (
        "Hindi",
        (
            "{name} पिछले {k} साल से {city} में रहती है।",
            "कृपया {k} दिन के भीतर {company} को जवाब दें।",
        ),
        0.24,
    ),
)  # fmt: skip
LOCAL_QUESTIONS: tuple[tuple[str, float], ...] = (
    (
        "Wie mache ich aus {n} g Mehl und {k} Eiern einen Teig für Pfannkuchen nach {name}s Art?",
        0.15,
    ),
    ("Was sollte man bei einem Wochenende in {city} mit Kindern auf keinen Fall verpassen?", 0.15),
    ("Welche Kündigungsfrist gilt nach {k} Jahren Mietdauer, und was darf der Vermieter?", 0.5),
    ("¿Qué puedo cocinar con arroz y {k} huevos en {n} minutos?", 0.12),
    ("¿Cuántos días necesito para visitar {city} con {k} niños?", 0.15),
    ("Comment rédiger une lettre de réclamation à {company} pour {n} articles abîmés ?", 0.25),
    (
        "Quels sont les {k} meilleurs quartiers de {city} pour une famille avec {n} € par mois ?",
        0.3,
    ),
    ("我想在{city}待{k}天，预算{n}欧元，请帮我安排行程。", 0.3),
    ("{city}へ{k}日間旅行します。予算は{n}ユーロです。おすすめの予定を教えてください。", 0.32),
    ("Quanto costa vivere a {city} con {k} figli e uno stipendio di {n} euro?", 0.3),
)
TRIVIA: tuple[tuple[str, float], ...] = (
    ("What is the capital of {country}?", 0.02),
    ("Which currency is used in {country}?", 0.06),
    ("Name {k} rivers in {country}.", 0.16),
    ("What is the {rank} largest city of {country}?", 0.22),
    ("Who was head of state of {country} in {year}?", 0.5),
    ("Which countries share a border with {country}, and how long is each border?", 0.45),
    ("What was the population of {country} in {year}, to the nearest million?", 0.4),
    (
        "In which year did {country} first enter the Olympic Games, and with how many athletes?",
        0.6,
    ),
    ("Which film from {country} won a festival prize in {year}?", 0.68),
    ("Name the {rank} highest mountain of {country} and who climbed it first.", 0.65),
    ("List {k} composers from {country} born before {year}.", 0.5),
    ("Which treaty did {country} sign in {year}, and what did its second article say?", 0.85),
    ("What did the postage for a letter within {country} cost in {year}?", 0.9),
)
COUNTRIES: tuple[tuple[str, float], ...] = (
    ("France", 0.0), ("Japan", 0.0), ("Brazil", 0.0), ("Canada", 0.0), ("Germany", 0.0),
    ("India", 0.0), ("Egypt", 0.02), ("Australia", 0.0), ("Poland", 0.03), ("Argentina", 0.03),
    ("Kenya", 0.05), ("Vietnam", 0.05), ("Finland", 0.04), ("Peru", 0.05), ("Morocco", 0.06),
    ("Mongolia", 0.1), ("Paraguay", 0.1), ("Slovenia", 0.1), ("Laos", 0.14), ("Eritrea", 0.18),
    ("Bhutan", 0.16), ("Suriname", 0.18), ("Lesotho", 0.2), ("Tuvalu", 0.24), ("Comoros", 0.24),
)  # fmt: skip
