"""The environment is read once and checked at once."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner

from serving.cli import serve
from serving.settings import STARTER, VARIABLES, Settings, SettingsError


def test_without_any_variable_the_starter_router_listens_on_port_3000() -> None:
    settings = Settings.from_env({})
    assert settings == Settings()
    assert (settings.port, settings.bundle, settings.workers) == (3000, STARTER, 1)


def test_every_field_has_a_variable() -> None:
    assert {f.name for f in fields(Settings)} == set(VARIABLES)


def test_variables_reach_their_fields() -> None:
    settings = Settings.from_env(
        {
            "PORT": "80",
            "TIERWISE_WORKERS": "auto",
            "TIERWISE_CACHE_SIZE": "0",
            "TIERWISE_TIMEOUT_S": "0.5",
            "TIERWISE_API_KEYS": "one, two,",
            "TIERWISE_MAX_MESSAGES": "",
        }
    )
    assert (settings.port, settings.workers, settings.cache_size) == (80, "cpu_count", 0)
    assert (settings.timeout_s, settings.api_keys) == (0.5, ("one", "two"))
    assert settings.max_messages == Settings().max_messages


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("TIERWISE_WORKERS", "0"),
        ("TIERWISE_WORKERS", "many"),
        ("TIERWISE_CACHE_SIZE", "-1"),
        ("TIERWISE_TIMEOUT_S", "nan"),
        ("TIERWISE_TIMEOUT_S", "inf"),
        ("TIERWISE_MAX_CONCURRENCY", "1.5"),
        ("TIERWISE_API_KEYS", " , "),
        ("TIERWISE_API_KEYS", "schlüssel"),
    ],
)
def test_a_bad_value_is_an_error_that_names_the_variable(variable: str, text: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        Settings.from_env({variable: text})


def test_keys_are_not_shown() -> None:
    assert "secret" not in repr(Settings(api_keys=("secret",)))


@pytest.mark.parametrize(
    ("arguments", "env", "message"),
    [
        (["/nowhere/at/all"], {}, "/nowhere/at/all is not a folder"),
        ([], {"PORT": "x"}, "PORT must be a whole number"),
        (["--workers", "none"], {}, "TIERWISE_WORKERS must be"),
    ],
)
def test_serve_refuses_in_one_line_before_anything_starts(
    arguments: list[str], env: dict[str, str], message: str
) -> None:
    result = CliRunner().invoke(serve, arguments, env=env)
    assert result.exit_code == 1
    assert message in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_bentoml_without_our_command_refuses_a_bad_variable_in_one_line_too() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bentoml", "serve", "serving.service:Tierwise"],
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "PORT": "http"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip() == ("tierwise: PORT must be a whole number 1 to 65535, got 'http'")
