"""Render a bundle's model card from its manifest: what it is, knows, costs and cannot do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from router.core.manifest import ArmInfo, Manifest


def render_card(manifest: Manifest) -> str:
    """The card as Markdown."""
    training, metrics = manifest.training, manifest.metrics
    lines = [
        f"# tierwise bundle {manifest.bundle_id}",
        "",
        "Routes a prompt to one of the arms below, by predicted quality and cost.",
        "",
        f"- Trained on {training.get('prompts', '?')} prompts and {training.get('cells', '?')} "
        f"outcomes; {len(manifest.arms)} arms.",
        f"- Encoder: {manifest.encoder.name}, {manifest.encoder.depth:.0%} of its layers, "
        f"{manifest.encoder.precision}, at most "
        f"{manifest.encoder.max_tokens} tokens; weights {manifest.encoder.weights_sha256[:12]}…",
        f"- Methods in the stack: {', '.join(_weights(training.get('stack', {})))}",
        f"- Calibration: {manifest.config.get('calibration', {}).get('method', '?')} per arm, on "
        "predictions that nothing was fitted on.",
        "",
        *_based(training.get("base")),
        *_sources(training.get("sources", [])),
        *_taught(training.get("mixture", {}).get("sources", {})),
        "## Measured on the training rows, out of fold",
        "",
        *_metrics(metrics),
        "",
        "These rows chose the settings too; `tierwise evaluate` on a test split is the figure to "
        "quote.",
        "",
        "## Arms",
        "",
        "| model | tier | mean quality | mean $ per 1k requests | $ per 1M input / output | rows |",
        "|---|---|---|---|---|---|",
        *(_arm(arm) for arm in sorted(manifest.arms, key=lambda a: -a.mean_quality)),
        "",
        *_certificate(manifest),
        "## Limits",
        "",
        "Quality is what the training table called quality, on prompts like its own. A prompt "
        "further from them than 99 % of the training prompts is flagged `out_of_distribution`, "
        "and its predictions fade to each arm's mean. Prices are those of the table; arms and "
        "models change under the same name. No training prompt is stored here.",
        "",
    ]
    return "\n".join(lines)


def _based(base: dict[str, Any] | None) -> Iterable[str]:
    """What was known before any row."""
    if base is None:
        return []
    by_kin = "; ".join(f"{arm} most like {kin}" for arm, kin in base["arms_by_kin"].items())
    return [
        "## Base",
        "",
        f"What bundle {base['bundle']} says of a prompt was known before any of these rows, which "
        f"taught how far it is off. It knows {base['known_arms']} of the arms"
        f"{'; the others are known by kin: ' if by_kin else ''}{by_kin}. Followed of it: "
        f"{base['slope']:.0%} of how prompts tell arms apart, {base['level_slope']:.0%} of how "
        "hard they are.",
        "",
    ]


def _sources(sources: list[dict[str, Any]]) -> Iterable[str]:
    """What was learned from what, and what only measures."""
    if not sources:
        return []
    return [
        "## Sources",
        "",
        "| source | use | licence | kinds of work | prompts (test) | outcomes | arms | weight |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {source['name']} | {source['use']} | {source.get('licence', 'not stated')} | "
            f"{', '.join(source.get('kinds', {})) or '–'} | {source['prompts']} "
            f"({source['split'].get('test', 0)}) | {source['outcomes']} | {source['arms']} | "
            f"{source['weight']:g} |"
            for source in sources
        ),
        "",
        "Sources of use `measure` were not learned from. Of an agent's whole runs (per task) only "
        "the ratios of tokens between arms were.",
        "",
    ]


def _taught(sources: dict[str, dict[str, Any]]) -> Iterable[str]:
    """What each source says of the arms below, and how unsure the rest is."""
    if not sources:
        return []
    return [
        "## What the sources say of the arms",
        "",
        "AIQ is out of fold, among the arms that the source tried, beside that of the best fixed "
        "mix of them; followed is how much of the predicted differences between prompts is. "
        "Errors are standard errors of an arm's mean.",
        "",
        "| source | prompts | tried | AIQ, fixed mix | followed | error tried, untried |",
        "|---|---|---|---|---|---|",
        *(_told(name, part) for name, part in sources.items()),
        "",
        "Tokens and dollars are those that a source counted, or else estimates from characters. "
        "An arm is as unknown on a kind of work as the right-hand error says where no source of "
        "that kind tried it.",
        "",
    ]


def _told(name: str, part: dict[str, Any]) -> str:
    routing = part.get("routing") or {}
    aiq, fixed = routing.get("aiq"), routing.get("fixed_mix_aiq")
    figures = "–" if aiq is None else f"{aiq:.3f}, {fixed:.3f}"
    followed = f"{routing['share']:.0%}" if routing else "–"
    errors = ", ".join(_error(part[f"error_of_{which}"]) for which in ("tried", "untried"))
    return (
        f"| {name} | {part['prompts']} | {part['tried_arms']} | {figures} | {followed} | {errors} |"
    )


def _error(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _certificate(manifest: Manifest) -> Iterable[str]:
    promise = manifest.certificate
    if promise is None:
        return []
    return [
        "## Certificate",
        "",
        f"From threshold {promise.threshold:g} up, expected quality is at most "
        f"{promise.max_quality_drop:g} below {promise.best_single}, at {promise.confidence:.0%} "
        f"confidence; observed {promise.quality_drop:+.4f}, bound {promise.upper_bound:.4f}, on "
        f"{promise.population.prompts} prompts that training did not use ({promise.issued}). It "
        "holds for prompts and answers like those, for requests without filters or exploration.",
        "",
    ]


def _weights(stack: dict[str, float]) -> Iterable[str]:
    return (f"{name} {weight:.2f}" for name, weight in stack.items())


def _metrics(metrics: dict[str, object]) -> Iterable[str]:
    return ["| figure | value |", "|---|---|", *(f"| {k} | {v} |" for k, v in metrics.items())]


def _arm(arm: ArmInfo) -> str:
    return (
        f"| {arm.model} | {arm.tier} | {arm.mean_quality:.3f} | {1000 * arm.mean_cost_usd:.4g} | "
        f"{arm.usd_per_1m_input:.4g} / {arm.usd_per_1m_output:.4g} | {arm.rows} |"
    )
