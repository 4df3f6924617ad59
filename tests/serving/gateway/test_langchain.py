"""LangChain's router middleware with us as its decision model, and the gateway as a chat model."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from data.events import read_log
from router.engine import Router
from tests.serving.conftest import Service
from tests.serving.gateway.conftest import start

pytestmark = [pytest.mark.service, pytest.mark.filterwarnings("ignore")]  # all of it is in beta
ASKED = {"messages": [{"role": "user", "content": "What is 17*23?"}]}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("langchain")


@pytest.fixture(scope="module")
def service(
    run_service: Callable[..., Service], upstreams: Path, tiny_bundle: Path, log: Path
) -> Service:
    return start(run_service, upstreams, tiny_bundle, log)


def chat(service: Service, model: str) -> Any:  # noqa: ANN401
    """A chat model of the gateway."""
    models = pytest.importorskip("langchain.chat_models", reason="langchain is not installed")
    pytest.importorskip("langchain_openai", reason="langchain-openai is not installed")
    base = f"http://127.0.0.1:{service.port}/v1"
    return models.init_chat_model(model, model_provider="openai", base_url=base, api_key="none")


def agent(service: Service, router: Any) -> Any:  # noqa: ANN401
    """An agent whose model a router picks."""
    return import_module("langchain.agents").create_agent(
        chat(service, "auto"), middleware=[router]
    )


def test_the_gateway_is_a_chat_model(service: Service) -> None:
    answer = chat(service, "auto:0.2").invoke("What is 17*23?")
    assert "Answer: 391" in answer.content
    assert answer.response_metadata["model_name"] != "auto:0.2"
    assert len(list(chat(service, "auto").stream("What is 17*23?"))) > 5


def test_openais_middleware_asks_us(service: Service, tiny_bundle: Path, log: Path) -> None:
    chat(service, "auto")
    middleware = pytest.importorskip("langchain_openai.middleware")
    decisions = pytest.importorskip("langchain_openai.decisions")
    models = sorted({arm.model for arm in Router.load(tiny_bundle).arms})
    router = middleware.OpenAIModelRouterMiddleware(
        choices={name: middleware.ModelChoice(chat(service, name), "A model.") for name in models},
        instructions="Choose the least costly model suited to the task.",
        model=decisions.OpenAIDecisions(
            model="auto:0.9", base_url=f"http://127.0.0.1:{service.port}/v1", api_key="none"
        ),
    )
    found = agent(service, router).invoke(ASKED)
    made = service({**ASKED, "threshold": 0.9}).json()
    assert found["model_route"]["choice"] == made["model"]
    assert found["messages"][-1].response_metadata["model_name"] == made["model"]
    assert set(found["model_route"]["probabilities"]) == set(models)
    assert any(event.policy.get("threshold") == 0.9 for event in read_log(log).decisions.values())


def test_the_plain_middleware_asks_us_through_typesafe(service: Service, tiny_bundle: Path) -> None:
    chat(service, "auto")
    middleware = pytest.importorskip("langchain.agents.middleware")
    typesafe = pytest.importorskip(
        "langchain_typesafe", reason="langchain-typesafe is not installed"
    )
    if not hasattr(middleware, "ModelRouterMiddleware"):
        pytest.skip("this langchain has no ModelRouterMiddleware; 1.5 has")
    models = sorted({arm.model for arm in Router.load(tiny_bundle).arms})
    router = middleware.ModelRouterMiddleware(
        choices={name: middleware.ModelChoice(chat(service, name), "A model.") for name in models},
        instructions="Who should answer?",
        classifier=typesafe.TypeSafeClassifier(
            base_url=f"http://127.0.0.1:{service.port}", api_key="none"
        ),
    )
    found = agent(service, router).invoke(ASKED)
    made = service(ASKED).json()
    assert found["model_route"].choice == made["model"]
    assert found["messages"][-1].response_metadata["model_name"] == made["model"]
