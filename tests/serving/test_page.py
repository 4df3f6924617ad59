"""The page over HTTP: whole and well-formed in every state, behind keys, nothing injected."""

from __future__ import annotations

import base64
import json
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlencode

import pytest

from router import Router
from router.core.manifest import read_manifest
from router.core.store import Store
from router.events import GATEWAY
from serving.declared import Declared
from serving.gateway.upstreams import read_upstreams
from serving.page import words
from serving.page.routes import HEADERS
from tests.serving.conftest import Driver, Reply
from tests.serving.pages import Parsed, parsed
from tests.worlds.logs import LOSING, write_log
from training.bundle.export import finish

Make = Callable[..., Driver]
SECTIONS = (
    "sentence", "frontier", "shares", "try", "log", "health", "losses", "calibration", "candidate",
    "budgets", "sessions", "costs",
)  # fmt: skip
FORM = {"content-type": "application/x-www-form-urlencoded"}
EVIL = "<script>alert(1)</script>\"'&"


def get(ask: Driver, path: str = "/", **headers: str) -> Reply:
    return ask(path=path, method="GET", headers=headers)


def whole(reply: Reply) -> Parsed:
    """A page that was answered, checked as every page is."""
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    page = parsed(reply.body)
    assert page.faults == []
    assert [len(page.all(tag)) for tag in ("html", "head", "main", "h1")] == [1, 1, 1, 1]
    assert page.all("html")[0].attributes["lang"] == "en"
    for script in page.all("script"):
        assert script.attributes["src"].startswith("/assets/")
        assert script.text == ""
    for element in page.elements:
        assert not [name for name in element.attributes if name.startswith("on")]
        assert "style" not in element.attributes
        for name in ("src", "href", "action"):
            assert element.attributes.get(name, "/").startswith(("/", "#"))
    labelled = {label.attributes["for"] for label in page.all("label")}
    for tag in ("input", "select", "textarea"):
        for field in page.all(tag):
            assert field.attributes.get("type") == "hidden" or field.attributes["id"] in labelled
    levels = [int(e.tag[1]) for e in page.elements if re.fullmatch("h[1-6]", e.tag)]
    assert all(b <= a + 1 for a, b in pairwise(levels))
    return page


@pytest.fixture(scope="module")
def router(tiny_bundle: Path) -> Router:
    return Router.load(tiny_bundle)


@pytest.fixture(scope="module")
def busy(make_app: Make, router: Router, tmp_path_factory: pytest.TempPathFactory) -> Driver:
    """A service whose log holds some thousand decisions of the last days."""
    folder = tmp_path_factory.mktemp("busy")
    write_log(folder, router, 3000, now=time.time(), explored=0.6, outcomes=0.9)
    ask = make_app(log_dir=folder, budgets=(Declared(name="team", usd=5.0, period="hour"),))
    until = time.monotonic() + 60
    while b"data-unread" in get(ask).body:
        assert time.monotonic() < until
    return ask


@pytest.mark.parametrize("decisions", [0, 1, 10])
def test_the_overview_is_whole_with_few_decisions(
    make_app: Make, router: Router, tmp_path: Path, decisions: int
) -> None:
    if decisions:
        write_log(tmp_path, router, decisions, now=time.time(), days=0.01, outcomes=1.0)
    page = whole(get(make_app(log_dir=tmp_path)))
    ids = [e.attributes.get("id") for e in page.all("section")]
    assert ids == list(SECTIONS)
    title = page.by_id("sentence-h").text
    assert ("no decision yet" in title) == (decisions == 0)
    assert decisions == 0 or "unknown" in title
    assert ("unknown" in page.by_id("calibration").text) == (decisions == 0)
    for name in ("health", "candidate", "costs"):
        assert "unknown" in page.by_id(name).text


def test_the_overview_is_whole_without_a_log(make_app: Make) -> None:
    page = whole(get(make_app()))
    assert "keeps no log" in page.by_id("sentence-h").text
    assert whole(get(make_app(), "/decisions")).by_id("main").text.count("0 of the latest") == 1


def test_the_overview_says_what_was_saved_with_intervals(busy: Driver) -> None:
    page = whole(get(busy))
    title = " ".join(page.by_id("sentence-h").text.split())
    assert re.search(r"Last 7 days: \d+\s% (cheaper|dearer) than always .+, quality", title)
    facts = page.by_id("sentence").text
    assert re.search(r"Saving.*\[−?\d+\s%, \d+\s%\]", facts, re.DOTALL)
    assert re.search(r"Quality unknown for\s*\d+", facts)
    assert "Shares" in page.by_id("frontier").text
    points = json.loads(page.by_id("slider").attributes["data-points"])
    assert len(points) == 21
    assert [p["usd"] for p in points] == sorted(p["usd"] for p in points)
    assert len(page.by_id("shares").text) > 100
    assert page.by_id("log").text.count("2") > 8
    assert "team" in page.by_id("budgets").text
    assert "sessions begun" in page.by_id("sessions").text
    assert "outcomes" in page.by_id("calibration").text


def test_where_it_loses_names_the_kind_that_was_made_to_lose(busy: Driver) -> None:
    page = whole(get(busy))
    lede = page.by_id("losses").text.partition("Requests")[0]
    name = f"kind {LOSING.replace('_', ' ')}"
    assert f"{name}," in lede or f"{name}:" in lede
    assert "surely worse than always" in lede
    rows = [e.text for e in page.all("tr") if e.text.strip().startswith("kind ")]
    assert len(rows) == 4
    assert rows[0].strip().startswith(name)  # the worst first


def test_windows_arms_and_thresholds_are_asked_for(busy: Driver, router: Router) -> None:
    arm = router.arm_ids[0]
    page = whole(get(busy, "/?" + urlencode({"days": 1, "against": arm, "threshold": "0.25"})))
    assert page.by_id("sentence-h").text.startswith("Today")
    assert words.arm(arm) in page.by_id("sentence-h").text
    assert page.by_id("threshold").attributes["value"] == "0.25"
    best = router.arm_ids[router.manifest.decision.best_single]
    odd = whole(get(busy, "/?" + urlencode({"days": 3, "against": EVIL, "threshold": "x"})))
    assert [n.text for n in odd.elements if "notice" in n.attributes.get("class", "")] == [
        "days may be 1, 7, 30; these are 7.",
        f"The bundle has no arm {EVIL}; compared with {best}.",
        "threshold must be a number from 0 to 1.",
    ]


def test_filters_leave_what_they_say(busy: Driver) -> None:
    everything = whole(get(busy, "/decisions"))
    assert len(everything.by_id("main").text) > 1000
    for name, value in (("outcome", "wrong"), ("kind", "title"), ("reason", "exploration")):
        page = whole(get(busy, "/decisions?" + urlencode({name: value})))
        rows = [e.text for e in page.all("tr")][1:]
        assert 0 < len(rows) <= 50
        assert all(value in row for row in rows)
    none = whole(get(busy, "/decisions?kind=" + "x" * 50))
    assert "No decision passes" in none.by_id("main").text
    first, second = (get(busy, f"/decisions?skip={n}").body for n in (0, 50))
    ids = [set(re.findall(rb"/decisions/([0-9a-f-]{36})", body)) for body in (first, second)]
    assert len(ids[0]) == len(ids[1]) == 50
    assert not ids[0] & ids[1]
    assert whole(get(busy, "/decisions?skip=99999999999999")).by_id("main")


def test_every_row_is_a_page(busy: Driver) -> None:
    body = get(busy, "/decisions?outcome=right").body
    path = re.findall(rb"/decisions/[0-9a-f-]{36}", body)[0].decode()
    page = whole(get(busy, path))
    text = page.by_id("main").text
    for said in ("What came of it", "quality 1", "cached tokens 40", "Chance", "Session so far"):
        assert said in text
    assert "threshold 0.5" in text


def test_a_real_decision_and_its_feedback_show_at_once(make_app: Make, tmp_path: Path) -> None:
    ask = make_app(log_dir=tmp_path, log_flush_s=0.02, log_text=True)
    ask.app.recorder.serves(ask.app.live.router)  # as a worker does when it has loaded
    made = ask({"prompt": "A secret that nobody may read: heron", "threshold": 0.4}).json()
    ask({"decision_id": made["decision_id"], "correct": True}, path="/feedback")
    until = time.monotonic() + 20
    while get(ask, f"/decisions/{made['decision_id']}").status != 200:
        assert time.monotonic() < until
    text = whole(get(ask, f"/decisions/{made['decision_id']}")).by_id("main").text
    assert words.arm(f"{made['model']}|{made['tier']['name']}") in text
    assert "threshold 0.4" in text
    for path in ("/", "/decisions", f"/decisions/{made['decision_id']}"):
        assert b"heron" not in get(ask, path).body  # texts are not shown, even where they are kept


@pytest.mark.parametrize("path", ["/decisions/x", "/decisions/", "/decisions/" + "0" * 36])
def test_a_decision_that_nobody_made_is_told_as_a_page(busy: Driver, path: str) -> None:
    reply = get(busy, path)
    assert reply.status == 404
    assert whole(reply)


def test_a_prompt_is_tried_and_not_logged(make_app: Make, router: Router, tmp_path: Path) -> None:
    ask = make_app(log_dir=tmp_path)
    body = urlencode({"prompt": "Prove that √2 is irrational.", "threshold": "0.3"}).encode()
    page = whole(ask(body, path="/try", headers=FORM))
    text = page.by_id("main").text
    for said in ("answers", "Why", "What would flip it", "Every arm", "Against always"):
        assert said in text
    assert all(words.arm(name) in text for name in router.arm_ids)
    assert page.by_id("prompt").text == "Prove that √2 is irrational."
    ask.app.recorder.close()
    assert not list(tmp_path.glob("*.jsonl"))


def test_a_conversation_is_tried_as_json(ask: Driver) -> None:
    talk = [
        {"role": "user", "content": "Name a prime."},
        {"role": "assistant", "content": "7"},
        {"role": "user", "content": "And a larger one, with a proof?"},
    ]
    for pasted in (talk, {"model": "auto", "messages": talk}):
        body = urlencode({"prompt": json.dumps(pasted)}).encode()
        assert "follow up" in whole(ask(body, path="/try", headers=FORM)).by_id("main").text
    body = urlencode({"prompt": "[1, 2] is what?"}).encode()
    assert "new task" in whole(ask(body, path="/try", headers=FORM)).by_id("main").text


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"prompt": "  "}, 422),
        ({"prompt": "x", "threshold": "nan"}, 422),
        ({"prompt": "x", "threshold": "7"}, 422),
        ({"prompt": '{"prompt": "x", "budget_usd": 5}'}, 422),
        ({"prompt": '{"messages": 5}'}, 422),
        ({str(i): "x" for i in range(99)}, 422),
    ],
)
def test_a_form_that_cannot_be_used_is_told_why(
    ask: Driver, given: dict[str, str], status: int
) -> None:
    reply = ask(urlencode(given).encode(), path="/try", headers=FORM)
    assert reply.status == status
    assert whole(reply)


def test_forms_of_other_sites_and_other_types_are_refused(ask: Driver) -> None:
    body = urlencode({"prompt": "x"}).encode()
    assert ask(body, path="/try", headers={**FORM, "sec-fetch-site": "cross-site"}).status == 422
    assert ask(b"{}", path="/try").status == 415
    assert ask(body, path="/route", headers=FORM).status == 415


def test_nothing_that_is_shown_is_markup(make_app: Make, router: Router, tmp_path: Path) -> None:
    write_log(tmp_path, router, 30, now=time.time(), days=0.01, outcomes=1.0)
    (path,) = tmp_path.glob("*.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        if line["type"] == "bundle":
            line["arms"] = [f"{EVIL}{i}|{EVIL}" for i in range(len(line["arms"]))]
        elif line["type"] == "decision":
            evil = {"kind": EVIL, "wire": EVIL, "session": EVIL, "reasons": [EVIL]}
            line |= {**evil, "request_hash": EVIL, "policy": {EVIL: EVIL}}
        else:
            line |= {"source": GATEWAY, "arm": EVIL, "upstream": EVIL, "error": EVIL}
            line |= {"asked_model": "a", "served_model": EVIL, "finish_reason": EVIL}
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    ask, made = make_app(log_dir=tmp_path), lines[1]["decision_id"]
    asked = [{"kind": EVIL}, {"session": EVIL, "arm": EVIL}]
    places = ["/", "/decisions", f"/decisions/{made}"]
    places += ["/decisions?" + urlencode(fields) for fields in asked]
    for where in (*places, "/?" + urlencode({"against": EVIL, "days": EVIL})):
        reply = get(ask, where)
        assert whole(reply).all("script")[0].attributes["src"].startswith("/assets/page.js")
        assert b"<script>" not in reply.body
        assert b"alert(1)" in reply.body
    body = urlencode({"prompt": f"</textarea>{EVIL}", "threshold": EVIL, "against": EVIL}).encode()
    reply = ask(body, path="/try", headers=FORM)
    assert whole(reply)
    assert b"<script>" not in reply.body


def test_lines_that_cannot_be_scored_anew_are_shown_without(
    make_app: Make, router: Router, tmp_path: Path
) -> None:
    write_log(tmp_path, router, 40, now=time.time(), days=0.01)
    (path,) = tmp_path.glob("*.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        odd = {"embedding": "%%", "features": [1.0], "policy": {"threshold": "high"}}
        line.update(odd if line["type"] == "decision" else {})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    ask = make_app(log_dir=tmp_path)
    assert "0 decisions of this bundle" in whole(get(ask)).by_id("frontier").text
    page = whole(get(ask, f"/decisions/{lines[1]['decision_id']}"))
    assert "at which threshold" not in page.by_id("main").text


def test_health_tells_what_upstreams_did(make_app: Make, router: Router, tmp_path: Path) -> None:
    write_log(tmp_path, router, 40, now=time.time(), days=0.01, outcomes=1.0)
    (path,) = tmp_path.glob("*.jsonl")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    made = {line["decision_id"]: line for line in lines if line["type"] == "decision"}
    reports = [line for line in lines if line["type"] == "feedback"]
    for i, line in enumerate(reports):
        chosen = router.arm_ids[made[line["decision_id"]]["chosen"]]
        line |= {"source": GATEWAY, "quality": None, "arm": chosen, "upstream": "main"}
        line |= {"attempts": 1 + (i % 4 == 0), "asked_model": "one", "served_model": "one"}
    for line in reports[:6]:
        line["error"] = "stalled"
    reports[7]["served_model"] = "another"
    named = next(line for line in lines if line["type"] == "decision")
    named["role"] = "named"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    page = whole(get(make_app(log_dir=tmp_path)))
    health = page.by_id("health").text
    assert "main was asked for one and served another, 1 times" in health
    assert "6 of 40 failed: stalled 6" in health
    assert "10 of 40 requests took several calls" in health
    assert "1 requests named their model" in page.by_id("sentence").text
    assert re.search(r"Decisions\s*39", page.by_id("sentence").text)
    shown = get(make_app(log_dir=tmp_path), f"/decisions/{reports[7]['decision_id']}")
    assert b"served model another" in shown.body


def test_health_tells_what_the_newest_status_found(make_app: Make, tmp_path: Path) -> None:
    status = tmp_path / "status.prom"
    ask = make_app(status_metrics=status)
    assert "is not there yet" in whole(get(ask)).by_id("health").text
    status.write_text(
        "# TYPE tierwise_status_time_seconds gauge\ntierwise_status_time_seconds 1.79e9\n"
        "# TYPE tierwise_drift_level gauge\n"
        'tierwise_drift_level{kind="price",subject="calm"} 0.0\n'
        'tierwise_drift_level{kind="answers",subject="<b>arm</b>"} 2.0\n'
    )
    page = whole(get(ask))
    health = page.by_id("health").text
    assert re.search(r"Drift: answers <b>arm</b>\s*alarm\s*as of 2026-09-21", health)
    assert "calm" not in health
    status.write_text("half a li")
    assert "is not there yet" in whole(get(ask)).by_id("health").text


def test_before_a_bundle_is_loaded_the_page_says_so(make_app: Make) -> None:
    reply = get(make_app(load=False))
    assert reply.status == 503
    assert "no bundle yet" in whole(reply).by_id("main").text


def test_the_browser_may_load_nothing_else(ask: Driver) -> None:
    for path in ("/", "/decisions", "/try", "/decisions/x"):
        found = get(ask, path).headers
        policy = found["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert found["cache-control"] == "no-store"
        assert found["x-content-type-options"] == "nosniff"
        assert found["referrer-policy"] == "no-referrer"
    assert len(HEADERS) == 4


def test_assets_are_the_packages_own(ask: Driver) -> None:
    page = whole(get(ask))
    wanted = [e.attributes.get("href") or e.attributes["src"]
              for e in page.elements if e.tag in ("link", "script")]  # fmt: skip
    assert len(wanted) == 3
    for path in wanted:
        reply = get(ask, path)
        assert reply.status == 200
        assert b"http://" not in reply.body.replace(b"http://www.w3.org/2000/svg", b"")
        assert b"https://" not in reply.body
    for path in ("/assets/", "/assets/x.js", "/assets/../routes.py", "/assets/page.css/x"):
        assert get(ask, path).status == 404


def test_the_page_needs_a_key_where_keys_are_set(make_app: Make) -> None:
    ask = make_app(admin_keys=("first-key", "second-key"))
    for path in ("/", "/decisions", "/decisions/x", "/try"):
        refused = get(ask, path)
        assert refused.status == 401
        assert refused.headers["www-authenticate"].startswith("Basic ")
        assert "bundle " not in whole(refused).by_id("main").text
    for path in ("/", "/decisions", "/try"):
        basic = base64.b64encode(b"me:second-key").decode()
        alone = base64.b64encode(b"first-key:").decode()
        for given in (f"Basic {basic}", f"basic {alone}", "Bearer first-key"):
            assert whole(get(ask, path, authorization=given))
        for wrong in (base64.b64encode(b"me:third").decode(), "%%%", ""):
            assert get(ask, path, authorization=f"Basic {wrong}").status == 401
    basic = base64.b64encode(b"me:first-key").decode()
    route = ask({"prompt": "x"}, headers={"authorization": f"Basic {basic}"})
    assert route.status == 401  # what a browser sends by itself opens the page alone


def test_only_methods_that_a_path_has(ask: Driver) -> None:
    assert ask(b"", path="/").status == 405
    assert ask(b"", path="/decisions/x").status == 405
    head = ask(path="/", method="HEAD", headers={})
    assert (head.status, head.body) == (200, b"")


def test_a_store_shows_promotions_and_the_candidate(
    make_app: Make, router: Router, tiny_bundle: Path, tmp_path: Path
) -> None:
    other = Path(shutil.copytree(tiny_bundle, tmp_path / "other"))
    manifest = read_manifest(other)
    finish(other, replace(manifest, config={**manifest.config, "note": "candidate"}))
    store = Store(tmp_path / "store")
    store.promote(tiny_bundle, gate=None, force=None, time=time.time())
    candidate = store.try_out(other)
    assert candidate is not None
    write_log(
        tmp_path / "log", router, 400, now=time.time(), days=0.01, rival=candidate.bundle_id,
        outcomes=1.0, explored=0.3,
    )  # fmt: skip
    ask = make_app(bundle=tmp_path / "store", log_dir=tmp_path / "log")
    until = time.monotonic() + 60
    while b"data-unread" in get(ask).body:
        assert time.monotonic() < until
    page = whole(get(ask))
    text = page.by_id("candidate").text
    assert candidate.bundle_id in text
    assert "tierwise promote" in text
    assert "400" in text
    assert "it was not asked" in text
    record = {"candidate": candidate.bundle_id, "incumbent": store.current, "verdict": "failed",
              "summary": "worse than allowed: aiq", "checks": [
                  {"name": "aiq", "verdict": "failed", "value": -0.05, "interval": [-0.06, -0.04],
                   "limit": -0.01, "detail": "on 300 <prompts>"}]}  # fmt: skip
    store.keep_gate(record)
    told = whole(get(ask)).by_id("candidate").text
    assert "failed, worse than allowed: aiq" in told
    assert "−0.0500 [−0.0600, −0.0400]" in told
    assert "on 300 <prompts>" in told
    assert "tierwise gate" in told
    store.keep_gate(record | {"verdict": "passed", "incumbent": "another"})
    told = whole(get(ask)).by_id("candidate").text
    assert "not live any more" in told
    store.keep_gate(record | {"verdict": "passed"})
    assert "tierwise gate" not in whole(get(ask)).by_id("candidate").text
    store.keep_gate(record | {"checks": "many"})
    assert "cannot be read" in whole(get(ask)).by_id("candidate").text
    assert "promote of" in page.by_id("health").text
    assert "first bundle of the store" in page.by_id("shares").text


def test_a_judge_is_shown_beside_people_and_unknown_without_them(
    make_app: Make, router: Router, tmp_path: Path
) -> None:
    path = tmp_path / "upstreams.toml"
    path.write_text('[upstreams.a]\nurl = "http://127.0.0.1:9/v1"\n')
    plain = make_app(log_dir=tmp_path / "log", upstreams=read_upstreams(path, {}))
    assert "The judge" not in whole(get(plain)).by_id("calibration").text
    path.write_text(f'{path.read_text()}[judge]\nmodel = "j"\nusd_per_day = 1\n')
    ask = make_app(log_dir=tmp_path / "log", upstreams=read_upstreams(path, {}))
    text = whole(get(ask)).by_id("calibration").text
    assert "Agrees with peopleunknown" in text.replace("\n", "")
    assert "needs feedback" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "unknown"), (0.0, "$0.00"), (12.345, "$12.35"), (0.00012345, "$0.00012"),
     (-0.5, "−$0.50"), (1234.5, "$1,234.50"), (0.0999, "$0.100"), (3e-9, "$0.0000000030")],
)  # fmt: skip
def test_dollars_are_told_without_exponents(value: float | None, text: str) -> None:
    assert words.usd(value) == text


def test_unknown_is_a_word_and_zero_has_no_sign() -> None:
    assert [form(None) for form in (words.percent, words.points, words.quality, words.count)] == [
        "unknown"
    ] * 4
    assert (words.points(0.00001), words.points(-0.00001)) == ("0.0", "0.0")
    assert (words.points(0.0123), words.points(-0.0123)) == ("+1.2", "−1.2")
