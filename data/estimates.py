"""Token counts that a file lacks, estimated from its texts by each model's tokenizer family."""

from __future__ import annotations

import numpy as np
import polars as pl

from router.request.families import family_index
from router.request.tokens import count_text


def count_tokens(texts: pl.Series, models: pl.Series) -> pl.Series:
    """About how many tokens each text has for its model, at least 1; null where there is no text.

    Args:
        texts: (n,).
        models: (n,) their names, with or without a provider.
    """
    table = pl.DataFrame({"text": texts, "model": models.fill_null("")})
    families = {name: family_index(name) for name in table["model"].unique()}
    table = table.with_columns(
        family=pl.col("model").replace_strict(families, return_dtype=pl.Int64, default=None)
    )
    pairs = table.select("text", "family").drop_nulls().unique(maintain_order=True)
    by_text: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]] = {}
    counts = []
    for text, family in pairs.iter_rows():
        if text not in by_text:
            by_text = {text: count_text(text)}  # the same text in several families comes together
        counts.append(max(1, round(float(by_text[text][family]))))
    known = pairs.with_columns(tokens=pl.Series(counts, dtype=pl.Int32))
    return table.join(known, on=("text", "family"), how="left", maintain_order="left")["tokens"]
