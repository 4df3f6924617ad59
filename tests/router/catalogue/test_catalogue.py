"""A catalogue is read whole or refused by the key; what it does not state is unknown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.catalogue.catalogue import Catalogue, Quantiles
from router.catalogue.hints import tier_document
from router.catalogue.tiers import Retrieval, Sampling, TierSpec
from router.errors import CatalogueError
from router.types import Arm

FULL = """
[models."small-*"]
family = "acorn"
api = "vllm"
context_tokens = 32768
tools = true
vision = false
json = true
price = {usd_per_1m_input = 0.1, usd_per_1m_output = 0.4, valid_from = 2026-11-01}

[models."small-*".latency]
measured = 2026-11-01
first_token_ms = {p50 = 120, p90 = 300}
output_token_ms = {p50 = 5, p90 = 9}

[models.large]
api = "anthropic"
health = "down"

[models."large".price]
usd_per_1m_input = 3
usd_per_1m_output = 15
usd_per_1m_cached_input = 0.3
usd_per_1m_cache_write = 3.75
usd_per_1m_reasoning = 20

[tiers.high]
reasoning_effort = "high"
max_output_tokens = 4000

[tiers.vote5]
sampling = {n = 5, aggregator = "majority_vote"}

[tiers.judged]
sampling = {n = 3, aggregator = "best_of_n", verifier = "judge"}
style = "chain_of_draft"

[tiers."small-*|deep"]
recurrence_depth = 32
patch_entropy = 1.5
compute_factor = 2
no_thinking = true

[tiers.looked-up]
retrieval = {when = "chain", length = 3, retriever = "wiki"}

[verifiers.judge]
model = "judge-1"
usd_per_call = 0.001

[retrievers.wiki]
usd_per_query = 0.002
tokens_per_query = 500
"""


@pytest.fixture
def full(tmp_path: Path) -> Catalogue:
    path = tmp_path / "catalogue.toml"
    path.write_text(FULL)
    return Catalogue.load(path)


def refused(text: str, tmp_path: Path) -> str:
    path = tmp_path / "catalogue.toml"
    path.write_text(text)
    with pytest.raises(CatalogueError) as caught:
        Catalogue.load(path)
    return str(caught.value)


def test_every_section_is_read_and_written_back_the_same(full: Catalogue, tmp_path: Path) -> None:
    again = tmp_path / "again.json"
    again.write_text(json.dumps(full.to_dict()))
    assert Catalogue.load(again) == full
    assert full.price("small-1").valid_from == "2026-11-01"
    assert full.model("large").price is not None


def test_an_exact_name_counts_first_then_the_first_wildcard() -> None:
    raw = {
        "models": {"*": {"family": "any"}, "oak-*": {"family": "oak"}, "oak-1": {"family": "one"}},
        "tiers": {"*": {"style": "direct"}, "high": {}, "oak-1|high": {"style": "verbose"}},
    }
    found = Catalogue.of(raw)
    assert [found.family(name) for name in ("oak-1", "oak-2", "elm")] == ["one", "any", "any"]
    styles = [found.tier(Arm(*pair)) for pair in (("oak-1", "high"), ("elm", "high"), ("elm", "x"))]
    assert [style and style.style for style in styles] == ["verbose", None, "direct"]


def test_what_is_kept_of_a_catalogue_does_not_depend_on_the_order_of_keys(full: Catalogue) -> None:
    arms = [Arm("small-1", "deep"), Arm("small-2", "vote5"), Arm("large", "judged")]
    kept = full.only(arms)
    again = Catalogue.of(json.loads(json.dumps(kept.to_dict(), sort_keys=True)))
    for arm in arms:
        assert again.model(arm.model) == full.model(arm.model)
        assert again.tier(arm) == full.tier(arm)
        assert tier_document(again, arm) == tier_document(full, arm)


def test_a_wildcard_names_many_models_and_nothing_else_is_known(full: Catalogue) -> None:
    assert full.model("small-1").tools is True
    assert full.model("other").tools is None
    assert full.family("small-7") == full.family("small-1") == "acorn"
    assert full.family("large") == "large"
    assert full.tier(Arm("large", "deep")) is None
    deep = full.tier(Arm("small-1", "deep"))
    assert deep is not None
    assert deep.recurrence_depth == 32


def test_an_unpriced_model_is_an_error_that_names_the_nearest_priced_one(full: Catalogue) -> None:
    with pytest.raises(CatalogueError, match=r"larger has no price; add .*priced names are large"):
        full.price("larger")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[models.a]\ntool = true", "unknown key models.a.tool; did you mean models.a.tools?"),
        ("[model.a]\ntools = true", "unknown key model; did you mean models?"),
        ("[models.a]\ntools = 1", "models.a.tools must be bool, got 1"),
        ('[models.a]\nhealth = "dwn"', "must be one of up, down, got 'dwn'; did you mean 'down'?"),
        ("[models.a.price]\nusd_per_1m_input = 1", "models.a.price.usd_per_1m_output is missing"),
        (
            "[models.a]\nprice = {usd_per_1m_input = -1, usd_per_1m_output = 1}",
            "models.a.price.usd_per_1m_input must be >= 0",
        ),
        (
            "[models.a.latency]\nfirst_token_ms = {p50 = 9, p90 = 2}\noutput_token_ms = {}",
            "p50 = 9 is above p90 = 2",
        ),
        ('[tiers.a]\nreasoning_effort = "hihg"', "did you mean 'high'?"),
        ("[tiers.a]\nsampling = {n = 3}", "more than one sample needs an aggregator"),
        (
            '[tiers.a]\nsampling = {n = 3, aggregator = "best_of_n"}',
            "best_of_n needs a named verifier",
        ),
        (
            '[tiers.a]\nsampling = {n = 3, aggregator = "best_of_n", verifier = "jugde"}\n'
            "[verifiers.judge]\nusd_per_call = 0",
            "which is not among the verifiers; did you mean 'judge'?",
        ),
        ('[tiers.a]\nretrieval = {when = "chain"}', "length belongs to when = 'chain'"),
        (
            "[tiers.a]\nthinking_tokens = 100\nno_thinking = true",
            "thinking_tokens and no_thinking say the same thing twice",
        ),
        ("[tiers.a]\nrecurrence_depth = 8", "compute_factor must say how"),
        ("[tiers.a]\ncompute_factor = 2", "nothing else has one"),
        ("[verifiers.v]\nlatency_ms = 5", "usd_per_call is missing; state 0"),
        ("models = 3", "models is a section"),
        ("[models", "cannot be read"),
    ],
)
def test_a_wrong_catalogue_is_refused_by_its_key(text: str, words: str, tmp_path: Path) -> None:
    assert words in refused(text, tmp_path)


def test_a_quantile_that_is_not_known_is_not_guessed_from_a_lower_one() -> None:
    assert Quantiles(p50=1.0).at_least(0.9) is None
    assert Quantiles(p50=1.0, p99=5.0).at_least(0.9) == 5.0


def test_only_what_concerns_the_arms_is_kept(full: Catalogue) -> None:
    kept = full.only([Arm("large", "judged")])
    assert set(kept.models) == {"large"}
    assert set(kept.tiers) == {"large|judged"}
    assert (set(kept.verifiers), set(kept.retrievers)) == ({"judge"}, set())


def test_an_unspecified_tier_is_its_name_alone(full: Catalogue) -> None:
    assert tier_document(full, Arm("large")) == {"name": "default"}


SELF_HOSTED = {"extra_body": {"chat_template_kwargs": {"enable_thinking": False}}}


@pytest.mark.parametrize(
    ("api", "tier", "part"),
    [
        ("openai", {"reasoning_effort": "low"}, {"request": {"reasoning_effort": "low"}}),
        (
            "openai",
            {"max_output_tokens": 300, "temperature": 0.5},
            {"request": {"max_completion_tokens": 300, "temperature": 0.5}},
        ),
        (
            "anthropic",
            {"thinking_tokens": 2048},
            {"request": {"thinking": {"type": "enabled", "budget_tokens": 2048}}},
        ),
        (
            "anthropic",
            {"reasoning_effort": "max"},
            {"request": {"output_config": {"effort": "max"}}},
        ),
        (
            "gemini",
            {"thinking_tokens": 0},
            {"extra_body": {"google": {"thinking_config": {"thinking_budget": 0}}}},
        ),
        ("openrouter", {"thinking_tokens": 9}, {"extra_body": {"reasoning": {"max_tokens": 9}}}),
        ("vllm", {"thinking_tokens": 64}, {"extra_body": {"thinking_token_budget": 64}}),
        ("vllm", {"thinking_tokens": 0}, SELF_HOSTED),
        ("vllm", {"reasoning_effort": "none"}, SELF_HOSTED),
        (
            "vllm",
            {"recurrence_depth": 8, "patch_entropy": 1.3, "compute_factor": 0.5},
            {"extra_body": {"num_steps": 8, "patching_threshold": 1.3}},
        ),
        ("openai", {"extra_body": {"seed": 1}}, {"extra_body": {"seed": 1}}),
        ("openai", {"prompt_suffix": "In verse."}, {"prompt_suffix": "In verse."}),
    ],
)
def test_a_tier_becomes_the_fields_of_its_api(
    api: str, tier: dict[str, object], part: dict[str, object]
) -> None:
    catalogue = Catalogue.of({"models": {"m": {"api": api}}, "tiers": {"t": tier}})
    document = tier_document(catalogue, Arm("m", "t"))
    spec = {"name": "t", "spec": tier}
    assert document == {**spec, **part}


def test_no_thinking_closes_the_thinking_before_it_begins(full: Catalogue) -> None:
    document = tier_document(full, Arm("small-1", "deep"))
    assert document["assistant_prefill"].startswith("<think>")
    assert document["extra_body"]["continue_final_message"] is True


def test_samples_say_how_many_calls_and_who_judges(full: Catalogue) -> None:
    judged = tier_document(full, Arm("small-1", "judged"))
    assert judged["samples"] == {
        "n": 3, "calls": 1, "order": "parallel", "aggregator": "best_of_n",
        "verifier": {"name": "judge", "model": "judge-1"},
    }  # fmt: skip
    assert judged["request"] == {"n": 3}
    assert "draft" in judged["prompt_suffix"]
    apart = tier_document(full, Arm("large", "vote5"))
    assert apart["samples"]["calls"] == 5
    assert "request" not in apart


def test_a_retrieval_budget_is_told(full: Catalogue) -> None:
    document = tier_document(full, Arm("large", "looked-up"))
    assert document["retrieval"] == {"when": "chain", "length": 3, "retriever": "wiki"}


@pytest.mark.parametrize(
    ("api", "tier", "words"),
    [
        ("openai", {"thinking_tokens": 100}, "m|t: thinking_tokens is a budget that the openai"),
        ("anthropic", {"thinking_tokens": 100}, "takes 0 or at least 1024"),
        ("anthropic", {"reasoning_effort": "minimal"}, "takes none, low, medium, high, xhigh, max"),
        ("openai", {"no_thinking": True}, "a prefilled answer needs one of the APIs anthropic"),
        (
            "openai",
            {"recurrence_depth": 4, "compute_factor": 1.0},
            "num_steps can be set on a self-hosted model only",
        ),
        ("openai", {"max_output_tokens": 9000}, "the model writes at most 4096"),
    ],
)
def test_what_an_api_cannot_be_told_is_an_error(
    api: str, tier: dict[str, object], words: str
) -> None:
    model = {"api": api, "max_output_tokens": 4096}
    catalogue = Catalogue.of({"models": {"m": model}, "tiers": {"t": tier}})
    with pytest.raises(CatalogueError) as caught:
        tier_document(catalogue, Arm("m", "t"))
    assert words in str(caught.value)


@st.composite
def tiers(draw: st.DrawFn) -> TierSpec:
    n = draw(st.integers(1, 9))
    kinds = ["majority_vote", "best_of_n", "sequential_revision"]
    kind = draw(st.sampled_from(kinds)) if n > 1 else None
    when = draw(st.sampled_from(["none", "once", "chain", "low_confidence"]))
    return TierSpec(
        reasoning_effort=draw(st.sampled_from([None, "low", "high"])),
        style=draw(st.sampled_from([None, "direct", "verbose"])),
        max_output_tokens=draw(st.none() | st.integers(1, 9999)),
        sampling=Sampling(n=n, aggregator=kind, verifier="v" if kind == "best_of_n" else None),  # type: ignore[arg-type]
        retrieval=Retrieval(
            when=when,  # type: ignore[arg-type]
            length=draw(st.integers(1, 5)) if when == "chain" else None,
            below=0.4 if when == "low_confidence" else None,
            retriever=None if when == "none" else "r",
        ),
        extra_body=draw(st.dictionaries(st.text(max_size=4), st.integers(), max_size=2)),
    )


@given(tiers(), st.sampled_from(["openai", "anthropic", "gemini", "openrouter", "vllm"]))
def test_any_tier_survives_being_written_and_names_its_arm(tier: TierSpec, api: str) -> None:
    catalogue = Catalogue.of(
        {
            "models": {"m": {"api": api}},
            "tiers": {"t": tier.to_dict()},
            "verifiers": {"v": {"usd_per_call": 0.1}},
            "retrievers": {"r": {"usd_per_query": 0.1, "tokens_per_query": 10}},
        }
    )
    assert catalogue.tiers["t"] == tier
    assert Catalogue.of(json.loads(json.dumps(catalogue.to_dict()))) == catalogue
    document = tier_document(catalogue, Arm("m", "t"))
    assert document["name"] == "t"
    assert document.get("samples", {"n": 1})["n"] == tier.sampling.n
