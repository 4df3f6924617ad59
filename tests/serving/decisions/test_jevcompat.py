"""The checks of `jevcompat`, with what they ask put as questions about routing.

Every case of the package runs. Its questions of yes and no, and its scores, are asked in words that
concern routing and in the shape that the case has; its choices are among declared tiers.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router.engine import Router
from tests.serving.conftest import Service

pytestmark = pytest.mark.service
HARD = "How difficult is this request?"
OPTIONS = (
    "Billing", "Technical", "Sales", "Red", "Green", "Blue", "Yellow", "Purple", "English", "Other",
    "환불 요청", "배송 문의", "🙂 기타", *(f"Queue {i:03d}" for i in range(1, 256)),
)  # fmt: skip
KEY = "key-of-the-suite"


def shaped(like: object, words: str) -> object:
    """Words in the shape that a question has them: a text, an object or a list."""
    if isinstance(like, dict):
        return {"task": words}
    return [words] if isinstance(like, list) else words


def about_routing(questions: dict[str, Any], model: str) -> dict[str, Any]:
    """The same questions, asked of a router."""
    found = {}
    for name, given in questions.items():
        question = dict(given)
        words = {"noul": f"Will {model} answer this right?", "score": HARD}.get(given.get("type"))
        if words is not None and "instructions" in question:
            question["instructions"] = shaped(question["instructions"], words)
        elif given.get("type") == "noul":
            question["criteria"] = {**question["criteria"], "true": f"{model} answers this right"}
        found[name] = question
    return found


@pytest.mark.parametrize("key", [None, KEY])
def test_the_specification_is_met(
    key: str | None,
    run_service: Callable[..., Service],
    tiny_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checks = pytest.importorskip("jevcompat.checks", reason="jevcompat is not installed")
    runner = pytest.importorskip("jevcompat.runner")
    arms = [arm.id for arm in Router.load(tiny_bundle).arms]
    rows = [f'"{name}" = ["{arms[i % len(arms)]}"]' for i, name in enumerate(OPTIONS)]
    (tmp_path / "tiers.toml").write_text("[tiers]\n" + "\n".join(rows) + "\n")
    env = {"TIERWISE_TIERS": str(tmp_path / "tiers.toml")}
    env |= {} if key is None else {"TIERWISE_API_KEYS": key}
    service = run_service(["router", "serve", str(tiny_bundle)], **env)
    service.wait(200)

    model, post = arms[0], checks.Ctx.post

    def routed(self: Any, case: str, payload: Any, **rest: Any) -> Any:  # noqa: ANN401
        if isinstance(payload, dict) and isinstance(payload.get("questions"), dict):
            payload = {**payload, "questions": about_routing(payload["questions"], model)}
        return post(self, case, payload, **rest)

    monkeypatch.setattr(checks.Ctx, "post", routed)
    for name in ("NOUL", "SCORE"):  # those that its client of TypeSafe sends
        asked = about_routing({"q": getattr(checks, name)}, model)["q"]
        monkeypatch.setattr(checks, name, asked)
    report = runner.run(f"http://127.0.0.1:{service.port}", key=key, timeout=30.0)
    told = {result.id: result for result in report.results}
    failed = {name: result.findings for name, result in told.items() if result.status == "fail"}
    # what models there are is told where requests are executed, in the words of those wires
    assert set(failed) <= {"http.models"}, failed
    assert report.verdict == "conformant", (report.aborted, report.untested_musts)
    assert told["choice.options"].status == told["dropin.sdk-python"].status == "pass"
    assert told["confidence.formula"].status == "pass"
    skipped = {name for name, result in told.items() if result.status == "skip"}
    keyed = {"auth.bearer", "auth.missing", "auth.invalid"}
    assert skipped == ({"auth.ignored-when-off"} if key else keyed)
    assert len(report.exchanges) > 60
