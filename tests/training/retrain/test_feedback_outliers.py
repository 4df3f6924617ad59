"""Over made-up worlds: forging keys are found, honest ones are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.worlds.forged import Forgery, forged_traffic
from training.retrain.feedback_outliers import FlaggedKey, accepted, flagged_keys
from training.retrain.preferences import Preferred

SEEDS = range(12)
TWO_THOUSAND = Forgery(n=2000)


def found(plan: Forgery, seed: int) -> list[str]:
    return [flagged.key for flagged in flagged_keys(forged_traffic(plan, seed))]


@pytest.mark.parametrize(
    "plan",
    [
        TWO_THOUSAND,
        replace(TWO_THOUSAND, share=0.4),  # honest keys are compared with him, too
        replace(TWO_THOUSAND, honest=20),
        replace(TWO_THOUSAND, informed=True),
        replace(TWO_THOUSAND, leniency=0.15, opinion=0.05),
        replace(TWO_THOUSAND, n=5000, keys=3),
        replace(TWO_THOUSAND, n=5000, strength=0.5),
    ],
)
def test_keys_that_forge_are_flagged_and_no_other(plan: Forgery) -> None:
    wanted = sorted(f"forger {i}" for i in range(plan.keys))
    agreed = [found(plan, seed) == wanted for seed in SEEDS]
    assert np.mean(agreed) >= 0.9


@pytest.mark.parametrize(
    "plan",
    [
        Forgery(share=0.0),
        Forgery(share=0.0, honest=40, informed=True, level=2.5),  # a failure is rare
        Forgery(share=0.0, honest=20, leniency=0.15, opinion=0.05),  # strict and lenient judges
        Forgery(share=0.0, by_domain=True, leniency=0.15),  # nobody else asks such prompts
        Forgery(share=0.0, by_domain=True, n=3000),
    ],
)
def test_honest_keys_are_rarely_flagged_however_unlike_they_are(plan: Forgery) -> None:
    wrong = sum(len(found(plan, seed)) for seed in SEEDS)
    assert wrong / (len(SEEDS) * plan.honest) <= 0.03


def test_a_key_with_most_of_the_feedback_is_the_user() -> None:
    assert found(Forgery(share=0.6), 0) != ["forger 0"]
    assert found(Forgery(share=1.0), 0) == []


def test_what_a_flagged_key_said_is_gone_and_nothing_else_is() -> None:
    log = forged_traffic(TWO_THOUSAND, 3)
    said = tuple(
        Preferred(row=0, against=1, preference=1.0, source="user", key=key)
        for key in ("forger 0", "honest 1")
    )
    log = replace(log, preferred=said, output_tokens=np.full(len(log), 10.0))
    kept = accepted(log, [FlaggedKey("forger 0", "m0|default", 9.0, 100)])
    silent = np.array(log.keys) == "forger 0"
    for name in ("quality", "output_tokens"):
        assert np.isnan(getattr(kept, name)[silent]).all()
        assert np.array_equal(getattr(kept, name)[~silent], getattr(log, name)[~silent])
    assert kept.preferred == said[1:]
    assert len(kept) == len(log)
    assert accepted(log, []).quality is not None
