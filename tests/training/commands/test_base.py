"""Own rows beside a base, through the command line: few rows do, and more of them outweigh it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from data.simulation.world import World
from router import Router
from router.cli.main import main
from training.bundle.oof_predictions import read_oof_predictions
from training.prepare.cache import CACHE
from training.starter import COMMITTED, assemble

LEAN = 'predictors = ["cluster", "kernel"]\n[folds]\nfolds = 3\n[level]\nrounds = 10\n'
TOPICS = ("the app is slow", "add a dark mode", "a refund, please")
MODELS, ARMS = 4, 5  # of those that the base knows, that the user has
FEW, MANY = 24, 120


def invoke(*arguments: object) -> Any:  # noqa: ANN401
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def run(*arguments: object) -> str:
    done = invoke(*arguments)
    assert done.exit_code == 0, done.output
    return str(done.output)


@pytest.fixture(scope="module")
def base(tiny_bundle: Path) -> Router:
    return Router.load(tiny_bundle)


@pytest.fixture(scope="module")
def fresh(world: World, base: Router) -> pl.DataFrame:
    """Outcomes of prompts that the base was not trained on, with the prompts."""
    oof = read_oof_predictions(base.bundle.path)
    assert oof is not None
    prompts = world.prompts.filter(~pl.Series(oof.trained_on(world.prompts["prompt"].to_list())))
    models = sorted(set(world.outcomes["model"]))[:MODELS]
    rows = world.outcomes.drop("split", strict=False).filter(pl.col("model").is_in(models))
    return rows.join(prompts.select("prompt_id", "prompt"), on="prompt_id").sort(
        "prompt_id", "model", "tier"
    )


def some(fresh: pl.DataFrame, prompts: int, *, one_arm: bool = False) -> pl.DataFrame:
    """The first prompts, of one arm each in turn or of all."""
    ids = fresh["prompt_id"].unique(maintain_order=True)[:prompts]
    rows = fresh.filter(pl.col("prompt_id").is_in(ids.implode()))
    if one_arm:
        place = pl.col("prompt_id").rank("dense") - 1
        arm = pl.col("model").cum_count().over("prompt_id") - 1
        rows = rows.filter(arm == place % pl.len().over("prompt_id"))
    return rows.with_columns(split=pl.lit("train"))


def trained(folder: Path, rows: pl.DataFrame, base: Router, *more: object) -> str:
    """Train the rows beside the base into `folder`/bundle."""
    folder.mkdir(exist_ok=True)
    rows.write_csv(folder / "t.csv")
    (folder / "lean.toml").write_text(LEAN)
    return run(
        "train", "--data", folder / "t.csv", "--prompts", folder / "t.csv",
        "--base", base.bundle.path, "--config", folder / "lean.toml", "--cache", CACHE,
        "--out", folder / "bundle", *more,
    )  # fmt: skip


def beside(mine: Router, base: Router, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """What both say of texts, among the arms of the first."""
    columns = [base.arm_ids.index(arm) for arm in mine.arm_ids]
    found, before = (r.bundle.score_texts(texts).quality for r in (mine, base))
    return found, before[:, columns]


@pytest.fixture(scope="module")
def log_bundle(
    fresh: pl.DataFrame, base: Router, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Router, str]:
    """A sparse log whose last model the base does not know."""
    folder = tmp_path_factory.mktemp("log")
    last = fresh["model"].max()
    rows = some(fresh, FEW, one_arm=True).with_columns(
        model=pl.col("model").replace({last: "newcomer-7b"})
    )
    said = trained(folder, rows, base)
    return Router.load(folder / "bundle"), said


def test_a_log_of_few_rows_gives_a_bundle_of_its_arms(
    log_bundle: tuple[Router, str], base: Router
) -> None:
    mine, said = log_bundle
    assert f"beside the base {base.manifest.bundle_id}" in said
    assert len(mine.arms) == ARMS
    record = mine.manifest.training["base"]
    assert record["bundle"] == base.manifest.bundle_id
    assert record["known_arms"] == ARMS - 1
    assert [arm.partition("|")[0] for arm in record["arms_by_kin"]] == ["newcomer-7b"]
    able = {info.arm: info.tools for info in base.manifest.arms}
    known = {info.arm: info.tools for info in mine.manifest.arms if info.arm in able}
    assert True in known.values()
    assert known == {arm: able[arm] for arm in known}, "as the base's catalogue says"
    assert "## Base" in (mine.bundle.path / "card.md").read_text()


def test_it_is_its_own_encoder_and_verifies(log_bundle: tuple[Router, str], base: Router) -> None:
    mine, _ = log_bundle
    assert mine.manifest.encoder == base.manifest.encoder
    assert mine.manifest.encoder_sha256 == base.manifest.encoder_sha256
    run("verify", mine.bundle.path)


def test_rows_as_the_base_expects_them_change_no_decision(
    fresh: pl.DataFrame, base: Router, tmp_path: Path
) -> None:
    rows = some(fresh, MANY)
    texts = rows.select("prompt_id", "prompt").unique("prompt_id", maintain_order=True)
    quality = base.bundle.score_texts(texts["prompt"].to_list()).quality
    told = {
        (prompt, arm): float(quality[i, j])
        for i, prompt in enumerate(texts["prompt_id"])
        for j, arm in enumerate(base.arm_ids)
    }
    arms = pl.concat_str("model", "tier", separator="|")
    expected = [told[key] for key in rows.select("prompt_id", arms.alias("arm")).iter_rows()]
    trained(tmp_path, rows.with_columns(quality=pl.Series(expected)), base)
    mine = Router.load(tmp_path / "bundle")
    found, before = beside(mine, base, texts["prompt"].to_list())
    off = (found - found.mean(axis=1, keepdims=True)) - (before - before.mean(axis=1)[:, None])
    assert np.sqrt((off**2).mean()) < 0.02
    assert (found.argmax(axis=1) == before.argmax(axis=1)).mean() > 0.95


def test_many_rows_outweigh_what_the_base_says(
    fresh: pl.DataFrame, base: Router, tmp_path: Path
) -> None:
    rows = some(fresh, MANY)
    told = {info.arm.model: info.mean_quality for info in base.manifest.arms}
    models = sorted(set(rows["model"]), key=lambda name: told[name])
    turned = {name: 0.9 - 0.2 * i for i, name in enumerate(models)}  # the worst is the best here
    chance = pl.col("model").replace_strict(turned, return_dtype=pl.Float64)
    luck = np.random.default_rng(0).random(rows.height)
    trained(tmp_path, rows.with_columns(quality=(pl.Series(luck) < chance).cast(pl.Int64)), base)
    mine = {
        info.arm.model: info.mean_quality for info in Router.load(tmp_path / "bundle").manifest.arms
    }
    assert sorted(models, key=lambda name: -mine[name]) == models


def test_an_unknown_arm_has_a_level_of_its_rows(
    fresh: pl.DataFrame, base: Router, tmp_path: Path
) -> None:
    rows = some(fresh, FEW)
    model = rows["model"][0]
    strange = rows.with_columns(model=pl.col("model").replace({model: "newcomer-7b"}))
    trained(tmp_path, strange, base)
    mine = Router.load(tmp_path / "bundle")
    scores = mine.bundle.score_texts(rows["prompt"].unique(maintain_order=True).to_list())
    column = [arm.model for arm in mine.arms].index("newcomer-7b")
    own = rows.filter(pl.col("model") == model)["quality"].mean()
    assert abs(scores.quality[:, column].mean() - own) < 0.15


def test_rows_say_how_much_longer_an_arm_answers(
    fresh: pl.DataFrame, base: Router, tmp_path: Path
) -> None:
    rows = some(fresh, FEW)
    talks = rows["model"][0]
    factor = pl.when(pl.col("model") == talks).then(3.0).otherwise(1.0)
    longer = rows.with_columns(
        output_tokens=(pl.col("output_tokens") * factor).round().cast(pl.Int64),
        cost_usd=pl.col("cost_usd") * factor,
    )
    texts = rows["prompt"].unique(maintain_order=True).to_list()
    tokens = {}
    for name, table in (("as they are", rows), ("longer", longer)):
        trained(tmp_path / name, table, base)
        mine = Router.load(tmp_path / name / "bundle")
        said = mine.bundle.score_texts(texts).output_tokens.mean(axis=0)
        tokens[name] = {arm.id: float(n) for arm, n in zip(mine.arms, said, strict=True)}
    grown = {arm: tokens["longer"][arm] / n for arm, n in tokens["as they are"].items()}
    for arm, times in grown.items():
        assert times == pytest.approx(3.0 if arm.startswith(f"{talks}|") else 1.0, rel=0.15)


def test_the_same_rows_give_the_same_bundle(
    fresh: pl.DataFrame, base: Router, tmp_path: Path
) -> None:
    rows = some(fresh, FEW)
    ids = []
    for name in ("one", "two"):
        trained(tmp_path / name, rows, base)
        ids.append(Router.load(tmp_path / name / "bundle").manifest.bundle_id)
    assert ids[0] == ids[1]


def test_it_can_be_edited_and_be_a_base_itself(
    log_bundle: tuple[Router, str], fresh: pl.DataFrame, tmp_path: Path
) -> None:
    mine, _ = log_bundle
    run("remove-model", mine.bundle.path, "newcomer-7b", "--out", tmp_path / "less")
    assert len(Router.load(tmp_path / "less").arms) == ARMS - 1
    wanted = ["--like", "mine=newcomer-7b", "--models", "*", "--base", mine.bundle.path]
    run("init", *wanted, "--out", tmp_path / "init")
    assert "mine" in {arm.model for arm in Router.load(tmp_path / "init").arms}
    trained(tmp_path / "again", some(fresh, FEW), mine)
    again = Router.load(tmp_path / "again" / "bundle")
    assert again.manifest.training["base"]["bundle"] == mine.manifest.bundle_id


def test_the_configuration_can_name_the_base(
    fresh: pl.DataFrame, base: Router, tmp_path: Path
) -> None:
    rows = some(fresh, FEW)
    rows.write_csv(tmp_path / "t.csv")
    (tmp_path / "c.toml").write_text(f'base = "{base.bundle.path}"\n{LEAN}')
    run(
        "train", "--data", tmp_path / "t.csv", "--prompts", tmp_path / "t.csv",
        "--config", tmp_path / "c.toml", "--cache", CACHE, "--out", tmp_path / "bundle",
    )  # fmt: skip
    told = Router.load(tmp_path / "bundle").manifest
    assert told.training["base"]["bundle"] == base.manifest.bundle_id
    assert "base" not in told.config, "a path of this machine"


def test_what_does_not_go_with_a_base_is_refused(
    fresh: pl.DataFrame, base: Router, collection: Path, world_files: Path, tmp_path: Path
) -> None:
    some(fresh, 4).write_csv(tmp_path / "t.csv")
    out = ("--base", base.bundle.path, "--cache", CACHE, "--out", tmp_path / "bundle")
    own = ("--data", tmp_path / "t.csv", "--prompts", tmp_path / "t.csv")
    cases = {
        ("--data", collection / "all.toml"): "takes one table",
        (
            "--data", world_files / "outcomes.parquet",
            "--prompts", world_files / "prompts.parquet", "--pairs", world_files / "pairs.parquet",
        ): "not from pairs",
        own: "`tierwise init` makes a router of a base without any",
    }  # fmt: skip
    for asked, said in cases.items():
        done = invoke("train", *asked, *out)
        assert done.exit_code == 1
        assert said in " ".join(done.output.split())
    assert not (tmp_path / "bundle").exists()


def test_the_starter_is_a_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assemble(COMMITTED, tmp_path / "starter", CACHE)
    starter = Router.load(tmp_path / "starter")
    monkeypatch.setattr("training.commands._common.ASSEMBLED", tmp_path / "starter")
    known = [arm.model for arm in starter.arms if arm.tier == "default"][:3]
    rng = np.random.default_rng(0)
    rows = [
        {
            "prompt_id": f"p{i}", "prompt": f"Ticket {i}: {TOPICS[i % 3]}", "model": model,
            "quality": int(rng.random() < 0.7), "input_tokens": 12, "output_tokens": 80,
            "cost_usd": 1e-4 * (1 + k),
        }
        for i in range(30)
        for k, model in enumerate([*known, "our-tuned-8b"])
        if (i + k) % 4 == 0  # one answer a prompt
    ]  # fmt: skip
    pl.DataFrame(rows).write_csv(tmp_path / "log.csv")
    (tmp_path / "lean.toml").write_text(LEAN)
    own = ("--data", tmp_path / "log.csv", "--prompts", tmp_path / "log.csv")
    more = ("--config", tmp_path / "lean.toml", "--like", f"our-tuned-8b={known[0]},+0.02")
    run("train", *own, *more, "--base", "starter", "--out", tmp_path / "mine", "--cache", CACHE)
    mine = Router.load(tmp_path / "mine")
    assert {arm.model for arm in mine.arms} == {*known, "our-tuned-8b"}
    told = mine.manifest.training["base"]
    assert told["bundle"] == starter.manifest.bundle_id
    assert list(told["arms_by_kin"].values()) == [f"{known[0]}|default"]
    assert mine.route("Ticket 77: the printer is on fire").arm in mine.arms
