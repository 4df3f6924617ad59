"""Several tables as one: who names them, what is told of them, and what their rows share."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from data.collection import Source, read_collection, sources_of
from data.errors import ColumnError, DataError, FormatError
from data.split import siblings
from data.summary import source_facts
from data.tables import Tables, load_sources

TOML = """
[[source]]
name = "{name}"
outcomes = "{name}.parquet"
prompts = "{name}.prompts.parquet"
"""


def table(
    folder: Path, name: str, texts: list[str], split: list[str | None], **columns: list[object]
) -> Source:
    """A table of two arms on some prompts, with further columns of its prompts."""
    ids = [f"p{i}" for i in range(len(texts))]
    prompts = pl.DataFrame({"prompt_id": ids, "prompt": texts, "split": split} | columns)
    prompts.write_parquet(folder / f"{name}.prompts.parquet")
    rows = [{"prompt_id": i, "model": m, "quality": 1.0, "cost_usd": 0.1}
            for i in ids for m in ("gpt-4o-2024-08-06", "new-preview")]  # fmt: skip
    pl.DataFrame(rows).write_parquet(folder / f"{name}.parquet")
    paths = (str(folder / f"{name}{kind}.parquet") for kind in ("", ".prompts"))
    return Source(**dict(zip(("outcomes", "prompts"), paths, strict=True)), name=name)


def two(folder: Path) -> Tables:
    first = table(folder, "a", ["Same", "only a"], ["train", "train"])
    second = table(folder, "b", ["same ", "only b"], ["test", None])
    return load_sources((first, second))


def test_rows_are_source_and_prompt(tmp_path: Path) -> None:
    tables = two(tmp_path)
    assert tables.prompts["prompt_id"].to_list() == ["a/p0", "a/p1", "b/p0", "b/p1"]
    assert tables.outcomes.height == 8, "equal ids of two sources are two prompts"
    assert set(tables.outcomes["source"]) == {"a", "b"}


def test_equal_prompts_of_two_sources_share_a_split(tmp_path: Path) -> None:
    tables = two(tmp_path)
    split = dict(tables.prompts.select("prompt_id", "split").iter_rows())
    assert split["a/p0"] == split["b/p0"] == "test", "what one holds out, no other may teach"
    assert tables.report.moved_to_test == 1


def test_families_are_the_columns_or_those_of_the_names(tmp_path: Path) -> None:
    source = table(tmp_path, "a", ["x"], ["train"])
    assert set(load_sources((source,)).outcomes["family"]) == {"gpt-4o", "new"}
    rows = pl.read_parquet(source.outcomes)
    rows.with_columns(family=pl.lit("mine")).write_parquet(source.outcomes)
    assert set(load_sources((source,)).outcomes["family"]) == {"mine"}


def test_siblings_without_a_split_share_one_and_a_given_one_is_told(tmp_path: Path) -> None:
    texts = [f"question {i}" for i in range(40)]
    group: list[object] = [f"g{i // 10}" for i in range(40)]
    free = table(tmp_path, "free", texts, [None] * 40, tools=group)
    sides: list[str | None] = ["train", "test", "train", "train"]
    given = table(tmp_path, "given", texts[:4], sides, tools=group[:4])
    tables = load_sources((_grouped(free, "tools"),))
    by_group = tables.prompts.group_by("group").agg(pl.col("split").n_unique())
    assert by_group.height == 4
    assert by_group["split"].to_list() == [1] * 4
    torn = load_sources((_grouped(given, "tools"),))
    assert torn.prompts["split"].to_list() == sides, "a given split stays"
    assert torn.report.straddling == {"given": (1, 4)}


def _grouped(source: Source, column: str) -> Source:
    return Source(name=source.name, outcomes=source.outcomes, prompts=source.prompts, group=column)


def test_siblings_are_joined_by_equal_prompts() -> None:
    found = siblings(["One", "two", "one", "three", "four"], ["a", "a", "b", None, "c"])
    assert found[0] == found[1] == found[2] is not None
    assert found[3] is None
    assert found[4] not in (None, found[0])


def test_what_is_measured_is_not_learned(tmp_path: Path) -> None:
    learned = table(tmp_path, "a", ["x", "y"], ["train", "test"])
    measured = table(tmp_path, "b", ["z"], ["train"])
    quiet = Source(
        name="b", outcomes=measured.outcomes, prompts=measured.prompts, use="measure", weight=2.0
    )
    tables = load_sources((learned, quiet))
    assert set(tables.learned().outcomes["source"]) == {"a"}
    assert set(tables.learned().prompts["source"]) == {"a"}
    with pytest.raises(DataError, match="nothing to learn from"):
        load_sources((quiet,)).learned()
    facts = source_facts(tables)
    assert [(f["name"], f["use"], f["prompts"], f["arms"]) for f in facts] == [
        ("a", "train", 2, 2),
        ("b", "measure", 1, 2),
    ]
    assert not any("parquet" in str(value) for f in facts for value in f.values()), "no path"


def test_kinds_come_by_source_or_by_the_words_of_a_column(tmp_path: Path) -> None:
    words: list[object] = ["gsm", "mmlu/law", None]
    source = table(tmp_path, "a", ["x", "y", "z"], ["train"] * 3, task=words)
    told = Source(
        name="a",
        outcomes=source.outcomes,
        prompts=source.prompts,
        kind="chat",
        kind_column="task",
        kinds={"gsm": "mathematics", "mmlu/*": "knowledge"},
    )
    tables = load_sources((told,))
    assert tables.prompts["kind"].to_list() == ["mathematics", "knowledge", "chat"]
    assert "kind" not in load_sources((source,)).prompts.columns


def test_a_source_may_own_some_prompts_of_its_files_only(tmp_path: Path) -> None:
    whole = table(tmp_path, "a", ["x", "y", "z"], ["train"] * 3, task=["chat", "exam/1", None])
    chat = replace(whole, name="talk", kind_column="task", only=("chat",))
    exams = replace(whole, name="exams", kind_column="task", only=("exam/*", "quiz"))
    tables = load_sources((chat, exams))
    assert tables.prompts["prompt_id"].to_list() == ["talk/p0", "exams/p1"]
    assert tables.outcomes["source"].to_list() == ["talk", "talk", "exams", "exams"]
    assert tables.report.rejected_by_reason() == {}, "the others are another source's"
    with pytest.raises(ValueError, match="only picks words of a kind_column"):
        replace(whole, only=("chat",))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("licens = 'MIT'", r"unknown key a\.licens; did you mean a\.licence\?"),
        ("use = 'learn'", r"a\.use must be one of train, measure, got 'learn'"),
        ("weight = 0", r"a\.weight must be above 0, got 0"),
        ("scale = '1-5'", r"a\.scale is WORST:BEST such as 1:5, got '1-5'"),
        ("kinds = { x = 'y' }", r"a\.kinds explains the words of a kind_column"),
        ("[[source]]\noutcomes = 'a'\nprompts = 'b'", 'source 2 has no name; write name = "…"'),
        (TOML.format(name="a"), "has two sources named 'a'; a name tells their rows apart"),
        (
            TOML.format(name="aa"),
            r"aa\.outcomes, .*aa\.parquet, is missing; did you mean a\.parquet",
        ),
    ],
)
def test_a_collection_that_cannot_be_says_why(tmp_path: Path, text: str, words: str) -> None:
    table(tmp_path, "a", ["x"], ["train"])
    (tmp_path / "c.toml").write_text(TOML.format(name="a") + text)
    with pytest.raises(FormatError, match=words):
        read_collection(tmp_path / "c.toml")


def test_paths_are_relative_to_the_collection_or_to_a_folder(tmp_path: Path) -> None:
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        table(tmp_path / folder, "a", ["x"], ["train"])
    (tmp_path / "here" / "c.toml").write_text(TOML.format(name="a"))
    toml = tmp_path / "here" / "c.toml"
    assert sources_of([toml], [])[0].outcomes == str(tmp_path / "here" / "a.parquet")
    moved = sources_of([toml], [], files=tmp_path / "there")
    assert moved[0].outcomes == str(tmp_path / "there" / "a.parquet")


def test_a_group_column_that_is_absent_names_the_nearest(tmp_path: Path) -> None:
    source = table(tmp_path, "a", ["x"], ["train"], tools_json=["t"])
    with pytest.raises(ColumnError, match="lacks 'tool_json', its group column; did you mean"):
        load_sources((_grouped(source, "tool_json"),))


def test_tables_come_in_pairs_and_are_named_by_their_files() -> None:
    a, b = Path("x/outcomes.csv"), Path("y/outcomes.csv")
    assert [s.name for s in sources_of([a], [a])] == [""]
    assert [s.name for s in sources_of([a, b], [a, b])] == ["x-outcomes", "y-outcomes"]
    with pytest.raises(FormatError, match="got 2 of --data and 1 of --prompts"):
        sources_of([a, b], [a])
    with pytest.raises(FormatError, match="as many of --pairs, or none; got 1"):
        sources_of([a, b], [a, b], [a])


def test_the_public_collection_only_measures_what_may_not_be_sold(tmp_path: Path) -> None:
    toml = Path(__file__).parents[2] / "training" / "benchmarks" / "collection.toml"
    named = re.findall(
        r'^(?:outcomes|prompts|efforts) = "(.+)"$', toml.read_text("utf-8"), flags=re.M
    )
    for name in named:
        (tmp_path / name).touch()
    found = read_collection(toml, tmp_path)
    assert len(found) == 22
    assert len(named) == 2 * len(found) + sum(s.efforts is not None for s in found)
    assert {s.name for s in found if s.use == "measure"} == {
        s.name for s in found if "NC" in (s.licence or "NC: nobody says")
    }
    assert {s.name for s in found if s.per == "task"} >= {"mcpmark", "swebench", "taubench"}
    assert all(Path(name).parent == Path() for name in named), "nothing of any machine"
