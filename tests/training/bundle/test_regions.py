"""Clusters are named by what sources declare, else by words; names move no single table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.sources.made_up import made_up
from training.bundle.kind_words import kind_by_words
from training.bundle.regions import regions_of


def test_clusters_are_what_most_of_their_prompts_were_declared_to_be() -> None:
    data = made_up(1, rows=40).data
    kinds = np.array(data.kinds)
    cluster = np.where(kinds == "chat", 1, 0)
    cluster[:3] = 1
    found = regions_of(data, cluster, ("", ""))
    assert [(region.kind, region.clusters) for region in found] == [
        ("chat", (1,)),
        ("tool call", (0,)),
    ]
    assert sum(region.rows for region in found) == len(data)
    seen = ~np.isnan(data.quality[cluster == 1])
    assert found[0].arms == seen.any(axis=0).sum()


def test_sources_keep_clusters_of_one_kind_apart() -> None:
    data = made_up(1, rows=20).data
    number = np.array([int(name.split()[1]) for name in data.sources])
    found = regions_of(data, number, tuple(f"source {i}" for i in range(5)))
    assert {(region.source, region.kind) for region in found} == set(
        zip(data.sources, data.kinds, strict=True)
    )


def test_where_most_declare_nothing_words_name_the_cluster() -> None:
    data = made_up(1, rows=20).data
    silent = replace(
        data,
        kinds=(None,) * len(data),
        texts=tuple(f"Translate {i} into French" for i in range(len(data))),
    )
    (region,) = regions_of(silent, np.zeros(len(data), dtype=np.int64), ("",))
    assert region.kind == "translation"


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["SELECT a FROM t WHERE b = 1", "write SQL for the ten dearest orders"], "SQL"),
        (["def f(x):\n    return x", "Fix this Python code"], "coding"),
        (["Prove that 2 is prime", "What is 17*23?"], "mathematics"),
        (["Write a poem about rain", "Draft an email to my landlord"], "writing"),
        (["Which gas?\nA. Oxygen\nB. Argon\nC. Neon"], "knowledge"),
        (["Summarize this report"], "analysis"),
        (["Hello there", "Translate this"], None),
        (["Where is Bern?"], None),
        ([], None),
    ],
)
def test_words_name_a_cluster_where_most_prompts_agree(texts: list[str], kind: str | None) -> None:
    assert kind_by_words(texts) == kind
