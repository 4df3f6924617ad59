"""The evaluation in plain words: the figures on top of the report, losses included."""

from __future__ import annotations

from dataclasses import dataclass

from ..measure.draws import Interval
from ..measure.summary import BOUNDS, RouterSummary, Summary
from .wording import arm_name, listing, method_name, money, percent, signed_points, span, tone

FEW = 300  # prompts below which the reader is warned


@dataclass(frozen=True, slots=True)
class Headline:
    """One card: what it is about, the figure, a sentence, its interval and "good", "bad" or ""."""

    title: str
    figure: str
    text: str
    interval: str
    tone: str


def headlines(summary: Summary) -> list[Headline]:
    """Saving, best quality, the whole price range and calibration."""
    cards = [_saving(summary), _gain(summary), _range(summary)]
    return cards if summary.router.ece is None else [*cards, _calibration(summary)]


def _saving(summary: Summary) -> Headline:
    router, best = summary.router, summary.best_single
    title, value = "At equal quality", router.saving_at_best_single
    arm = f"{arm_name(best.arm)} ({percent(best.quality)}, {money(best.cost)} per 1,000)"
    if value is None:
        text = f"No setting of the router is as good as {arm}; its best reaches "
        text += f"{percent(router.max_quality)}. {_at_95(summary)}"
        return Headline(title, "Not reached", text, _share_reached(router), "bad")
    interval = router.ci95["saving_at_best_single"]
    note = f"95% interval {_cost_span(interval)}" if interval else _share_reached(router)
    figure, text = _cheaper(value), f"than sending everything to {arm}"
    return Headline(title, figure, text, note, tone(interval))


def _cheaper(value: float) -> str:
    if abs(value) < 0.005:
        return "Same cost"
    return f"{abs(value):.0%} {'cheaper' if value > 0 else 'dearer'}"


def _cost_span(interval: Interval) -> str:
    return f"{_cheaper(interval[0]).lower()} to {_cheaper(interval[1]).lower()}"


def _at_95(summary: Summary) -> str:
    value = summary.router.saving_at_95
    if value is None:
        return "Nor does it reach 95% of that quality."
    return f"At 95% of that quality it is {_cheaper(value).lower()}."


def _share_reached(router: RouterSummary) -> str:
    share = router.reached["saving_at_best_single"]
    return f"Reached in {share:.0%} of the resamples; an interval needs 95%"


def _gain(summary: Summary) -> Headline:
    router = summary.router
    interval = router.ci95["gain"]
    text = f"The router’s best setting reaches {percent(router.max_quality)}, "
    text += f"the best single arm {percent(summary.best_single.quality)}"
    return Headline(
        "Highest quality",
        f"{signed_points(router.gain)} points",
        text,
        _points_note(interval),
        tone(interval),
    )


def _range(summary: Summary) -> Headline:
    router, zero = summary.router, summary.zero_router
    lead, interval = zero.lead
    text = f"Mean quality {percent(router.aiq)} against {percent(zero.aiq)} "
    text += "of the zero router, over the whole price range (AIQ)"
    return Headline(
        "At equal spend",
        f"{signed_points(lead)} points",
        text,
        _points_note(interval),
        tone(interval),
    )


def _points_note(interval: Interval | None) -> str:
    sure = "" if tone(interval) else ": no clear difference"
    return f"95% interval {span(interval, 'points')}{sure}"


def _calibration(summary: Summary) -> Headline:
    router = summary.router
    return Headline(
        "Calibration error",
        f"{100 * (router.ece or 0.0):.1f} points",
        "Mean gap between predicted and realised quality, over arms (ECE)",
        f"95% interval {span(router.ci95['ece'])}",
        "",
    )


def verdict(summary: Summary) -> list[str]:
    """Sentences that compare the router with the baselines, and what to beware of."""
    sentences = [_standing(summary), hindsight(summary)]
    if summary.n_prompts < FEW:
        sentences.append(
            f"Only {summary.n_prompts} prompts were evaluated, so the intervals are wide."
        )
    return [sentence for sentence in sentences if sentence]


def _standing(summary: Summary) -> str:
    found: dict[str, list[str]] = {"good": [], "": [], "bad": []}
    for name, method in summary.baselines.items():
        if name not in BOUNDS:
            found[tone(method.lead[1])].append(method_name(name))
    parts = [
        f"{words} {listing(found[shade])}"
        for shade, words in (("good", "clearly ahead of"), ("", "level with"), ("bad", "behind"))
        if found[shade]
    ]
    if not parts:
        return ""
    return f"Over the price range the router is {'; '.join(parts)}."


def hindsight(summary: Summary) -> str:
    """What the oracle's lead is worth: how much of it is luck, or that nobody can tell."""
    found, won = summary.ceiling, summary.router.aiq - summary.zero_router.aiq
    lead, left, luck = found.lead.value or 0.0, found.split_half_lead, found.luck
    if lead <= 0:
        return "Even perfect hindsight gains nothing over the zero router here."
    text = (
        f"Perfect hindsight would gain {100 * lead:.1f} points over the zero router; the router "
        f"gains {signed_points(won)}. "
    )
    if left.value is None or luck.value is None:
        why = found.reason or "the lead is too small"
        return f"{text}Luck and skill cannot be told apart in that room: {why}."
    text += (
        "Chosen on half of the runs and scored on the other half, hindsight gains "
        f"{signed_points(left.value)} (95% interval {span(left.ci95, 'points')}): "
        f"up to {percent(min(luck.value, 1.0), 0)} of its lead is luck"
    )
    share = summary.router.recovered_share_split_half
    if share is None:
        return f"{text}."
    recovered = percent(share, 0) if share > 0 else "nothing"
    return f"{text}, and the router recovers {recovered} of the rest."
