"""An explanation in words: what was chosen, how the rule saw every arm, what would change it."""

from __future__ import annotations

from ..explain import ArmView, Change, Explanation

CLOSEST = 5  # changes of a kind that are told
SHOWN = 12  # arms in the table
VERBS = {True: ("below", "fell"), False: ("above", "rose")}


def render(found: Explanation) -> str:
    """Plain text, one thing a line."""
    return "\n".join([*_choice(found), "", *_table(found), "", *_what_would_change(found)])


def _choice(found: Explanation) -> list[str]:
    decision = found.decision
    predicted = decision.predicted
    low, high = predicted.interval
    asked = ", ".join(f"{name} {value:.4g}" for name, value in found.knobs.items())
    lines = [
        f"{decision.arm.id} answers, at {asked}: expected quality {predicted.quality:.3f} "
        f"({low:.2f} to {high:.2f}), expected cost ${predicted.cost_usd:.4g}.",
        *([f"Kind of work: {decision.kind}."] if decision.kind else []),
        *(f"{reason.code}: {reason.detail}" for reason in decision.reasons),
    ]
    if found.band > 0:
        lines.append(
            f"Utilities within {found.band:.4f} of the best count as equal, and the cheapest of "
            "those arms is taken."
        )
    return lines


def _table(found: Explanation) -> list[str]:
    chosen = found.decision.arm.id
    width = max((len(arm.id) for arm in found.arms), default=3)
    lines = [f"  {'arm':<{width}}  quality  $ per 1k  utility  vs chosen"]
    lines += [_row(arm, width, arm.id == chosen) for arm in found.arms[:SHOWN]]
    if len(found.arms) > SHOWN:
        lines.append(f"  and {len(found.arms) - SHOWN} more")
    return lines


def _row(arm: ArmView, width: int, chosen: bool) -> str:
    mark = "*" if chosen else " "
    text = f"{mark} {arm.id:<{width}}  {arm.quality:>7.3f}  {1000 * arm.cost_usd:>8.4g}"
    if arm.excluded_by is not None:
        return f"{text}  excluded: {arm.excluded_by}"
    if arm.utility is None or arm.margin is None:
        return text
    return f"{text}  {arm.utility:>7.3f}  {arm.margin:>+9.4f}"


def _what_would_change(found: Explanation) -> list[str]:
    if not found.changes:
        return ["Nothing that was tried would change the choice."]
    lines = ["What would change the choice:"]
    lines += [f"  {_knob(change)}" for change in found.changes if change.arm is None]
    chosen = found.decision.arm.id
    own = [change for change in found.changes if change.arm == chosen]
    lines += [f"  {change.chosen or 'no arm'} wins if {_moved(change, chosen)}" for change in own]
    for of in ("price", "quality"):
        others = [c for c in found.changes if c.of == of and c.arm != chosen]
        others.sort(key=lambda change: abs(change.flips_at - change.now))
        lines += [f"  {change.arm} wins if {_moved(change, 'it')}" for change in others[:CLOSEST]]
    if found.unreachable:
        count = len(found.unreachable)
        which = ", ".join(found.unreachable[:CLOSEST]) + (", …" if count > CLOSEST else "")
        lines.append(f"  no price down to 0 and no expected quality up to 1 would make it {which}")
    return lines


def _knob(change: Change) -> str:
    side = VERBS[change.flips_at < change.now][0]
    return f"{change.chosen or 'no arm'} wins {side} {change.of} {change.flips_at:.4g}"


def _moved(change: Change, whose: str) -> str:
    owner = "its" if whose == "it" else f"{whose}'s"
    verb = VERBS[change.flips_at < change.now][1]
    size = abs(change.flips_at - change.now)
    if change.of == "price":
        amount = f"by {100 * size:.3g} %" if size < 10 else f"to {size + 1:.3g} times"
        return f"{owner} price {verb} {amount}"
    return f"{owner} expected quality {verb} by {size:.3g}"
