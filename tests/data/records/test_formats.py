"""Files as other tools write them, in our own words: what is kept, what is rejected and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data.clean import REASON
from data.errors import DataError
from data.prices import Price, PriceTable
from data.records.base import Options
from data.records.registry import FORMATS
from tests.data.ingested import Ingested, ingest

FILES = Path(__file__).parent.parent / "fixtures" / "records"
PERU = "Name a river in Peru."
LATER = "Name a river in Peru.\nAnd in Chad?"
KEPT = ("model", "quality", "input_tokens", "output_tokens", "cost_usd")
GPT = ("gpt-4o", 1.0, 10, 20, 0.0003)
Row = tuple[Any, ...]
GUESSED = (None, None, None)  # tokens are estimated from the texts, and a cost from these
PRICES = PriceTable(
    tuple(
        Price(model=name, usd_per_1m_input=10.0, usd_per_1m_output=10.0)
        for name in ("gpt-4o", "aster", "brook", "openai/gpt-5", "openai/gpt-5-mini", "claude")
    )
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """Files, what they are, and what becomes of them; costs at 10 dollars per million tokens."""

    files: str
    layout: str
    kept: list[Row] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)
    prompts: list[str] = field(default_factory=lambda: [PERU])
    options: Options = field(default_factory=Options)
    labels: str | None = None

    @property
    def paths(self) -> list[Path]:
        return [FILES / name for name in self.files.split()]


def spoken(name: str, *flavours: str) -> list[Case]:
    """Telemetry of one call without a score."""
    return [
        Case(
            files=f"{name}_{flavour}.json",
            layout="otel",
            kept=[],
            reasons={"missing_quality": 1},
            prompts=[],
        )
        for flavour in flavours
    ]


SPOKEN = [
    *spoken("openinference", "agno", "crewai", "google_adk", "llama_index", "vertex", "smolagents"),
    *spoken("vercel", "outer"),
]
promptfoo = [
    ("openai/gpt-5", 1.0, 10, 20, 0.001),
    ("anthropic/claude-haiku-4-5", 0.25, 10, 20, 0.001),
]
langfuse = [("gpt-4o", 1.0, 10, 20, 0.0003), ("gpt-4o-mini", 0.75, 10, 20, 0.0003)]
langsmith = [("gpt-4o", 0.5, 10, 20, 0.0003), ("gpt-4o-mini", 1.0, 10, 20, 0.0003)]
helicone = [("gpt-4o-2024-08-06", 1.0, 10, 20, 0.0003), ("gpt-4o-mini", 0.0, 10, 20, 0.0003)]
braintrust = [("gpt-4o", 0.5, 10, 20, 0.0003), ("gpt-4o-mini", 1.0, 10, 20, 0.0003)]
HELPFUL, EXACT = Options(metric="helpful"), Options(metric="exact")
deepeval = [("gpt-4o", 0.75, None, None, 0.0003)]
DEEPEVAL = {"missing_quality": 1, "several_calls": 1}
OPENROUTER = [
    ("openai/gpt-4o", 1.0, 10, 20, 0.0003),
    ("openai/gpt-4o", 1.0, 10, 20, 0.0021),
    ("openai/gpt-oss-20b", 1.0, 10, 20, 0.0),
]
GRADED = [
    ("aster", 1.0, *GUESSED),
    ("aster", 0.5, *GUESSED),
    ("brook", 0.0, *GUESSED),
]
CASES = [
    *(
        Case(files=f"promptfoo.{kind}", layout="promptfoo", kept=promptfoo,
             reasons={"failed_request": 1})
        for kind in ("json", "jsonl")
    ),
    Case(
        files="promptfoo.json", layout="promptfoo", options=Options(metric="tone"),
        kept=[(*row[:1], 0.5, *row[2:]) for row in promptfoo], reasons={"failed_request": 1},
    ),
    Case(
        files="promptfoo.csv", layout="promptfoo", reasons={"failed_request": 1},
        kept=[
            ("openai/gpt-5", 1.0, *GUESSED), ("openai/gpt-5-mini", 0.0, *GUESSED),
            ("openai/gpt-5", 1.0, *GUESSED),
        ],
        prompts=[PERU, "Name a river in Chad."],
    ),
    Case(
        files="promptfoo_old.csv", layout="promptfoo",
        kept=[
            ("openai/gpt-5", 1.0, *GUESSED), ("openai/gpt-5-mini", 0.0, *GUESSED)
        ],
    ),
    *(
        Case(files=f"langfuse_ui.{kind}", layout="langfuse", kept=langfuse, options=HELPFUL,
             reasons={"failed_request": 1})
        for kind in ("json", "jsonl", "csv")
    ),
    Case(
        files="langfuse_api_observations.json langfuse_api_scores.json", layout="langfuse",
        kept=[("gpt-4o", 0.75, 10, 20, 0.0003)],
    ),
    Case(files="langfuse_trace.json", layout="langfuse", kept=[GPT]),
    *(
        Case(files=f"langsmith.{kind}", layout="langsmith", kept=langsmith,
             reasons={"failed_request": 1})
        for kind in ("jsonl", "csv")
    ),
    *SPOKEN,
    Case(files="vercel.json", layout="otel", reasons={"missing_quality": 1}, prompts=[]),
    Case(
        files="phoenix_api.json phoenix_annotations.json", layout="otel",
        kept=[("gpt-4o", 1.0, 10, 20, 0.0003)],
    ),
    Case(
        files="phoenix_spans.jsonl phoenix_annotations.json", layout="otel",
        kept=[("gpt-4o", 1.0, 10, 20, 0.0003)],
    ),
    Case(
        files="jaeger.json", layout="otel", kept=[("gpt-4o", 1.0, 10, 20, 0.0003)],
        reasons={"failed_request": 1},
    ),
    Case(files="otlp_snake.json", layout="otel", kept=[("gpt-4o", 1.0, 10, 20, 0.0003)]),
    Case(
        files="openrouter.csv openrouter_prompts.csv", layout="openrouter", kept=OPENROUTER,
        labels="openrouter_labels.csv", reasons={"failed_request": 1}, prompts=[PERU] * 3,
    ),
    *(
        Case(files=f"helicone.{kind}", layout="helicone", kept=helicone,
             reasons={"failed_request": 1})
        for kind in ("json", "jsonl", "csv")
    ),
    *(
        Case(files=f"braintrust.{kind}", layout="braintrust", kept=braintrust, options=EXACT)
        for kind in ("json", "jsonl", "csv")
    ),
    *(
        Case(files=f"weave.{kind}", layout="weave", kept=[GPT], reasons={"failed_request": 1})
        for kind in ("jsonl", "csv")
    ),
    *(
        Case(files=f"{name}.json", layout="deepeval", kept=deepeval, reasons=DEEPEVAL)
        for name in ("deepeval", "deepeval_latest")
    ),
    Case(
        files="deepeval_result.json", layout="deepeval", options=Options(model="gpt-4o"),
        kept=[("gpt-4o", 0.75, *GUESSED)],
    ),
    *(
        Case(files=f"ragas.{kind}", layout="ragas", options=Options(model="gpt-4o"),
             kept=[("gpt-4o", 0.75, *GUESSED)], reasons={"missing_quality": 1})
        for kind in ("jsonl", "csv")
    ),
    Case(
        files="ragas_old.csv", layout="ragas", kept=[("gpt-4o", 0.75, *GUESSED)],
        options=Options(model="gpt-4o", metric="faithfulness"),
    ),
    *(
        Case(files=f"openai_evals_api.{kind}", layout="openai-evals-api", kept=[GPT],
             reasons={"failed_request": 1})
        for kind in ("json", "jsonl")
    ),
    Case(
        files="mt_bench_single.jsonl mt_bench_question.jsonl mt_bench_answer.jsonl",
        layout="mt-bench", kept=GRADED, reasons={"missing_quality": 1}, prompts=[PERU, LATER],
    ),
    Case(
        files="litellm.csv", layout="litellm", labels=None, prompts=[],
        reasons={"failed_request": 1, "missing_quality": 2, "other_call": 1},
    ),
    Case(
        files="embedllm.csv", layout="embedllm", options=Options(tokens=(200, 300)),
        kept=[("aster", 1.0, 200, 300, 0.005), ("brook", 0.0, 200, 300, 0.005)],
    ),
]  # fmt: skip


def read(case: Case, prices: PriceTable | None = PRICES) -> Ingested:
    labels = None if case.labels is None else FILES / case.labels
    return ingest(case.paths, options=case.options, labels=labels, prices=prices)


def reasons(found: Ingested) -> dict[str, int]:
    return dict(found.rejected.group_by(REASON).len().sort(REASON).iter_rows())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.files.replace(" ", "+"))
def test_a_file_of_another_tool_becomes_outcomes(case: Case) -> None:
    found = read(case)
    assert case.layout in {note["layout"] for note in found.report["files"]}
    kept = found.outcomes.select(KEPT).rows()
    assert [row[:2] for row in kept] == [row[:2] for row in case.kept]
    for row, right in zip(kept, case.kept, strict=True):
        assert None not in row
        known = [
            (was, should) for was, should in zip(row, right, strict=True) if should is not None
        ]
        assert [was for was, _ in known[2:]] == pytest.approx([should for _, should in known[2:]])
    assert reasons(found) == case.reasons
    assert found.prompts["prompt"].to_list() == case.prompts
    assert found.report["rows_read"] == len(case.kept) + sum(case.reasons.values())


@pytest.mark.parametrize("case", SPOKEN, ids=lambda case: case.files)
def test_telemetry_of_every_flavour_asks_the_same(case: Case) -> None:
    found = read(case)
    assert found.unlabelled["prompt"].to_list() == [PERU]
    assert found.rejected.select("model", "input_tokens", "output_tokens").rows() == [
        ("gpt-4o", 10, 20)
    ]


def test_langsmiths_bulk_export_has_objects_as_json(tmp_path: Path) -> None:
    path = tmp_path / "part-0.parquet"
    pl.read_csv(FILES / "langsmith.csv", infer_schema_length=None).write_parquet(path)
    found = ingest([path], prices=PRICES)
    assert found.outcomes.select(KEPT).rows() == langsmith
    assert reasons(found) == {"failed_request": 1}


def test_alpaca_eval_prefers_by_how_near_one_side_is() -> None:
    for kind in ("json", "jsonl"):
        found = ingest([FILES / f"alpaca_eval.{kind}"])
        assert found.pairs.select("arm_b", "preference").rows() == [
            ("claude-2.1|default", 0.75), ("b|default", 0.0), ("c|default", 0.5),
            ("d|default", 0.5),
        ]  # fmt: skip
        assert found.pairs["arm_a"].unique().to_list() == ["gpt4_1106_preview|default"]
        assert found.pairs.select("length_a", "length_b").row(0) == (12, 7)
        assert dict(found.rejected_pairs.group_by(REASON).len().iter_rows()) == {
            "missing_preference": 1, "preference_out_of_range": 1,
        }  # fmt: skip


def test_mt_bench_pairs_are_judged_twice() -> None:
    found = ingest([FILES / "mt_bench_pair.jsonl", FILES / "mt_bench_question.jsonl"])
    assert found.pairs.select("arm_a", "arm_b", "outcome").rows() == [
        ("aster|default", "brook|default", "a"),
        ("brook|default", "aster|default", "tie"),
        ("brook|default", "aster|default", "a"),
    ]
    assert found.prompts["prompt"].to_list() == [PERU, LATER]
    assert found.rejected_pairs[REASON].to_list() == ["missing_preference"]


@pytest.mark.parametrize(
    ("version", "pairs", "rejected"),
    [
        ("v01", [("gpt-4-0314", "aster", "a"), ("aster", "gpt-4-0314", "tie")], []),
        ("v2", [("brook", "aster", "b")], ["missing_preference"]),
    ],
)
def test_arena_hard_changes_sides(version: str, pairs: list[Row], rejected: list[str]) -> None:
    names = (f"arena_hard_{version}_judgment.jsonl", f"arena_hard_{version}_question.jsonl")
    found = ingest([FILES / name for name in names])
    assert found.pairs.select("arm_a", "arm_b", "outcome").rows() == [
        (f"{a}|default", f"{b}|default", said) for a, b, said in pairs
    ]
    assert found.prompts["prompt"].to_list() == [PERU]
    told = found.rejected_pairs[REASON].to_list() if found.rejected_pairs.height else []
    assert told == rejected


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ("litellm_default.json", "unless store_prompts_in_spend_logs is set"),
        ("openrouter.csv", "OpenRouter's activity holds no texts: give a table of prompt_id"),
        ("mt_bench_single.jsonl", "give question.jsonl and model_answer/ as well"),
        ("ragas.csv", "ragas files name no model; give --model NAME"),
        ("langfuse_ui.json", "several scores: helpful, tone; choose one with --metric NAME"),
        ("braintrust.json", "several scores: exact, tone; choose one with --metric NAME"),
    ],
)
def test_what_a_file_lacks_is_told_with_the_remedy(files: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        ingest([FILES / name for name in files.split()])


def test_a_set_without_tokens_is_unpriced_and_says_what_would_help() -> None:
    found = ingest([FILES / "embedllm.csv"], prices=PRICES)
    assert reasons(found) == {"unpriced": 2}
    assert "--tokens IN:OUT" in found.report["files"][0]["hint"]


def test_every_format_says_what_it_needs_and_is_named_once() -> None:
    assert all(entry.needs for entry in FORMATS.values())
    assert len({entry.about for entry in FORMATS.values()}) == len(FORMATS)
