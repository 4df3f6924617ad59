"""`tierwise init`: asked or told, it makes a router of somebody's own models, and says how sure."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result

from data.tables import Tables
from router import Policy, Router
from router.catalogue.catalogue import Catalogue
from router.cli.main import main
from router.core.bundle import find_bundle
from router.core.manifest import read_manifest
from router.types import Decision
from serving.settings import Settings
from tests.conftest import ROOT
from tests.training.edit.held_back import few_labels
from training.bundle.export import finish
from training.bundle.manifest import OUTCOMES
from training.prepare.cache import CACHE
from training.prepare.golden import GOLDEN_PROMPTS
from training.prior.likeness import UNCERTAINTY

THRESHOLDS = (0.0, 0.2, 0.35, 0.5, 0.65, 0.8, 1.0)
ENTER = ""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def done(*arguments: str | Path) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*arguments: str | Path) -> str:
    result = run("init", *arguments)
    assert result.exit_code != 0, result.output
    return " ".join(result.output.split())


@pytest.fixture(scope="module")
def base(tiny_bundle: Path) -> Router:
    return Router.load(tiny_bundle)


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def chosen(router: Router, policy: Policy) -> list[Decision]:
    return [router.route(text, policy) for text in GOLDEN_PROMPTS]


def test_the_list_says_what_is_known_of_every_arm(base: Router) -> None:
    text = done("init", "--list", "--base", base.bundle.path)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    for info in base.manifest.arms:
        name = info.arm.id.removesuffix("|default")
        (line,) = [x for x in lines if x.split()[:1] == [name] and "outcomes" in x]
        assert f"{info.mean_quality:.2f} ± 0.0" in line
        assert f"{info.rows} outcomes" in line
    counts = base.manifest.training[OUTCOMES]
    assert all(sum(counts[i.arm.id].values()) == i.rows for i in base.manifest.arms)
    assert all(kind in text for kinds in counts.values() for kind in kinds)


def test_what_it_writes_runs_without_another_option(base: Router, tmp_path: Path) -> None:
    out, some = tmp_path / "my", base.arms[0].model
    text = done("init", "--models", some, base.arms[2].id, "--base", base.bundle.path, "--out", out)
    assert f"tierwise serve {out}" in text
    assert done("catalogue", "check", out / "catalogue.toml", "--bundle", out)
    settings = Settings.from_env({"TIERWISE_BUNDLE": str(out)})
    assert (settings.bundle, settings.catalogue) == (out, out / "catalogue.toml")
    assert f'"model": "{some}"' in done("route", out, "Hello", "--allow", some)
    mine = Router.load(out)
    assert {arm.model for arm in mine.arms} == {some, base.arms[2].model}
    # the catalogue as written replaces nothing
    over = mine.recatalogued(Catalogue.load(out / "catalogue.toml"))
    assert over.overlay is not None
    assert not over.overlay.repriced
    assert over.manifest.arms == mine.manifest.arms
    assert chosen(over, Policy()) == chosen(mine, Policy())


def test_a_price_that_is_edited_there_counts(base: Router, tmp_path: Path) -> None:
    out = tmp_path / "my"
    done("init", "*", "--base", base.bundle.path, "--out", out)
    first = base.arms[0].model
    before = done("explain", out, "Hello", "--json", "--allow", first)
    text = (out / "catalogue.toml").read_text("utf-8")
    raw = tomllib.loads(text)
    price = raw["models"][first]["price"]["usd_per_1m_output"]
    assert price == base.manifest.arms[0].usd_per_1m_output
    (out / "catalogue.toml").write_text(text.replace(f" = {price}", f" = {1000 * price}"), "utf-8")
    assert done("explain", out, "Hello", "--json", "--allow", first) != before


def test_the_models_that_one_has_decide_as_allowed_models_does(
    base: Router, tmp_path: Path
) -> None:
    rng, models = np.random.default_rng(0), sorted({arm.model for arm in base.arms})
    for number in range(4):
        some = rng.choice(models, 2 + number % 3, replace=False).tolist()
        out = tmp_path / str(number)
        done("init", *some, "--base", base.bundle.path, "--out", out)
        mine = Router.load(out)
        for threshold in THRESHOLDS:
            allowed = chosen(base, Policy(threshold=threshold, allowed_models=tuple(some)))
            own = chosen(mine, Policy(threshold=threshold))
            for a, b in zip(allowed, own, strict=True):
                assert (a.arm, a.fallbacks, a.predicted) == (b.arm, b.fallbacks, b.predicted)
                assert a.expected_cost_usd == b.expected_cost_usd


def test_own_names_change_nothing_but_names(base: Router, tmp_path: Path) -> None:
    first, second = base.arms[0].model, base.arms[-1].model
    plain, named = tmp_path / "plain", tmp_path / "named"
    done("init", first, second, "--base", base.bundle.path, "--out", plain)
    done(
        "init", first, second, "--name", f"eu/ours={first}",
        "--base", base.bundle.path, "--out", named,
    )  # fmt: skip
    a, b = Router.load(plain), Router.load(named)
    assert {arm.model for arm in b.arms} == {"eu/ours", second}
    assert b.catalogue.family("eu/ours") == a.catalogue.family(first)
    for threshold in THRESHOLDS:
        policy = Policy(threshold=threshold)
        for old, new in zip(chosen(a, policy), chosen(b, policy), strict=True):
            assert new.predicted == old.predicted
            assert new.arm.model == ("eu/ours" if old.arm.model == first else old.arm.model)
    assert "eu/ours" in done("init", "--list", "--base", named)


def test_an_own_name_is_read_by_the_tokenizer_of_the_model(base: Router, tmp_path: Path) -> None:
    text = "Ein längerer Satz, den zwei Tokenizer verschieden zählen würden: 12345678." * 20
    counts = {}
    for public in ("claude-3-haiku", "gpt-4o"):
        out, again = tmp_path / public, tmp_path / f"{public}-own"
        first = base.arms[0].model
        done("init", "*", "--name", f"{public}={first}", "--base", base.bundle.path, "--out", out)
        done("init", "*", "--name", f"house={public}", "--base", out, "--out", again)
        (count,) = {
            Router.load(folder).route(text, Policy(allowed_models=name)).predicted.input_tokens
            for folder, name in ((out, public), (again, "house"))
        }
        counts[public] = count
    assert len(set(counts.values())) == 1  # both are known as the base's model


def test_a_model_by_likeness_is_less_sure(base: Router, tmp_path: Path) -> None:
    like = base.manifest.arms[1]
    out = tmp_path / "my"
    text = done(
        "init", base.arms[0].model, "--like", f"mine={like.arm.id},-0.03", "--price", "mine=0:0",
        "--base", base.bundle.path, "--out", out,
    )  # fmt: skip
    assert f"likeness to {like.arm.id.removesuffix('|default')}" in text
    assert "Nobody has measured mine" in text
    mine, tier = Router.load(out), like.tier
    assert base.arms[1] not in mine.arms
    known = base.bundle.score_texts(list(GOLDEN_PROMPTS))
    found = mine.bundle.score_texts(list(GOLDEN_PROMPTS))
    at = mine.arm_ids.index(f"mine|{tier}")
    inside = found.in_distribution == 1.0
    gap = np.clip(known.quality[:, 1] - 0.03, 0, 1) - found.quality[:, at]
    assert np.abs(gap[inside]).max() < 1e-6
    wider = np.hypot(known.quality_se[:, 1], UNCERTAINTY)
    assert found.quality_se[inside, at] == pytest.approx(wider[inside], abs=1e-6)
    assert (found.cost_usd[:, at] == 0).all()
    decision = mine.route("Hello there, what is 2+2?", Policy(allowed_models="mine"))
    assert decision.reasons[-1].code == "likened"
    assert mine.manifest.training["changes"][0]["change"] == "likened"


def test_a_likeness_without_a_tier_has_every_tier(base: Router, tmp_path: Path) -> None:
    tiers = {}
    for arm in base.arms:
        tiers.setdefault(arm.model, set()).add(arm.tier)
    model = max(tiers, key=lambda name: len(tiers[name]))
    assert len(tiers[model]) > 1
    done("init", model, "--like", f"mine={model}", "--base", base.bundle.path,
         "--out", tmp_path / "my")  # fmt: skip
    arms = Router.load(tmp_path / "my").arms
    assert {arm.tier for arm in arms if arm.model == "mine"} == tiers[model]


def test_a_model_by_labels(base: Router, world_tables: Tables, tmp_path: Path) -> None:
    gone = base.arms[1]
    done("remove-model", base.bundle.path, gone.model, "--out", tmp_path / "without")
    few_labels(world_tables, [gone], 120, 0).outcomes.write_parquet(tmp_path / "o.parquet")
    world_tables.prompts.write_parquet(tmp_path / "p.parquet")
    text = done(
        "init", base.arms[0].model, "--labels", tmp_path / "o.parquet",
        "--prompts", tmp_path / "p.parquet", "--base", tmp_path / "without",
        "--out", tmp_path / "my", "--cache", CACHE,
    )  # fmt: skip
    assert "120 outcomes" in text
    mine = Router.load(tmp_path / "my")
    assert {arm.model for arm in mine.arms} == {base.arms[0].model, gone.model}


def test_prices_are_of_a_list_or_of_flags_and_by_either_name(base: Router, tmp_path: Path) -> None:
    first, second, third = (base.arms[i].model for i in (0, 1, 2))
    rows = {"model": [second, third, "someone-elses"], "usd_per_1m_input": [1.0, 2.0, 3.0]}
    prices = pl.DataFrame(rows).with_columns(usd_per_1m_output=pl.col("usd_per_1m_input") * 2)
    prices.write_csv(tmp_path / "p.csv")
    done(
        "init", first, second, third, "--name", f"a={first}", "--price", "a=7:8",
        "--prices", tmp_path / "p.csv", "--price", f"{third}=0.5:0.6",
        "--base", base.bundle.path, "--out", tmp_path / "my",
    )  # fmt: skip
    found = {i.model: i.usd_per_1m_input for i in Router.load(tmp_path / "my").manifest.arms}
    assert found == {"a": 7.0, second: 1.0, third: 0.5}


def test_the_same_answers_give_the_same_bytes(base: Router, tmp_path: Path) -> None:
    asked = (
        "init", base.arms[0].model, base.arms[2].model, "--name", f"a={base.arms[0].model}",
        "--like", f"b={base.arms[1].model},0.01,0.2", "--price", "b=0.1:0.2",
        "--base", base.bundle.path, "--out",
    )  # fmt: skip
    done(*asked, tmp_path / "one")
    done(*asked, tmp_path / "two")
    one, two = content(tmp_path / "one"), content(tmp_path / "two")
    assert one == two
    assert set(one) >= {"bundle/manifest.json", "bundle/router.onnx", "catalogue.toml"}


def test_nonsense_is_refused_with_the_name_that_was_meant(base: Router, tmp_path: Path) -> None:
    here = ("--base", base.bundle.path, "--out", tmp_path / "my")
    first, second = base.arms[0].model, base.arms[2].model
    slip = first[:-1] + ("x" if first[-1] != "x" else "y")
    cases: list[tuple[tuple[str, ...], str]] = [
        ((slip,), f"did you mean {first}"),
        ((first, second, "--price", f"{slip}=1:2"), f"did you mean {first}"),
        ((first, "--name", f"a={slip}"), f"did you mean {first}"),
        ((first, "--like", f"a={slip}"), f"did you mean {first}"),
        ((first, "--like", f"a={first}|nothing"), "the tiers are"),
        (("zzz*",), "it knows"),
        ((first, "--price", f"{first}=1"), "MODEL=IN:OUT"),
        ((first, "--price", f"{first}=-1:2"), "must be >= 0"),
        ((first, "--price", f"{first}=nan:2"), "must be >= 0"),
        ((first, "--name", "a"), "MINE=MODEL"),
        ((first, second, "--name", f"{second}={first}"), "the name of two models"),
        ((first, second, "--name", f"a={first}", "--name", f"b={first}"), "two names"),
        ((first, second, "--name", f"a={first}", "--name", f"a={second}"), "of both"),
        ((first, "--like", f"{second}={first}"), "no likeness is needed"),
        ((first, "--like", f"a={first},x"), "MINE=MODEL[,OFFSET"),
        ((first, "--like", f"a={first},0,2"), "uncertainty from 0 to 1"),
        ((base.arms[0].id,), "needs two models or tiers"),
        (("--labels", "o.parquet"), "belong together"),
    ]
    for arguments, words in cases:
        assert words in refused(*arguments, *here), arguments
    assert not (tmp_path / "my").exists()
    assert "--list shows them" in refused(*here)


def test_what_is_there_is_not_written_over_unasked(base: Router, tmp_path: Path) -> None:
    here = ("*", "--base", base.bundle.path, "--out", tmp_path / "my")
    (tmp_path / "my").mkdir()
    (tmp_path / "my" / "letter.txt").write_text("dear")
    assert "is not one of ours" in refused(*here, "--force")
    (tmp_path / "my" / "letter.txt").unlink()
    done("init", *here)
    assert "--force" in refused(*here)
    done("init", *here, "--force")


@pytest.fixture(scope="module")
def aged(base: Router, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle, whose first model answers no more."""
    folder = tmp_path_factory.mktemp("aged") / "bundle"
    shutil.copytree(find_bundle(base.bundle.path), folder)
    manifest, old = read_manifest(folder), base.arms[0].model
    arms = tuple(
        replace(i, retired="2026-01-05" if i.model == old else None) for i in manifest.arms
    )
    decision = replace(manifest.decision, today="2026-11-26")
    finish(folder, replace(manifest, arms=arms, decision=decision))
    return folder


def test_what_answers_no_more_is_left_out_and_said(
    base: Router, aged: Path, tmp_path: Path
) -> None:
    old = base.arms[0].model
    text = done("init", "*", "--base", aged, "--out", tmp_path / "my")
    assert f"{old} (2026-01-05)" in " ".join(text.split())
    assert old not in {arm.model for arm in Router.load(tmp_path / "my").arms}
    assert "answers no more since 2026-01-05" in refused(
        old, base.arms[2].model, "--base", aged, "--out", tmp_path / "b"
    )
    served = ("--name", f"house={old}", "--base", aged, "--out", tmp_path / "c")
    done("init", old, base.arms[2].model, *served)
    mine = Router.load(tmp_path / "c")
    assert "house" in {arm.model for arm in mine.arms}
    assert mine.present.all()


class Terminal:
    """A child process on a terminal of 80 columns."""

    def __init__(self, *arguments: str | Path) -> None:
        self.screen, self.asked = b"", 0
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            # a job in the background has it ignored, and so would this one
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.environ |= {"PYTHONPATH": str(ROOT), "COLUMNS": "80", "TERM": "xterm"}
            os.execv(sys.executable, [sys.executable, "-m", "router", *map(str, arguments)])  # noqa: S606

    def until(self, words: str, seconds: float = 120) -> None:
        """Read until it says so, after the last answer."""
        limit = time.monotonic() + seconds
        while words not in self.text[self.asked :]:
            assert time.monotonic() < limit, self.text
            if select.select([self.fd], [], [], 1)[0]:
                try:
                    self.screen += os.read(self.fd, 65536)
                except OSError:
                    assert words in self.text[self.asked :], self.text

    @property
    def text(self) -> str:
        return self.screen.decode("utf-8", "replace").replace("\r\n", "\n")

    def answer(self, text: str) -> None:
        self.asked = len(self.text)
        os.write(self.fd, f"{text}\n".encode())

    def end(self, seconds: float = 120) -> int:
        """Its exit code, once all was read."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            if select.select([self.fd], [], [], 1)[0]:
                try:
                    part = os.read(self.fd, 65536)
                except OSError:
                    break
                self.screen += part
        else:
            os.kill(self.pid, signal.SIGKILL)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_on_a_terminal_it_asks(base: Router, tmp_path: Path) -> None:
    first, second, like = base.arms[0].model, base.arms[2].model, base.arms[1].id
    out = tmp_path / "asked"
    screen = Terminal("init", "--base", base.bundle.path, "--out", out)
    for said, answer in (
        (("[all]:",), f"{first[:-1]}?x {second}"),
        (("did you mean", "[all]:"), f"{first}, {second}"),
        (("[none]:",), f"mine={like},0.01"),
        (("These are yours", "[as they are]:"), f"ours={first}"),
        (("[as listed]:",), "mine=0.1"),
        (("MODEL=IN:OUT, US", "[as listed]:"), "mine=0.1:0.2"),
        (("5. Folder", "]:"), ENTER),
        (("[Y/n]:",), ENTER),
    ):
        for words in said:
            screen.until(words)
        screen.answer(answer)
    screen.until("tierwise serve")
    assert screen.end() == 0, screen.text
    if folder := os.environ.get("TIERWISE_SCREENS"):
        Path(folder, "init.txt").write_text(screen.text, "utf-8")
    shown = [line for line in screen.text.splitlines() if str(tmp_path) not in line]
    assert max(len(line) for line in shown) <= 80
    told = (
        first, second, "--like", f"mine={like},0.01", "--name", f"ours={first}",
        "--price", "mine=0.1:0.2", "--base", base.bundle.path, "--out", tmp_path / "told",
    )  # fmt: skip
    done("init", *told)
    assert content(out) == content(tmp_path / "told")


def test_leaving_it_leaves_nothing(base: Router, tmp_path: Path) -> None:
    screen = Terminal("init", "--base", base.bundle.path, "--out", tmp_path / "my")
    screen.until("[all]:")
    screen.answer("all")
    screen.until("[none]:")
    os.write(screen.fd, b"\x03")
    assert screen.end() == 130
    assert "Nothing was written." in screen.text
    assert "Traceback" not in screen.text
    assert list(tmp_path.iterdir()) == []
