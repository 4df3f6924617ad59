"""The gateway's parts alone: its file, streams in any pieces, breakers, rates, what is measured."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.core.manifest import read_manifest
from router.engine import Router
from router.events import FAILURES as EVENT_FAILURES
from serving.gateway.breaker import FAILURES, FIRST_REST_S, LONGEST_REST_S, Breaker
from serving.gateway.events import Tap
from serving.gateway.failures import BLAMED, FREE, PASSED_ON, UNASKED, WORDS, CallFailed, told
from serving.gateway.observed import LEAST, Observed
from serving.gateway.stub import MODELS, Speaker, echo
from serving.gateway.upstreams import UpstreamFileError, read_upstreams
from serving.gateway.wires import WIRES, Wire
from serving.rate import Rate
from serving.settings import Settings, SettingsError
from tests.serving.conftest import ROOT
from tests.serving.gateway.conftest import body_of

THREE_LINES = """[upstreams.openai]
url = "https://api.openai.com/v1"
key_env = "OPENAI_API_KEY"
"""
ENV = {"OPENAI_API_KEY": "sk-1"}


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_three_lines_are_enough(tmp_path: Path) -> None:
    path = written(tmp_path / "u.toml", THREE_LINES)
    found = Settings.from_env({"TIERWISE_UPSTREAMS": str(path), **ENV}).upstreams
    assert found is not None
    assert found.upstreams["openai"].spoken == ("chat", "responses")
    assert (
        found.upstreams["openai"].endpoint("chat") == "https://api.openai.com/v1/chat/completions"
    )
    assert found.keys == {"openai": "sk-1"}
    assert "sk-1" not in repr(found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "upstreams is missing"),
        ("[upstreams]", r"add \[upstreams.NAME\]"),
        (THREE_LINES.replace("https", "ftp"), "http"),
        (THREE_LINES.replace("api.", "user:pw@api."), "HOST/PATH and no more"),
        (THREE_LINES.replace("OPENAI_API_KEY", "NOT_SET"), "NOT_SET, which is not set"),
        (THREE_LINES + 'wires = ["chats"]', "did you mean 'chat'"),
        (THREE_LINES + "idle_s = 0", "idle_s must be > 0"),
        (THREE_LINES + "requests_per_minute = 0", "requests_per_minute must be >= 1"),
        (THREE_LINES + "timeout = 3", "did you mean upstreams.openai.timeout_s"),
        (THREE_LINES + "[routes.auto]\nthreshold = 1.0", "auto is taken"),
        (THREE_LINES + "[routes.x]\nthreshold = 2.0", "threshold must lie between 0 and 1"),
        (THREE_LINES + "[routes.x]\nthreshold = 0.5\nmin_quality = 0.5", "cannot be combined"),
        (THREE_LINES + '[routes."a b"]\nthreshold = 0.5', "is no name"),
        (THREE_LINES + '[keys]\nopenai = "sk"', "environment"),
        ("[upstreams", "cannot be read"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path / "u.toml", text)
    with pytest.raises(UpstreamFileError, match=said):
        read_upstreams(path, ENV)
    with pytest.raises(SettingsError, match="TIERWISE_UPSTREAMS"):
        Settings.from_env({"TIERWISE_UPSTREAMS": str(path), **ENV})


def test_models_are_a_list_or_a_table(tmp_path: Path) -> None:
    for text in ('models = ["a"]', 'models = {a = "a"}', '[upstreams.openai.models]\na = "a"'):
        found = read_upstreams(written(tmp_path / "u.toml", THREE_LINES + text), ENV)
        assert found.upstreams["openai"].models == {"a": "a"}


@given(st.sampled_from(WIRES), st.lists(st.integers(1, 300)), st.booleans(), st.booleans())
def test_a_stream_in_any_pieces_comes_out_the_same(
    wire: Wire, sizes: list[int], crlf: bool, alone: bool
) -> None:  # fmt: skip
    body = body_of(wire, "m", stream_options={"include_usage": True})
    events = Speaker(wire, body, "m", echo).events()
    if crlf:
        events = [event.replace(b"\n", b"\r\n") for event in events]
    whole, at, tap, out = b"".join(events), 0, Tap(wire, usage_alone=alone), b""
    for size in [*sizes, len(whole)]:
        out += tap.feed(whole[at : at + size])
        at += size
    out += tap.rest()
    kept = [event for event in events if alone or b'"choices": []' not in event]
    assert out == b"".join(kept)
    assert (tap.told.model, tap.told.ended, tap.told.failed) == ("m", True, False)
    assert tap.told.usage.get("output_tokens") or tap.told.usage["completion_tokens"]


@given(st.lists(st.binary(max_size=60), max_size=8), st.sampled_from(WIRES))
def test_any_bytes_come_out_as_they_went_in(pieces: list[bytes], wire: Wire) -> None:
    tap = Tap(wire)
    out = b"".join(tap.feed(piece) for piece in pieces if piece)
    assert out + tap.rest() == b"".join(pieces)


def test_a_breaker_opens_after_failures_in_a_row_and_lets_one_try_through() -> None:
    now = [100.0]
    breaker = Breaker(clock=lambda: now[0])
    for _ in range(FAILURES - 1):
        breaker.failed()
    breaker.succeeded()
    for _ in range(FAILURES):
        assert not breaker.open
        breaker.failed()
    assert breaker.open
    rest = FIRST_REST_S
    for _ in range(8):
        now[0] += rest - 0.01
        assert breaker.open
        now[0] += 0.02
        assert not breaker.open
        breaker.begin()
        assert breaker.open  # one at a time
        breaker.failed()
        rest = min(2 * rest, LONGEST_REST_S)
    now[0] += rest
    breaker.begin()
    breaker.ended()  # its caller hung up: the next one tries
    assert not breaker.open
    breaker.begin()
    breaker.succeeded()
    assert not breaker.open


def test_the_stub_has_models_of_the_starter() -> None:
    """README's example asks a service with the starter for `auto`, before the stub as it is."""
    arms = {info.model for info in read_manifest(ROOT / "serving" / "starter").arms}
    assert len(arms & set(MODELS)) >= 2


def test_a_rate_is_kept() -> None:
    now = [0.0]
    rate = Rate(120, clock=lambda: now[0])
    taken = 0
    for _ in range(1000):
        taken += rate.take()
        now[0] += 0.01
    assert taken == pytest.approx(20, abs=2)
    assert all(Rate(None).take() for _ in range(100))


def test_the_catalogue_s_latency_is_what_was_measured(tiny_bundle: Path) -> None:
    router, observed = Router.load(tiny_bundle), Observed()
    model = router.arms[0].model
    for i in range(LEAST - 1):
        observed.streamed(model, 100.0 + i, 990.0, 100)
    observed.refresh(())
    assert observed.version == 0
    observed.streamed(model, 119.0, 990.0, 100)
    observed._next = 0.0
    observed.refresh(())
    latency, health = observed.catalogues
    assert (observed.version, health.models) == (1, {})
    found = router.recatalogued(latency).catalogue.model(model).latency
    assert found is not None
    assert found.first_token_ms.p50 == pytest.approx(109.5)
    assert found.output_token_ms.p90 == pytest.approx(10.0)
    assert found.first_token_ms.p99 is None  # twenty cannot know it
    observed.streamed(model, 101.0, 990.0, 100)
    observed._next = 0.0
    observed.refresh(())
    assert observed.version == 1  # no news
    observed.refresh((model,))
    assert observed.version == 2
    assert router.recatalogued(*observed.catalogues).catalogue.model(model).health == "down"


def test_every_failure_has_a_code_of_the_log_and_words() -> None:
    assert {*WORDS, "status"} <= set(EVENT_FAILURES)
    assert set(EVENT_FAILURES) >= PASSED_ON | BLAMED | FREE | UNASKED
    for code in PASSED_ON | BLAMED | FREE:
        assert told([("up", CallFailed(code, status=503))]).detail.startswith("up ")
