"""What operators copy: rules, dashboard, compose and unit, held to the service as it is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry

from router.events import FAILURES
from serving.gateway.upstreams import read_upstreams
from serving.metrics import MEDIA, REASONS, STEPS, Metrics
from serving.problems import PROBLEMS
from serving.settings import VARIABLES, Settings
from tests.serving.conftest import ROOT
from tests.serving.promql import Query, parse
from training.status.certificate import STATES
from training.status.prometheus import gauges
from training.status.report import DriftReport

HERE = ROOT / "serving" / "operations"
RULES = yaml.safe_load((HERE / "alerts.yml").read_text("utf-8"))["groups"]
ALERTS = {rule["alert"]: rule for group in RULES for rule in group["rules"]}
DASHBOARD = json.loads((HERE / "grafana" / "dashboard.json").read_text("utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
COMPOSE = yaml.safe_load((HERE / "compose.yaml").read_text("utf-8"))
SCRAPED = {"job", "instance"}  # labels that Prometheus itself puts on everything
# what stands behind a label in our own words
WORDS = {
    ("tierwise_problems_total", "code"): {*PROBLEMS},
    ("tierwise_reasons_total", "code"): {*REASONS, "other"},
    ("tierwise_upstream_calls_total", "result"): {*FAILURES, "ok"},
    ("tierwise_budget_syncs_total", "result"): {"ok", "failed"},
    ("tierwise_budget_syncs_total", "medium"): {*MEDIA},
    ("tierwise_step_seconds_bucket", "step"): {*STEPS},
    ("tierwise_cache_lookups_total", "result"): {"hit", "miss"},
    ("tierwise_log_events_total", "result"): {"written", "dropped"},
    ("tierwise_certificate", "state"): {*STATES},
}


def expressions() -> Iterator[tuple[str, str, list[str]]]:
    """(place, expression, texts that name its labels) of everything that queries."""
    for name, rule in ALERTS.items():
        yield name, rule["expr"], [*rule["annotations"].values()]
    for panel in PANELS:
        for target in panel["targets"]:
            yield panel["title"], target["expr"], [target["legendFormat"]]


EVERY = [pytest.param(expr, texts, id=place) for place, expr, texts in expressions()]


@cache
def exported() -> dict[str, set[str]]:
    """Every series that /metrics can have, with its labels; those of `tierwise status`, too."""
    found: dict[str, set[str]] = {"up": set(), "tierwise_status_readable": set()}
    report = DriftReport(bundle_id="b", decisions=0, findings=(), certificate=None)
    for registry in (Metrics()._registry, gauges(report, now=0.0)):
        found |= dict(series_of(registry))
    return found


def series_of(registry: CollectorRegistry) -> Iterator[tuple[str, set[str]]]:
    for metric in list(registry._collector_to_names):
        name, labels = metric._name, set(metric._labelnames)  # type: ignore[attr-defined]
        kind = metric._type  # type: ignore[attr-defined]
        if kind == "histogram":
            yield f"{name}_bucket", labels | {"le"}
            yield f"{name}_sum", labels
            yield f"{name}_count", labels
        else:
            yield (f"{name}_total" if kind == "counter" else name), labels


def labels_of(query: Query) -> set[str]:
    """Labels that its result has."""
    if query.grouped:
        return query.labels
    return SCRAPED.union(*(exported()[one.name] for one in query.selectors))


@pytest.mark.parametrize(("expr", "texts"), EVERY)
def test_every_query_asks_for_series_and_labels_that_are_exported(
    expr: str, texts: list[str]
) -> None:
    query = parse(expr)
    assert query.selectors
    for one in query.selectors:
        assert one.name in exported()
        counts = one.name.endswith(("_total", "_bucket", "_sum", "_count"))
        assert one.ranged == counts  # a counter is only read by its growth
        for label, operator, value in one.matchers:
            assert label in exported()[one.name] | SCRAPED
            known = WORDS.get((one.name, label))
            if known is not None:
                words = value.split("|") if operator in ("=~", "!~") else [value]
                assert set(words) <= known
    for labels, names in query.grouped:
        for name in names:
            assert set(labels) <= exported()[name] | SCRAPED
    for text in texts:
        told = set(re.findall(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}", text))
        assert told <= labels_of(query)


def test_every_series_of_the_service_is_on_the_dashboard() -> None:
    shown = {one.name for _, expr, _ in expressions() for one in parse(expr).selectors}
    families = {re.sub("_(bucket|sum|count)$", "", name) for name in shown}
    own = {re.sub("_(bucket|sum|count)$", "", name) for name, _ in series_of(Metrics()._registry)}
    assert own <= families


@pytest.mark.parametrize(
    "wrong",
    ["sum(", "sum(x) by", "rate(x[5m]", "x{a=b}", "x{a='b'}", "sum by (x", "1 +", "x y",
     "rate(x, y)",
     "x[5m", "foo(x)", "x{a=\"b\" c=\"d\"}", "", "#"],
)  # fmt: skip
def test_what_is_no_query_is_refused(wrong: str) -> None:
    with pytest.raises((ValueError, IndexError)):
        parse(wrong)


def test_an_unknown_series_would_be_found() -> None:
    query = parse('sum by (model) (rate(tierwise_decisionz_total{tierr="x"}[5m])) / time()')
    assert query.selectors[0].name not in exported()
    assert query.selectors[0].matchers == (("tierr", "=", "x"),)
    assert query.grouped == [(("model",), ("tierwise_decisionz_total",))]


def test_an_alert_says_what_is_wrong_and_what_to_do() -> None:
    assert len(ALERTS) == sum(len(group["rules"]) for group in RULES)
    for name, rule in ALERTS.items():
        assert re.fullmatch(r"Tierwise[A-Z]\w+", name)
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert set(rule["annotations"]) == {"summary", "action"}
        assert re.fullmatch(r"\d+[smhd]", rule.get("for", "1m"))


def test_the_dashboard_is_one_that_grafana_lays_out() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + i, at["y"] + j) for i in range(at["w"]) for j in range(at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells
    variables = {one["name"] for one in DASHBOARD["templating"]["list"]}
    text = json.dumps(DASHBOARD)
    used = set(re.findall(r"\$\{?(\w+)\}?", text)) - {"__rate_interval"}
    assert used == variables == {"datasource", "job"}
    for panel in PANELS:
        assert panel["description"].endswith(".")
        assert all(one["datasource"]["uid"] == "${datasource}" for one in panel["targets"])


def promtool(*arguments: str) -> None:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed (apt-get install prometheus)")
    done = subprocess.run([found, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout


def test_promtool_accepts_rules_and_configuration() -> None:
    promtool("check", "rules", str(HERE / "alerts.yml"))
    promtool("check", "config", "--syntax-only", str(HERE / "prometheus.yml"))


def test_alerts_fire_when_they_should_and_only_then(tmp_path: Path) -> None:
    told = (ROOT / "tests" / "serving" / "alerts.yml").read_text("utf-8")
    assert {*re.findall(r"alertname: (\w+)", told)} <= set(ALERTS)
    path = tmp_path / "test.yml"
    path.write_text(told.replace("RULES", str(HERE / "alerts.yml")))
    promtool("test", "rules", str(path))


def test_prometheus_reads_these_rules_and_scrapes_the_service_of_the_composition() -> None:
    config = yaml.safe_load((HERE / "prometheus.yml").read_text("utf-8"))
    assert config["rule_files"] == ["alerts.yml"]
    (job,) = config["scrape_configs"]
    assert (job["job_name"], job["metrics_path"]) == ("tierwise", "/metrics")
    host, port = job["static_configs"][0]["targets"][0].split(":")
    assert host in COMPOSE["services"]
    assert int(port) == Settings().port


def test_what_the_composition_names_exists_and_listens_here_alone() -> None:
    services = COMPOSE["services"]
    for name, service in services.items():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), name
        for mount in service.get("volumes", ()):
            source = mount.split(":")[0]
            assert (HERE / source).is_file() if source[0] == "." else source in COMPOSE["volumes"]
        for other in service.get("depends_on", ()):
            assert other in services
        hardened = service.get("cap_drop") == ["ALL"] or service.get("network_mode") == "none"
        assert hardened, name
    ours = services["tierwise"]["environment"]
    assert set(ours) <= {variable for variable, _ in VARIABLES.values()}
    mounted = dict(mount.split(":")[:2][::-1] for mount in services["tierwise"]["volumes"])
    assert mounted[ours["TIERWISE_UPSTREAMS"]] == "./upstreams.toml"
    assert all(ours[name].startswith("/data/") for name in ours if name.endswith("_DIR"))


def test_the_composition_s_stub_is_the_one_that_its_upstreams_name() -> None:
    found = read_upstreams(HERE / "upstreams.toml", {}).upstreams["stub"]
    entry = COMPOSE["services"]["stub"]["entrypoint"]
    assert entry[:3] == ["python", "-m", "serving.gateway.stub"]
    assert found.url == f"http://stub:{entry[entry.index('--port') + 1]}/v1"
    said = subprocess.run(
        [sys.executable, *entry[1:3], "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(option in said.stdout for option in entry if option.startswith("--"))


def test_grafana_finds_the_dashboard_and_its_prometheus() -> None:
    (source,) = yaml.safe_load((HERE / "grafana" / "datasources.yml").read_text())["datasources"]
    (provider,) = yaml.safe_load((HERE / "grafana" / "dashboards.yml").read_text())["providers"]
    assert source["url"] == "http://prometheus:9090"
    mounts = [mount.split(":") for mount in COMPOSE["services"]["grafana"]["volumes"]]
    target = {there: here for here, there, *_ in mounts}
    folder = provider["options"]["path"]
    assert target[f"{folder}/dashboard.json"] == "./grafana/dashboard.json"
    home = COMPOSE["services"]["grafana"]["environment"][
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"
    ]
    assert home == f"{folder}/dashboard.json"


def unit() -> list[tuple[str, str]]:
    text = (HERE / "tierwise.service").read_text("utf-8")
    return re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE)


def test_the_unit_starts_the_command_and_writes_in_its_own_folder_alone() -> None:
    found = dict(unit())
    assert found["ExecStart"].endswith("/.venv/bin/tierwise serve")
    assert found["ProtectSystem"] == "strict"
    assert found["DynamicUser"] == "yes"
    set_here = [pair for name, text in unit() if name == "Environment" for pair in text.split()]
    names = {pair.partition("=")[0] for pair in set_here} - {"BENTOML_HOME", "HOME"}
    assert names <= {variable for variable, _ in VARIABLES.values()}
    state = f"/var/lib/{found['StateDirectory']}"
    assert all(pair.partition("=")[2].startswith(state) for pair in set_here)


def test_systemd_accepts_the_unit_and_finds_it_little_exposed(tmp_path: Path) -> None:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is not installed (apt-get install systemd)")
    text = (HERE / "tierwise.service").read_text("utf-8")
    command = dict(unit())["ExecStart"].split()[0]
    path = tmp_path / "tierwise.service"
    path.write_text(text.replace(command, sys.executable))

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [tool, *arguments, str(path)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    assert "tierwise.service" not in run("verify", "--man=no")
    exposure = re.search(
        r"exposure level for tierwise.service: ([\d.]+)",
        run("security", "--offline=true", "--no-pager"),
    )
    assert exposure is not None
    assert float(exposure[1]) <= 2.0
