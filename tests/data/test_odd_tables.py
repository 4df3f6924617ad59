"""Tables with the mistakes that people's files have: read right, or refused with the way on."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from data.clean import REASON
from data.commands import data
from data.errors import ColumnError, DataError, FormatError
from data.pricelists import load_prices
from tests.data.ingested import Ingested, ingest

HEAD = "prompt_id,prompt,model,quality,cost_usd\n"
PRICES = "model,usd_per_1m_input,usd_per_1m_output\na,1,2\nb,3,4\n"


def saved(tmp_path: Path, text: str | bytes, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def run(*args: object) -> tuple[int, str]:
    done = CliRunner().invoke(data, [str(arg) for arg in args])
    return done.exit_code, done.output


def cells(found: Ingested) -> list[tuple[object, ...]]:
    return sorted(found.outcomes.select("model", "quality").iter_rows())


def ratings(tmp_path: Path) -> Path:
    rows = [
        f"q{i},River {i}?,{model},{score},0.001"
        for i in range(12)
        for model, score in (("strong", 5 - (i == 3)), ("mid", 1 + i % 4), ("weak", 1))
    ]
    return saved(tmp_path, HEAD + "\n".join(rows))


def test_ratings_are_refused_until_their_scale_is_given(tmp_path: Path) -> None:
    path, out = ratings(tmp_path), tmp_path / "out"
    for command in (["ingest", path, "--out", out], ["check", "--data", path, "--prompts", path]):
        code, said = run(*command)
        assert code == 1
        assert "quality: values run 1..5; give --scale 1:5" in said
    assert not out.exists()
    code, said = run("ingest", path, "--out", out, "--scale", "1:5")
    assert code == 0, said
    found = pl.read_parquet(out / "outcomes.parquet")
    means = dict(found.group_by("model").agg(pl.col("quality").mean()).iter_rows())
    assert means["weak"] == 0
    assert means["strong"] > 0.9
    _, said = run("check", "--data", path, "--prompts", path, "--scale", "1:5", "--json")
    arms = {arm["model"]: arm["quality"] for arm in json.loads(said)["arms"]}
    assert arms["weak"] == 0


def test_one_odd_score_is_rejected_by_itself(tmp_path: Path) -> None:
    rows = "".join(f"q{i},River {i}?,a,{i % 2},0.1\n" for i in range(9))
    path = saved(tmp_path, HEAD + rows + "q9,River 9?,a,1.2,0.1\n")
    found = ingest([path])
    assert found.outcomes.height == 9
    assert found.report["examples"] == {"outcomes.quality_out_of_range": "1.2"}


def test_a_scale_of_one_set_of_prompts_is_seen_among_the_others(tmp_path: Path) -> None:
    head = "prompt,model,quality,cost_usd,domain\n"
    many = "".join(f"Sum {i}?,a,{i % 2},0.1,maths\n" for i in range(200))
    few = "".join(f"Chat {i}?,a,{1 + i % 10},0.1,chat\n" for i in range(10))
    with pytest.raises(ColumnError, match="give --scale"):
        ingest([saved(tmp_path, head + many + few)])


def test_tokens_are_estimated_from_answers_by_the_models_own_counts(tmp_path: Path) -> None:
    text = "prompt,model,quality,response\nName a river.,a,1,The Ucayali.\nName a river.,b,0,No.\n"
    prices = load_prices(saved(tmp_path, PRICES, "p.csv"))
    found = ingest([saved(tmp_path, text)], prices=prices)
    assert found.outcomes.height == 2
    assert found.report["tokens_estimated"] == 2
    assert found.report["prices"]["rows"] == 2
    tokens = found.outcomes.select("input_tokens", "output_tokens").row(0)
    cost = (tokens[0] * 1 + tokens[1] * 2) / 1e6
    assert found.outcomes["cost_usd"][0] == pytest.approx(cost)


def test_without_prices_the_models_and_the_way_on_are_named(tmp_path: Path) -> None:
    text = "prompt,model,quality,input_tokens,output_tokens\nHi,a,1,5,6\nHo,gpt-4oo,1,5,6\n"
    code, said = run("ingest", saved(tmp_path, text), "--out", tmp_path / "out")
    assert code == 1
    assert "no price for a, gpt-4oo (near: gpt-4o" in said
    assert "give --prices FILE" in said
    bare = "prompt,model,quality\nHi,gpt-4o,1\n"
    code, said = run("ingest", saved(tmp_path, bare), "--out", tmp_path / "out")
    assert code == 1
    assert "1 rows have neither cost_usd nor token counts" in said
    assert "no price for" not in said


def test_the_public_list_prices_what_it_knows_and_says_by_which_name(tmp_path: Path) -> None:
    text = (
        "prompt,model,quality,input_tokens,output_tokens\n"
        "Hi,openai/gpt-4o,1,1000,1000\nHi,mine/gpt-4o-mini,1,1000,1000\n"
    )
    code, said = run("ingest", saved(tmp_path, text), "--out", tmp_path / "out")
    assert code == 0, said
    assert "2 costs computed by the public catalogue of " in said
    assert "openai/gpt-4o as gpt-4o" in said
    assert "prices of another provider or version: mine/gpt-4o-mini at the price of" in said
    report = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert report["prices"]["models"]["openai/gpt-4o"]["name"] == "gpt-4o"
    assert report["prices"]["models"]["openai/gpt-4o"]["valid_from"]


def test_a_word_costs_no_wide_column(tmp_path: Path) -> None:
    text = "prompt,a,b\nPeru?,1,0\nChad?,0,N/A\nTogo?,1,1\n"
    found = ingest([saved(tmp_path, text)])
    assert found.report["rows_read"] == 6
    assert found.report["rejected"]["outcomes"] == {"missing_quality": 1, "unpriced": 5}


def test_a_wide_column_of_words_is_a_model(tmp_path: Path) -> None:
    text = "prompt,a,a|cost,b,b|cost\nPeru?,pass,0.1,FAIL,0.2\nChad?,fail,0.1,error,0.2\n"
    found = ingest([saved(tmp_path, text)])
    assert cells(found) == [("a", 0), ("a", 1), ("b", 0)]
    assert found.report["examples"] == {"outcomes.unreadable_quality": "error"}
    bare = "prompt,a,b,note\nPeru?,pass,FAIL,so so\nChad?,fail,pass,well\n"
    assert ingest([saved(tmp_path, bare)]).report["files"][0]["models"] == ["a", "b"]


def test_numbers_beside_scores_are_no_models_unless_named(tmp_path: Path) -> None:
    path = saved(tmp_path, "prompt,a,b,hardness,latency_ms\nPeru?,1,0,3,120\n")
    code, said = run("ingest", path, "--out", tmp_path / "out")
    assert code == 1  # there are no costs
    assert "columns taken for models: a, b; not hardness, latency_ms" in said
    note = ingest([path], models=("a",)).report["files"][0]
    assert note["models"] == ["a"]
    with pytest.raises(ColumnError, match=r"no column 'c' for a model; there are .*\(--models\)"):
        ingest([path], models=("a", "c"))


def test_wide_ratings_are_refused_though_one_model_has_only_ones(tmp_path: Path) -> None:
    rows = "".join(f"River {i}?,{1 + i % 5},1,1\n" for i in range(9))
    path = saved(tmp_path, "prompt,strong,weak,poor\n" + rows)
    with pytest.raises(ColumnError, match=r"strong: values run 1..5; give --scale 1:5.*--models"):
        ingest([path])
    found = ingest([path], scales=_scale("1:5"))
    assert found.report["files"][0]["models"] == ["strong", "weak", "poor"]
    assert found.rejected.filter(pl.col("model") == "weak")["quality"].to_list() == [0.0] * 9


def _scale(text: str) -> object:
    from data.scale import Scales

    return Scales.parse([text])


@pytest.mark.parametrize("name", ["t.json", "t.jsonl", "folder/t.json"])
def test_a_json_array_is_a_table(tmp_path: Path, name: str) -> None:
    rows = [
        {"prompt_id": "q0", "prompt": "Peru?", "model": "a", "quality": 1, "cost_usd": 0.001},
        {"prompt_id": "q0", "prompt": "Peru?", "model": "b", "quality": 0, "cost_usd": 0.0001},
    ]
    path = saved(tmp_path, json.dumps(rows, indent=1), name)
    for source in (path, path.parent) if "folder" in name else (path,):
        assert cells(ingest([source])) == [("a", 1), ("b", 0)]
    assert cells(ingest([path], source="long")) == [("a", 1), ("b", 0)]


def test_a_folder_holds_tables_and_what_is_none_is_listed(tmp_path: Path) -> None:
    saved(tmp_path, HEAD + "q0,Peru?,a,1,0.1\n", "d/results.csv")
    saved(tmp_path, "setting,value\nx,1\n", "d/settings.csv")
    found = ingest([tmp_path / "d"])
    assert cells(found) == [("a", 1)]
    assert found.report["skipped"] == ["settings.csv"]


def test_messages_in_a_cell_are_what_the_router_sees_of_them(tmp_path: Path) -> None:
    chat = json.dumps(
        [{"role": "system", "content": "Brief."}, {"role": "user", "content": "Name a river."}]
    )
    quoted = chat.replace('"', '""')
    path = saved(tmp_path, HEAD + f'q0,"{quoted}",a,1,0.1\nq0,"{quoted}",b,0,0.1\n')
    assert ingest([path]).prompts["prompt"].to_list() == ["Name a river."]
    _, said = run("check", "--data", path, "--prompts", path, "--json")
    assert json.loads(said)["prompts"] == 1


@pytest.mark.parametrize(
    ("text", "quality", "tokens", "cost"),
    [
        ('p,a,100%,"1,024",$0.0010\n', 1.0, 1024, 0.001),
        ('p,a,50 %,1 024,"US$1,000.50"\n', 0.5, 1024, 1000.5),
        ('p,a,"0,5","1.024","0,001"\n', 0.5, 1024, 0.001),
        ("p,a,5e-1,1e3,1E-3\n", 0.5, 1000, 0.001),
    ],
)
def test_numbers_as_spreadsheets_write_them(
    tmp_path: Path, text: str, quality: float, tokens: int, cost: float
) -> None:
    path = saved(tmp_path, "prompt,model,quality,output_tokens,cost_usd\n" + text)
    row = ingest([path]).outcomes.select("quality", "output_tokens", "cost_usd").row(0)
    assert row == (quality, tokens, pytest.approx(cost))


@pytest.mark.parametrize("cost", ["0.1 EUR", "ten cents", "1,2,3"])
def test_what_is_no_number_is_shown(tmp_path: Path, cost: str) -> None:
    path = saved(tmp_path, HEAD + f'q0,Peru?,a,1,"{cost}"\nq1,Chad?,a,1,0.1\n')
    found = ingest([path])
    assert found.report["examples"] == {"outcomes.unreadable_cost_usd": cost}
    assert found.rejected.select(REASON, "found").row(0) == ("unreadable_cost_usd", cost)
    _, said = run("ingest", path, "--out", tmp_path / "out")
    assert f'left out 1 rows: outcomes.unreadable_cost_usd (e.g. "{cost}")' in said


def test_letters_mean_something_only_together(tmp_path: Path) -> None:
    text = HEAD + "q0,A?,a,P,0.1\nq1,B?,a,P,0.1\n"
    assert ingest([saved(tmp_path, text)]).report["rejected"]["outcomes"] == {
        "unreadable_quality": 2
    }
    graded = text + "q2,C?,a,C,0.1\nq3,D?,a,I,0.1\nq4,E?,a,N,0.1\n"
    found = ingest([saved(tmp_path, graded)])
    assert sorted(found.outcomes["quality"]) == [0, 0, 0.5, 0.5, 1]
    passed = ingest([saved(tmp_path, text + "q2,C?,a,F,0.1\n")])
    assert sorted(passed.outcomes["quality"]) == [0, 1, 1]


def test_semicolons_and_decimal_commas(tmp_path: Path) -> None:
    text = "prompt_id;prompt;model;quality;cost_usd\nq0;Peru, no?;a;1;0,001\nq0;Peru, no?;b;0;0,1\n"
    path = saved(tmp_path, text)
    assert ingest([path]).outcomes["cost_usd"].to_list() == [0.001, 0.1]
    _, said = run("ingest", path, "--out", tmp_path / "out")
    assert "t.csv: a comma is read as the decimal mark" in said


def test_trailing_blanks_make_no_arm_and_case_is_warned_of(tmp_path: Path) -> None:
    text = HEAD + "q0,Peru?,a,1,0.1\nq1,Chad?,a ,1,0.1\nq2,Togo?,A,1,0.1\n"
    found = ingest([saved(tmp_path, text)])
    assert sorted(found.outcomes["model"].unique()) == ["A", "a"]
    assert found.report["warnings"] == ["model names that look alike: A and a"]


def test_an_empty_prompt_is_its_own_reason(tmp_path: Path) -> None:
    text = HEAD + "q0,,a,1,0.1\nq1,  ,a,1,0.1\nq2,Peru?,a,1,0.1\n"
    assert ingest([saved(tmp_path, text)]).report["rejected"]["outcomes"] == {"empty_prompt": 2}


def test_a_named_column_counts_in_the_files_that_have_it(tmp_path: Path) -> None:
    outcomes = saved(tmp_path, "prompt_id,model,grade,cost_usd\nq0,a,1,0.1\n", "o.csv")
    prompts = saved(tmp_path, "prompt_id,wording\nq0,Peru?\n", "p.csv")
    columns = {"quality": "grade", "prompt": "wording"}
    assert cells(ingest([outcomes, prompts], columns=columns)) == [("a", 1)]
    with pytest.raises(ColumnError, match="no column 'words' for prompt; the nearest are wording"):
        ingest([outcomes, prompts], columns={"quality": "grade", "prompt": "words"})


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.xlsx", b"PK\x03\x04", "is a spreadsheet, which is not read; save the sheet as CSV"),
        ("t.csv", b"PK\x03\x04rest", "is a zip archive or an Excel sheet"),
        ("t.csv.gz", b"\x28\xb5\x2f\xfdrest", "packed by zstd; unpack it"),
        ("t.csv", b"a,b\n\x81\xff,1\n", "line 2: neither UTF-8, UTF-16 nor Windows-1252"),
        ("t.json", b'{"a": 1', "cannot be read as JSON"),
        ("t.parquet", b"nothing", "cannot be read"),
    ],
)
def test_what_cannot_be_read_says_what_it_is(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    path = saved(tmp_path, content, name)
    with pytest.raises(FormatError, match=words):
        ingest([path], source="long")
    code, said = run("ingest", path, "--from", "long", "--out", tmp_path / "out")
    assert code == 1
    assert len(said.splitlines()) < 5
    assert "olars" not in said


def test_a_line_of_another_encoding_is_a_bad_line(tmp_path: Path) -> None:
    good = HEAD + "q0,Où?,a,1,0.1\nq1,Peru?,b,1,0.1\n"
    path = saved(tmp_path, good.encode() + "q2,Où?,a,1,0.1\n".encode("cp1252"))
    found = ingest([path])
    assert found.outcomes.height == 2
    example = found.report["examples"]["outcomes.unreadable_row"]
    assert example == "t.csv, line 4: not UTF-8"
    other = ingest([saved(tmp_path, (HEAD + "q0,Où?,a,1,0.1\n").encode("cp1252"))])
    assert other.prompts["prompt"].to_list() == ["Où?"]
    assert other.report["files"][0]["encoding"] == "cp1252"


def test_errors_are_short_and_verbose_says_all(tmp_path: Path) -> None:
    path = saved(tmp_path, "alpha,beta\n1,2\n")
    code, said = run("ingest", path, "--out", tmp_path / "out")
    assert code == 1
    assert len(said) < 700
    assert said.rstrip().endswith("(--verbose says more)")
    code, said = run("ingest", path, "--out", tmp_path / "out", "--verbose")
    assert code == 1
    assert "langfuse: " in said


@pytest.mark.parametrize(
    ("rows", "trained"),
    [
        (lambda i: ["ab"[i % 3 == 0]], True),  # a log with one model per prompt
        (lambda i: "ab" if i < 12 else "a", False),
        (lambda i: "ab" if i % 2 else "a", True),
    ],
)
def test_check_applies_the_rules_of_training(tmp_path: Path, rows, trained: bool) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    lines = [f"q{i},Ticket {i}?,{model},{i % 2},0.1\n" for i in range(300) for model in rows(i)]
    path = saved(tmp_path, HEAD + "".join(lines))
    code, said = run("check", "--data", path, "--prompts", path)
    assert code == (0 if trained else 1)
    needed = "problem: two arms with 30 training outcomes each are needed"
    assert (needed in said) != trained


def test_check_says_that_free_models_are_told_apart_by_quality(tmp_path: Path) -> None:
    lines = [f"q{i},Ticket {i}?,{m},{i % 2},0\n" for i in range(60) for m in "ab"]
    path = saved(tmp_path, HEAD + "".join(lines))
    code, said = run("check", "--data", path, "--prompts", path)
    assert code == 0
    assert "note: all costs are 0" in said


def test_check_rejects_what_ingest_rejects(tmp_path: Path) -> None:
    lines = [f"q{i},Ticket {i}?,{m},100%,$0.5\n" for i in range(60) for m in "ab"]
    path = saved(tmp_path, HEAD + "".join(lines) + "q60,Last?,a,so so,$0.5\n")
    code, said = run("check", "--data", path, "--prompts", path)
    assert code == 0, said
    assert 'left out 1 rows: outcomes.unreadable_quality (e.g. "so so")' in said


def test_an_empty_table_of_outcomes_names_no_model(tmp_path: Path) -> None:
    listed = saved(
        tmp_path,
        json.dumps({"m": {"mode": "chat", "input_cost_per_token": 1, "output_cost_per_token": 1}}),
        "list.json",
    )
    path = saved(tmp_path, "prompt_id,model,tier,quality,cost_usd\n")
    args = ["prices", "import", listed, "--date", "2026-01-01", "--out", tmp_path / "p.csv"]
    code, said = run(*args, "--data", path)
    assert code == 1
    assert "names no model" in said
    assert "rejected.parquet" in said


def test_a_scale_that_is_none_is_refused() -> None:
    for text in ("5", "a:b", "5:5", "0:inf"):
        with pytest.raises(DataError, match=r"scale"):
            _scale(text)


def test_marks_of_byte_order_and_hidden_files_are_passed_over(tmp_path: Path) -> None:
    one = HEAD + "q0,Peru?,a,1,0.1\n"
    two = HEAD.partition("\n")[2] + "q1,Chad?,a,0,0.1\n"
    mark = b"\xef\xbb\xbf"
    saved(tmp_path, mark + one.encode() + mark + two.encode(), "d/t.csv")
    saved(tmp_path, mark + b'{"prompt": "Togo?", "model": "b", "score": 1, "cost": 1}', "d/t.jsonl")
    saved(tmp_path, b"\x00\x05\x16\x07", "d/._t.csv")
    assert cells(ingest([tmp_path / "d"])) == [("a", 0), ("a", 1), ("b", 1)]


def test_ids_that_a_missing_one_made_fractions_meet_their_prompts(tmp_path: Path) -> None:
    outcomes = tmp_path / "o.parquet"
    table = {"prompt_id": [7.0, None], "model": "a", "quality": 1.0, "cost_usd": 0.1}
    pl.DataFrame(table).write_parquet(outcomes)
    prompts = saved(tmp_path, "prompt_id,prompt\n7,Peru?\n", "p.csv")
    assert cells(ingest([outcomes, prompts])) == [("a", 1)]


def test_a_request_in_a_cell_is_its_messages(tmp_path: Path) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Name a river."}]}
    rows = [{"prompt": json.dumps(body), "model": "a", "score": 1, "cost": 0.1}]
    path = saved(tmp_path, json.dumps(rows), "t.json")
    assert ingest([path]).prompts["prompt"].to_list() == ["Name a river."]
