"""Numbers and names as people read them; every text in the report goes through here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

MINUS = "−"
ROUNDING = 1e-9  # means of the same answers in another order differ by less


def percent(value: float | None, digits: int = 1) -> str:
    """A share or a quality, 0.617 -> 61.7%."""
    return "–" if value is None else _minus(f"{round(100 * value, digits) + 0.0:.{digits}f}%")


def signed_points(value: float, digits: int = 1) -> str:
    """A quality difference in points of a hundred, 0.047 -> +4.7."""
    text = f"{100 * value:+.{digits}f}"
    return _minus("0.0" if float(text) == 0 else text)


def signed_percent(value: float) -> str:
    """A relative change in whole percent, -0.5 -> −50%."""
    return _minus(f"{round(100 * value)}%")


def money(usd: float) -> str:
    """US dollars per request as dollars per 1,000 requests, three figures."""
    amount = 1000 * usd
    if amount >= 100:
        return f"${amount:,.0f}"
    if amount >= 1:
        return f"${amount:.2f}"
    if amount == 0:
        return "$0"
    return f"${amount:#.3g}" if amount >= 1e-4 else f"${amount:.1e}"


FORMS: dict[str, Callable[..., str]] = {
    "percent": percent,
    "points": signed_points,
    "whole": signed_percent,
}


def span(interval: Sequence[float] | None, form: str = "percent") -> str:
    """A 95 % interval in words; a dash where there is none."""
    if interval is None:
        return "–"
    write = FORMS[form]
    return f"{write(interval[0])} to {write(interval[1])}"


def tone(interval: Sequence[float] | None) -> str:
    """Whether an interval leaves no doubt about the sign: "good", "bad" or ""."""
    if interval is None or (interval[0] <= ROUNDING and interval[1] >= -ROUNDING):
        return ""
    return "good" if interval[0] > 0 else "bad"


def arm_name(arm_id: str) -> str:
    """`model|tier` without the default tier, `model · tier` with another."""
    model, _, tier = arm_id.partition("|")
    return model if tier in {"", "default"} else f"{model} · {tier}"


def method_name(name: str) -> str:
    """A method's key as words."""
    return name.replace("_", " ")


def listing(names: Sequence[str]) -> str:
    """`a, b and c`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def excerpt(text: str, most: int = 140) -> str:
    """The start of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _minus(text: str) -> str:
    return text.replace("-", MINUS)
