"""What adaptive compute is worth where the truth is known: the simulated world of samples.

    python -m training.benchmarks.known_tiers --out DIR [--n-prompts 4000 --samples 16 --seed 0]

Pass probabilities are learned from the samples of training prompts, test prompts get best-of-n
tiers by one batch budget (`router.budget.allocate`), and what they get is scored by the known
probabilities. Beside it stand every uniform n and the optimum: the same allocation on the known
probabilities.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console

from data.repeated import SampledWorld, SamplesConfig, simulate_samples
from data.split import folds
from router.budget.allocate import allocate
from router.types import Bools, Doubles, Ints

from ..config import TrainConfig
from ..methods.base import Inputs
from ..prepare.cache import CACHE
from ..prepare.encoder import export_encoder
from ..progress import ConsoleReporter, Reporter
from ..selection.depth import embed_inputs
from ..tiers.betabinomial import Beta, Counts
from ..tiers.integrate import best_of, best_of_known, vote, vote_known
from ..tiers.passing import fit_pass_model
from .compute_charts import save, spend_chart

TIERS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)  # samples of best-of-n
UNIFORM = (2, 4, 8, 16, 32)
VOTES = (3, 5, 9)
TEST_SHARE = 0.25
STEPS = 400  # budgets at which the least sufficient one is looked for
SLACK = 1e-9  # a budget is a sum; rounding must not make its own allocation unaffordable


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Test prompts of one model: truth (n,), belief, and the cost of every tier.

    Attributes:
        p: known pass probability.
        belief: Beta(a, b), each (n,).
        cost_usd: (n, t) of best-of-n for the n of TIERS; input counts once.
    """

    p: Doubles
    belief: Beta
    cost_usd: Doubles

    @property
    def known(self) -> Doubles:
        """(n, t) true quality of every tier."""
        return np.stack([best_of_known(self.p, n) for n in TIERS], axis=1)

    @property
    def predicted(self) -> Doubles:
        """(n, t) predicted quality of every tier."""
        return np.stack([best_of(*self.belief, n) for n in TIERS], axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What the budget of one uniform n buys; quality is the true mean.

    Attributes:
        theory: the optimum's lead over uniform, what a perfect predictor would gain.
        gained: the share of it that prediction reached.
        of_optimum: adaptive over optimal quality.
        compute: the share of this budget at which adaptive is as good as uniform is at all of it.
        compute_optimum: the same for the optimum.
    """

    n: int
    usd_per_1k: float
    uniform: float
    adaptive: float
    optimum: float
    theory: float
    gained: float
    of_optimum: float
    compute: float
    compute_optimum: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Votes:
    """A vote among n on the prompts whose single sample passes less often than not.

    Attributes:
        falls: share of them on which the vote is predicted to be worse than one sample.
        single, voted: predicted means.
        true_single, true_voted: known means.
    """

    n: int
    prompts: int
    falls: float
    single: float
    voted: float
    true_single: float
    true_voted: float


def learn_case(
    world: SampledWorld, inputs: Inputs, test: Bools, config: TrainConfig, alphas: tuple[float, ...]
) -> Case:
    """Fit the cheapest model's pass probabilities on the training prompts.

    Args:
        world: of one model, complete samples, in the order of its prompts.
        inputs: of all prompts.
        test: (n,) prompts that nothing is fitted on.
        config: folds and the design's settings.
        alphas: candidates of the penalty.
    """
    n = world.prompts.height
    passes = world.samples["quality"].to_numpy().reshape(n, -1).astype(np.float64)
    counts = Counts(
        passes=passes.sum(axis=1, keepdims=True), samples=np.full((n, 1), float(passes.shape[1]))
    )
    texts = world.prompts["prompt"].to_list()
    fold: Ints = folds(texts, config.folds.folds, config.folds.seed)
    model, _ = fit_pass_model(
        inputs.rows(~test), counts.rows(~test), fold[~test], config.linear, alphas=alphas
    )
    a, b = model.predict(inputs.rows(test))
    price = world.prices.row(0, named=True)
    read = world.truth["input_tokens"].to_numpy()[test] * price["usd_per_1m_input"] / 1e6
    written = world.truth["expected_output_tokens"].to_numpy()[test]
    written = written * price["usd_per_1m_output"] / 1e6
    return Case(
        p=world.truth["p_correct"].to_numpy()[test],
        belief=(a[:, 0], b[:, 0]),
        cost_usd=np.stack([read + n * written for n in TIERS], axis=1),
    )


def spent(case: Case, quality: Doubles, budget_usd: float) -> float:
    """True mean quality of the allocation that `quality` (n, t) makes of a total budget."""
    eligible = np.ones(quality.shape, dtype=np.bool_)
    total = budget_usd * (1.0 + SLACK)
    arm = allocate(quality, case.cost_usd, eligible=eligible, budget_usd=total).arm
    return float(case.known[np.arange(len(arm)), arm].mean())


def budgets(case: Case) -> list[Budget]:
    """Every uniform n against adaptive and optimal allocations of the same total."""
    shares = np.geomspace(0.02, 1.0, STEPS)
    known, predicted = case.known, case.predicted
    found = []
    for n in UNIFORM:
        tier = TIERS.index(n)
        total = float(case.cost_usd[:, tier].sum())
        uniform = float(known[:, tier].mean())
        optimum, adaptive = spent(case, known, total), spent(case, predicted, total)
        found.append(
            Budget(
                n=n,
                usd_per_1k=1000 * total / len(case.p),
                uniform=uniform,
                adaptive=adaptive,
                optimum=optimum,
                theory=optimum - uniform,
                gained=(adaptive - uniform) / (optimum - uniform),
                of_optimum=adaptive / optimum,
                compute=_least(case, predicted, total, uniform, shares),
                compute_optimum=_least(case, known, total, uniform, shares),
            )
        )
    return found


def _least(case: Case, quality: Doubles, total: float, wanted: float, shares: Doubles) -> float:
    """The least share of a budget that reaches a quality, by bisection over a grid."""
    floor = float(case.cost_usd[:, 0].sum()) / total
    usable = shares[shares >= floor]
    low, high = 0, len(usable) - 1
    while low < high:
        middle = (low + high) // 2
        if spent(case, quality, total * float(usable[middle])) >= wanted:
            high = middle
        else:
            low = middle + 1
    return float(usable[low])


def votes(case: Case) -> list[Votes]:
    """Whether votes are predicted to fall where p < 1/2."""
    below = case.p < 0.5
    a, b = (part[below] for part in case.belief)
    single = a / (a + b)
    found = []
    for n in VOTES:
        voted = vote(a, b, n)
        found.append(
            Votes(
                n=n,
                prompts=int(below.sum()),
                falls=float((voted < single).mean()),
                single=float(single.mean()),
                voted=float(voted.mean()),
                true_single=float(case.p[below].mean()),
                true_voted=float(vote_known(case.p[below], n).mean()),
            )
        )
    return found


def curves(case: Case) -> list[dict[str, Any]]:
    """Rows of the picture: strategy, US dollars per 1,000 prompts, true quality."""
    known, predicted, n = case.known, case.predicted, len(case.p)
    rows = [
        {"strategy": "uniform n", "usd": 1000 * float(c), "quality": float(q), "n": tier}
        for tier, c, q in zip(TIERS, case.cost_usd.mean(axis=0), known.mean(axis=0), strict=True)
    ]
    totals = np.geomspace(case.cost_usd[:, 0].sum(), case.cost_usd[:, -1].sum(), 40)
    for name, quality in (("adaptive, predicted", predicted), ("optimum, known p", known)):
        rows += [
            {"strategy": name, "usd": 1000 * t / n, "quality": spent(case, quality, float(t))}
            for t in totals
        ]
    return rows


def run(
    config: SamplesConfig, cache: Path, reporter: Reporter, alphas: tuple[float, ...] = (0.1, 0.3)
) -> Case:
    """Simulate, embed, fit: the test prompts of one world."""
    world, settings = simulate_samples(config), TrainConfig()
    texts = tuple(world.prompts["prompt"].to_list())
    depth = settings.encoder.depths[-1]  # form says more of difficulty than meaning does
    encoder = export_encoder(settings.encoder, cache / "encoders", depth=depth)
    inputs = embed_inputs(texts, encoder, cache, reporter)
    test = np.arange(len(texts)) >= round(len(texts) * (1.0 - TEST_SHARE))
    with reporter.stage("fit heads"):
        return learn_case(world, inputs, test, settings, alphas)


def lines(bought: list[Budget], voted: list[Votes]) -> list[str]:
    """Two Markdown tables."""
    out = [
        "| budget of uniform n | uniform | adaptive | optimum | lead / theory | of the optimum "
        "| compute for uniform's quality (optimum) |",
        "|---|---|---|---|---|---|---|",
    ]
    out += [
        f"| {b.n} | {b.uniform:.4f} | {b.adaptive:.4f} | {b.optimum:.4f} "
        f"| {b.adaptive - b.uniform:+.4f} / {b.theory:+.4f} ({b.gained:.0%}) "
        f"| {b.of_optimum:.1%} | {b.compute:.1%} ({b.compute_optimum:.1%}) |"
        for b in bought
    ]
    out += [
        "",
        "| vote of | prompts with p < ½ | predicted to fall | predicted: one → vote "
        "| true: one → vote |",
        "|---|---|---|---|---|",
    ]
    out += [
        f"| {v.n} | {v.prompts} | {v.falls:.1%} | {v.single:.4f} → {v.voted:.4f} "
        f"| {v.true_single:.4f} → {v.true_voted:.4f} |"
        for v in voted
    ]
    return out


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--n-prompts", type=click.IntRange(min=100), default=4000, show_default=True)
@click.option("--samples", type=click.IntRange(min=2), default=16, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--cache", type=click.Path(path_type=Path), default=CACHE, show_default=True)
def main(out: Path, n_prompts: int, samples: int, seed: int, cache: Path) -> None:
    """Write world.json and the picture spend.png and spend.html into OUT."""
    config = SamplesConfig(n_prompts=n_prompts, samples=samples, seed=seed, models=1)
    case = run(config, cache, ConsoleReporter(Console(stderr=True)))
    bought, voted = budgets(case), votes(case)
    out.mkdir(parents=True, exist_ok=True)
    found = {"budgets": [asdict(b) for b in bought], "votes": [asdict(v) for v in voted]}
    (out / "world.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    save(spend_chart(curves(case)), out / "spend")
    for line in lines(bought, voted):
        click.echo(line)


if __name__ == "__main__":
    main()
