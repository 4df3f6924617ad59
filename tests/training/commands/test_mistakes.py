"""Ordinary mistakes, as typed: a few lines that say what was found and what would work."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from router.cli.main import main

WIDE = 80  # characters of a terminal's line
HEAD = ("prompt_id", "prompt", "model", "quality", "cost_usd")
NOT_OURS = re.compile(
    r"[Ss]chema|ShapeError|ComputeError|ColumnNotFound|LazyFrame|truncate_ragged|infer_|ndjson_|"
    r"[Pp]olars|pyarrow|dtype|Utf8|Int64|Float64|Traceback|\bErrno\b|\bNone\b|KeyError|ValueError"
)
DATA = "--data outcomes.parquet --prompts prompts.parquet"

MISTAKES = """
data ingest none.csv --out o | none.csv is not a file
data ingest empty.csv --out o | empty.csv: the file holds no row
data ingest empty.parquet --out o | empty.parquet cannot be read
data ingest head.csv --out o | no row in head.csv
data ingest words.txt --out o | words.txt is of an unknown kind; what is read: .parquet, .csv
data ingest torn.json --out o | torn.json cannot be read as JSON
data ingest bytes.csv --out o | save it as UTF-8
data ingest sheet.xlsx --out o | save the sheet as CSV
data ingest folder --out o | nothing to read in folder
data ingest no_quality.csv --out o | no column of scores; there are prompt_id, prompt, model
data ingest no_model.csv --out o | --column model=NAME
data ingest no_prompt.csv --out o | give a table with prompt_id and prompt as well
data ingest no_cost.csv --out o | give --prices FILE, or cost_usd
data ingest ratings.csv --out o | give --scale 1:5
data ingest other.parquet --out o | neither long (a model and a score column) nor wide
data ingest good.csv --from litelm --out o | did you mean litellm?
data ingest good.csv --from litellm --out o | give a table of prompt_id
data ingest good.csv --column quality=qualty --out o | the nearest are quality
data ingest good.csv --column quality --out o | OURS=THEIRS, got 'quality'
data ingest good.csv --scale 5 --out o | such as 1:5; got '5'
data ingest good.csv --tokens 5 --out o | such as 200:300; got '5'
data ingest good.csv --prices none.csv --out o | none.csv is not a file
data ingest good.csv --prices other.csv --out o | other.csv lacks model
data ingest good.csv --labels good.csv --out o | needs a column of ids
data ingest good.csv --models zz --out o | no column 'zz' for a model
data ingest good.csv --out good.csv | good.csv: is a file, where a folder is needed
data ingest good.csv | Missing option '--out'
data check --data none.csv --prompts good.csv | none.csv is not a file
data check --data empty.csv --prompts empty.csv | lacks 'prompt_id'; the file is empty
data check --data no_quality.csv --prompts good.csv | outcomes lacks 'quality'; it has prompt_id
data check --data good.csv --prompts no_prompt.csv | prompts lacks 'prompt'
data check --data folder --prompts good.csv | folder is not a file
data check --data words.txt --prompts good.csv | what is read: .parquet, .csv
data check --data ratings.csv --prompts good.csv | give --scale 1:5
data prices import none.json --date 2026-01-01 --out p.csv | none.json is not a file
data prices import torn.json --date 2026-01-01 --out p.csv | torn.json cannot be read as JSON
data prices import torn.json --date soon --out p.csv | 'soon' does not match
data fetch nosuch | no set 'nosuch'
data simulate --out s --arms 1 | 1 is not in the range
data simulat | Did you mean 'simulate'?
train --data none.csv --prompts good.csv --out b | none.csv is not a file
train --data head.csv --prompts head.csv --out b | rejected: none, for it is empty
train --data no_cost.csv --prompts good.csv --out b | give --prices FILE, or cost_usd
train --data ratings.csv --prompts good.csv --out b | give --scale 1:5
train --data good.csv --prompts prompts.parquet --out b | 100 outcomes.unknown_prompt
train --data bytes.csv --prompts good.csv --out b | save it as UTF-8
train --data nested.parquet --prompts good.csv --out b | did you mean 'quality|quality'?
train --data good.csv --prompts good.csv --config none.toml --out b | none.toml cannot be read
train --data good.csv --prompts good.csv --config slip.toml --out b | mean arms.min_coverage?
train --data good.csv --prompts good.csv --pairs good.csv --out b | pairs lacks 'arm_a'
train --data good.csv --prompts good.csv --base none --out b | none is not a folder
train --data good.csv --prompts good.csv --out good.csv | name a new or an empty folder
evaluate none {DATA} | none is not a folder
evaluate good.csv {DATA} | good.csv is not a folder
evaluate folder {DATA} | folder has no manifest.json
evaluate bundle --data good.csv --prompts good.csv | the table has no outcome of
evaluate bundle {DATA} --split dev | 'dev' is not one of 'test', 'train', 'all'
evaluate bundle {DATA} --prices other.csv | other.csv lacks model
sweep bundle --data none.csv --prompts prompts.parquet | none.csv is not a file
sweep bundle --data no_quality.csv --prompts good.csv | outcomes lacks 'quality'
calibrate bundle --prompts empty.csv | prompts lacks 'prompt'
calibrate bundle --prompts prompts.parquet --share half | MODEL=SHARE
calibrate bundle {DATA} --max-quality-drop 2 | must lie in [0, 1), got 2.0
decide --bundle bundle --prompts none.parquet --out d | none.parquet is not a file
decide --bundle bundle --prompts good.csv --out d | tierwise data ingest FILE --out tables
decide --bundle bundle --prompts other.parquet --out d | lacks prompt_id, prompt; it has a
decide --bundle bundle --prompts folder --out d | folder holds no Parquet file
decide --bundle bundle --prompts prompts.parquet --out d --threshold 2 | 2.0 is not in the range
score --bundle bundle --prompts empty.csv --out s | tierwise data ingest FILE --out tables
score --bundle bundle --prompts prompts.parquet --data other.parquet --out s | lacks prompt_id
inspect none | none is not a folder
inspect good.csv | good.csv is not a folder
inspect | Missing argument 'BUNDLE'
verify folder | folder has no manifest.json
route bundle | give PROMPT or --messages FILE, got neither
route bundle '' | there is nothing to route
route bundle hi --threshold 2 | threshold must lie between 0 and 1, got 2.0
route bundle hi --threshold much | 'much' is not a valid float
route bundle hi --treshold 0.3 | Did you mean '--threshold'?
route bundle hi --allow zz | leaves no arm
route bundle --messages torn.json | torn.json is not JSON
route bundle hi --requires wings | known are vision
route bundle hi --catalogue none.json | none.json: there is no such file
explain bundle hi --min-quality 3 | min_quality must lie between 0 and 1
gate bundle --incumbent none {DATA} | none is not a folder
gate bundle --incumbent bundle --data outcomes.parquet | --data and --prompts belong together
gate bundle --incumbent bundle --log folder | is it the service's TIERWISE_LOG_DIR?
promote none --store st | none is not a folder
promote bundle --store good.csv | good.csv is a file; a store is a folder
promote bundle --store st --gate none.json | none.json: there is no such file
promote bundle --store st --gate torn.json | torn.json is no gate's record
promote bundle --store st --gate other.json | tierwise gate … --json FILE writes one
rollback --store st | nothing is live; promote what is to answer
history --store good.csv | good.csv is a file; a store is a folder
retrain --log none --base bundle --out r | is it the service's TIERWISE_LOG_DIR?
retrain --log folder --base bundle --out r --data outcomes.parquet | belong together
status bundle --log folder | holds no segment of a decision log
status none | none is not a folder
remove-model bundle zz --out r | the bundle has no 'zz'
reprice bundle --prices other.csv --out r | other.csv lacks model
allocate bundle --prompts none.csv --budget-usd 1 | none.csv is not a file
serve none | none is not a folder
trian --data good.csv | No such command 'trian'
"""


def mistakes() -> Iterator[tuple[str, str]]:
    for line in MISTAKES.strip().splitlines():
        command, _, said = line.replace("{DATA}", DATA).partition(" | ")
        yield command, said


@pytest.fixture(scope="module")
def folder(tiny_bundle: Path, world_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of which each is wrong in one way, beside a good bundle with its tables."""
    here = tmp_path_factory.mktemp("m")
    (here / "bundle").symlink_to(tiny_bundle)
    for name in ("outcomes.parquet", "prompts.parquet"):
        (here / name).symlink_to(world_files / name)
    rows = [
        dict(zip(HEAD, (f"q{i}", f"What about {i}?", model, i % 2, 0.1), strict=True))
        for i in range(50)
        for model in "ab"
    ]
    good = pl.DataFrame(rows)
    good.write_csv(here / "good.csv")
    for name in HEAD[1:]:
        good.drop(name).write_csv(here / f"no_{name.removesuffix('_usd')}.csv")
    good.with_columns(quality=pl.int_range(100) % 5 + 1).write_csv(here / "ratings.csv")
    good.with_columns(quality=pl.struct("quality")).write_parquet(here / "nested.parquet")
    good.clear().write_csv(here / "head.csv")
    pl.DataFrame({"a": [1]}).write_parquet(here / "other.parquet")
    texts = {
        "empty.csv": "", "empty.parquet": "", "torn.json": "{not json", "other.json": "{}",
        "words.txt": "hello there\nthis is no table\n", "other.csv": "a,b\n1,2\n",
        "slip.toml": "[arms]\nmin_coverge = 0.9\n",
    }  # fmt: skip
    for name, text in texts.items():
        (here / name).write_text(text)
    (here / "bytes.csv").write_bytes(bytes(range(256)) * 20)
    (here / "sheet.xlsx").write_bytes(b"PK\x03\x04" + bytes(50))
    (here / "folder").mkdir()
    return here


@pytest.mark.parametrize(("command", "said"), list(mistakes()))
def test_a_mistake_is_told_in_a_few_lines(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: str, said: str
) -> None:
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(main, shlex.split(command))
    assert isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code in (1, 2)
    assert said in done.output
    rows = sum(max(1, -(-len(line) // WIDE)) for line in done.stderr.splitlines())
    assert rows < 5, done.stderr
    assert not NOT_OURS.findall(done.output)


def test_verbose_says_the_rest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    command = "decide --bundle bundle --prompts good.csv --out d"
    short = CliRunner().invoke(main, command.split()).stderr
    whole = CliRunner().invoke(main, [*command.split(), "--verbose"]).stderr
    assert short.endswith("(--verbose says more)\n")
    assert whole.startswith(short.removesuffix(" (--verbose says more)\n"))
    assert len(whole.splitlines()) > len(short.splitlines())


TERMINAL = {"TTY_COMPATIBLE": "1", "COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"}


def test_tables_fit_the_terminal_and_lines_are_whole_where_output_is_piped(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    asked = ["gate", "bundle", "--incumbent", "bundle", *DATA.split()]
    drawn = CliRunner().invoke(main, asked, env=TERMINAL).stdout.splitlines()
    piped = CliRunner().invoke(main, asked).stdout.splitlines()
    assert max(map(len, drawn[1:])) <= WIDE < max(map(len, piped[1:]))
    assert len(drawn) > len(piped)
    words = " ".join(" ".join(drawn).split())
    assert all(line.split("  ")[-1] in words for line in piped[2:])


@pytest.mark.parametrize("command", ["decide", "score"])
def test_progress_is_drawn_on_a_terminal_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: str, tmp_path: Path
) -> None:
    monkeypatch.chdir(folder)
    asked = [command, "--bundle", "bundle", "--prompts", "few.parquet", "--workers", "1"]
    pl.read_parquet("prompts.parquet").head(20).write_parquet("few.parquet")
    drawn = CliRunner().invoke(main, [*asked, "--out", str(tmp_path / "a")], env=TERMINAL)
    piped = CliRunner().invoke(main, [*asked, "--out", str(tmp_path / "b")])
    assert drawn.exit_code == piped.exit_code == 0
    assert "20/20" in drawn.stderr
    assert piped.stderr == ""
