"""What every kind of key opens, on every path that there is, and how often it may."""

from __future__ import annotations

import ast
import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from serving.app import HEALTH, App
from serving.gateway.upstreams import read_upstreams
from serving.keys import EVERY, Key, KeyFileError, Keys, everyone, given_key, read_keys
from serving.problems import Problem
from serving.settings import Settings, SettingsError
from tests.serving.conftest import JSON, ROOT, Driver

Make = Callable[..., Driver]
ROUTER, READER, ADMIN = "key-that-routes", "key-that-reads", "key-of-an-admin"
# what a key may open, by its right; whoever adds a path says here whose it is
OPENED = {
    "route": {
        "/route", "/route/batch", "/explain", "/feedback", "/arms", "/frontier", "/budgets",
        "/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/messages/count_tokens",
        "/v1/systemone", "/v1/decisions", "/v1/models",
    },
    "read": {
        "/", "/decisions", "/decisions/some-id", "/try", "/metrics", "/arms", "/frontier",
        "/budgets", "/v1/models",
    },
    "admin": {"/admin/promote", "/admin/rollback", "/admin/reload"},
}  # fmt: skip
OPEN = {"/openapi.json", "/assets/page.css"}
BODY = {"prompt": "What is 17*23?", "model": "auto"}


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


@pytest.fixture(scope="module")
def house(make_app: Make, tmp_path_factory: pytest.TempPathFactory) -> Driver:
    """An application with everything that can be switched on, and a key of each right."""
    toml = tmp_path_factory.mktemp("keys") / "upstreams.toml"
    toml.write_text('[upstreams.nobody]\nurl = "http://127.0.0.1:9/v1"\nmodels = ["x"]\n')
    keys = {
        "reader": Key(sha256=digest(READER), rights=("read",)),
        "promoter": Key(sha256=digest(ADMIN), rights=("admin",)),
    }
    return make_app(api_keys=(ROUTER,), keys=keys, upstreams=read_upstreams(toml, {}))


def every_path(app: App) -> list[tuple[str, str]]:
    """(path, method) of all that is served, those that stand for many included."""
    found = {**app.paths, "/decisions/some-id": ("GET",), "/assets/page.css": ("GET",)}
    return [(p, m) for p, methods in found.items() if p not in HEALTH for m in methods]


def status(driver: Driver, path: str, method: str, headers: Mapping[str, str]) -> int:
    body = b"" if method != "POST" else BODY
    return driver(body, path=path, method=method, headers={**JSON, **headers}).status


@pytest.mark.parametrize(("key", "right"), [(ROUTER, "route"), (READER, "read"), (ADMIN, "admin")])
@pytest.mark.parametrize("form", ["bearer", "x-api-key", "basic"])
def test_a_key_opens_what_its_right_says_and_nothing_else(
    house: Driver, key: str, right: str, form: str
) -> None:
    basic = base64.b64encode(f"me:{key}".encode()).decode()
    given = {
        "bearer": {"authorization": f"Bearer {key}"},
        "x-api-key": {"x-api-key": key},
        "basic": {"authorization": f"Basic {basic}"},
    }[form]
    people = {"/", "/decisions", "/decisions/some-id", "/try", "/metrics"}
    opened = OPENED[right] & people if form == "basic" else OPENED[right]
    let_in, kept_out = set(), set()
    for path, method in every_path(house.app):
        if path not in OPEN:
            inside = status(house, path, method, given) not in (401, 403)
            (let_in if inside else kept_out).add(path)
    assert let_in == opened
    assert not let_in & kept_out  # whatever the method


def test_the_table_of_the_readme_says_the_same() -> None:
    text = (ROOT / "serving" / "README.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `(route|read|admin)` \| (.*) \|$", text, re.MULTILINE))
    assert set(rows) == set(EVERY)
    for right, paths in OPENED.items():
        told = set(re.findall(r"`(?:POST |GET )?(/[^`]*)`", rows[right]))
        if "the page" in rows[right]:
            told |= {"/", "/decisions", "/decisions/some-id", "/try"}
        if "/v1/…" in told:
            told = told - {"/v1/…"} | {path for path in paths if path.startswith("/v1/")}
        assert told == paths


def test_every_path_has_an_owner(house: Driver) -> None:
    served = {path for path, _ in every_path(house.app)}
    assert served == OPEN | set.union(*OPENED.values())


@pytest.mark.parametrize("headers", [{}, {"x-api-key": "other"}, {"authorization": "Bearer "}])
def test_without_a_key_nothing_opens_but_the_contract_and_the_looks(
    house: Driver, headers: dict[str, str]
) -> None:
    for path, method in every_path(house.app):
        assert (status(house, path, method, headers) == 401) == (path not in OPEN), path


def test_where_no_key_is_set_everybody_routes_and_reads_and_nobody_is_an_admin(
    make_app: Make,
) -> None:
    ask = make_app()
    served = {path for path, _ in every_path(ask.app)}
    assert not served & OPENED["admin"]
    for path, method in every_path(ask.app):
        assert status(ask, path, method, {}) not in (401, 403)
    reply = ask({}, path="/admin/reload")
    assert (reply.status, reply.json()["code"]) == (404, "not_found")


def test_a_refusal_says_what_the_key_may_and_what_it_would_need(house: Driver) -> None:
    reply = house(path="/metrics", method="GET", headers={"x-api-key": ROUTER})
    assert (reply.status, reply.json()["code"]) == (403, "forbidden")
    assert reply.json()["detail"] == "this key may route; here one needs to read"
    reply = house({}, path="/v1/messages", headers={**JSON, "x-api-key": READER})
    assert (reply.status, reply.json()["error"]["type"]) == (403, "permission_error")
    page = house(path="/", method="GET", headers={"x-api-key": ROUTER})
    # a browser keeps a key that got a 403, and would never ask for another one
    assert (page.status, page.headers["www-authenticate"][:5]) == (401, "Basic")


def test_an_admin_s_key_of_the_environment_may_do_everything(make_app: Make) -> None:
    ask = make_app(admin_keys=(ADMIN,))
    for path, method in every_path(ask.app):
        assert status(ask, path, method, {"x-api-key": ADMIN}) not in (401, 403)
        if path not in OPEN:
            assert status(ask, path, method, {}) == 401


def test_keys_are_compared_as_digests_of_one_length_all_of_them_in_one_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[bytes, bytes]] = []
    real = hmac.compare_digest

    def compare(one: Any, other: Any) -> bool:  # noqa: ANN401
        seen.append((one, other))
        return real(one, other)

    monkeypatch.setattr("serving.keys.hmac.compare_digest", compare)
    keys = Keys(everyone(("a", "b" * 300), ("c",), {"d": Key(sha256=digest("d"))}))
    for given in (b"a", b"c", b"", b"a" * 10_000, b"\xff", b"d"):
        seen.clear()
        with suppress(Problem):
            keys.let_in({b"x-api-key": given}, ("route",))
        assert len(seen) == 4
        assert {len(part) for pair in seen for part in pair} == {32}


def test_no_other_file_of_the_service_compares_a_secret() -> None:
    found = set()
    for path in (ROOT / "serving").rglob("*.py"):
        names = {
            n.attr for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Attribute)
        }
        if names & {"api_keys", "admin_keys", "compare_digest"}:
            found.add(path.name)
    # ids.py proves ids by a digest of its own; cli.py asks whether there are keys
    assert found <= {"keys.py", "settings.py", "worker.py", "ids.py", "cli.py"}


def test_a_key_that_comes_too_often_is_told_when_to_come_again(make_app: Make) -> None:
    keys = {
        "slow": Key(sha256=digest("slow"), requests_per_minute=12),
        "free": Key(sha256=digest("free")),
    }
    ask = make_app(keys=keys)
    slow = [ask(BODY, headers={**JSON, "x-api-key": "slow"}) for _ in range(4)]
    assert [reply.status for reply in slow] == [200, 200, 429, 429]  # ten seconds' worth at once
    assert slow[-1].json()["code"] == "too_many_requests"
    assert "slow" in slow[-1].json()["detail"]
    assert 1 <= int(slow[-1].headers["retry-after"]) <= 5
    assert ask(BODY, headers={**JSON, "x-api-key": "free"}).status == 200


def test_a_key_is_read_from_the_header_that_clients_use() -> None:
    basic = base64.b64encode(b"me:secret").decode().encode()
    alone = base64.b64encode(b"secret:").decode().encode()
    assert given_key({b"authorization": b"bEaReR  secret "}) == b"secret"
    assert given_key({b"x-api-key": b"secret"}) == b"secret"
    for token in (basic, alone):
        assert given_key({b"authorization": b"Basic " + token}, basic=True) == b"secret"
        assert given_key({b"authorization": b"Basic " + token}) == b""
    assert given_key({b"authorization": b"Basic %%%"}, basic=True) == b""
    assert given_key({}) == b""


def test_a_file_of_keys_holds_digests_rights_and_limits(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(
        f'[keys.team-a]\nsha256 = "{digest("a")}"\nrequests_per_minute = 60\nusd = 5\n'
        'period = "month"\n'
        f'[keys.dashboard]\nsha256 = "{digest("b")}"\nrights = ["read"]\n'
    )
    settings = Settings.from_env({"TIERWISE_KEYS": str(path), "TIERWISE_ADMIN_KEYS": "root"})
    team = settings.keys["team-a"]
    assert (team.requests_per_minute, team.usd, team.period) == (60, 5.0, "month")
    assert (team.rights, settings.keys["dashboard"].rights) == (("route",), ("read",))
    found = everyone(settings.api_keys, settings.admin_keys, settings.keys)
    assert found["TIERWISE_ADMIN_KEYS/1"].rights == EVERY
    assert digest("a") not in repr(settings)
    assert "root" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "keys is missing"),
        ("[keys.a]\n", "keys.a.sha256 is missing"),
        ('[keys.a]\nsha256 = "abc"\n', "64 hexadecimal digits"),
        (f'[keys.a]\nsha256 = "{digest("")}"\n', "no character"),
        (f'[keys.a]\nsha256 = "{digest("a")}"\nrights = ["admni"]\n', "did you mean 'admin'"),
        (f'[keys.a]\nsha256 = "{digest("a")}"\nrights = []\n', "rights is empty"),
        (f'[keys.a]\nsha256 = "{digest("a")}"\nusd = -1\n', "usd must be > 0"),
        (f'[keys.a]\nsha256 = "{digest("a")}"\nperiod = "moon"\n', "moon"),
        (f'[keys.a]\nsha256 = "{digest("a")}"\nrequests_per_minute = 0\n', ">= 1"),
        (f'[keys.a]\nsha256 = "{digest("a")}"\nright = "route"\n', "did you mean keys.a.rights"),
        (f'[keys."a b"]\nsha256 = "{digest("a")}"\n', "'a b' is no name"),
        ("keys = 1", "is a section"),
        ("[keys", "cannot be read"),
    ],
)
def test_a_wrong_file_of_keys_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match="TIERWISE_KEYS") as refused:
        Settings.from_env({"TIERWISE_KEYS": str(path)})
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_and_a_key_given_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="nowhere"):
        read_keys(tmp_path / "nowhere.toml")
    with pytest.raises(SettingsError, match="are one key"):
        Settings.from_env({"TIERWISE_API_KEYS": "same", "TIERWISE_ADMIN_KEYS": "same"})


def test_the_contract_lists_the_admins_paths_only_where_there_are_admins(
    house: Driver, make_app: Make
) -> None:
    def paths(driver: Driver) -> set[str]:
        return set(driver(path="/openapi.json", method="GET", headers={}).json()["paths"])

    assert paths(house) >= OPENED["admin"]
    assert not paths(make_app(api_keys=(ROUTER,))) & OPENED["admin"]
    described = {path for path in house.app.paths if path not in ("/", "/decisions", "/try")}
    assert paths(house) == described - {"/openapi.json", "/healthz"}


def test_a_failed_login_is_counted_and_the_key_stays_out_of_what_is_said(
    house: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "sk-mistyped-0123456789"
    reply = house(BODY, headers={**JSON, "x-api-key": secret})
    metrics = house(path="/metrics", method="GET", headers={"x-api-key": READER}).body.decode()
    assert 'tierwise_problems_total{code="unauthorized"}' in metrics
    for said in (json.dumps(reply.json()), metrics, caplog.text, repr(house.app.keys.__dict__)):
        assert secret not in said
        assert ROUTER not in said
