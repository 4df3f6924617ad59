"""The catalogue of public models that ships: what it knows of whom, and what it never touches."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from data.public_models import public_models
from router.catalogue.catalogue import ABILITIES, Model
from router.catalogue.public import FILE, PublicCatalogue, public_catalogue

ENTRIES = {
    "acorn-2026-01-01": {"provider": "oak", "vision": True, "retired": "2026-06-01"},
    "acorn": {
        "provider": "oak",
        "vision": True,
        "max_output_tokens": 10,
        "retired": "2026-09-01",
        "price": {"usd_per_1m_input": 1, "usd_per_1m_output": 2},
    },
    "elm/acorn": {"provider": "elm", "vision": False},
    "twig": {
        "provider": "birch",
        "open": True,
        "tools": True,
        "retired": "2026-02-01",
        "max_output_tokens": 10,
    },
}
SMALL = PublicCatalogue({"date": "2026-11-01", "source": "", "licence": "", "models": ENTRIES})


def test_a_name_is_looked_up_exactly_then_bare_then_undated() -> None:
    def found(name: str) -> tuple[str, str] | None:
        hit = SMALL.find(name)
        return None if hit is None else (hit.name, hit.match)

    assert found("acorn") == ("acorn", "exact")
    assert found("oak/acorn") == ("acorn", "exact")
    assert found("Elm/Acorn") == ("elm/acorn", "exact")
    assert found("beech/acorn") == ("acorn", "elsewhere")
    assert found("acorn-2026-01-01") == ("acorn-2026-01-01", "exact")
    assert found("acorn-20260301") == ("acorn", "undated")
    assert found("fir") is None


def test_a_price_and_an_end_are_of_one_endpoint() -> None:
    own, host, later = (SMALL.find(n) for n in ("oak/acorn", "beech/acorn", "acorn-20260301"))
    assert own is not None
    assert host is not None
    assert later is not None
    assert own.model.price is not None
    assert own.model.retired == "2026-09-01"
    assert (host.model.price, host.model.retired, host.model.vision) == (None, None, True)
    assert host.model.max_output_tokens == 10
    assert (later.model.price, later.model.retired, later.model.vision) == (None, None, True)
    assert later.model.max_output_tokens is None  # a snapshot's own


def test_open_weights_outlive_their_makers_api_and_its_limits() -> None:
    bare, own = SMALL.find("twig"), SMALL.find("birch/twig")
    assert bare is not None
    assert own is not None
    assert (bare.model.retired, own.model.retired) == (None, "2026-02-01")
    assert (bare.model.max_output_tokens, own.model.max_output_tokens) == (None, 10)
    assert bare.model.tools is True


def test_what_is_stated_is_never_overwritten() -> None:
    stated = Model(vision=False, retired="2030-01-01")
    assert SMALL.filled("acorn", stated) == Model(
        vision=False, retired="2030-01-01", max_output_tokens=10
    )
    assert SMALL.filled("fir", stated) == stated


def test_every_shipped_entry_can_be_read_and_says_something() -> None:
    public = public_catalogue()
    assert date.fromisoformat(public.date)
    assert "MIT" in public.licence
    for name in public.names:
        found = public.find(name)
        assert found is not None, name
        assert found.match == "exact", name
        known = [f for f in (*ABILITIES, "price") if getattr(found.model, f) is not None]
        assert known, name


@pytest.mark.parametrize(
    ("name", "knows"),
    [
        ("o1-mini-2024-09-12", {"system_role": False, "tools": False, "retired": "2025-10-27"}),
        ("openai/o1-mini", {"system_role": False, "reasoning": True, "efforts": ()}),
        ("claude-3-opus-20240229", {"vision": True, "retired": "2026-01-05"}),
        ("bedrock/anthropic.claude-3-opus-20240229-v1:0", {"vision": True, "retired": None}),
        ("gemini-1.5-pro", {"audio": True, "document": True, "retired": "2025-09-24"}),
        ("gpt-4o-2024-08-06", {"vision": True, "document": True, "retired": "2027-01-14"}),
        ("gpt-5", {"efforts": ("minimal", "low", "medium", "high"), "reasoning": True}),
        ("meta-llama/Meta-Llama-3.1-70B-Instruct", {"tools": True, "retired": None}),
    ],
)
def test_what_it_knows_of_well_known_models(name: str, knows: dict[str, object]) -> None:
    found = public_catalogue().find(name)
    assert found is not None
    assert {field: getattr(found.model, field) for field in knows} == knows


def test_it_is_read_when_it_is_asked_for_and_small() -> None:
    assert FILE.stat().st_size < 500_000
    code = (
        "import router, router.catalogue.public as p; "
        "assert p.public_catalogue.cache_info().currsize == 0"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_name_of_the_price_file_is_found_or_of_no_model(datasets: Path) -> None:
    public = public_catalogue()
    raw = json.loads((datasets / "litellm_prices_2026-11.json").read_text("utf-8"))
    chat = {n: e for n, e in raw.items() if e.get("mode") == "chat"}
    makers = {"openai", "anthropic", "gemini", "deepseek", "xai", "mistral", "moonshot", "zai"}
    lost = [
        name
        for name, entry in chat.items()
        if entry.get("litellm_provider") in makers
        and not name.startswith("ft:")
        and public.find(name) is None
    ]
    assert lost == ["openai/container"]  # a sandbox


def test_the_shipped_catalogue_is_that_of_its_price_file(datasets: Path) -> None:
    raw = json.loads((datasets / "litellm_prices_2026-11.json").read_text("utf-8"))
    made = public_models(raw, date.fromisoformat(public_catalogue().date))
    assert json.loads(FILE.read_text("utf-8")) == made
