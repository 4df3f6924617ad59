"""Logs of evaluation tools: lm-eval, Inspect, HELM, OpenAI evals."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data.clean import REASON
from data.errors import DataError, FormatError
from data.prices import PriceTable
from data.records.base import Options
from tests.data.ingested import Ingested, ingest

Writer = Callable[..., Path]
DATE = "2026-11-01T10-00-00.123456"


def reasons(found: Ingested) -> dict[str, int]:
    return dict(found.rejected.group_by(REASON).len().sort(REASON).iter_rows())


def sample(doc: int, prompt: str, **changed: object) -> dict[str, Any]:
    """A line that lm-eval writes with --log_samples."""
    return {
        "doc_id": doc,
        "doc": {"question": prompt},
        "target": "4",
        "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": {"until": ["\n"]}}},
        "resps": [["The answer is 4."]],
        "filtered_resps": ["4"],
        "filter": "none",
        "metrics": ["exact_match"],
        "doc_hash": f"doc{doc}",
        "prompt_hash": "p",
        "target_hash": "t",
        "exact_match": 1.0,
    } | changed


def test_lm_eval_samples_join_by_document_whatever_the_chat_template(
    lines: Writer, whole: Writer, tmp_path: Path, prices: PriceTable
) -> None:
    name = f"samples_gsm8k_{DATE}.jsonl"
    lines(f"org__aster/{name}", [sample(0, "What is 2 + 2?"), sample(1, "What is 3 + 1?")])
    whole(f"org__aster/results_{DATE}.json", {"model_name": "aster", "results": {}})
    lines(f"brook/{name}", [sample(0, "<s>[INST] What is 2 + 2? [/INST]", exact_match=0.0)])
    found = ingest([tmp_path], prices=prices)
    assert found.outcomes.select("model", "quality").rows() == [
        ("brook", 0.0), ("aster", 1.0), ("aster", 1.0),
    ]  # fmt: skip
    assert found.prompts["prompt"].to_list() == [
        "<s>[INST] What is 2 + 2? [/INST]", "What is 3 + 1?",
    ]  # fmt: skip
    assert found.prompts["domain"].to_list() == ["gsm8k", "gsm8k"]
    assert found.report["skipped"] == [f"results_{DATE}.json"]
    assert found.report["tokens_estimated"] == 3
    assert found.outcomes["output_tokens"].to_list() == [6, 6, 6]


def test_filters_of_one_answer_ask_for_a_choice(lines: Writer, prices: PriceTable) -> None:
    rows = [
        sample(0, "Q", filter="strict-match", exact_match=0.0),
        sample(0, "Q", filter="flexible-extract", exact_match=1.0),
    ]
    path = lines(f"aster/samples_gsm8k_{DATE}.jsonl", rows)
    with pytest.raises(
        DataError, match="exact_match,flexible-extract, exact_match,strict-match; choose one"
    ):
        ingest([path], prices=prices)
    chosen = Options(metric="exact_match,flexible-extract")
    found = ingest([path], prices=prices, options=chosen)
    assert found.outcomes["quality"].to_list() == [1.0]
    assert found.report["rows_read"] == 1


def test_multiple_choice_counts_accuracy_and_the_likeliest_answer(
    lines: Writer, prices: PriceTable
) -> None:
    row = {
        "doc_id": 3,
        "doc": {},
        "target": "1",
        "arguments": {
            "gen_args_0": {"arg_0": "The sky is", "arg_1": " green as grass"},
            "gen_args_1": {"arg_0": "The sky is", "arg_1": " blue"},
        },
        "resps": [[["-9.5", "False"]], [["-1.5", "True"]]],
        "filtered_resps": [["-9.5", "False"], ["-1.5", "True"]],
        "acc": 1.0,
        "acc_norm": 0.0,
    }
    path = lines(f"aster/samples_sky_{DATE}.jsonl", [row])
    found = ingest([path], prices=prices)
    assert found.outcomes.select("quality", "output_tokens").rows() == [(1.0, 2)]


def test_chats_in_lm_eval_prompts_become_text(lines: Writer, prices: PriceTable) -> None:
    chat = json.dumps([{"role": "user", "content": "Hi"}])
    path = lines(f"aster/samples_hi_{DATE}.jsonl", [sample(0, chat), sample(1, "[1, 2] reversed?")])
    prompts = ingest([path], prices=prices).prompts
    assert prompts["prompt"].to_list() == ["Hi", "[1, 2] reversed?"]


def test_messages_of_chat_models_and_older_samples_are_read(
    lines: Writer, whole: Writer, prices: PriceTable
) -> None:
    chat = json.dumps([{"role": "system", "content": "Brief."}, {"role": "user", "content": "Hi"}])
    asked = {"gen_args_0": {"arg_0": [chat], "arg_1": {}}}
    new = lines(f"aster/samples_hi_{DATE}.jsonl", [sample(0, "", arguments=asked)])
    older = sample(1, "", arguments=[["How many?", {"until": []}]])
    for name in ("filter", "metrics", "doc_hash"):
        del older[name]
    old = lines("old/pretrained__brook_sums.jsonl", [older])
    whole("old/results.json", {"config": {"model": "hf", "model_args": "pretrained=brook,dtype=x"}})
    found = ingest([new, old], prices=prices)
    assert found.outcomes.select("model", "quality").rows() == [("aster", 1.0), ("brook", 1.0)]
    assert found.prompts["prompt"].to_list() == ["Hi", "How many?"]


def test_written_out_samples_of_the_first_harness_are_read(
    whole: Writer, prices: PriceTable
) -> None:
    row = {"doc_id": 0, "prompt_0": "2 + 2?", "logit_0": -1.0, "truth": "4", "acc": "1.0"}
    path = whole("sums_write_out_info.json", [row])
    found = ingest([path], options=Options(model="aster"))
    assert found.rejected.select("model", "quality").row(0) == ("aster", 1.0)
    assert reasons(found) == {"unpriced": 1}


def test_a_file_that_names_no_model_asks_for_one(lines: Writer, prices: PriceTable) -> None:
    path = lines("mine.jsonl", [sample(0, "Q")])
    with pytest.raises(DataError, match=r"names no model: .*; give --model NAME"):
        ingest([path])
    found = ingest([path], prices=prices, options=Options(model="aster"))
    assert found.outcomes["model"].to_list() == ["aster"]


def inspect_sample(key: int, epoch: int, value: object, **changed: object) -> dict[str, Any]:
    """An EvalSample of Inspect."""
    return {
        "id": key,
        "epoch": epoch,
        "input": f"Question {key}?",
        "target": "x",
        "messages": [{"role": "user", "content": "long"}],
        "scores": {"match": {"value": value, "answer": "x", "explanation": None}},
        "model_usage": {
            "openai/aster": {
                "input_tokens": 10, "output_tokens": 20 * epoch, "total_tokens": 35,
                "input_tokens_cache_read": 5, "input_tokens_cache_write": 0,
            },
            "openai/judge": {"input_tokens": 900, "output_tokens": 90, "total_tokens": 990},
        },
        "total_time": 1.0,
    } | changed  # fmt: skip


def inspect_log(samples: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "task": "trivia",
            "model": "openai/aster",
            "dataset": {},
            "config": {},
            "model_generate_config": {"reasoning_effort": "high"},
        },
        "plan": {},
        "samples": samples,
    }


SAMPLES = [
    inspect_sample(1, 1, "C"),
    inspect_sample(1, 2, "I"),
    inspect_sample(2, 1, "P"),
    inspect_sample(3, 1, float("nan")),  # Score.unscored
    inspect_sample(4, 1, "C", error={"message": "timeout", "traceback": ""}),
    inspect_sample(5, 1, 0.25, choices=["yes", "no"]),
    inspect_sample(6, 1, "N", input=[{"role": "user", "content": "Question 6?"}]),
    inspect_sample(7, 1, "C", input="attachment://abc", attachments={"abc": "Question 7?"}),
]


def check_inspect(found: Ingested) -> None:
    assert found.outcomes["quality"].to_list() == [0.5, 0.5, 0.25, 0.0, 1.0]
    assert found.outcomes["tier"].unique().to_list() == ["high"]
    assert found.outcomes.select("input_tokens", "output_tokens").row(0) == (15, 30)
    assert found.prompts["prompt"].to_list() == [
        "Question 1?", "Question 2?", "Question 5?\nA) yes\nB) no", "Question 6?", "Question 7?",
    ]  # fmt: skip
    assert reasons(found) == {"failed_request": 1, "missing_quality": 1}
    assert found.report["files"][0]["repeats_merged"] == 1


@pytest.fixture
def aster(tmp_path: Path) -> PriceTable:
    path = tmp_path / "prices.csv"
    path.write_text("model,usd_per_1m_input,usd_per_1m_output\nopenai/aster,1,2\nllm/aster,1,2\n")
    return PriceTable.load(path)


def test_inspect_epochs_are_one_outcome_and_grades_are_numbers(
    whole: Writer, aster: PriceTable
) -> None:
    check_inspect(ingest([whole("log.json", inspect_log(SAMPLES))], prices=aster))


def test_inspect_archives_hold_the_same(tmp_path: Path, aster: PriceTable) -> None:
    log = inspect_log([])
    del log["samples"]
    path = tmp_path / "2026-11-01_trivia.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps(log))
        for one in SAMPLES:
            name = f"samples/{one['id']}_epoch_{one['epoch']}.json"
            archive.writestr(name, json.dumps(one))
    check_inspect(ingest([path], prices=aster))


def test_several_inspect_scorers_ask_for_a_choice(whole: Writer, aster: PriceTable) -> None:
    scores = {"match": {"value": "C"}, "judge": {"value": {"style": 0.5, "truth": 1}}}
    path = whole("log.json", inspect_log([inspect_sample(1, 1, "C", scores=scores)]))
    with pytest.raises(DataError, match=r"several scores: judge.style, judge.truth, match"):
        ingest([path], prices=aster)
    found = ingest([path], prices=aster, options=Options(metric="judge.style"))
    assert found.outcomes["quality"].to_list() == [0.5]


def answered(usage: tuple[int, int], **changed: object) -> dict[str, Any]:
    """A sample whose grader is the very model that is graded."""
    output = {
        "choices": [{"message": {"role": "assistant", "content": "Ucayali"}}],
        "usage": {"input_tokens": usage[0], "output_tokens": usage[1]},
    }
    whole = {"openai/aster": {"input_tokens": 320, "output_tokens": 310}}
    scores = {"model_graded_fact": {"value": "C"}}
    one_turn = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "Ucayali"}]
    return (
        inspect_sample(1, 1, "C")
        | {"output": output, "model_usage": whole, "scores": scores, "messages": one_turn}
        | changed
    )


def model_event(read: int, **changed: object) -> dict[str, Any]:
    usage = {"input_tokens": read, "output_tokens": 1}
    return {"event": "model", "model": "openai/aster", "output": {"usage": usage}} | changed


TWO_TURNS = [{"role": role, "content": "x"} for role in ("user", "assistant", "user", "assistant")]
SCORING = {"event": "span_begin", "type": "scorers", "name": "scorers"}


@pytest.mark.parametrize(
    ("sample", "tokens", "estimated"),
    [
        (answered((60, 20)), (60, 20), 0),
        (answered((60, 20), messages=None), (60, 20), 0),
        # of two turns the output has the last one's; events tell answers from grades
        (
            answered(
                (60, 20), messages=TWO_TURNS,
                events=[
                    model_event(30), model_event(7, role="helper"), model_event(40), SCORING,
                    model_event(250),
                ],
            ),
            (70, 2), 0,
        ),
        # nothing tells them apart: estimated from the texts, and counted as that
        (answered((60, 20), messages=TWO_TURNS), None, 1),
        (answered((60, 20), messages=TWO_TURNS, scores={"match": {"value": "C"}}), (320, 310), 0),
    ],
)  # fmt: skip
def test_the_tokens_of_a_grader_are_not_the_answers(
    sample: dict[str, Any], tokens: tuple[int, int] | None, estimated: int, whole: Writer,
    aster: PriceTable,
) -> None:  # fmt: skip
    found = ingest([whole("log.json", inspect_log([sample]))], prices=aster)
    row = found.outcomes.select("input_tokens", "output_tokens").row(0)
    assert (row == tokens) if tokens is not None else (max(row) < 10)
    assert found.report["tokens_estimated"] == estimated


@pytest.mark.parametrize("content", [b"no archive", b""])
def test_a_damaged_archive_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.eval"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"x.eval cannot be read: File is not a zip file"):
        ingest([path])


def helm_stat(name: str, mean: float | None, split: str = "test") -> dict[str, Any]:
    return {"name": {"name": name, "split": split}, "count": int(mean is not None), "mean": mean}


def helm_row(key: str, quality: float | None, **changed: object) -> dict[str, Any]:
    """A row of HELM's per_instance_stats.json."""
    split = str(changed.pop("split", "test"))
    stats = [
        helm_stat("exact_match", quality, split),
        helm_stat("num_prompt_tokens", 30, split),
        helm_stat("num_output_tokens", 2, split),
        helm_stat("inference_runtime", 0.5, split),
    ]
    return {"instance_id": key, "train_trial_index": 0, "stats": stats} | changed


def helm_run(whole: Writer, folder: str, model: str, rows: list[dict[str, Any]], cut: int) -> Path:
    states = [
        {
            "instance": {"id": key, "input": {"text": f"Question {key}"}, "split": "test"},
            "train_trial_index": 0,
            "request": {"prompt": f"{'Example. ' * cut}Question {key}\nAnswer:"},
            "result": {"success": True, "completions": [{"text": " A"}]},
        }
        for key in ("id1", "id2", "id3", "id4")
    ]
    adapter = {"method": "generation", "model": model, "model_deployment": f"host/{model}"}
    spec = {
        "name": f"mmlu:subject=law,model={model}",
        "scenario_spec": {"class_name": "helm.MMLUScenario", "args": {"subject": "law"}},
        "adapter_spec": adapter,
    }
    whole(f"{folder}/run_spec.json", spec)
    whole(f"{folder}/scenario_state.json", {"adapter_spec": adapter, "request_states": states})
    return whole(f"{folder}/per_instance_stats.json", rows)


def test_helm_runs_of_two_models_share_prompts_that_were_cut_differently(
    whole: Writer, tmp_path: Path, aster: PriceTable
) -> None:
    rows = [
        helm_row("id1", 1.0),
        helm_row("id1", 0.0, perturbation={"name": "typos", "robustness": True}),
        helm_row("id2", 0.0),
        helm_row("id2", 1.0, train_trial_index=1),
        helm_row("id3", None),
        helm_row("id4", 1.0, split="valid"),
    ]
    helm_run(whole, "runs/a", "llm/aster", rows, 3)
    helm_run(whole, "runs/b", "openai/aster", [helm_row("id1", 0.0)], 1)
    found = ingest([tmp_path / "runs"], prices=aster)
    assert found.outcomes.select("model", "quality", "input_tokens", "output_tokens").rows() == [
        ("llm/aster", 1.0, 30, 2),
        ("llm/aster", 0.5, 30, 2),
        ("openai/aster", 0.0, 30, 2),
    ]
    assert found.prompts["prompt"].to_list() == [
        "Example. Example. Example. Question id1\nAnswer:",
        "Example. Example. Example. Question id2\nAnswer:",
    ]
    assert found.prompts["domain"].to_list() == ["mmlu", "mmlu"]
    assert reasons(found) == {"missing_quality": 1, "other_split": 1, "perturbed_prompt": 1}


def helm_stats(split: str, **metrics: float) -> list[dict[str, Any]]:
    counted = {"num_prompt_tokens": 9.0, "num_output_tokens": 1.0}
    return [helm_stat(name, value, split) for name, value in (metrics | counted).items()]


@pytest.mark.parametrize(
    ("name", "groups", "split", "metrics", "kept"),
    [
        ("commonsense:dataset=hellaswag,model=m", None, "valid", {"exact_match": 1.0}, [1.0]),
        ("commonsense:dataset=hellaswag,model=m", None, "test", {"exact_match": 1.0}, []),
        (
            "boolq:model=m", ["boolq"], "valid",
            {"exact_match": 0.0, "quasi_exact_match": 1.0}, [1.0],
        ),
        ("narrative_qa:model=m", None, "test", {"exact_match": 0.0, "f1_score": 0.5}, [0.5]),
        (
            "natural_qa:mode=openbook_longans,model=m", None, "valid",
            {"exact_match": 0.0, "f1_score": 0.75}, [0.75],
        ),
        ("msmarco:track=regular,model=m", None, "valid", {"RR@10": 0.5, "NDCG@10": 0.25}, [0.5]),
        ("gsm:model=m", ["gsm"], "test", {"exact_match_indicator": 1.0, "exact_match": 0.0}, [1.0]),
        ("mmlu:subject=law,model=m", ["mmlu"], "valid", {"exact_match": 1.0}, []),
        ("our_own:model=m", None, "valid", {"exact_match": 0.5}, [0.5]),
    ],
)  # fmt: skip
def test_helms_schema_says_which_metric_and_split_count(
    name: str, groups: list[str] | None, split: str, metrics: dict[str, float], kept: list[float],
    whole: Writer, aster: PriceTable,
) -> None:  # fmt: skip
    row = {"instance_id": "id1", "train_trial_index": 0, "stats": helm_stats(split, **metrics)}
    path = helm_run(whole, "run", "openai/aster", [row], 0)
    spec = json.loads(path.with_name("run_spec.json").read_text("utf-8"))
    whole("run/run_spec.json", spec | {"name": name} | ({"groups": groups} if groups else {}))
    found = ingest([path], prices=aster)
    assert found.outcomes["quality"].to_list() == kept
    assert reasons(found) == ({} if kept else {"other_split": 1})


def test_a_helm_run_without_its_other_files_says_which(whole: Writer) -> None:
    path = whole("run/per_instance_stats.json", [helm_row("id1", 1.0)])
    with pytest.raises(FormatError, match=r"needs run_spec.json beside it"):
        ingest([path])


def event(number: int, sample_id: str, kind: str, data: object) -> dict[str, Any]:
    return {
        "run_id": "26110110", "event_id": number, "sample_id": sample_id, "type": kind,
        "data": data, "created_by": "", "created_at": "2026-11-01",
    }  # fmt: skip


SPEC = {
    "completion_fns": ["aster"], "eval_name": "arithmetic.dev.v0", "base_eval": "arithmetic",
    "split": "dev", "run_config": {}, "created_by": "", "run_id": "26110110",
}  # fmt: skip
SAMPLING = {
    "prompt": [{"role": "user", "content": "2 + 2?"}], "sampled": ["4"],
    "usage": {"prompt_tokens": 8, "completion_tokens": 1},
}  # fmt: skip


def test_openai_evals_events_become_one_outcome_a_sample(lines: Writer, prices: PriceTable) -> None:
    path = lines(
        "26110110_aster_arithmetic.jsonl",
        [
            {"spec": SPEC},
            event(0, "a.0", "sampling", SAMPLING),
            event(1, "a.0", "match", {"correct": True, "expected": "4", "picked": "4"}),
            event(2, "a.1", "sampling", {"prompt": "3 + 3?", "sampled": ["six, I would say"]}),
            event(3, "a.1", "match", {"correct": False, "expected": "6", "picked": None}),
            event(4, "a.2", "sampling", SAMPLING | {"prompt": "1 + 1?"}),
            event(5, "a.3", "error", {"type": "Timeout", "message": ""}),
            event(6, "a.4", "sampling", SAMPLING | {"prompt": "step one"}),
            event(7, "a.4", "sampling", SAMPLING | {"prompt": "step two"}),
            event(8, "a.4", "match", {"correct": True}),
            {"final_report": {"accuracy": 0.5}},
        ],
    )
    found = ingest([path], prices=prices)
    assert found.outcomes.select("quality", "input_tokens", "output_tokens").rows() == [
        (1.0, 8, 1),
        (0.0, 5, 6),  # estimated from the texts
    ]
    assert found.prompts["prompt"].to_list() == ["2 + 2?", "3 + 3?"]
    assert reasons(found) == {"failed_request": 1, "missing_quality": 1, "several_calls": 1}
    assert found.report["tokens_estimated"] == 1


def test_metrics_events_count_where_there_is_no_match(lines: Writer, prices: PriceTable) -> None:
    rows = [
        {"spec": SPEC | {"completion_fns": ["brook"]}},
        event(0, "a.0", "sampling", SAMPLING),
        event(1, "a.0", "metrics", {"choice": "B", "score": 0.5}),
    ]
    found = ingest([lines("log.jsonl", rows)], prices=prices)
    assert found.outcomes.select("model", "quality").rows() == [("brook", 0.5)]
