"""A model more from few labels, a model less, other prices: the rest of the bundle stays."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result

from data.tables import Tables
from router import Policy, Router
from router.cli.main import main
from router.core.bundle import Bundle, find_bundle
from router.core.manifest import Manifest, read_manifest
from router.core.map_rows import MAP_ROWS
from tests.router.core.test_certificate import PROMISE
from tests.training.edit.held_back import aiq, few_labels
from training.bundle.export import finish
from training.bundle.oof_predictions import OOF_PREDICTIONS, read_oof_predictions
from training.prepare.cache import CACHE
from training.prepare.golden import GOLDEN_PROMPTS

THRESHOLDS = np.linspace(0, 1, 11)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def done(*arguments: str | Path) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def table_of(manifest: Manifest) -> np.ndarray:
    table = manifest.threshold_map
    return np.interp(THRESHOLDS, table.threshold, table.cost_usd)


def write_prices(path: Path, manifest: Manifest, factor: float, models: set[str]) -> Path:
    infos = {info.model: info for info in manifest.arms if info.model in models}
    rows = [
        {
            "model": info.model,
            "usd_per_1m_input": factor * info.usd_per_1m_input,
            "usd_per_1m_output": factor * info.usd_per_1m_output,
            "valid_from": "2026-11-01",
        }
        for info in infos.values()
    ]
    pl.DataFrame(rows).write_csv(path)
    return path


@pytest.fixture(scope="module")
def base(tiny_bundle: Path) -> Router:
    return Router.load(tiny_bundle)


@pytest.fixture(scope="module")
def smaller(base: Router, tmp_path_factory: pytest.TempPathFactory) -> Router:
    """The bundle without its second and fourth arm."""
    out = tmp_path_factory.mktemp("smaller") / "bundle"
    done("remove-model", base.bundle.path, base.arms[1].id, base.arms[3].id, "--out", out)
    return Router.load(out)


@pytest.fixture(scope="module")
def few(
    base: Router, world_tables: Tables, tmp_path_factory: pytest.TempPathFactory
) -> dict[int, Path]:
    """Labels of those two arms, by how many, with the prompts beside them."""
    folders = {}
    for count in (60, 300):
        folder = tmp_path_factory.mktemp(f"few{count}")
        gone = [base.arms[1], base.arms[3]]
        few_labels(world_tables, gone, count, 0).outcomes.write_parquet(folder / "o.parquet")
        world_tables.prompts.write_parquet(folder / "p.parquet")
        folders[count] = folder
    return folders


@pytest.fixture(scope="module")
def larger(
    smaller: Router, few: dict[int, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[int, Router]:
    """The smaller bundle with the two arms added back from few labels."""
    routers = {}
    for count, folder in few.items():
        out = tmp_path_factory.mktemp(f"larger{count}") / "bundle"
        done(
            "add-model", smaller.bundle.path, "--data", folder / "o.parquet",
            "--prompts", folder / "p.parquet", "--out", out, "--cache", CACHE,
        )  # fmt: skip
        routers[count] = Router.load(out)
    return routers


def test_without_an_arm_the_others_are_predicted_as_before(base: Router, smaller: Router) -> None:
    kept = [0, 2, 4, 5]
    assert smaller.arms == tuple(base.arms[i] for i in kept)
    before = base.bundle.score_texts(list(GOLDEN_PROMPTS))
    after = smaller.bundle.score_texts(list(GOLDEN_PROMPTS))
    for name in ("quality", "quality_se", "cost_usd"):
        assert np.array_equal(getattr(before, name)[:, kept], getattr(after, name)), name
    assert smaller.manifest.bundle_id != base.manifest.bundle_id
    assert done("verify", smaller.bundle.path)
    oof = read_oof_predictions(smaller.bundle.path)
    assert oof is not None
    assert oof.quality.shape[1] == 4
    assert smaller.manifest.training["changes"][-1]["change"] == "removed"


def test_one_tier_can_go_and_the_model_stays(base: Router, tmp_path: Path) -> None:
    tiered = next(arm for arm in base.arms if arm.tier != "default")
    done("remove-model", base.bundle.path, tiered.id, "--out", tmp_path / "b")
    left = Router.load(tmp_path / "b").arms
    assert tiered not in left
    assert tiered.model in {arm.model for arm in left}


def test_what_cannot_be_removed_is_said(base: Router, tmp_path: Path) -> None:
    unknown = run("remove-model", base.bundle.path, "gpt-9", "--out", tmp_path / "b")
    assert (unknown.exit_code, "has no 'gpt-9'" in unknown.output) == (1, True)
    most = [arm.id for arm in base.arms[1:]]
    alone = run("remove-model", base.bundle.path, *most, "--out", tmp_path / "b")
    assert (alone.exit_code, "a router needs two arms" in alone.output) == (1, True)
    assert not (tmp_path / "b").exists()


def test_the_map_of_unchanged_prices_is_the_map_that_training_made(
    base: Router, tmp_path: Path
) -> None:
    every = {info.model for info in base.manifest.arms}
    prices = write_prices(tmp_path / "prices.csv", base.manifest, 1.0, every)
    done("reprice", base.bundle.path, "--prices", prices, "--out", tmp_path / "b")
    again = read_manifest(tmp_path / "b")
    assert table_of(again) == pytest.approx(table_of(base.manifest), rel=1e-6)
    assert again.decision.best_single == base.manifest.decision.best_single
    assert again.decision.difficulty_edges == pytest.approx(
        base.manifest.decision.difficulty_edges, abs=1e-3
    )


def test_doubled_prices_double_every_cost_and_change_no_choice(
    base: Router, tmp_path: Path
) -> None:
    every = {info.model for info in base.manifest.arms}
    prices = write_prices(tmp_path / "prices.csv", base.manifest, 2.0, every)
    done("reprice", base.bundle.path, "--prices", prices, "--out", tmp_path / "b")
    dearer = Router.load(tmp_path / "b")
    assert dearer.manifest.bundle_id != base.manifest.bundle_id
    assert table_of(dearer.manifest) == pytest.approx(2 * table_of(base.manifest), rel=1e-3)
    assert dearer.manifest.arms[0].price_date == "2026-11-01"
    for before, after in zip(base.manifest.arms, dearer.manifest.arms, strict=True):
        assert after.mean_cost_usd == pytest.approx(2 * before.mean_cost_usd, rel=1e-6)
    for text in GOLDEN_PROMPTS:
        policy = Policy(threshold=0.5)
        assert dearer.route(text, policy).arm == base.route(text, policy).arm


def test_a_model_that_became_cheap_gets_more_of_the_traffic(base: Router, tmp_path: Path) -> None:
    best = base.manifest.arms[base.manifest.decision.best_single].model
    prices = write_prices(tmp_path / "prices.csv", base.manifest, 0.05, {best})
    done("reprice", base.bundle.path, "--prices", prices, "--out", tmp_path / "b")
    cheap = Router.load(tmp_path / "b")
    policy = Policy(threshold=0.3)
    gets = [
        sum(r.route(t, policy).arm.model == best for t in GOLDEN_PROMPTS) for r in (base, cheap)
    ]
    assert gets[0] < gets[1]
    others = [i for i in cheap.manifest.arms if i.model != best]
    assert [i.mean_cost_usd for i in others] == [
        i.mean_cost_usd for i in base.manifest.arms if i.model != best
    ]


def test_prices_of_other_models_are_refused(base: Router, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("model,usd_per_1m_input,usd_per_1m_output\nnobody,1,2\n")
    found = run(
        "reprice", base.bundle.path, "--prices", tmp_path / "p.csv", "--out", tmp_path / "b"
    )
    assert found.exit_code == 1
    assert "names no model of the bundle" in found.output


def test_a_change_ends_the_certificate(base: Router, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(base.bundle.path, tmp_path / "certified"))
    finish(copy, replace(read_manifest(copy), certificate=PROMISE))
    done("remove-model", copy, base.arms[0].id, "--out", tmp_path / "b")
    assert read_manifest(tmp_path / "b").certificate is None


def test_added_arms_leave_the_others_alone_and_the_bundle_whole(
    smaller: Router, larger: dict[int, Router], base: Router
) -> None:
    router = larger[300]
    assert router.arms == (*smaller.arms, base.arms[1], base.arms[3])
    before = smaller.bundle.score_texts(list(GOLDEN_PROMPTS))
    after = router.bundle.score_texts(list(GOLDEN_PROMPTS))
    for name in ("quality", "quality_se", "output_tokens", "cost_usd"):
        assert np.array_equal(getattr(before, name), getattr(after, name)[:, :4]), name
    assert done("verify", router.bundle.path)
    spend = np.array(router.manifest.threshold_map.cost_usd)
    assert (np.diff(spend) >= 0).all()


def test_labels_are_of_the_same_prompts_or_of_prompts_of_their_own(
    base: Router, world_tables: Tables
) -> None:
    gone = [base.arms[1], base.arms[3]]
    for apart, prompts in ((False, 40), (True, 80)):
        drawn = few_labels(world_tables, gone, 40, 7, apart=apart).outcomes
        ids = drawn.select(pl.concat_str("model", "tier", separator="|")).to_series()
        assert dict(ids.value_counts().iter_rows()) == {arm.id: 40 for arm in gone}
        assert drawn["prompt_id"].n_unique() == prompts
        assert set(drawn["split"]) == {"train"}


def test_few_labels_say_nearly_what_many_did(base: Router, larger: dict[int, Router]) -> None:
    texts = list(GOLDEN_PROMPTS)
    many, found = base.bundle.score_texts(texts), larger[300].bundle.score_texts(texts)
    for new, old in ((4, 1), (5, 3)):
        gap = found.quality[:, new] - many.quality[:, old]
        assert abs(gap.mean()) < 0.12
        info, was = larger[300].manifest.arms[new], base.manifest.arms[old]
        assert info.usd_per_1m_output == pytest.approx(was.usd_per_1m_output, rel=0.02)
        assert info.mean_cost_usd == pytest.approx(was.mean_cost_usd, rel=0.25)
        assert info.rows == 300


def test_every_change_is_written_down(smaller: Router, larger: dict[int, Router]) -> None:
    for count, router in larger.items():
        added = [c for c in router.manifest.training["changes"] if c["change"] == "added"]
        assert [change["labels"] for change in added] == [count, count]
    assert len(smaller.manifest.training["changes"]) == 1


def test_the_added_arms_are_worth_having(
    smaller: Router, larger: dict[int, Router], base: Router, world_tables: Tables
) -> None:
    arms = list(base.arms)
    reached = aiq(larger[300], world_tables, arms, CACHE)
    assert reached > aiq(smaller, world_tables, arms, CACHE)


def test_without_caution_a_new_arm_is_expected_to_be_better(
    smaller: Router, larger: dict[int, Router], few: dict[int, Path], tmp_path: Path
) -> None:
    done(
        "add-model", smaller.bundle.path, "--data", few[60] / "o.parquet", "--prompts",
        few[60] / "p.parquet", "--out", tmp_path / "b", "--cache", CACHE, "--caution", 0,
    )  # fmt: skip
    bold = read_manifest(tmp_path / "b").arms
    careful = larger[60].manifest.arms
    assert all(b.mean_quality > c.mean_quality for b, c in zip(bold[4:], careful[4:], strict=True))
    assert bold[:4] == careful[:4]


def test_a_model_can_be_added_to_a_bundle_that_grew_before(
    smaller: Router, few: dict[int, Path], base: Router, tmp_path: Path
) -> None:
    data = ("--data", few[60] / "o.parquet", "--prompts", few[60] / "p.parquet", "--cache", CACHE)
    first, second = base.arms[1], base.arms[3]
    done("add-model", smaller.bundle.path, *data, "--model", first.id, "--out", tmp_path / "one")
    done("add-model", tmp_path / "one", *data, "--out", tmp_path / "two")
    assert Bundle.load(tmp_path / "two").manifest.arms[-1].arm == second
    done("remove-model", tmp_path / "two", first.id, "--out", tmp_path / "three")
    left = Router.load(tmp_path / "three")
    assert left.arms == (*smaller.arms, second)
    again = run("add-model", tmp_path / "two", *data, "--out", tmp_path / "four")
    assert (again.exit_code, "the table has no new arm" in again.output) == (1, True)


def test_too_few_labels_and_unpriced_ones_are_refused(
    smaller: Router, few: dict[int, Path], tmp_path: Path
) -> None:
    table = pl.read_parquet(few[60] / "o.parquet")
    first = table["model"][0]
    part = table.filter(pl.col("model") == first).head(20)
    part.write_parquet(tmp_path / "o.parquet")
    prompts = ("--prompts", few[60] / "p.parquet", "--cache", CACHE, "--out", tmp_path / "b")
    add = ("add-model", smaller.bundle.path, "--data", tmp_path / "o.parquet")
    scarce = run(*add, *prompts)
    assert (scarce.exit_code, "at least 50 are needed" in scarce.output) == (1, True)
    table.with_columns(cost_usd=pl.lit(None, pl.Float64)).write_parquet(tmp_path / "o.parquet")
    unpriced = run(*add, *prompts)
    assert (unpriced.exit_code, "unpriced" in unpriced.output) == (1, True)


def test_old_bundles_need_prompts_for_the_map_and_say_so(
    base: Router, world_files: Path, tmp_path: Path
) -> None:
    old = Path(shutil.copytree(find_bundle(base.bundle.path), tmp_path / "old"))
    for name in (OOF_PREDICTIONS, MAP_ROWS):
        (old / name).unlink()
    finish(old, read_manifest(old))
    gone = base.arms[0].id
    refused = run("remove-model", old, gone, "--out", tmp_path / "b")
    assert (refused.exit_code, "give --prompts" in refused.output) == (1, True)
    prompts = world_files / "prompts.parquet"
    done("remove-model", old, gone, "--out", tmp_path / "b", "--prompts", prompts, "--cache", CACHE)
    assert json.loads((tmp_path / "b" / "manifest.json").read_text())["certificate"] is None
    assert Router.load(tmp_path / "b").route("What is 2+2?").arm in base.arms[1:]
