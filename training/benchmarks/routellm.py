"""RouteLLM's own setting: its two models on MMLU and GSM8K, beside the figures that it prints.

    python -m training.benchmarks.routellm --datasets ../shared/datasets

The x-axis is the share of calls to the strong model, as in the paper, so prompts are ranked by the
predicted gain in quality alone, and thresholds are the eleven quantiles of its code. Ours and the
retrained baselines learn in-domain, from outcomes of the same benchmarks; RouteLLM's own routers
learned from Arena battles with a little augmentation.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import polars as pl

from data.tables import Tables, load_tables
from router import Router
from router.types import Doubles

from ..config import TrainConfig
from ..evaluation.baselines.evidence import Evidence, threshold_sweep
from ..evaluation.baselines.suite import METHODS
from ..evaluation.evaluate import Scored, published_inputs, score_split
from ..measure.outcomes import Outcomes, Sweep
from ..measure.result import evaluate_sweeps
from ..measure.summarise import summarise
from ..pipeline import train
from ..prepare.cache import CACHE
from ..prepare.dataset import dataset_of
from ..progress import Timings
from ..selection.validation import outcomes_of
from .fixed_config import fixed_config
from .groups import task_of
from .leave_task_out import leave_out, without
from .run import PROMPTS

DATASET = "routellm"
BENCHMARKS = ("mmlu", "gsm8k")
RETRAINED = ("routellm_mf", "routellm_sw", "hybrid_llm_det")
THRESHOLDS = 11
FIGURES = ("cpt_50", "cpt_80", "apgr")

# prompt ids of the evaluation prompts that RouteLLM's repository lists as contaminated: the files
# evals/gsm8k/contaminated_prompts.jsonl (12) and evals/mmlu/contaminated_prompts.jsonl (5)
CONTAMINATED = frozenset(
    {
        "f78edc10aba75fbb", "bf86614a1138628d", "92e8af667512936f", "0e272a4128ea99c6",
        "cc3ffc0122ab5a2d", "e42e848d38dbfe3c", "5b68d8ed38af3500", "3ea07706ccd8ceb8",
        "07fe6a2d130c5a60", "4cf2f2a2c14c0aac", "68b8c1d62d344e6a", "27eb3f5f08316a10",
        "f6b1636b30d5297f", "8025ee81e49d021a", "076448be2a37cc99", "56102e4ba4b76c03",
        "aaf4cd3f857a1f92",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Printed:
    """A row of tables 2 and 3 of arXiv 2406.18665: percent of strong calls, and APGR."""

    data: str
    method: str
    cpt_50: float
    cpt_80: float
    apgr: float


PRINTED: Mapping[str, tuple[Printed, ...]] = {
    "mmlu": (
        Printed("–", "random", 50.07, 79.93, 0.500),
        Printed("Arena", "BERT", 49.43, 77.80, 0.502),
        Printed("Arena", "causal LLM", 48.88, 77.93, 0.499),
        Printed("Arena", "matrix factorisation", 45.00, 76.86, 0.524),
        Printed("Arena", "SW ranking", 55.82, 80.25, 0.473),
        Printed("Arena + MMLU validation labels", "BERT", 41.30, 72.20, 0.572),
        Printed("Arena + MMLU validation labels", "causal LLM", 35.49, 70.31, 0.600),
        Printed("Arena + MMLU validation labels", "matrix factorisation", 35.46, 71.40, 0.597),
        Printed("Arena + MMLU validation labels", "SW ranking", 35.40, 71.55, 0.603),
    ),
    "gsm8k": (
        Printed("–", "random", 50.00, 80.08, 0.497),
        Printed("Arena", "BERT", 58.78, 83.84, 0.438),
        Printed("Arena", "causal LLM", 56.09, 83.56, 0.461),
        Printed("Arena", "matrix factorisation", 53.59, 85.24, 0.4746),
        Printed("Arena", "SW ranking", 54.43, 82.11, 0.4753),
        Printed("Arena + GPT-4 judge", "BERT", 44.76, 79.09, 0.531),
        Printed("Arena + GPT-4 judge", "causal LLM", 33.64, 63.26, 0.622),
        Printed("Arena + GPT-4 judge", "matrix factorisation", 38.82, 72.62, 0.565),
        Printed("Arena + GPT-4 judge", "SW ranking", 41.21, 72.20, 0.568),
    ),
}


def own_setting(tables: Tables) -> tuple[Tables, dict[str, int]]:
    """MMLU and GSM8K without the contaminated prompts, and how many of those were there.

    Returns:
        The tables, and counts of listed, found in train and found in test.
    """
    prompts = tables.prompts
    listed = prompts.filter(pl.col("prompt_id").is_in(sorted(CONTAMINATED)))
    wanted = pl.col("domain").map_elements(benchmark, return_dtype=pl.String).is_in(BENCHMARKS)
    kept = prompts.filter(wanted & ~pl.col("prompt_id").is_in(sorted(CONTAMINATED)))
    outcomes = tables.outcomes.filter(pl.col("prompt_id").is_in(kept["prompt_id"].implode()))
    found = {side: listed.filter(pl.col("split") == side).height for side in ("train", "test")}
    counts = {"listed": len(CONTAMINATED), **found}
    return replace(tables, prompts=kept, outcomes=outcomes, pairs=None), counts


def benchmark(label: str) -> str:
    """`mmlu` of `mmlu/anatomy`."""
    return label.split("/", maxsplit=1)[0]


def gain(scored: Scored, strong: int) -> Doubles:
    """Predicted quality of the strong arm minus the weak one's: (n,)."""
    quality = scored.scores.quality
    return np.asarray(quality[:, strong] - quality[:, 1 - strong])


def measured(
    outcomes: Outcomes, router: Sweep, others: Sequence[Sweep] = ()
) -> dict[str, dict[str, Any]]:
    """APGR and CPT with intervals of every method: name -> figure -> value and interval."""
    found = summarise(evaluate_sweeps(outcomes, router, others))
    return {
        name: {f: {"value": getattr(m, f), "ci95": m.ci95[f]} for f in FIGURES}
        for name, m in {"tierwise": found.router, **found.baselines}.items()
    }


def ranked(score: Doubles, strong: int) -> Sweep:
    """Calls to the strong arm at eleven quantiles of the score, and none."""
    return threshold_sweep("router", score, strong, 1 - strong, THRESHOLDS + 1)


def strong_index(router: Router) -> int:
    """The dearer arm of the two.

    Raises:
        ClickException: the bundle has other than two arms.
    """
    arms = router.manifest.arms
    if len(arms) != 2:
        raise click.ClickException(f"RouteLLM's setting has two models, these tables {len(arms)}")
    return int(np.argmax([arm.mean_cost_usd for arm in arms]))


def in_domain(
    tables: Tables, bundle: Path, cache: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    """Ours and RouteLLM's own methods retrained on the same outcomes, by benchmark."""
    router = Router.load(bundle)
    data = dataset_of(tables, list(router.arms))
    scored = score_split(router, data, "test", cache, Timings())
    train_rows = data.rows(~data.test)
    inputs = published_inputs(router, train_rows.texts, scored, cache, Timings())
    evidence = Evidence(
        train_rows, inputs[0], scored.data, inputs[1], scored.scores.cost_usd, seed=0
    )
    sweeps = []
    for name in RETRAINED:
        say(f"retraining {name}")
        sweeps.append(METHODS[name](evidence))
    strong, outcomes = strong_index(router), outcomes_of(scored.data)
    found = {}
    for name in BENCHMARKS:
        rows = np.array([benchmark(str(d)) == name for d in scored.data.domains])
        ours = ranked(gain(scored, strong)[rows], strong)
        found[name] = {
            "n_prompts": int(rows.sum()),
            "n_train": sum(benchmark(str(d)) == name for d in train_rows.domains),
            "quality": _qualities(outcomes.rows(rows), strong),
            "methods": measured(outcomes.rows(rows), ours, [s.rows(rows) for s in sweeps]),
        }
    return found


def _qualities(outcomes: Outcomes, strong: int) -> dict[str, float]:
    mean = outcomes.quality.mean(axis=0)
    return {"strong": float(mean[strong]), "weak": float(mean[1 - strong])}


def left_out(
    tables: Tables,
    config: TrainConfig,
    out: Path,
    *,
    cache: Path,
    reuse: bool,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Each of MMLU's four subject groups, and GSM8K, routed by a router that never saw it.

    `mmlu` pools the four groups, each prompt scored by the router that had not seen its group.
    """
    groups: dict[str, list[str]] = {}
    for label in sorted(set(tables.prompts["domain"])):
        groups.setdefault(task_of(label), []).append(label)
    found: dict[str, Any] = {}
    scores, parts = [], []
    for group, labels in groups.items():
        say(f"leaving out {group}")
        left = leave_out(
            group, labels, tables, config, out=out, split="test", cache=cache, reuse=reuse
        )
        strong = strong_index(left.router)
        score = gain(left.scored, strong)
        found[group] = {
            "n_prompts": left.outcomes.n,
            "n_train": int((without(tables, labels).prompts["split"] == "train").sum()),
            **measured(left.outcomes, ranked(score, strong))["tierwise"],
        }
        if benchmark(group) == "mmlu":
            scores.append(score)
            parts.append(left.outcomes)
    whole = joined(parts)
    pooled = measured(whole, ranked(np.concatenate(scores), strong))["tierwise"]
    return {"mmlu": {"n_prompts": whole.n, **pooled}, **found}


def joined(parts: Sequence[Outcomes]) -> Outcomes:
    """Outcomes of the same arms, one after the other."""
    return Outcomes(
        parts[0].arms,
        np.vstack([part.quality for part in parts]),
        np.vstack([part.cost_usd for part in parts]),
    )


@click.command()
@click.option("--datasets", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("artifacts/results"))
@click.option("--reuse", is_flag=True, help="Keep bundles that an earlier run has trained.")
@click.option("--cache", type=click.Path(path_type=Path), default=CACHE, show_default=True)
def main(datasets: Path, out: Path, reuse: bool, cache: Path) -> None:
    """Measure RouteLLM's setting, from the bundle of `training.benchmarks.results`."""
    run(datasets, out, cache=cache, reuse=reuse)


def run(
    datasets: Path, out: Path, *, cache: Path, reuse: bool, say: Callable[[str], None] = click.echo
) -> dict[str, Any]:
    """Train in-domain and without each group; write `out/routellm/own_setting.json`."""
    folder = out / DATASET / "own_setting"
    tables = load_tables(datasets / f"{DATASET}.parquet", datasets / f"{DATASET}{PROMPTS}")
    tables, contaminated = own_setting(tables)
    config = fixed_config(Router.load(out / DATASET / "bundle").manifest)
    bundle = folder / "all"
    if not (reuse and (bundle / "manifest.json").is_file()):
        say("training on MMLU and GSM8K")
        train(tables, config, bundle, cache, Timings())
    found = {
        "contaminated": contaminated,
        "in_domain": in_domain(tables, bundle, cache, say),
        "left_out": left_out(tables, config, folder, cache=cache, reuse=reuse, say=say),
    }
    text = json.dumps(found, indent=1, allow_nan=False) + "\n"
    (out / DATASET / "own_setting.json").write_text(text, "utf-8")
    return found


if __name__ == "__main__":
    main()
