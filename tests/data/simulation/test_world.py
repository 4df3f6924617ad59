"""The simulated world: what it promises to tests and to the demo."""

from __future__ import annotations

import hashlib
from itertools import islice

import numpy as np
import polars as pl
import polars.selectors as cs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.clean import clean_outcomes, clean_pairs, clean_prompts
from data.prices import Price, PriceTable
from data.simulation.prompt_specs import DOMAINS, FAMILIES, MIX, draw_prompts, reworded
from data.simulation.text_sampler import TextSampler
from data.simulation.world import SimulationConfig, World, simulate
from data.split import SplitConfig, normalise, with_split
from data.split import prompt_id as id_of

CELL = ["prompt_id", "model", "tier"]
TABLES = ("outcomes", "prompts", "pairs", "truth", "prices")


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(SimulationConfig(n_prompts=4000, seed=3, pairs=3000))


def grid(world: World, column: str) -> np.ndarray:
    """(n, a) of a column of the truth."""
    return world.truth[column].to_numpy().reshape(world.prompts.height, -1)


@given(seed=st.integers(0, 2**32 - 1), graded=st.booleans(), missing=st.sampled_from([0.0, 0.3]))
@settings(max_examples=8, deadline=None)
def test_the_same_seed_gives_the_same_bytes(seed: int, graded: bool, missing: float) -> None:
    config = SimulationConfig(
        n_prompts=60, seed=seed, pairs=20, graded=graded, missing_share=missing
    )
    first, second = simulate(config), simulate(config)
    for name in TABLES:
        assert getattr(first, name).serialize() == getattr(second, name).serialize()


def test_a_seed_means_the_same_prompts_in_every_version() -> None:
    drawn = islice(draw_prompts(TextSampler(np.random.default_rng(0))), 500)
    told = "\n".join(repr(tuple(spec)) for _, spec in drawn)
    digest = "354cc8ca6484d5c00124ae37a08662e2ff0804d69eeaccab4b1121120b47ca78"
    assert hashlib.sha256(told.encode()).hexdigest() == digest, (
        "templates or the order of draws changed: figures of simulated worlds change, too"
    )


def test_another_seed_gives_another_world(world: World) -> None:
    other = simulate(SimulationConfig(n_prompts=100, seed=4))
    assert set(other.prompts["prompt"]).isdisjoint(set(world.prompts["prompt"][:50]))


def test_a_larger_world_begins_with_the_smaller_one(world: World) -> None:
    small = simulate(SimulationConfig(n_prompts=100, seed=3))
    assert small.prompts.equals(world.prompts.head(100))
    assert small.truth.equals(world.truth.head(800))


@pytest.mark.parametrize("arms", [2, 3, 8, 17, 60])
def test_every_row_passes_the_cleaning(arms: int) -> None:
    world = simulate(SimulationConfig(n_prompts=50, arms=arms, pairs=40, graded=True))
    cleaned = clean_outcomes(world.outcomes), clean_prompts(world.prompts), clean_pairs(world.pairs)
    assert [table.rejected.height for table in cleaned] == [0, 0, 0]
    assert world.outcomes.select("model", "tier").n_unique() == arms
    assert world.outcomes.height == 50 * arms


def test_prompts_are_distinct_and_carry_the_id_of_their_text(world: World) -> None:
    assert world.prompts["prompt"].n_unique() == 4000
    assert [id_of(text) for text in world.prompts["prompt"]] == world.prompts["prompt_id"].to_list()


def test_every_domain_and_family_occurs_with_easy_and_hard_prompts() -> None:
    found = [spec for _, spec in islice(draw_prompts(TextSampler(np.random.default_rng(0))), 4000)]
    assert {spec.domain for spec in found} == set(DOMAINS)
    assert {spec.family for spec in found} == set(FAMILIES)
    for domain in DOMAINS:
        levels = [spec.difficulty for spec in found if spec.domain == domain]
        assert min(levels) >= 0.0
        assert max(levels) <= 1.0
        assert np.quantile(levels, 0.9) - np.quantile(levels, 0.1) > 0.25


@pytest.mark.parametrize("template", list(MIX))
def test_no_slot_is_left_open(template: object) -> None:
    sampler = TextSampler(np.random.default_rng(1))
    texts = [template(sampler).text for _ in range(200)]  # type: ignore[operator]
    slots = ("{n}", "{k}", "{name}", "{other}", "{goods}", "{city}", "{company}", "{who}", "{p}")
    assert [text for text in texts if any(slot in text for slot in slots)] == []


def test_realised_quality_is_calibrated_to_the_truth(world: World) -> None:
    cells = world.outcomes.join(world.truth, on=CELL)
    deciles = cells.with_columns(bin=(pl.col("p_correct") * 10).floor()).group_by("bin")
    table = deciles.agg(
        pl.len(), pl.col("quality").cast(pl.Float64).mean(), pl.col("p_correct").mean()
    )
    assert table.height == 10
    gap = (table["quality"] - table["p_correct"]).abs() * table["len"].sqrt()
    assert gap.max() < 2.0  # four standard errors at p = 0.5


def test_graded_quality_has_the_same_mean_as_pass_and_fail() -> None:
    world = simulate(SimulationConfig(n_prompts=3000, graded=True))
    assert world.outcomes["quality"].n_unique() > 1000
    assert world.outcomes["quality"].cast(pl.Float64).mean() == pytest.approx(
        world.truth["p_correct"].mean(), abs=0.01
    )


def test_realised_tokens_and_costs_average_to_the_expected_ones(world: World) -> None:
    cells = world.outcomes.join(world.truth, on=CELL)
    means = cells.group_by("model", "tier").agg(cs.float().mean(), cs.integer().mean())
    tokens = means["output_tokens"] / means["expected_output_tokens"]
    cost = means["cost_usd"] / means["expected_cost_usd"]
    assert tokens.to_list() == pytest.approx([1.0] * 8, abs=0.03)
    assert cost.to_list() == pytest.approx([1.0] * 8, abs=0.03)


def test_costs_follow_from_tokens_and_the_price_table(world: World) -> None:
    prices = PriceTable(tuple(Price(**row) for row in world.prices.iter_rows(named=True)))
    for row in world.outcomes.head(40).iter_rows(named=True):
        listed = prices.price(row["model"]).cost_usd(row["input_tokens"], row["output_tokens"])
        assert row["cost_usd"] == pytest.approx(listed)


def test_prices_span_a_factor_of_fifty(world: World) -> None:
    listed = world.prices["usd_per_1m_output"]
    assert listed[-1] / listed[0] == pytest.approx(50.0)


@pytest.mark.parametrize("seed", range(6))
def test_no_arm_is_best_everywhere_and_the_oracle_beats_the_best(seed: int) -> None:
    world = simulate(SimulationConfig(n_prompts=1500, seed=seed))
    quality, cost = grid(world, "p_correct"), grid(world, "expected_cost_usd")
    best = quality.mean(axis=0).argmax()
    domain = world.prompts["domain"].to_numpy()
    favourites = {int(quality[domain == name].mean(axis=0).argmax()) for name in DOMAINS}
    assert len(favourites) >= 3
    assert quality.max(axis=1).mean() > quality[:, best].mean() + 0.03
    # and the quality of the best single arm is to be had for much less
    spent = []
    for price_of_quality in np.geomspace(1.0, 1e3, 30):
        choice = (quality - price_of_quality * cost).argmax(axis=1)
        rows = np.arange(len(choice))
        if quality[rows, choice].mean() >= quality[:, best].mean():
            spent.append(cost[rows, choice].mean())
    assert min(spent) < 0.8 * cost[:, best].mean()


def test_tiers_of_a_model_trade_tokens_for_skill_where_thinking_pays(world: World) -> None:
    truth = world.truth.join(world.prompts.select("prompt_id", "domain"), on="prompt_id")
    model = truth.filter(tier="concise")["model"][0]
    own = truth.filter(pl.col("model") == model, pl.col("domain").is_in(["maths", "logic", "code"]))
    means = {
        row["tier"]: row
        for row in own.group_by("tier").agg(cs.float().mean()).iter_rows(named=True)
    }
    for column in ("p_correct", "expected_output_tokens", "expected_cost_usd"):
        assert means["concise"][column] < means["default"][column] < means["high"][column]


def test_harder_looking_prompts_are_harder() -> None:
    world = simulate(SimulationConfig(n_prompts=3000))
    passed = pl.Series(grid(world, "p_correct").mean(axis=1))
    sums = world.prompts.with_columns(passed=passed, chars=pl.col("prompt").str.len_chars())
    stories = sums.filter(pl.col("prompt").str.contains("starts with"))
    short, long = stories.filter(pl.col("chars") < 250), stories.filter(pl.col("chars") > 450)
    assert short["passed"].mean() > long["passed"].mean() + 0.2  # type: ignore[operator]


def test_the_missing_share_thins_outcomes_and_not_the_truth() -> None:
    world = simulate(SimulationConfig(n_prompts=1000, missing_share=0.3))
    assert world.truth.height == 8000
    assert world.outcomes.height == pytest.approx(5600, rel=0.05)
    assert world.outcomes.join(world.truth, on=CELL, how="anti").is_empty()


def test_preferences_follow_the_truth_and_include_ties(world: World) -> None:
    truth = world.truth.with_columns(arm=pl.concat_str("model", "tier", separator="|"))
    sides = world.pairs
    for side in ("a", "b"):
        own = truth.select("prompt_id", pl.col("arm").alias(f"arm_{side}"), p="p_correct")
        sides = sides.join(own.rename({"p": side}), on=["prompt_id", f"arm_{side}"])
    assert sides.height == 3000
    assert (sides["arm_a"] != sides["arm_b"]).all()
    assert set(sides["preference"].unique()) == {0.0, 0.5, 1.0}
    clear = sides.filter((pl.col("a") - pl.col("b")).abs() > 0.5)
    ahead = clear.filter(pl.col("a") > pl.col("b"))["preference"].mean()
    behind = clear.filter(pl.col("a") < pl.col("b"))["preference"].mean()
    assert ahead > 0.75  # type: ignore[operator]
    assert behind < 0.25  # type: ignore[operator]


def test_duplicates_have_ids_of_their_own_and_share_a_split() -> None:
    world = simulate(SimulationConfig(n_prompts=400, duplicates_share=0.25))
    assert world.prompts["prompt_id"].n_unique() == 400
    groups = pl.Series([normalise(text) for text in world.prompts["prompt"]])
    assert groups.n_unique() == 300
    table, _ = with_split(world.prompts, SplitConfig())
    assert table.group_by(groups.alias("g")).agg(pl.col("split").n_unique())["split"].max() == 1


@pytest.mark.parametrize("text", ["What is 2 + 2?", "你好", "Bonjour à tous", "x"])
def test_a_reworded_prompt_counts_as_equal_but_differs(text: str) -> None:
    assert reworded(text) != text
    assert normalise(reworded(text)) == normalise(text)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"n_prompts": 0}, "n_prompts must be >= 1, got 0"),
        ({"arms": 1}, r"arms must lie in \[2, 60\], got 1"),
        ({"arms": 61}, r"arms must lie in \[2, 60\], got 61"),
        ({"pairs": -1}, "pairs must be >= 0, got -1"),
        ({"missing_share": 1.0}, r"missing_share must lie in \[0, 1\), got 1.0"),
        ({"duplicates_share": 0.6}, r"duplicates_share must lie in \[0, 0.5\], got 0.6"),
    ],
)
def test_a_world_that_cannot_be_is_refused(setting: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SimulationConfig(**setting)  # type: ignore[arg-type]
