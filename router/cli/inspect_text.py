"""A bundle in words: what it is made of, its arms and their prices, and how training rates it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from ..core.manifest import ArmInfo, Manifest
from ..core.promises import by_kind, promises

HEAD = ("arm", "quality", "$ per 1k", "$ in / out per 1M", "rows")
ABOUT = ("arm", "context", "can", "retired")
KINDS = ("kind of work", "clusters", "prompts", "arms tried", "of")
FIGURES = {*HEAD[1:], *KINDS[1:4], ABOUT[1], "threshold", "expected quality", "expected $ per 1k"}
NOTHING = {"", "–"}
ABLE = ("tools", "vision", "json", "audio", "document", "reasoning")
POINTS = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the threshold, whose promises are shown


def describe(manifest: Manifest) -> str:
    """Plain text, one thing a line; `tierwise inspect --json` has everything."""
    parts = [part(manifest) for part in (_head, _arms, _about, _kinds, _promises, _metrics)]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def _head(manifest: Manifest) -> list[str]:
    training, encoder, decision = manifest.training, manifest.encoder, manifest.decision
    size = sum(entry.bytes for entry in manifest.files.values()) / 1e6
    lines = [
        f"bundle {manifest.bundle_id}, {len(manifest.arms)} arms, {size:.1f} MB",
        f"encoder {encoder.name}, {encoder.precision}, {encoder.max_tokens} tokens",
        f"best single arm {manifest.arms[decision.best_single].arm.id}; default threshold "
        f"{decision.default_threshold:g}",
    ]
    if "prompts" in training:
        stack = ", ".join(training.get("stack", ())) or "an earlier bundle's methods"
        lines.append(f"trained on {training['prompts']} prompts by {stack}")
    lines += routing_line(training)
    found = manifest.certificate
    if found is not None:
        lines.append(
            f"certified: from threshold {found.threshold:g} on at most {found.max_quality_drop:g} "
            f"of quality below {found.best_single}, at {found.confidence:.0%} confidence, since "
            f"{found.issued}"
        )
    return lines


def routing_line(training: Mapping[str, Any]) -> list[str]:
    """Whether telling prompts apart pays, in one line; none for bundles that do not say."""
    found = training.get("routing")
    if found is None:
        return []
    if "mixture" in training:
        return [_by_source(training["mixture"]["sources"])]
    why = (
        f"outcomes follow {found['slope']:.2f} ± {found['slope_se']:.2f} of the predicted "
        f"differences, on {found['prompts']} prompts"
    )
    if found["aiq"] is not None:
        told = f"inner AIQ {found['aiq']:.4f} against {found['fixed_mix_aiq']:.4f}"
        why = f"{told} of the best fixed mix, {why}"
    beside = f" beside the base {training['base']['bundle']}" if "base" in training else ""
    if not found["pays"]:
        what = "the base and the arms' means" if beside else "the arms' means"
        return [f"routing does not pay{beside or ' here'}: {why}; decisions follow {what}"]
    return [f"routing pays{beside}: {why}; {found['share']:.0%} of them are followed"]


def _by_source(sources: Mapping[str, Any]) -> str:
    """In which sources of a collection telling prompts apart pays."""
    pays = [name for name, told in sources.items() if told.get("routing", {}).get("pays")]
    rest = ", ".join(name for name in sources if name not in pays)
    if not pays:
        return f"routing pays between sources alone: within {rest} decisions follow the arms' means"
    where = f"routing pays between sources and within {', '.join(pays)}"
    return f"{where}; within {rest} decisions follow the arms' means" if rest else where


def _arms(manifest: Manifest) -> list[str]:
    return table([HEAD, *map(_arm, _ranked(manifest))])


def _ranked(manifest: Manifest) -> list[ArmInfo]:
    """The best arm first."""
    return sorted(manifest.arms, key=lambda arm: (-arm.mean_quality, arm.mean_cost_usd, arm.arm.id))


def _about(manifest: Manifest) -> list[str]:
    """What is known of the arms beside outcomes and prices, in the columns that say anything."""
    rows = [ABOUT, *map(_known, _ranked(manifest))]
    told = [i for i in range(len(ABOUT)) if any(row[i] not in NOTHING for row in rows[1:])]
    return table([tuple(row[i] for i in told) for row in rows]) if len(told) > 1 else []


def _arm(arm: ArmInfo) -> tuple[str, ...]:
    usd = f"{arm.usd_per_1m_input:.4g} / {arm.usd_per_1m_output:.4g}"
    day = f" of {arm.price_date}" if arm.price_date else ""
    return (
        arm.arm.id,
        f"{arm.mean_quality:.3f}",
        f"{1000 * arm.mean_cost_usd:.4g}",
        "–" if arm.metered_in == "usd" else usd + day,
        f"{arm.battles} battles" if arm.battles and not arm.rows else str(arm.rows),
    )


def _known(arm: ArmInfo) -> tuple[str, ...]:
    return (
        arm.arm.id,
        "–" if arm.context_tokens is None else str(arm.context_tokens),
        ", ".join(name for name in ABLE if getattr(arm, name)) or "–",
        _retired(arm.retired),
    )


def _retired(day: str | None) -> str:
    if day is None:
        return ""
    return day if date.fromisoformat(day) <= date.today() else f"on {day}"


def _kinds(manifest: Manifest) -> list[str]:
    """Kinds of work and what was tried on them; nothing where the bundle names none."""
    found = by_kind(manifest)
    if set(found) <= {None}:
        return []
    rows = [KINDS]
    for kind, regions in found.items():
        sources = [region.source for region in regions if region.source]
        clusters = sum(len(region.clusters) for region in regions)
        prompts = sum(region.rows for region in regions)
        arms = max(region.arms for region in regions)
        told = (str(clusters), str(prompts), str(arms))
        rows.append((kind or "not named", *told, ", ".join(sources)))
    return table(rows)


def _promises(manifest: Manifest) -> list[str]:
    """What the threshold promises: the knots nearest to five points."""
    found = promises(manifest)
    rows = [("threshold", "expected quality", "expected $ per 1k")]
    for point in POINTS:
        gaps = [abs(threshold - point) for threshold in found.threshold]
        at = gaps.index(min(gaps))
        rows.append((f"{point:g}", f"{found.quality[at]:.3f}", f"{1000 * found.cost_usd[at]:.4g}"))
    return table(rows)


def _metrics(manifest: Manifest) -> list[str]:
    """Figures of training and what it dropped, a line each."""
    rows = [(name, str(value)) for name, value in manifest.metrics.items() if value is not None]
    dropped = manifest.training.get("dropped_arms", {})
    rows += [(f"dropped {arm}", str(reason)) for arm, reason in dropped.items()]
    return table([("figure of training", "value"), *rows]) if rows else []


def table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows in aligned columns, the first one their head."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.rjust(width) if name in FIGURES else cell.ljust(width)
            for cell, width, name in zip(row, widths, rows[0], strict=True)
        ).rstrip()
        for row in rows
    ]
