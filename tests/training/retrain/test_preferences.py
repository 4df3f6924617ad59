"""Preferences between two decisions: read, joined by prompt, and learned from."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.events import EventLog, read_log
from router.core.bundle import Bundle
from router.core.manifest import read_manifest
from router.events import JUDGE, FeedbackEvent
from tests.training.routed import Traffic
from training.config import TrainConfig
from training.methods.pairs import Battles
from training.prepare.cache import CACHE
from training.progress import Timings
from training.retrain.feedback_outliers import FlaggedKey, accepted
from training.retrain.log_battles import logged_battles, together
from training.retrain.log_rows import Traffic as Rows
from training.retrain.log_rows import read_traffic
from training.retrain.preferences import Preferred, read_preferences
from training.retrain.retrain import retrain
from training.retrain.settings import with_utility


@pytest.fixture(scope="module")
def rows(traffic: Traffic, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    log = traffic.route(tmp_path_factory.mktemp("log"), slice(0, 400), rate=0.8)
    return read_traffic(read_log(log), read_manifest(traffic.base))


def against(
    rows: Rows, row: int, other: int, preference: float, source: str = "user", key: str = ""
) -> Preferred:
    """A comparison of two decisions' answers."""
    return Preferred(
        row=row, against=int(rows.arm[other]), preference=preference, source=source, key=key,
        tokens=float(rows.output_tokens[other]),
    )  # fmt: skip


def test_only_answers_of_two_arms_to_one_prompt_are_compared() -> None:
    log = EventLog()

    def say(decision: str, other: str | None, preference: float | None, who: str = "user") -> None:
        log.feedback[decision, who] = FeedbackEvent(
            time=0.0, decision_id=decision, quality=1.0, preferred_to=other, preference=preference,
            input_tokens=None, output_tokens=None, cost_usd=None, latency_ms=None, source=who,
            key="k",
        )  # fmt: skip

    say("a", "b", 1.0)
    say("b", "c", 0.0)
    say("c", "d", 0.5)
    say("d", "gone", 1.0)
    say("d", None, None, who="judge")
    row_of, arm = {name: i for i, name in enumerate("abcd")}, np.array([0, 1, 1, 0])
    rejected: Counter[str] = Counter()
    tokens = np.array([5.0, 7.0, 9.0, 11.0])
    found = read_preferences(log, row_of, {}, arm, tokens, ("p", "p", "p", "q"), rejected)
    assert [(p.row, p.against, p.preference, p.key, p.tokens) for p in found] == [
        (0, 1, 1.0, "k", 7.0)
    ]
    assert rejected == {
        "preferences about a decision that cannot be used": 1,
        "preferences between answers to different prompts": 1,
        "preferences between two answers of one arm": 1,
    }


def test_the_judge_compares_with_an_arm_that_needs_no_decision() -> None:
    log = EventLog()
    for decision, arm in (("a", "m1|default"), ("b", "gone|default"), ("lost", "m1|default")):
        log.add(
            FeedbackEvent(
                time=0.0, decision_id=decision, quality=None, preferred_to=None, preference=0.5,
                input_tokens=None, output_tokens=None, cost_usd=None, latency_ms=None,
                source=JUDGE, key="k", against=arm, against_tokens=12, chance=0.25, judge_usd=0.01,
            )
        )  # fmt: skip
    rejected: Counter[str] = Counter()
    place = {"m0|default": 0, "m1|default": 1}
    both, tokens = np.array([0, 0]), np.array([3.0, 4.0])
    found = read_preferences(log, {"a": 0, "b": 1}, place, both, tokens, ("p", "q"), rejected)
    assert found == (
        Preferred(row=0, against=1, preference=0.5, source=JUDGE, key=JUDGE, tokens=12.0,
                  chance=0.25),
    )  # fmt: skip
    assert rejected == {
        "preferences over an arm that the base does not have": 1,
        "preferences about a decision that cannot be used": 1,
    }


def test_comparisons_become_battles_of_kept_prompts_and_accepted_keys(rows: Rows) -> None:
    said = tuple(
        against(rows, i, i + 1, [1.0, 0.5][i % 2], key="forger" if i == 6 else "honest")
        for i in (0, 3, 6, 9)
    )  # fmt: skip
    told = replace(rows, preferred=said)
    keep = np.ones(len(rows), dtype=np.bool_)
    keep[9] = False
    taken = accepted(told, [FlaggedKey("forger", "m", 9.0, 9)])
    battles = logged_battles(taken, [p for p in taken.preferred if keep[p.row]])
    assert battles is not None
    assert len(battles) == 2
    assert battles.first.tolist() == rows.arm[[0, 3]].tolist()
    assert battles.second.tolist() == rows.arm[[1, 4]].tolist()
    assert [battles.texts[i] for i in battles.row] == [rows.hashes[0], rows.hashes[3]]
    assert battles.said[0].tolist() == [1, 0, 0, 0, 0]
    tokens = rows.output_tokens
    assert battles.length[0] == pytest.approx(np.log((tokens[0] + 1) / (tokens[1] + 1)))
    assert logged_battles(rows, []) is None


def test_retraining_learns_from_preferences_and_says_so(
    traffic: Traffic, rows: Rows, tmp_path: Path, tiny_config: TrainConfig
) -> None:
    winners, others = np.flatnonzero(rows.arm == 0), np.flatnonzero(rows.arm != 0)
    said = tuple(
        against(rows, int(w), int(o), 1.0, source="judge")
        for w, o in zip(winners, np.resize(others, len(winners)), strict=True)
    )
    config = replace(tiny_config, predictors=("kernel",))
    base, records = Bundle.load(traffic.base), []
    for name, preferred in (("without", ()), ("with", said)):
        told = replace(rows, preferred=preferred)
        found = retrain(told, base, tmp_path / name, CACHE, Timings(), config=config, holdout=0.0)
        assert found.evidence.battles == len(preferred)
        records.append(read_manifest(tmp_path / name))
    assert records[0].bundle_id != records[1].bundle_id
    without, with_them = (record.training for record in records)
    assert without["retrained"]["preferences"] == 0
    assert "utility" not in without["chosen"]
    assert with_them["retrained"]["preferences"] == len(said) > 50
    assert with_them["pairs"]["battles"] == len(said)
    assert with_them["pairs"]["sources"] == {"judge": len(said)}
    assert "utility" in with_them["chosen"]


def test_a_configuration_without_the_utility_gets_it_where_there_are_battles(rows: Rows) -> None:
    config = TrainConfig(predictors=("kernel",))
    assert with_utility(config, None) is config
    battles = logged_battles(rows, [against(rows, 0, 1, 1.0)])
    assert with_utility(config, battles).predictors == ("kernel", "utility")


def test_battles_of_tables_and_logs_are_learned_from_together(rows: Rows) -> None:
    def told(*said: Preferred) -> Battles:
        found = logged_battles(rows, said)
        assert found is not None
        return found

    one = told(against(rows, 4, 5, 1.0), against(rows, 2, 3, 0.0, source="judge"))
    two = told(against(rows, 8, 9, 1.0, source="judge"))
    both = together(one, two)
    assert both is not None
    assert both.sources == ("judge", "user")
    assert [both.sources[i] for i in both.source] == ["user", "judge", "judge"]
    assert [both.texts[i] for i in both.row] == [rows.hashes[i] for i in (4, 2, 8)]
    assert both.inputs.embedding[both.row[2]] == pytest.approx(rows.inputs.embedding[8])
    assert both.first.tolist() == rows.arm[[4, 2, 8]].tolist()
    assert together(None, two) is two
    assert together(one, None) is one
    assert together(None, None) is None
