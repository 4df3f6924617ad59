"""A newer catalogue over a bundle, and the check of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from router import Policy, Router
from router.catalogue.catalogue import Catalogue
from router.catalogue.hints import tier_document
from router.cli.main import main
from router.errors import BundleError
from router.types import Arm
from tests.conftest import ROOT

PROMPT = "What is 17*23?"


@pytest.fixture(scope="module")
def router(tiny_bundle: Path) -> Router:
    return Router.load(tiny_bundle)


def priced(usd: float, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"price": {"usd_per_1m_input": usd, "usd_per_1m_output": usd}, **more}


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return done.exit_code, done.output


def test_an_empty_catalogue_changes_no_decision(router: Router) -> None:
    for threshold in (0.0, 0.4, 1.0):
        policy = Policy(threshold=threshold)
        newer = router.recatalogued(Catalogue())
        assert newer.route(PROMPT, policy) == router.route(PROMPT, policy)


def test_new_prices_rule_and_the_old_promise_is_not_repeated(router: Router) -> None:
    models = [arm.model for arm in router.arms]
    dear = {model: priced(100.0) for model in models[1:]}
    newer = router.recatalogued(Catalogue.of({"models": {models[0]: priced(0.001), **dear}}))
    decision = newer.route(PROMPT, Policy(threshold=0.0))
    assert decision.arm.model == models[0]
    assert decision.expected_cost_usd is None
    again = router.recatalogued(Catalogue.of({"models": {models[0]: priced(0.002), **dear}}))
    assert newer.overlay is not None
    assert again.overlay is not None
    assert newer.overlay.id != again.overlay.id
    assert router.route(PROMPT, Policy(threshold=0.0)).expected_cost_usd is not None


def test_new_abilities_health_and_tiers_reach_the_decision(router: Router) -> None:
    name = router.arms[0].model
    raw = {
        "models": {name: {"vision": True}, "*": {"health": "down"}},
        "tiers": {"*": {"style": "concise"}},
    }
    decision = router.recatalogued(Catalogue.of(raw)).route(PROMPT)
    assert decision.arm.model == name
    assert decision.to_dict()["tier"]["prompt_suffix"].startswith("Answer as briefly")
    assert decision.expected_cost_usd is not None


def test_what_a_newer_catalogue_leaves_out_stays(router: Router) -> None:
    name, other = router.arms[0].model, router.arms[1].model
    raw = {
        "models": {name: {"family": "acorn"}, other: {"family": "elm"}},
        "tiers": {"*": {"style": "concise"}},
    }
    first = router.recatalogued(Catalogue.of(raw))
    newer = Catalogue.of({"models": {"*": {"health": "down"}, name: {"tools": True}}})
    both = first.recatalogued(newer)
    assert [both.catalogue.family(model) for model in (name, other)] == ["acorn", "elm"]
    assert both.catalogue.model(other).health == "down"
    assert both.route(PROMPT).arm.model == name
    up = both.recatalogued(Catalogue.of({"models": {other: {"health": "up"}}}))
    assert up.catalogue.model(other).health == "up"
    assert both.tiers[router.arms[0].id]["spec"] == {"style": "concise"}


def test_a_tier_that_cannot_be_told_is_refused(router: Router) -> None:
    with pytest.raises(BundleError, match="thinking_tokens is a budget that the openai API"):
        router.recatalogued(Catalogue.of({"tiers": {"*": {"thinking_tokens": 9}}}))


def test_route_takes_a_catalogue_and_a_deadline(router: Router, tmp_path: Path) -> None:
    path = tmp_path / "catalogue.toml"
    path.write_text(
        '[models."*".latency]\nfirst_token_ms = {p90 = 50}\noutput_token_ms = {p90 = 0.01}\n'
        '[tiers."*"]\nreasoning_effort = "low"\n'
    )
    asked = ["route", router.bundle.path, PROMPT, "--max-latency-ms"]
    code, said = run(*asked, 1000, "--catalogue", path)
    assert code == 0, said
    assert json.loads(said)["tier"]["request"] == {"reasoning_effort": "low"}
    assert run(*asked, 1, "--catalogue", path)[0] == 1
    assert "no arm's latency is known" in run(*asked, 1000)[1]


def test_check_says_what_a_catalogue_holds_and_what_it_lacks(
    router: Router, tmp_path: Path
) -> None:
    path = tmp_path / "catalogue.json"
    path.write_text(json.dumps({"models": {"*": priced(1.0)}}))
    code, said = run("catalogue", "check", path, "--bundle", router.bundle.path)
    assert code == 0, said
    assert said.startswith("1 models (1 priced), 0 tiers\n")
    assert "max_latency_ms excludes 6 of 6 arms" in said
    path.write_text(json.dumps({"models": {router.arms[0].model: priced(1.0)}}))
    code, said = run("catalogue", "check", path, "--bundle", router.bundle.path)
    assert code == 1
    assert f"{router.arms[1].model} has no price" in said
    path.write_text('{"model": {}}')
    code, said = run("catalogue", "check", path)
    assert (code, "unknown key model; did you mean models?" in said) == (1, True)


def test_the_example_of_the_readme_is_a_catalogue(tmp_path: Path) -> None:
    text = (ROOT / "router" / "README.md").read_text("utf-8")
    path = tmp_path / "catalogue.toml"
    path.write_text(text.split("```toml\n")[1].split("```")[0])
    found = Catalogue.load(path)
    for name in found.tiers:
        model, _, tier = name.rpartition("|")
        arm = Arm({"acorn-*": "acorn-large-2", "": "sapling-8b"}.get(model, model), tier)
        assert set(tier_document(found, arm)) > {"name", "spec"}
    assert "catalogue check" in text
