"""Load repeated samples: several answers of one arm to one prompt, each with its own outcome."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from .clean import CleanReport, clean_samples
from .errors import DataError
from .read import load_prompts, read_table, with_known_prompts
from .scale import Judge
from .split import SplitConfig, with_split
from .values import GRADES, Reading


@dataclass(frozen=True, slots=True)
class SampleTables:
    """Checked samples and their prompts, with a complete `split`."""

    samples: pl.DataFrame
    prompts: pl.DataFrame
    report: CleanReport


def load_samples(samples: Path, prompts: Path, *, split: SplitConfig | None = None) -> SampleTables:
    """Read, clean and join samples and prompts.

    A prompt's split is that of its own row; a hash of its text decides where there is none.

    Args:
        samples: `prompt_id, model, quality, input_tokens, output_tokens`; optionally `tier`,
            `sample_no`, `round`, `verifier_score`.
        prompts: of the same ids.
        split: of the hash split.
    Raises:
        DataError: a file cannot be read, a column is missing, or nothing is left.
    """
    report = CleanReport()
    texts = load_prompts(prompts)
    report.add("prompts", texts)
    found = with_known_prompts(clean_samples(_from_0_to_1(samples)), texts.kept)
    report.add("samples", found)
    if found.kept.is_empty():
        raise DataError(f"{samples} has no usable row; rejected: {report.rejected_by_reason()}")
    sides, report.moved_to_test = with_split(texts.kept, split or SplitConfig())
    joined = found.kept.drop("split").join(
        sides.select("prompt_id", "split"), on="prompt_id", how="left", maintain_order="left"
    )
    used = sides.join(joined, on="prompt_id", how="semi", maintain_order="left")
    return SampleTables(joined, used, report)


def _from_0_to_1(path: Path) -> pl.DataFrame:
    """The table; raises DataError where its scores run on another scale."""
    table = read_table(path)
    if "quality" in table.columns:
        values, declared = Reading(grades=GRADES).read(table["quality"])
        judge = Judge()
        judge.quality("quality", values.alias("quality"), declared)
        judge.refuse(str(path))
        table = table.with_columns(values.alias("quality"))
    return table
