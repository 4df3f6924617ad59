"""What the terms of the report mean, those of other papers among them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Term:
    """A word of the report, what it means, and the figure that it heads the column of."""

    head: str
    meaning: str
    figure: str = ""


PAPER_TERMS = (
    Term(
        "Recovered share",
        "How much of the way from the zero router’s AIQ to the oracle’s a method goes. That oracle "
        "knows the luck of every answer, so nothing reaches 100%.",
        "recovered_share",
    ),
    Term(
        "without luck",
        "The same against the oracle that chooses on half of the runs and is scored on the other "
        "half. That one knows less than can be known, so more than 100% is possible.",
        "recovered_share_split_half",
    ),
    Term(
        "of the dataset oracle",
        "The same against the best arm of every domain label, chosen in hindsight; above 100% "
        "beats any lookup of labels.",
        "recovered_share_domains",
    ),
    Term(
        "AIQ, RouterBench’s form",
        "The area under the hull over the dearest point of all compared methods; nothing is "
        "earned left of a method’s cheapest point, so it depends on who else is compared.",
        "routerbench_aiq",
    ),
    Term(
        "QNC",
        "Quality-neutral cost: least cost that matches the best single arm, as a share of its "
        "cost. Lower is better.",
        "qnc",
    ),
    Term(
        "Deferral area to 50%",
        "The area under the hull up to half the dearest arm’s cost, costs as shares of that cost.",
        "deferral_area_50",
    ),
    Term(
        "RouterArena",
        "Its score of accuracy and logarithmic cost at the method’s best setting.",
        "routerarena",
    ),
    Term(
        "APGR",
        "RouteLLM’s average performance gap recovered over the share of strong calls; chance has "
        "50%.",
        "apgr",
    ),
    Term(
        "CPT(50%)",
        "The least share of strong calls that recovers half of the gap. Lower is better.",
        "cpt_50",
    ),
    Term("CPT(80%)", "The same for 80% of the gap.", "cpt_80"),
    Term(
        "Drop at 20% weak calls",
        "Hybrid-LLM’s relative quality drop at a cost advantage of 20%. Lower is better.",
        "drop_at_20",
    ),
)

OUR_TERMS = (
    Term(
        "Quality",
        "Mean of the outcomes between 0 and 1, shown in percent; differences are in points of a "
        "hundred.",
    ),
    Term(
        "Cost",
        "Mean realised US dollars, per 1,000 requests. Choices were made on predicted costs.",
    ),
    Term(
        "Mean quality over the price range (AIQ)",
        "The upper hull of a method’s realised points, averaged from the cheapest to the dearest "
        "single arm’s mean cost, linear in dollars. A method that starts dearer is joined by the "
        "cheapest arm.",
    ),
    Term(
        "Cost change",
        "Least cost on that hull that reaches the best single arm’s quality (or 95% of it), "
        "against that arm’s cost.",
    ),
    Term(
        "Calibration error (ECE)",
        "Gap between predicted and realised quality in 15 bins of equal mass, mean over arms. Its "
        "interval is centred on the estimate, because resampling adds noise of its own.",
    ),
)
