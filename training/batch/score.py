"""Score candidates on more prompts than one process should: embed, predict, decide, and count.

Prompts and outcomes are dealt out to shards by the prompt's id; a task scores one shard by every
bundle, one prompt at a time as the live router does, and returns sums. Which engine ran the tasks
moves no figure.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from operator import add
from pathlib import Path
from typing import TypedDict

import numpy as np
import polars as pl

from data.engines import run_tasks
from data.ingest import deal, dealt
from router import Policy, Router
from router.request.view import read_prompt
from router.types import Arm, Bools, Doubles, Ints, Reading, Scores

from ..errors import TrainingError
from ..evaluation.evaluate import at_the_ask
from ..evaluation.sparse import joined
from ..progress import Reporter, Timings
from .prompt_files import (
    PROMPT,
    check_bundles,
    enough_workers,
    loaded,
    new_folder,
    parquet_files,
    training_prompts,
)

THRESHOLDS = np.round(np.linspace(0.0, 1.0, 21), 2)
SHARD_ROWS = 256  # prompts, unless told otherwise; progress is shown by shard
OUTCOME: tuple[str, ...] = ("prompt_id", "model", "tier", "quality", "cost_usd")


class Counts(TypedDict):
    """Prompts of some files, and those of them that some bundle was trained on."""

    trained_on: int
    prompts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What one bundle did on some prompts; sums over shards are those of the whole.

    L thresholds, a arms, k clusters. Outcomes count where there are any.

    Attributes:
        chosen: (L, a) prompts that go to each arm.
        expected: (L, 2) predicted quality and cost.
        realised: (L, 3) prompts whose chosen arm has an outcome, their quality and their cost.
        table: (k, a, 3) outcomes of each arm in each cluster: rows, quality, cost.
        trained_on: prompts of the files that some bundle was trained on, scored or left out.
        prompts: of the files.
    """

    chosen: Doubles
    expected: Doubles
    realised: Doubles
    table: Doubles
    trained_on: int
    prompts: int

    def __add__(self, other: Sums) -> Sums:
        """Sums of both; the smaller table is filled up with clusters that nobody came to."""
        size = max(len(self.table), len(other.table))
        tables = [
            np.pad(t, ((0, size - len(t)), (0, 0), (0, 0))) for t in (self.table, other.table)
        ]
        return Sums(
            chosen=self.chosen + other.chosen,
            expected=self.expected + other.expected,
            realised=self.realised + other.realised,
            table=tables[0] + tables[1],
            trained_on=self.trained_on + other.trained_on,
            prompts=self.prompts + other.prompts,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DealTable:
    """Deal one Parquet file's rows out to shards."""

    number: int
    path: Path
    kind: str
    columns: tuple[str, ...]
    folder: Path
    shards: int

    def __call__(self) -> int:
        """Rows dealt out."""
        table = pl.read_parquet(self.path, columns=list(self.columns))
        deal(table, self.kind, self.folder, self.shards, f"{self.number:06}")
        return table.height


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreShard:
    """Score the prompts of one shard by every bundle, all or those of one side of training."""

    number: int
    bundles: tuple[Path, ...]
    folder: Path
    out: Path
    embeddings: bool
    split: str

    def __call__(self) -> list[Sums] | None:
        """Sums of each bundle; null where the shard has no prompt."""
        parts = dealt("prompts", self.folder, self.number)
        if not parts:
            return None
        prompts, outcomes = pl.concat(parts), dealt("outcomes", self.folder, self.number)
        trained = trained_on(self.bundles, prompts["prompt"].to_list())
        counts = Counts(trained_on=int(trained.sum()), prompts=prompts.height)
        if self.split != "all":
            prompts = prompts.filter(trained if self.split == "train" else ~trained)
        found = []
        readings: dict[str, Reading] = {}
        for place, bundle in enumerate(self.bundles):
            router = loaded(bundle)
            if prompts.is_empty():
                found.append(nothing(len(router.arms), counts))
                continue
            encoder = router.manifest.encoder_sha256
            if encoder not in readings:
                readings[encoder] = read_all(router, prompts["prompt"].to_list())
            scores = score_all(router, prompts["prompt"], readings[encoder])
            compared = at_the_ask(router, prompts["prompt"], scores)
            table = self._table(prompts, scores, readings[encoder])
            table.write_parquet(self.out / f"scores-{place}-{self.number:06}.parquet")
            quality, cost = outcome_matrices(outcomes, prompts["prompt_id"], router.arms)
            found.append(sums(router, scores, compared, quality, cost, counts))
        return found

    def _table(self, prompts: pl.DataFrame, scores: Scores, reading: Reading) -> pl.DataFrame:
        table = prompts.select("prompt_id").with_columns(
            cluster=pl.Series(scores.cluster),
            distance=pl.Series(scores.distance),
            quality=pl.Series(scores.quality.tolist(), dtype=pl.List(pl.Float64)),
            cost_usd=pl.Series(scores.cost_usd.tolist(), dtype=pl.List(pl.Float64)),
            output_tokens=pl.Series(scores.output_tokens.tolist(), dtype=pl.List(pl.Float64)),
        )
        if not self.embeddings:
            return table
        rows = pl.Series(reading.embedding.tolist(), dtype=pl.List(pl.Float32))
        return table.with_columns(embedding=rows)


def read_all(router: Router, texts: Sequence[str]) -> Reading:
    """Embeddings and features of n prompts, each read alone: kernels round by batch size."""
    parts = [router.read(read_prompt(text)) for text in texts]
    return Reading(
        *(np.concatenate([getattr(part, name) for part in parts])
          for name in ("embedding", "features", "n_chars"))
    )  # fmt: skip


def score_all(router: Router, texts: Iterable[str], reading: Reading) -> Scores:
    """Scores of n prompts, each scored and priced alone, as the live router does."""
    parts = []
    for i, text in enumerate(texts):
        one = slice(i, i + 1)
        row = Reading(reading.embedding[one], reading.features[one], reading.n_chars[one])
        parts.append(router.priced(read_prompt(text), router.score_reading(row)))
    return joined(parts)


def outcome_matrices(
    outcomes: Sequence[pl.DataFrame], prompt_ids: pl.Series, arms: Sequence[Arm]
) -> tuple[Doubles, Doubles]:
    """Realised quality and cost of every arm, NaN where there is no outcome: both (n, a)."""
    quality, cost = (np.full((len(prompt_ids), len(arms)), np.nan) for _ in range(2))
    row = {key: i for i, key in enumerate(prompt_ids.to_list())}
    column = {arm.id: i for i, arm in enumerate(arms)}
    for key, model, tier, q, usd in chain(*(part.select(OUTCOME).iter_rows() for part in outcomes)):
        at = row.get(key), column.get(f"{model}|{tier}")
        if None not in at:
            quality[at], cost[at] = q, usd
    return quality, cost


def trained_on(bundles: Sequence[Path], texts: Sequence[str]) -> Bools:
    """(n,) prompts that some bundle was trained on; none by those that cannot tell."""
    found = np.zeros(len(texts), dtype=np.bool_)
    for bundle in bundles:
        oof = training_prompts(bundle)
        found |= found if oof is None else oof.trained_on(texts)
    return found


def nothing(arms: int, counts: Counts) -> Sums:
    """The sums of no prompt."""
    levels = len(THRESHOLDS)
    return Sums(
        chosen=np.zeros((levels, arms)),
        expected=np.zeros((levels, 2)),
        realised=np.zeros((levels, 3)),
        table=np.zeros((0, arms, 3)),
        **counts,
    )


def sums(
    router: Router,
    scores: Scores,
    compared: Scores,
    quality: Doubles,
    cost_usd: Doubles,
    counts: Counts,
) -> Sums:
    """What the live rule would do at every threshold, and what the outcomes say of it."""
    n, a = scores.quality.shape
    rows, present = np.arange(n), np.tile(router.present, (n, 1))
    chosen, expected, realised = np.zeros((len(THRESHOLDS), a)), [], []
    for level, threshold in enumerate(THRESHOLDS):
        arm = router.rule(Policy(threshold=float(threshold))).choose(compared, present)
        np.add.at(chosen[level], arm, 1.0)
        expected.append([scores.quality[rows, arm].sum(), scores.cost_usd[rows, arm].sum()])
        got, paid = quality[rows, arm], cost_usd[rows, arm]
        known = ~np.isnan(got) & ~np.isnan(paid)
        realised.append([known.sum(), got[known].sum(), paid[known].sum()])
    return Sums(
        chosen=chosen,
        expected=np.array(expected, dtype=np.float64),
        realised=np.array(realised, dtype=np.float64),
        table=_table_sums(scores.cluster, quality, cost_usd),
        **counts,
    )


def _table_sums(cluster: Ints, quality: Doubles, cost_usd: Doubles) -> Doubles:
    known = ~np.isnan(quality) & ~np.isnan(cost_usd)
    values = np.stack([known, np.where(known, quality, 0), np.where(known, cost_usd, 0)], axis=2)
    table = np.zeros((int(cluster.max()) + 1, quality.shape[1], 3))
    np.add.at(table, cluster, values.astype(np.float64))
    return table


def score_sharded(
    bundles: Sequence[Path],
    prompts: Path,
    out: Path,
    *,
    outcomes: Path | None = None,
    engine: str = "local",
    workers: int | None = 1,
    shards: int | None = None,
    embeddings: bool = False,
    split: str = "all",
    reporter: Reporter | None = None,
) -> list[Sums]:
    """Score every prompt by every bundle.

    Args:
        bundles: the candidates.
        prompts: Parquet file or folder with prompt_id and prompt.
        out: folder for one table of scores a bundle; it appears once all shards are done.
        outcomes: Parquet file or folder of outcomes, for realised figures and tables.
        engine: local or ray.
        workers: processes; null is one per core, where there is enough to do.
        shards: pieces; null is one for every `SHARD_ROWS` prompts, whatever the engine.
        embeddings: keep them beside the scores.
        split: "test" leaves out prompts that some bundle was trained on, "train" all others.
        reporter: told how many shards are scored.
    Returns:
        The sums of each bundle.
    Raises:
        TrainingError: a file cannot be read, no prompt is left, or `out` is there already.
    """
    sources, rows = _sources(prompts, outcomes)
    count = shards or -(-rows // SHARD_ROWS)
    workers = workers or enough_workers(count)
    check_bundles(bundles)
    with new_folder(out) as half, (reporter or Timings()).stage("score", rows) as stage:
        (folder := half / "shards").mkdir()
        list(run_tasks(_deals(sources, folder, count), engine, workers))
        paths = tuple(bundle.absolute() for bundle in bundles)
        tasks = [
            ScoreShard(number=i, bundles=paths, folder=folder, out=half, embeddings=embeddings,
                       split=split)
            for i in range(count)
        ]  # fmt: skip
        found = []
        for part in run_tasks(tasks, engine, workers):
            stage.advance(0 if part is None else part[0].prompts)
            found += [] if part is None else [part]
        shutil.rmtree(folder)
        return _totals(found, split)


def _deals(
    sources: Sequence[tuple[Path, str, tuple[str, ...]]], folder: Path, shards: int
) -> list[DealTable]:
    return [
        DealTable(number=i, path=path, columns=columns, kind=kind, folder=folder, shards=shards)
        for i, (path, kind, columns) in enumerate(sources)
    ]


def _totals(found: Sequence[list[Sums]], split: str) -> list[Sums]:
    """The sums of each bundle over all shards.

    Raises:
        TrainingError: none of them has a prompt.
    """
    totals = [reduce(add, of_bundle) for of_bundle in zip(*found, strict=True)]
    if not totals[0].chosen.any():
        raise TrainingError(
            f"{totals[0].trained_on} of {totals[0].prompts} prompts are ones that a bundle was "
            f"trained on, which leaves none to score with --split {split}; --split all scores "
            "them all"
        )
    return totals


def _sources(
    prompts: Path, outcomes: Path | None
) -> tuple[list[tuple[Path, str, tuple[str, ...]]], int]:
    """Files with what they hold and its columns; and how many prompts there are."""
    texts = parquet_files(prompts, PROMPT)
    rows = sum(count for _, count in texts)
    if not rows:
        raise TrainingError(f"{prompts} holds no prompt")
    answers = [] if outcomes is None else parquet_files(outcomes, OUTCOME)
    return [
        *((path, "prompts", PROMPT) for path, _ in texts),
        *((path, "outcomes", OUTCOME) for path, _ in answers),
    ], rows
