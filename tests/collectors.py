"""A collector of OpenTelemetry, which reads exports with the published definitions of the protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from services import Request, Service, answer

if TYPE_CHECKING:
    from collections.abc import Callable

SERVER, CLIENT, INTERNAL = 2, 3, 1
"""Kinds of spans."""


@dataclass(frozen=True)
class Span:
    """A span as the collector got it; ids in hexadecimal."""

    trace: str
    id: str
    parent: str
    name: str
    kind: int
    flags: int
    is_error: bool
    began: int
    ended: int
    about: dict[str, Any]
    """Its attributes."""
    resource: dict[str, Any]


def taken(*, rejected: int = 0, why: str = "") -> bytes:
    """The answer to an export that was taken."""
    said = ExportTraceServiceResponse()
    if rejected:
        said.partial_success.rejected_spans = rejected
        said.partial_success.error_message = why
    return answer(said.SerializeToString(), Content_Type="application/x-protobuf")


def collector(reply: Callable[[Request], bytes | None] = lambda _: taken(), port: int = 0) -> Service:
    return Service(reply=reply, port=port)


def otlp(service: Service, more: str = "") -> str:
    """The section of a document."""
    return f"telemetry: {{ otlp: {{ endpoint: '{service.url}'{more} }} }}\n"


def spans(service: Service) -> list[Span]:
    """All spans that were sent, in the order they came."""
    return [span for request in service.requests for span in _read(request)]


def _read(request: Request) -> list[Span]:
    assert request.line == "POST /v1/traces HTTP/1.1"
    assert request.all("content-type") == ["application/x-protobuf"]
    found = []
    for resource in ExportTraceServiceRequest.FromString(request.body).resource_spans:
        said = _values(resource.resource.attributes)
        for scope in resource.scope_spans:
            found += [
                Span(
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    name=span.name,
                    kind=span.kind,
                    flags=span.flags,
                    is_error=span.status.code == span.status.STATUS_CODE_ERROR,
                    began=span.start_time_unix_nano,
                    ended=span.end_time_unix_nano,
                    about=_values(span.attributes),
                    resource=said,
                )
                for span in scope.spans
            ]
    return found


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: _value(one.value) for one in attributes}


def _value(value: Any) -> Any:
    sort = value.WhichOneof("value")
    if sort == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, sort)
