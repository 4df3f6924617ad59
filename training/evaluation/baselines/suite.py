"""All baselines by name, and fitting them one after the other.

Each runs at its authors' or its customary settings, or chooses them inside the train split; none
is tuned on test rows. All see the same sentence embedding at the encoder's full depth. Quality
comes from the method, cost from the same predictions that the router has, so that only quality is
compared; where a method has a cost rule of its own (Avengers-Pro, CARROT, the two-model routers,
cascades), it keeps it.
"""

from __future__ import annotations

from collections.abc import Callable

from ...measure.ceilings import split_half_oracle
from ...measure.outcomes import Outcomes, Sweep
from ...measure.runs import untold
from ...measure.sweeps import reference_sweeps, single_arms
from .bilinear import embedllm, mirt, routellm_mf
from .cascade import frugalgpt
from .evidence import Evidence, Fitted, NotApplicable
from .neighbours import carrot_knn, knn, routerbench_knn
from .pairs import hybrid_llm_det, hybrid_llm_prob, hybrid_llm_trans
from .ranking import routellm_sw
from .regressors import lightgbm, routerbench_mlp
from .tables import avengers_pro, avengers_pro_code, cluster_table, task_label, uniroute
from .tiers import best_route

METHODS: dict[str, Callable[[Evidence], Sweep]] = {
    "task_label": task_label,
    "cluster_table": cluster_table,
    "uniroute": uniroute,
    "avengers_pro": avengers_pro,
    "avengers_pro_code": avengers_pro_code,
    "knn": knn,
    "routerbench_knn": routerbench_knn,
    "carrot_knn": carrot_knn,
    "routerbench_mlp": routerbench_mlp,
    "lightgbm": lightgbm,
    "embedllm": embedllm,
    "mirt": mirt,
    "routellm_sw": routellm_sw,
    "routellm_mf": routellm_mf,
    "hybrid_llm_det": hybrid_llm_det,
    "hybrid_llm_prob": hybrid_llm_prob,
    "hybrid_llm_trans": hybrid_llm_trans,
    "best_route": best_route,
    "frugalgpt": frugalgpt,
}


def fit_baselines(
    evidence: Evidence, outcomes: Outcomes, progress: Callable[[str], None]
) -> Fitted:
    """Fit every baseline and let it choose for the test prompts.

    Args:
        evidence: train split and test prompts.
        outcomes: realised test outcomes; only the reference methods (zero router, best single,
            cheapest, random mix, oracles) look at them, in hindsight and in their favour.
        progress: called with the name of each method as it starts.
    """
    sweeps = [single_arms(outcomes), *reference_sweeps(outcomes)]
    if untold(outcomes.runs) is None:
        sweeps.append(split_half_oracle(outcomes))
    without: list[tuple[str, str]] = []
    for name, method in METHODS.items():
        progress(name)
        try:
            sweeps.append(method(evidence))
        except NotApplicable as reason:
            without.append((name, str(reason)))
    return Fitted(tuple(sweeps), tuple(without))
