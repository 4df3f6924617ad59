"""The command line: prompts and bodies by argument, file and standard input, and the knobs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router import Policy, Router
from router.cli.main import main

PROMPT = "How many primes lie below one hundred?"
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": PROMPT}]}
MESSAGES = {
    "model": "claude-sonnet-4-5", "max_tokens": 64, "system": "Answer briefly.",
    "messages": [{"role": "user", "content": [{"type": "text", "text": PROMPT}]}],
}  # fmt: skip
RESPONSES = {"model": "gpt-5", "instructions": "Answer briefly.", "input": PROMPT}


@pytest.fixture(scope="module")
def router(tiny_bundle: Path) -> Router:
    return Router.load(tiny_bundle)


def run(*arguments: object, stdin: bytes | str | None = None) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments], input=stdin)


def decided(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def expected(router: Router, body: object, policy: Policy | None = None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(router.route(body, policy).to_dict()))
    return found | {"warnings": []}


@pytest.mark.parametrize("prompt", [PROMPT, "Zwölf Bäume\nin zwei Reihen\n", "﻿marked"])
def test_standard_input_is_the_prompt(tiny_bundle: Path, router: Router, prompt: str) -> None:
    found = decided(run("route", tiny_bundle, "-", stdin=prompt.encode()))
    assert found == expected(router, prompt.removeprefix("﻿"))


def test_a_long_prompt_goes_through_a_real_pipe(tiny_bundle: Path, router: Router) -> None:
    prompt = "An essay about oaks. " * 20_000
    done = subprocess.run(
        [sys.executable, "-m", "router", "route", str(tiny_bundle), "-"],
        input=prompt.encode(), capture_output=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == expected(router, prompt)


@pytest.mark.parametrize("body", [CHAT, MESSAGES, RESPONSES, CHAT["messages"], {"prompt": PROMPT}])
@pytest.mark.parametrize("piped", [True, False])
def test_a_body_of_any_wire_is_routed(
    tiny_bundle: Path, router: Router, tmp_path: Path, body: object, *, piped: bool
) -> None:
    text = json.dumps(body)
    (tmp_path / "body.json").write_text(text)
    asked = ["--messages", "-"] if piped else ["--messages", tmp_path / "body.json"]
    found = run("route", tiny_bundle, *asked, stdin=text if piped else None)
    assert decided(found) == expected(router, body)


@pytest.mark.parametrize(
    "prompt",
    ["-5 + 3 = ?", "-5", "- one\n- two", "--- a/file\n+++ b/file", "-", "--threshold is what?",
     "-\u00fcber", "->", "--", "--messages=f\nwhat is that?"],
)  # fmt: skip
def test_a_prompt_may_begin_with_a_dash(tiny_bundle: Path, router: Router, prompt: str) -> None:
    behind = decided(run("route", tiny_bundle, "--threshold", 0.3, "--", prompt, stdin=prompt))
    assert behind == expected(router, prompt, Policy(threshold=0.3))
    if prompt not in ("-", "--", "--messages=f\nwhat is that?"):
        for order in ([prompt, "--threshold", 0.3], ["--threshold", 0.3, prompt]):
            assert decided(run("route", tiny_bundle, *order)) == behind


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-rf"], "goes last, behind --"),
        (["--verbose"], "goes last, behind --"),
        (["hi", "--treshold", "1"], "--threshold"),
        (["hi", "--threshold", "-1"], "threshold must lie between 0 and 1, got -1.0"),
        (["hi", "--threshold", "nan"], "got nan"),
        (["hi", "--threshold", "much"], "not a valid float"),
        (["hi", "--threshold", "0.5", "--min-quality", "0.5"], "threshold cannot be combined"),
        (["hi", "--requires", "tools,visoin"], "requires.visoin is unknown; known are vision"),
        (["hi", "--requires", "tools,"], "requires has a name missing"),
        (["hi", "--requires", "context=many"], "requires.context must be a number of tokens"),
        (["hi", "--requires", "context=" + "9" * 5000], "requires.context"),
        (["hi", "--allow", "nobody"], "allow"),
        ([], "give PROMPT or --messages FILE, got neither"),
        (["hi", "--messages", "-"], "got both"),
        ([""], "PROMPT is empty"),
        (["--messages", "no-such-file.json"], "no-such-file.json cannot be read: No such file"),
        (["--messages", "."], "cannot be read: Is a directory"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_would_work(
    tiny_bundle: Path, arguments: list[str], words: str
) -> None:
    done = run("route", tiny_bundle, *arguments)
    assert done.exit_code in (1, 2)
    assert done.stdout == ""
    assert words in done.stderr


@pytest.mark.parametrize(
    ("stdin", "as_prompt", "as_body"),
    [
        (b"", "standard input is empty", "standard input is empty"),
        (b" \n\t", "standard input is empty", "standard input is empty"),
        (b"caf\xe9", "not UTF-8: byte 3 is 0xe9", "not UTF-8: byte 3 is 0xe9"),
        ("hi".encode("utf-16"), "not UTF-8: byte 0 is 0xff", "not UTF-8"),
        (b"What is 2+2?", None, "is not JSON"),
        (b'{"messages": [', None, "is not JSON"),
        (b"42", None, "holds a JSON int"),
        (b"[" * 100_000, None, "nested too deeply"),
        (b'{"messages": []}', None, "messages"),
        (b'{"messages": [{"role": "user", "content": "\\ud83d"}], "threshold": "1"}', None,
         "threshold must be a number"),
    ],
)  # fmt: skip
def test_what_standard_input_lacks_is_told(
    tiny_bundle: Path, stdin: bytes, as_prompt: str | None, as_body: str
) -> None:
    for asked, words in ((["-"], as_prompt), (["--messages", "-"], as_body)):
        if words is not None:
            done = run("route", tiny_bundle, *asked, stdin=stdin)
            assert (done.exit_code, words in done.stderr) == (1, True), done.stderr


def test_half_a_surrogate_pair_is_read_as_the_service_reads_it(
    tiny_bundle: Path, router: Router
) -> None:
    body = b'{"prompt": "cut \\ud83d"}'
    found = decided(run("route", tiny_bundle, "--messages", "-", stdin=body))
    assert found == expected(router, "cut \ufffd")
    assert decided(run("route", tiny_bundle, "cut \udcff")) == found


def test_a_body_brings_its_knobs_and_options_replace_them(
    tiny_bundle: Path, router: Router
) -> None:
    body = {"prompt": PROMPT, "threshold": 0.1, "allowed_models": [router.arms[0].model]}
    asked = ["route", tiny_bundle, "--messages", "-"]
    found = decided(run(*asked, stdin=json.dumps(body)))
    assert found == expected(router, body) == expected(router, PROMPT, Policy.of(body))
    assert found["threshold"] == 0.1
    assert decided(run(*asked, "--threshold", 0.9, stdin=json.dumps(body)))["threshold"] == 0.9


def test_what_is_not_understood_is_told_beside_the_answer_and_in_it(tiny_bundle: Path) -> None:
    body = {"prompt": PROMPT, "treshold": 0.1, "budget_usd": 5}
    done = run("route", tiny_bundle, "--messages", "-", stdin=json.dumps(body))
    warnings = decided(done)["warnings"]
    assert [words.split()[0] for words in warnings] == ["unknown", "budget_usd:"]
    assert "did you mean `threshold`?" in warnings[0]
    assert done.stderr.splitlines() == [f"warning: {words}" for words in warnings]


@pytest.mark.parametrize("names", [["tools, json"], ["json", "tools"], ["json=true,tools"]])
def test_abilities_are_required_in_one_option_or_in_several(
    tiny_bundle: Path, tmp_path: Path, names: list[str]
) -> None:
    asked = [word for name in names for word in ("--requires", name)]
    for able, missing in (("json", "tools"), ("tools", "json")):
        (tmp_path / "c.toml").write_text(f'[models."*"]\n{able} = true\n{missing} = false\n')
        done = run("route", tiny_bundle, PROMPT, "--catalogue", tmp_path / "c.toml", *asked)
        assert f"requires=['{missing}'] leaves no arm" in done.stderr
    (tmp_path / "c.toml").write_text('[models."*"]\njson = true\ntools = true\n')
    decided(run("route", tiny_bundle, PROMPT, "--catalogue", tmp_path / "c.toml", *asked))


def test_abilities_of_a_body_stay_beside_those_of_the_command_line(tiny_bundle: Path) -> None:
    body = json.dumps({"prompt": PROMPT, "requires": {"json": True}})
    both = run("route", tiny_bundle, "--messages", "-", "--requires", "tools", stdin=body)
    assert both.output == run("route", tiny_bundle, PROMPT, "--requires", "tools,json").output


def test_explain_is_asked_alike(tiny_bundle: Path) -> None:
    body = json.dumps(CHAT | {"treshold": 1})
    done = run("explain", tiny_bundle, "--messages", "-", "--json", stdin=body)
    assert decided(done)["warnings"] == ["unknown field `treshold`: did you mean `threshold`?"]
    words = run("explain", tiny_bundle, "-", stdin=PROMPT)
    assert words.exit_code == 0
    assert words.output == run("explain", tiny_bundle, PROMPT).output
    assert run("explain", tiny_bundle, "-5 + 3 = ?").exit_code == 0


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
@given(st.binary(max_size=40) | st.text(max_size=20).map(str.encode))
def test_whatever_comes_in_there_is_an_answer_or_a_line(tiny_bundle: Path, stdin: bytes) -> None:
    for asked in (["-"], ["--messages", "-"]):
        done = run("route", tiny_bundle, *asked, stdin=stdin)
        assert done.exit_code in (0, 1)
        assert done.exception is None or isinstance(done.exception, SystemExit)
