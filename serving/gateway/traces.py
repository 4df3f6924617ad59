"""OpenTelemetry spans of executed requests: one of the request, one of every call; never a text.

Names are those of the conventions for generative AI
(github.com/open-telemetry/semantic-conventions-genai), ours begin with `tierwise.`. Tokens stand on
the request's span alone, so that nobody adds them up twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from router.events import FeedbackEvent

from .failures import CallFailed
from .lines import Line

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

EXPORTER = "opentelemetry.exporter.otlp.proto.http"
CHAT = "chat"  # the conventions' word for what all three wires do
# names of providers by the convention; another upstream has the operator's name of it
PROVIDERS = {"api.openai.com": "openai", "api.anthropic.com": "anthropic"}
MOST = 128  # characters of a model's name
USAGE = {
    "gen_ai.usage.input_tokens": "input_tokens",
    "gen_ai.usage.output_tokens": "output_tokens",
    "gen_ai.usage.cache_read.input_tokens": "cached_tokens",
    "gen_ai.usage.cache_creation.input_tokens": "cache_write_tokens",
    "gen_ai.usage.reasoning.output_tokens": "reasoning_tokens",
    "gen_ai.response.model": "served_model",
    "tierwise.decision_id": "decision_id",
    "tierwise.arm": "arm",
    "tierwise.upstream": "upstream",
    "tierwise.attempts": "attempts",
    "tierwise.cost_usd": "cost_usd",
    "error.type": "error",
}


class Traces:
    """Where spans go; nowhere without a provider."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self._provider = provider
        self._tracer = None if provider is None else provider.get_tracer("tierwise")

    @classmethod
    def otlp(cls) -> Traces:
        """To where the OTEL_EXPORTER_OTLP_… variables say; they say how, too."""
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        ours = Resource.create({"service.name": "tierwise"})
        provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        return cls(provider)

    def close(self) -> None:
        """Send what waits; it may take some seconds."""
        if self._provider is not None:
            self._provider.shutdown()

    def begin(self, model: str, headers: Mapping[bytes, bytes], *, stream: bool) -> Trace:
        """The span of a request, within the caller's own where `traceparent` names one."""
        if self._tracer is None:
            return Trace()
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        names = ("traceparent", "tracestate")
        carrier = {n: headers[n.encode()].decode("latin-1") for n in names if n.encode() in headers}
        return Trace(
            self._tracer.start_span(
                f"{CHAT} {model[:MOST]}",
                context=TraceContextTextMapPropagator().extract(carrier),
                kind=SpanKind.SERVER,
                attributes={
                    "gen_ai.operation.name": CHAT,
                    "gen_ai.provider.name": "tierwise",
                    "gen_ai.request.model": model[:MOST],
                    "gen_ai.request.stream": stream,
                },
            ),
            self._tracer,
        )


class Trace:
    """Of one request; does nothing without a span."""

    def __init__(self, span: Span | None = None, tracer: Any = None) -> None:  # noqa: ANN401
        self._span, self._tracer = span, tracer

    def attempt(self, line: Line, model: str, *, stream: bool) -> Attempt:
        """The span of one call within it."""
        if self._span is None:
            return Attempt()
        from opentelemetry.trace import SpanKind, set_span_in_context

        at = urlsplit(line.upstream.url)
        return Attempt(
            self._tracer.start_span(
                f"{CHAT} {model[:MOST]}",
                context=set_span_in_context(self._span),
                kind=SpanKind.CLIENT,
                attributes={
                    "gen_ai.operation.name": CHAT,
                    "gen_ai.provider.name": PROVIDERS.get(at.hostname or "", line.name),
                    "gen_ai.request.model": model[:MOST],
                    "gen_ai.request.stream": stream,
                    "server.address": at.hostname or "",
                    "server.port": at.port or (443 if at.scheme == "https" else 80),
                    "tierwise.upstream": line.name,
                },
            )
        )

    def close(self, event: FeedbackEvent, tier: str | None, reasons: tuple[str, ...]) -> None:
        """End it with what became of the request."""
        if self._span is None:
            return
        found = {name: getattr(event, field) for name, field in USAGE.items()}
        found |= {
            "gen_ai.response.finish_reasons": event.finish_reason and (event.finish_reason,),
            "gen_ai.response.time_to_first_chunk": event.first_token_ms
            and event.first_token_ms / 1e3,
            "tierwise.tier": tier,
            "tierwise.reasons": reasons,
        }
        _end(self._span, found, event.error)


class Attempt:
    """One call; does nothing without a span."""

    def __init__(self, span: Span | None = None) -> None:
        self._span = span

    def end(self, status: int | None, failed: CallFailed | None, *, unknown: bool = False) -> None:
        """End it.

        Args:
            status: that the upstream gave; null where none came.
            failed: what the call came to; null where it was answered.
            unknown: whether it ended for a reason that says nothing of the upstream.
        """
        if self._span is None:
            return
        error = "cancelled" if unknown else None
        if failed is not None:
            error, status = failed.code, failed.status or status
        elif status is not None and status >= 400:
            error = "rejected"
        _end(self._span, {"http.response.status_code": status, "error.type": error}, error)


def _end(span: Span, attributes: Mapping[str, Any], error: str | None) -> None:
    from opentelemetry.trace import StatusCode

    for name, value in attributes.items():
        if value is not None:
            span.set_attribute(name, value)
    if error is not None:
        span.set_status(StatusCode.ERROR, error)
    span.end()


def exportable() -> bool:
    """Whether what sends spans is installed."""
    try:
        return find_spec(EXPORTER) is not None
    except ModuleNotFoundError:
        return False
