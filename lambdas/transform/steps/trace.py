"""Step `trace`: the trace and the span that a line belongs to, from its attributes, as W3C's hexadecimal digits.

| Family | Members | A trace id is |
|---|---|---|
| W3C, OpenTelemetry, ECS | traceparent, trace_id, traceId, trace.id, otelTraceID … | 32 hex digits; 16 are padded |
| B3 (Zipkin) | X-B3-TraceId, X-B3-SpanId, b3 | 32 or 16 hex digits, padded with zeros on the left |
| X-Ray | xray_trace_id, X-Amzn-Trace-Id, AWS-XRAY-TRACE-ID | `1-<8>-<24>` hex digits, which together are the 32 |
| Google | logging.googleapis.com/trace, …/spanId | `projects/<name>/traces/<32 hex digits>` |
| Datadog | dd.trace_id, dd.span_id | a decimal number of 64 bits, or 32 hex digits |

They stand at the top or in an object where loggers put them: trace and span (ECS), dd, otel, mdc, contextMap, extra and
the like. The first family with a valid trace id is taken, and its span; ids of two families are never mixed. An id of
zeros only is none. An attribute goes when the document's id says exactly what it said. When the spelling changed (a
decimal, an X-Ray id, capitals, padding) or the value holds more, it stays as well, so that a search for it as it was
written finds the line. What is not valid is left alone.

Cost: one comparison of sets for a document without any of these members, and some microseconds for one with.

https://www.w3.org/TR/trace-context/ · https://github.com/openzipkin/b3-propagation
https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-traceids
https://docs.datadoghq.com/tracing/other_telemetry/connect_logs_and_traces/opentelemetry/
https://docs.cloud.google.com/logging/docs/structured-logging
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from lambdas.transform.document import Document

_Ids = tuple[str | None, str | None]
_Reader = Callable[[object], _Ids]
"""Reads a trace id and a span id, or either, from one value."""

_LONGEST = 256
_HEX = re.compile(r"[0-9a-fA-F]{16}(?:[0-9a-fA-F]{16})?", re.ASCII)
_SPAN = re.compile(r"[0-9a-fA-F]{16}", re.ASCII)
_PARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?", re.ASCII)
_B3 = re.compile(r"([0-9a-fA-F]{16}|[0-9a-fA-F]{32})-([0-9a-fA-F]{16})(?:-.*)?", re.ASCII)
_XRAY = re.compile(r"(?:.*;)?(?:Root=)?1-([0-9a-fA-F]{8})-([0-9a-fA-F]{24})(?:[@;].*)?", re.ASCII)
_XRAY_PARENT = re.compile(r"(?:Parent=|@)([0-9a-fA-F]{16})(?:;|$)", re.ASCII)
_GOOGLE = "/traces/"
_MOST_DATADOG_DIGITS = len(str(2**64))


def _trace(value: object) -> _Ids:
    return (_pad(value, 32), None) if isinstance(value, str) and _HEX.fullmatch(value) else (None, None)


def _span(value: object) -> _Ids:
    return (None, _pad(value, 16)) if isinstance(value, str) and _SPAN.fullmatch(value) else (None, None)


def _pad(digits: str, length: int) -> str | None:
    """An id in its one form; None if it is of zeros only."""
    return digits.lower().zfill(length) if digits.strip("0") else None


def _read_with(pattern: re.Pattern[str]) -> _Reader:
    def read(value: object) -> _Ids:
        found = pattern.fullmatch(value) if isinstance(value, str) and len(value) <= _LONGEST else None
        return (_pad(found[1], 32), _pad(found[2], 16)) if found else (None, None)

    return read


def _xray(value: object) -> _Ids:
    found = _XRAY.fullmatch(value) if isinstance(value, str) and len(value) <= _LONGEST else None
    if not found:
        return None, None
    parent = _XRAY_PARENT.search(found[0])
    return _pad(found[1] + found[2], 32), _pad(parent[1], 16) if parent else None


def _google(value: object) -> _Ids:
    return _trace(value.rpartition(_GOOGLE)[2]) if isinstance(value, str) else (None, None)


def _datadog_trace(value: object) -> _Ids:
    if isinstance(value, str) and len(value) == 32:  # noqa: PLR2004 - hex digits of 128 bits
        return _trace(value)
    number = _read_decimal(value)
    return (f"{number:032x}" if number else None), None


def _datadog_span(value: object) -> _Ids:
    number = _read_decimal(value)
    return None, (f"{number:016x}" if number else None)


def _read_decimal(value: object) -> int | None:
    if isinstance(value, str) and len(value) <= _MOST_DATADOG_DIGITS and value.isascii() and value.isdecimal():
        value = int(value)
    return value if type(value) is int and 0 < value < 2**64 else None


def _all(names: str, reader: _Reader) -> dict[str, _Reader]:
    return dict.fromkeys(names.split(), reader)


_FAMILIES = (
    {
        **_all("traceparent http_traceparent", _read_with(_PARENT)),
        **_all("trace_id traceId traceID TraceId TraceID traceid trace.id otelTraceID otel.trace_id @tr", _trace),
        **_all("span_id spanId spanID SpanId SpanID spanid span.id otelSpanID otel.span_id @sp", _span),
    },
    {
        **_all("b3", _read_with(_B3)),
        **_all("X-B3-TraceId x-b3-traceid x_b3_traceid", _trace),
        **_all("X-B3-SpanId x-b3-spanid x_b3_spanid", _span),
    },
    _all(
        "xray_trace_id xrayTraceId X-Amzn-Trace-Id x-amzn-trace-id x_amzn_trace_id AWS-XRAY-TRACE-ID "
        "_X_AMZN_TRACE_ID aws.xray.trace_id",
        _xray,
    ),
    {
        **_all("logging.googleapis.com/trace", _google),
        **_all("logging.googleapis.com/spanId", _span),
    },
    {**_all("dd.trace_id dd_trace_id", _datadog_trace), **_all("dd.span_id dd_span_id", _datadog_span)},
)
_HOLDERS = {
    "trace": "trace.",
    "span": "span.",
    "dd": "dd.",
    "otel": "otel.",
    **dict.fromkeys(
        ("mdc", "MDC", "contextMap", "context", "ctx", "extra", "labels", "fields", "tags", "properties"), ""
    ),
}
"""Objects that hold ids, and what their name adds to a member's name."""
_KEYS = frozenset(_HOLDERS).union(*_FAMILIES)


def take_traces(documents: Iterable[Document]) -> None:
    """Take the ids of trace and span out of the attributes of each document that has any."""
    has_none = _KEYS.isdisjoint
    for document in documents:
        attributes = document.attributes
        if not has_none(attributes) and document.trace_id is None:
            _take(document, attributes)


class _Said(NamedTuple):
    """A member that may carry ids: the object it is in (None: at the top), its key there, and its value."""

    holder: str | None
    key: str
    value: object


def _take(document: Document, attributes: Mapping[str, Any]) -> None:
    said = dict(_candidates(attributes))
    for family in _FAMILIES:
        found = [(said[name], read(said[name].value)) for name, read in family.items() if name in said]
        trace = next(((member, ids) for member, ids in found if ids[0]), None)
        if trace is None:
            continue
        span = trace if trace[1][1] else next(((member, ids) for member, ids in found if ids[1]), None)
        document.trace_id = trace[1][0]
        document.span_id = span[1][1] if span else None
        said_exactly = [trace[0]] if trace[0].value == document.trace_id else []
        if span and span[0].value == document.span_id:
            said_exactly.append(span[0])
        if said_exactly:
            document.attributes = _without(attributes, said_exactly)
        return


def _candidates(attributes: Mapping[str, Any]) -> Iterator[tuple[str, _Said]]:
    """What may carry ids by the name a family knows it by; what stands at the top comes last and wins."""
    for holder, prefix in _HOLDERS.items():
        inner = attributes.get(holder)
        if type(inner) is dict and not _KEYS.isdisjoint(prefix + key for key in inner):
            yield from ((prefix + key, _Said(holder, key, value)) for key, value in inner.items())
    yield from ((key, _Said(None, key, attributes[key])) for key in _KEYS & attributes.keys())


def _without(attributes: Mapping[str, Any], said: list[_Said]) -> dict[str, Any]:
    """A copy of attributes without these members, nor objects that are left empty. Objects may be shared."""
    rest = dict(attributes)
    for member in said:
        if member.holder is None:
            del rest[member.key]
            continue
        inner = {key: value for key, value in rest[member.holder].items() if key != member.key}
        if inner:
            rest[member.holder] = inner
        else:
            del rest[member.holder]
    return rest
