"""LiteLLM's price file as dated data, and what changed between two of them."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from data.errors import DataError
from data.pricelists import diff_lists, read_abilities, read_list
from data.prices import PriceTable
from data.public_models import public_models, write_public
from router.catalogue.catalogue import Catalogue
from router.cli.main import main

FIXTURES = Path(__file__).parent / "fixtures"  # made-up models in LiteLLM's layout
OCTOBER = FIXTURES / "prices_2026_10.json"
NOVEMBER = FIXTURES / "prices_2026_11.json"
DAY = date(2026, 10, 1)


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["data", "prices", *map(str, arguments)])
    return done.exit_code, done.output


def test_a_price_per_token_becomes_one_per_million_and_dated() -> None:
    price = read_list(OCTOBER, DAY).prices["oak/acorn-large"]
    assert (price.usd_per_1m_input, price.usd_per_1m_output) == (3.0, 15.0)
    assert (price.usd_per_1m_cached_input, price.usd_per_1m_cache_write) == (0.3, 3.75)
    assert price.usd_per_1m_reasoning == 15.0
    assert price.valid_from == DAY
    assert read_list(OCTOBER).prices["acorn-small"].usd_per_1m_input == 0.15  # written as text


def test_only_models_that_answer_prompts_are_read_and_none_without_a_price() -> None:
    found = read_list(OCTOBER)
    assert set(found.prices) == {"oak/acorn-large", "acorn-small", "birch/twig", "elm/twig"}
    assert found.unpriced == {
        "willow-free-tier": "both prices are 0, which says nothing",
        "oak/acorn-preview": "input_cost_per_token is None",
    }
    assert found.by_length == ("oak/acorn-large",)


def test_an_asked_model_is_found_without_its_provider_if_only_one_has_it() -> None:
    found = read_list(OCTOBER).pick(["acorn-large", "acorn-small"], {"mine": "elm/twig"})
    assert sorted(found.prices) == ["acorn-large", "acorn-small", "mine"]
    assert found.prices["mine"].usd_per_1m_input == 0.2
    assert found.abilities["acorn-large"]["vision"] is True


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("twig", "no price for twig: it is not in the list; say --rename twig=NAME with one of"),
        ("acorn-smal", "with one of acorn-small"),
        ("willow-free-tier", "no price for willow-free-tier: both prices are 0"),
    ],
)
def test_an_unpriced_model_is_an_error_that_says_what_would_work(model: str, words: str) -> None:
    with pytest.raises(DataError) as caught:
        read_list(OCTOBER).pick([model], {})
    assert words in str(caught.value)


def test_import_writes_a_table_and_a_catalogue_that_are_read_back(tmp_path: Path) -> None:
    table, catalogue = tmp_path / "prices.csv", tmp_path / "catalogue.json"
    code, said = run(
        "import", OCTOBER, "--date", "2026-10-01", "--out", table, "--catalogue", catalogue
    )
    assert code == 0, said
    assert "4 prices of 2026-10-01" in said
    assert "1 of them rise with length" in said
    assert "2 chat models have no price" in said
    price = PriceTable.load(table).price("oak/acorn-large", DAY)
    assert price.usd_per_1m_cached_input == 0.3
    assert PriceTable.load(table).find("acorn-small", date(2026, 9, 30)) is None
    known = Catalogue.load(catalogue)
    assert known.price("acorn-small").valid_from == "2026-10-01"
    assert known.model("acorn-small").vision is False
    assert known.model("acorn-small").json is None
    assert known.model("oak/acorn-large").max_output_tokens == 64000


def test_import_of_named_models_refuses_the_whole_list_over_an_unpriced_one(tmp_path: Path) -> None:
    out = tmp_path / "prices.csv"
    outcomes = tmp_path / "outcomes.csv"
    outcomes.write_text("prompt_id,model,quality\na,acorn-small,1\na,oak-9,0\n")
    code, said = run("import", OCTOBER, "--date", "2026-10-01", "--out", out, "--data", outcomes)
    assert code == 1
    assert "no price for oak-9" in said
    assert not out.exists()
    named = ["--rename", "oak-9=oak/acorn-large"]
    code, said = run(
        "import", OCTOBER, "--date", "2026-10-01", "--out", out, "--data", outcomes, *named
    )
    assert code == 0, said
    assert sorted(row.model for row in PriceTable.load(out).rows) == ["acorn-small", "oak-9"]


def test_a_diff_names_what_changed_came_went_or_lost_its_price() -> None:
    found = diff_lists(read_list(OCTOBER), read_list(NOVEMBER))
    assert [(c.model, c.column, c.old, c.new) for c in found.changed] == [
        ("acorn-small", "usd_per_1m_output", 0.6, 0.45),
        ("oak/acorn-large", "usd_per_1m_cached_input", 0.3, 0.15),
    ]
    assert (found.new, found.removed) == (("maple-1",), ("birch/twig",))
    assert found.unpriced["elm/twig"] == "input_cost_per_token is None"


def test_the_diff_command_says_the_same(tmp_path: Path) -> None:
    code, said = run("diff", OCTOBER, NOVEMBER)
    assert code == 0
    assert "changed   acorn-small usd_per_1m_output: $0.6 -> $0.45 (-25%)" in said
    assert "removed   birch/twig" in said
    assert said.endswith("2 changed, 1 new, 1 removed, 3 unpriced\n")
    table = tmp_path / "old.csv"
    run("import", OCTOBER, "--date", "2026-10-01", "--out", table)
    told = json.loads(run("diff", table, NOVEMBER, "--json")[1])
    assert [change["model"] for change in told["changed"]] == ["acorn-small", "oak/acorn-large"]


@pytest.mark.parametrize(
    ("text", "words"),
    [("[]", "one object keyed by model"), ("{", "cannot be read"), ("{}", "no price of a chat")],
)
def test_a_file_that_is_no_price_list_is_refused(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text(text)
    code, said = run("diff", path, path)
    assert code == 1
    assert words in said


def test_abilities_are_those_that_an_entry_states() -> None:
    entry = {
        "supports_vision": False,
        "supports_reasoning": True,
        "supports_xhigh_reasoning_effort": True,
        "supports_low_reasoning_effort": False,
        "supported_modalities": ["text", "image", "audio"],
        "supports_pdf_input": True,
        "supports_system_messages": False,
        "deprecation_date": "2027-01-14",
        "max_output_tokens": 4096.0,
    }
    assert read_abilities(entry) == {
        "vision": False,  # what is said outright counts before the list
        "audio": True,
        "document": True,
        "system_role": False,
        "reasoning": True,
        "efforts": ["medium", "high", "xhigh"],
        "retired": "2027-01-14",
        "max_output_tokens": 4096,
    }
    assert read_abilities({"supports_reasoning": True}) == {"reasoning": True}
    listed = {"supports_reasoning": True, "reasoning_effort_levels": ["high", "none"]}
    assert read_abilities(listed)["efforts"] == ["none", "high"]
    assert read_abilities({"deprecation_date": "soon"}) == {}


def test_the_public_catalogue_keeps_makers_hosts_and_what_most_hosts_say(tmp_path: Path) -> None:
    chat = {"mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}
    raw = {
        "gpt-9": {**chat, "litellm_provider": "openai", "supports_vision": True},
        "ft:gpt-9": {**chat, "litellm_provider": "openai"},
        "azure/eu/gpt-9": {**chat, "litellm_provider": "azure"},
        "azure/gpt-9": {**chat, "litellm_provider": "azure", "deprecation_date": "2027-01-01"},
        "deepseek/deep-9": {**chat, "litellm_provider": "deepseek"},
        "groq/oak/tree-9": {**chat, "litellm_provider": "groq", "max_input_tokens": 10},
        "novita/oak/tree-9": {**chat, "litellm_provider": "novita", "max_input_tokens": 20}
        | {"supports_function_calling": True, "supports_vision": True},
        "baseten/oak/tree-9": {**chat, "litellm_provider": "baseten", "max_input_tokens": 10}
        | {"supports_function_calling": True},
        "gpt-9-image": {"mode": "image_generation", "litellm_provider": "openai"},
    }
    by_hand = tmp_path / "retired.toml"
    by_hand.write_text('[models.old]\nnames = ["old-1"]\nprovider = "openai"\nretired = 2025-01-01')
    found = public_models(raw, DAY, by_hand)
    models = found["models"]
    assert sorted(models) == [
        *("azure/gpt-9", "deep-9", "gpt-9", "groq/oak/tree-9", "old", "old-1", "tree-9"),
    ]
    assert models["gpt-9"] == {
        "provider": "openai",
        "vision": True,
        "price": {"usd_per_1m_input": 1.0, "usd_per_1m_output": 2.0},
    }
    assert models["deep-9"]["open"] is True
    assert models["azure/gpt-9"]["retired"] == "2027-01-01"
    # two of three say so; one voice for vision is not enough
    assert models["tree-9"] == {"tools": True, "context_tokens": 10}
    assert models["old-1"] == {"provider": "openai", "retired": "2025-01-01"}
    write_public(found, tmp_path / "public.json")
    assert json.loads((tmp_path / "public.json").read_text("utf-8")) == found
    assert found["date"] == DAY.isoformat()


def test_a_price_by_length_alone_is_that_of_its_first_tier(tmp_path: Path) -> None:
    tiers = [
        {"range": [0, 32000], "input_cost_per_token": 1e-6, "output_cost_per_token": 5e-6},
        {"range": [32000, 128000], "input_cost_per_token": 2e-6, "output_cost_per_token": 9e-6},
    ]
    chat = {"mode": "chat", "litellm_provider": "dashscope"}
    other = {"input_cost_per_token": 3e-6, "output_cost_per_token": 4e-6}
    path = tmp_path / "list.json"
    listed = {
        "dashscope/qwen3-max": {**chat, "tiered_pricing": tiers},
        "novita/qwen/qwen3-max": {**chat, "litellm_provider": "novita", **other},
        "gpt-4.1": {**chat, "litellm_provider": "openai", **other},
    }
    path.write_text(json.dumps(listed))
    found = read_list(path).pick(["qwen3-max", "openai/gpt-4.1"], {})
    assert found.names == {"qwen3-max": "dashscope/qwen3-max", "openai/gpt-4.1": "gpt-4.1"}
    assert found.prices["qwen3-max"].usd_per_1m_output == 5.0
    assert found.by_length == ("qwen3-max",)
    args = ["--date", "2026-10-01", "--out", tmp_path / "p.csv", "--model", "qwen3-max"]
    code, said = run("import", path, *args)
    assert code == 0
    assert "the price of qwen3-max is that of dashscope/qwen3-max\n" in said
