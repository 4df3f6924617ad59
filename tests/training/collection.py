"""The simulated world as a collection: three sources, one of them only measured, and its bundle."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from click.testing import CliRunner

from data.read import write_table
from router.cli.main import main
from training.prepare.cache import CACHE

CONFIG = """
predictors = ["cluster", "kernel", "labels"]
[folds]
folds = 3
[level]
rounds = 20
[kernel]
landmarks = 64
alpha = [3.0]
[labels]
temperature = [4.0]
"""
TOML = """
[[source]]
name = "chats"
outcomes = "chats.parquet"
prompts = "chats.prompts.parquet"
kind = "chat"
licence = "MIT"
weight = 2.0

[[source]]
name = "tools"
outcomes = "tools.parquet"
prompts = "tools.prompts.parquet"
kind_column = "domain"
group = "family"

[[source]]
name = "watched"
outcomes = "watched.parquet"
prompts = "watched.prompts.parquet"
licence = "CC BY-NC 4.0"
use = "measure"
"""


def make_collection(world_files: Path, out: Path) -> None:
    """Deal the world out; the last source lacks the first two arms, and trains nothing."""
    out.mkdir()
    prompts = pl.read_parquet(world_files / "prompts.parquet")
    outcomes = pl.read_parquet(world_files / "outcomes.parquet")
    models = sorted(set(outcomes["model"]))
    parts = {"chats": (0, 240), "tools": (240, 240), "watched": (480, 120)}
    for name, (start, size) in parts.items():
        own = prompts[start : start + size].with_columns(
            family=pl.int_range(size).cast(pl.String).str.slice(0, 2)
        )
        kept = outcomes.join(own, on="prompt_id", how="semi")
        kept = kept.filter(pl.col("model").is_in(models[2:])) if name == "watched" else kept
        write_table(out / f"{name}.parquet", kept)
        write_table(out / f"{name}.prompts.parquet", own)
    (out / "all.toml").write_text(TOML)
    (out / "train.toml").write_text(CONFIG)
    files = ("--data", out / "all.toml", "--config", out / "train.toml", "--cache", CACHE)
    asked = ["train", *files, "--out", out / "bundle"]
    done = CliRunner().invoke(main, [str(argument) for argument in asked])
    assert done.exit_code == 0, done.output
