"""DeepEval's test runs: `test_run_*.json`, `.latest_test_run.json`, or EvaluationResult as JSON.

A run does not say which model answered unless its hyperparameters do: `--model` names it. The costs
of metrics are the judge's, and no part of an answer's. Layout: test_run/test_run.py and api.py of
confident-ai/deepeval.
"""

from __future__ import annotations

from .fields import Fields, When, failed, format_of

FORMAT = format_of(
    Fields(
        name="deepeval",
        about="DeepEval test runs (JSON)",
        needs=(
            ("testCases",), ("testRunData",), ("test_results",), ("test_cases", "metrics_scores"),
            ("testRunLink",),
        ),
        rows=(
            "testCases", "testRunData/testCases", "test_results", "test_cases",
            "conversationalTestCases", "testRunData/conversationalTestCases",
            "conversational_test_cases",
        ),
        prompt=("input",),
        answer=("actualOutput", "actual_output"),
        model=(
            "^/hyperparameters/model", "^/testRunData/hyperparameters/model",
            "^/hyperparameters/LLM", "additionalMetadata/model", "additional_metadata/model",
        ),
        cost_usd=("tokenCost", "token_cost"),
        scores=("metricsData", "metrics_data"),
        record_id=("name",),
        nameless=True,
        domain=("^/datasetAlias",),
        hint="a link holds no results: DEEPEVAL_RESULTS_FOLDER keeps them in files",
        faults=(("several_calls", When("turns")), failed("error")),
    )
)  # fmt: skip
