"""The reduced cases that were found wrong once, as a user gives them to the command line.

Each number is a file or folder of `cases/`, and one test:

    01 04 06 07 09 10 11 13 14 15 17 18 19 21 22 24 25 27 32 34 35 36 41   test_ingest_of_a_case
    01 36 41   also the tests that name them; 02 03 37 42   the tests of training and scoring
    28 29      prices; 30   texts that LiteLLM leaves out; 39   promotion and its way back
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result

from router.cli.main import main
from router.core.manifest import read_manifest
from training.prepare.cache import CACHE

CASES = Path(__file__).parent / "cases"
PERU = "Name a river in Peru."
A, B = ("a", 1.0), ("b", 0.0)


def run(*args: object) -> Result:
    done = CliRunner().invoke(main, [str(arg) for arg in args])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "polars" not in done.output.lower()
    return done


def ran(*args: object) -> str:
    done = run(*args)
    assert done.exit_code == 0, done.output
    return done.output


@dataclass(frozen=True)
class Case:
    """A command and what is right.

    Attributes:
        files: below `cases/`; `more`, further options.
        kept: (model, quality) of the outcomes; `left`, (model, reason) of the rejected rows.
        values: column -> values of kept and then rejected rows, in the files' order.
        prompts: texts, of outcomes or of rows that wait for a score.
        said: what the terminal shows.
    """

    files: str
    more: str = ""
    kept: tuple[tuple[str, float], ...] = ()
    left: tuple[tuple[str, str], ...] = ()
    values: dict[str, list[Any]] = field(default_factory=dict)
    prompts: tuple[str, ...] = (PERU,)
    said: str = ""


WAITS = (("gpt-4o", "missing_quality"),)
INGESTED = {
    "01": Case(
        "01-rating-1-to-5.csv", "--scale 1:5", said="read 36 rows, kept 36",
        kept=tuple(zip(("strong", "mid", "weak"), (1.0, 0.5, 0.0), strict=True)),
        prompts=("Name river number 0 of Peru.",),
    ),
    "04": Case(
        "04-long-answers-no-tokens.csv", "--prices 04-prices.csv", kept=(A, B),
        values={"input_tokens": [8, 8], "output_tokens": [6, 4]},
        said="2 rows with estimated tokens",
    ),
    "06": Case(
        "06-wide-one-word.csv", "--tokens 10:20 --prices 04-prices.csv",
        kept=(("a", 1.0), ("a", 0.0), ("a", 1.0), ("b", 0.0), ("b", 1.0)),
        left=(("b", "missing_quality"),), said="columns taken for models: a, b",
        prompts=(PERU, "Name a river in Chad.", "Name a river in Togo."),
    ),
    "07": Case(
        "07-wide-extra-numbers.csv", "--tokens 10:20 --prices 04-prices.csv", kept=(A, B),
        said="columns taken for models: a, b; not difficulty, latency_ms: --models names others",
    ),
    "09": Case("09-list.json", kept=(A, B), values={"cost_usd": [0.001, 0.0001]}),
    "09 as long": Case("09-list.json", "--from long", kept=(A, B)),
    "10": Case("10-folder", kept=(A, B), values={"cost_usd": [0.001, 0.0001]}),
    "11": Case("11-messages-in-csv.csv", kept=(A, B)),
    "13": Case(
        "13-percent-dollar.csv", kept=(A, B),
        values={"output_tokens": [1024, 310], "cost_usd": [0.001, 0.0001]},
    ),
    "14": Case("14-semicolon.csv", kept=(A, B), values={"cost_usd": [0.001, 0.0001]}),
    "15": Case(
        "15-bom-litellm.csv", left=WAITS, values={"cost_usd": [0.001], "input_tokens": [5]},
    ),
    "17": Case(
        "17-trailing-space.csv", kept=(("a", 1.0), ("a", 1.0)),
        prompts=(PERU, "Name a river in Chad."),
    ),
    "18": Case("18-openinference.json", left=WAITS),
    "19": Case("19-vercel-ai-sdk.json", left=WAITS),
    "21": Case("21-snake-case.json", left=(("m", "missing_quality"),)),
    "22": Case(
        "22-inspect-same-grader.json", "--prices 22-prices.csv",
        kept=(("openai/gpt-4o-mini", 1.0),),
        values={"input_tokens": [60], "output_tokens": [20], "cost_usd": [0.000021]},
    ),
    "24": Case(
        "24-inspect-output-usage.json", "--prices 22-prices.csv",
        kept=(("openai/gpt-4o-mini", 1.0),), prompts=("Name a river in Chad.",),
        values={"input_tokens": [9], "output_tokens": [3]},
    ),
    "25": Case(
        "25-lm-eval-chat", kept=(("gpt-4o-mini", 1.0),), prompts=("How many legs has a crab?",)
    ),
    "27": Case(  # kept but for its price: the split is HELM's own
        "27-helm-valid", left=(("openai/gpt2", "unpriced"),), values={"quality": [1.0]},
        prompts=(), said="no price for openai/gpt2",
    ),
    "32": Case(
        "32-langfuse-ui.json", "--metric helpful", kept=(("gpt-4o", 1.0),),
        values={"cost_usd": [0.0003], "input_tokens": [10], "output_tokens": [20]},
    ),
    "32 lines": Case(
        "32-langfuse-ui.jsonl", "--metric helpful", kept=(("gpt-4o", 1.0),),
        values={"cost_usd": [0.0003]},
    ),
    "34": Case(
        "34-promptfoo.json", kept=(("openai/gpt-5", 1.0), ("openai/gpt-5-mini", 0.0)),
        values={"cost_usd": [0.001, 0.001], "input_tokens": [10, 10], "output_tokens": [20, 20]},
    ),
    "35": Case(
        "35-mtbench-judgments.jsonl 35-mtbench-question.jsonl",
        "--tokens 10:20 --prices 04-prices.csv",
        kept=(("a", 8 / 9), ("a", 7 / 9), ("b", 0.0)), left=(("b", "missing_quality"),),
        prompts=(PERU, f"{PERU}\nAnd in Chad?"),
    ),
    "35 with a column": Case(
        "35-mtbench-judgments.jsonl 35-mtbench-question.jsonl",
        "--column prompt=turns --tokens 10:20 --prices 04-prices.csv",
        kept=(("a", 8 / 9), ("a", 7 / 9), ("b", 0.0)), left=(("b", "missing_quality"),),
        prompts=(PERU, f"{PERU}\nAnd in Chad?"),
    ),
    "41": Case(
        "41-embedllm.csv", "--from embedllm --prices 04-prices.csv --tokens 200:300",
        kept=(A, B), values={"cost_usd": [0.0008, 0.0018]},
    ),
}  # fmt: skip


def arguments(case: Case) -> list[object]:
    """The command's arguments; names of files are those of `cases/`."""
    words = [*case.files.split(), *case.more.split()]
    return [CASES / word if (CASES / word).exists() else word for word in words]


@pytest.mark.parametrize("case", INGESTED.values(), ids=INGESTED)
def test_ingest_of_a_case(case: Case, tmp_path: Path) -> None:
    done = run("data", "ingest", *arguments(case), "--out", tmp_path)
    lost = not case.kept and any(why != "missing_quality" for _, why in case.left)
    assert done.exit_code == int(lost), done.output
    assert case.said in done.output
    outcomes, rejected = (
        pl.read_parquet(tmp_path / f"{n}.parquet") for n in ("outcomes", "rejected")
    )
    kept = [(m, pytest.approx(q)) for m, q in case.kept]
    assert outcomes.select("model", "quality").rows()[: len(kept)] == kept
    assert outcomes.height == len(kept) or case.files.startswith("01")
    assert rejected.select("model", "reject_reason").rows() == list(case.left)
    for name, values in case.values.items():
        assert [*outcomes[name], *rejected[name]] == pytest.approx(values)
    waiting = tmp_path / "unlabelled.parquet"
    texts = pl.concat(
        pl.read_parquet(p) for p in (tmp_path / "prompts.parquet", waiting) if p.exists()
    )["prompt"]
    assert set(case.prompts) <= set(texts)


def test_01_a_scale_of_1_to_5_is_refused_until_it_is_named(tmp_path: Path) -> None:
    file = CASES / "01-rating-1-to-5.csv"
    asked = "values run 1..5; give --scale 1:5"
    done = run("data", "ingest", file, "--out", tmp_path / "o")
    assert (done.exit_code, asked in done.output) == (1, True)
    assert not (tmp_path / "o").exists()
    for command in (["data", "check"], ["train", "--out", tmp_path / "b"]):
        done = run(*command, "--data", file, "--prompts", file)
        assert (done.exit_code, asked in done.output) == (1, True)
        assert "to `tierwise data ingest`" in done.output


def test_28_a_price_is_found_by_the_models_own_name_and_says_so(tmp_path: Path) -> None:
    listed = [CASES / "28-prices.json", "--date", "2026-07-24", "--out", tmp_path / "p.csv"]
    found = {
        "openai/gpt-4.1": ("the price of openai/gpt-4.1 is that of gpt-4.1", 2.0, 8.0),
        "qwen3-max": ("the price of qwen3-max is that of dashscope/qwen3-max", 1.2, 6.0),
    }
    for model, (line, read, written) in found.items():
        assert line in ran("data", "prices", "import", *listed, "--model", model)
        [row] = pl.read_csv(tmp_path / "p.csv").iter_rows()
        assert row[:3] == (model, read, written)


def test_29_a_table_without_models_names_where_they_are(tmp_path: Path) -> None:
    done = run(
        "data", "prices", "import", CASES / "28-prices.json", "--date", "2026-07-24",
        "--out", tmp_path / "p.csv", "--data", CASES / "29-empty-outcomes.csv",
    )  # fmt: skip
    assert done.exit_code == 1
    assert "29-empty-outcomes.csv names no model" in done.output
    assert "rejected.parquet" in done.output
    assert not (tmp_path / "p.csv").exists()


def test_30_texts_that_a_proxy_left_out_are_joined_by_request(tmp_path: Path) -> None:
    log = CASES / "30-litellm-default.json"
    alone = run("data", "ingest", log, "--out", tmp_path)
    assert alone.exit_code == 1
    assert "store_prompts_in_spend_logs" in alone.output
    assert "request_id" in alone.output
    ran("data", "ingest", log, CASES / "30-prompts.csv", "--out", tmp_path)
    assert pl.read_parquet(tmp_path / "unlabelled.parquet")["prompt"].to_list() == [PERU]
    [row] = pl.read_parquet(tmp_path / "rejected.parquet").iter_rows(named=True)
    assert (row["reject_reason"], row["cost_usd"]) == ("missing_quality", 0.001)


def test_36_an_alpaca_annotation_is_a_battle(tmp_path: Path) -> None:
    said = ran("data", "ingest", CASES / "36-alpaca.jsonl", "--out", tmp_path)
    assert "kept 0 and 1 pairs" in said
    [pair] = pl.read_parquet(tmp_path / "pairs.parquet").iter_rows(named=True)
    assert (pair["arm_a"], pair["arm_b"]) == ("gpt4|default", "claude-2.1|default")
    assert pair["preference"] == pytest.approx(0.98)


def test_41_a_set_without_tokens_asks_for_them(tmp_path: Path) -> None:
    prices = ["--prices", CASES / "04-prices.csv"]
    done = run(
        "data", "ingest", CASES / "41-embedllm.csv", "--from", "embedllm", *prices,
        "--out", tmp_path,
    )  # fmt: skip
    assert done.exit_code == 1
    assert "give --tokens IN:OUT" in done.output


def train(name: str, out: Path, *more: object) -> Result:
    file = CASES / name
    return run("train", "--data", file, "--prompts", file, "--out", out, "--cache", CACHE, *more)


def test_02_models_that_cost_nothing_are_routed_by_quality(tmp_path: Path) -> None:
    done = train("02-all-costs-zero.csv", tmp_path / "b")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("all costs are 0: there is nothing to trade off")
    assert "NaN" not in (tmp_path / "b" / "manifest.json").read_text("utf-8")


def test_03_every_command_takes_prices_or_has_them_of_the_bundle(tmp_path: Path) -> None:
    file, out = "03-tokens-no-cost.csv", tmp_path / "b"
    done = train(file, out)
    assert done.exit_code == 1
    assert "no price for a, b: give --prices FILE" in done.output
    prices = ["--prices", CASES / "04-prices.csv"]
    assert "180 costs computed by 04-prices.csv: a, b" in train(file, out, *prices).output
    tables = ["--data", CASES / file, "--prompts", CASES / file, "--cache", CACHE]
    assert "180 costs computed by" in ran("evaluate", out, *tables, "--json", tmp_path / "e.json")
    assert "180 costs computed by" in ran("sweep", out, *tables, *prices, "--csv", tmp_path / "s")
    certified = run("calibrate", out, *tables, *prices)
    assert "180 costs computed by 04-prices.csv" in certified.output
    assert "a certificate needs at least 50" in certified.output


def test_37_a_log_with_one_model_a_prompt_trains_as_check_says(tmp_path: Path) -> None:
    file = CASES / "37-sparse-traffic.csv"
    checked = ran("data", "check", "--data", file, "--prompts", file)
    assert "problem" not in checked
    done = train(file.name, tmp_path / "b")
    assert done.exit_code == 0, done.output
    assert "no two arms share 10 prompts" in done.output
    arms = [arm.model for arm in read_manifest(tmp_path / "b").arms]
    assert sorted(arms) == ["a", "b"]
    few = tmp_path / "few.csv"
    few.write_text("".join(file.read_text("utf-8").splitlines(keepends=True)[:40]))
    short = run("data", "check", "--data", few, "--prompts", few)
    assert short.exit_code == 1
    assert "[arms] min_rows" in short.output
    refused = run("train", "--data", few, "--prompts", few, "--out", tmp_path / "c")
    assert refused.exit_code == 1
    assert "min_rows" in refused.output


def test_39_a_gate_that_did_not_pass_promotes_nothing(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = read_manifest(tiny_bundle).bundle_id
    record = tmp_path / "gate.json"
    store = tmp_path / "store"
    asked = ["promote", tiny_bundle, "--store", store, "--gate", record]
    for verdict in ("undecided", "failed"):
        gate = {"candidate": bundle, "incumbent": "0" * 12, "verdict": verdict, "summary": "-0.07"}
        record.write_text(json.dumps(gate))
        done = run(*asked)
        assert done.exit_code == 1
        assert f"verdict is {verdict}" in done.output
        assert run("rollback", "--store", store).exit_code == 1
    record.write_text(json.dumps(gate | {"verdict": "passed"}))
    done = run(*asked)  # nowhere to go back to
    assert done.exit_code == 1
    assert "promote it first" in done.output


def test_42_prompts_of_training_are_not_scored(
    tiny_bundle: Path, world_files: Path, tmp_path: Path
) -> None:
    said = ran(
        "score", "--bundle", tiny_bundle, "--prompts", world_files / "prompts.parquet",
        "--data", world_files / "outcomes.parquet", "--out", tmp_path / "sc",
    )  # fmt: skip
    trained = read_manifest(tiny_bundle).training["prompts"]
    assert f"left out {trained} prompts that a bundle was trained on" in said
    assert f"{600 - trained} prompts" in said
