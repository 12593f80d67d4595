"""Values that loggers write as objects: OpenTelemetry's typed values, and instants of seconds and nanoseconds.

A typed value is `{"stringValue": "x"}` in OTLP's JSON, where 64-bit integers are text, and `{"Type": "STRING",
"Value": "x"}` from the stdout exporter of the Go SDK. Attributes are an object, or a list of `{"key", "value"}`.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
https://pkg.go.dev/go.opentelemetry.io/otel/exporters/stdout/stdoutlog

Each reader gives None for what is not of its form, which is then kept as it is. Values are nested no deeper than
jsontext lets them be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lambdas.transform.times import format_time

_NOTHING = object()
_INSTANTS = (("epochSecond", "nanoOfSecond"), ("seconds", "nanos"))
_LATEST_SECOND = 253_402_300_799
"""The last of the year 9999, beyond which there is no text for a time."""


def read_moment(value: dict[str, Any]) -> str | None:
    """Read an object of a second and its nanoseconds."""
    for second_name, nanos_name in _INSTANTS:
        second, nanos = value.get(second_name), value.get(nanos_name, 0)
        if type(second) is int and type(nanos) is int and value.keys() <= {second_name, nanos_name}:
            is_time = 0 <= second <= _LATEST_SECOND and 0 <= nanos < 10**9
            return format_time(second * 10**9 + nanos) if is_time else None
    return None


def read_message(value: object) -> str | None:
    """Read a typed value that is text."""
    text = _read_typed(value) if type(value) is dict else _NOTHING
    return text if isinstance(text, str) else None


def read_attributes(value: object) -> dict[str, Any] | None:
    """Read OpenTelemetry's attributes, all or none of them; a name that is there twice is none."""
    if type(value) is dict:
        return value
    if type(value) is not list:
        return None
    attributes: dict[str, Any] = {}
    for pair in value:
        read = _read_pair(pair)
        if read is None or read[0] in attributes:
            return None
        attributes[read[0]] = read[1]
    return attributes


def _read_pair(pair: object) -> tuple[str, Any] | None:
    if not isinstance(pair, dict):
        return None
    if pair.keys() == {"key", "value"}:
        name, value = pair["key"], _read_typed(pair["value"])
    elif pair.keys() == {"Key", "Value"}:
        name, value = pair["Key"], _read_typed(pair["Value"])
    else:
        return None
    return (name, value) if isinstance(name, str) and value is not _NOTHING else None


def _read_typed(value: object) -> Any:  # noqa: ANN401 - any JSON, or _NOTHING
    if not isinstance(value, dict):
        return _NOTHING
    if value.keys() == {"Type", "Value"} and isinstance(value["Type"], str):
        return value["Value"]
    if len(value) != 1:
        return _NOTHING
    ((kind, inner),) = value.items()
    reader = _READERS.get(kind)
    return reader(inner) if reader else _NOTHING


def _read_text(value: object) -> object:
    return value if isinstance(value, str) else _NOTHING


def _read_integer(value: object) -> object:
    if isinstance(value, str) and len(value) <= 20 and value.removeprefix("-").isdecimal() and value.isascii():  # noqa: PLR2004
        number = int(value)
        return number if str(number) == value and -(2**63) <= number < 2**63 else _NOTHING
    return value if type(value) is int else _NOTHING


def _read_list(value: object) -> object:
    if not isinstance(value, dict) or value.keys() != {"values"} or not isinstance(value["values"], list):
        return _NOTHING
    items = [_read_typed(item) for item in value["values"]]
    return _NOTHING if _NOTHING in items else items


def _read_map(value: object) -> object:
    if not isinstance(value, dict) or value.keys() != {"values"}:
        return _NOTHING
    members = read_attributes(value["values"]) if isinstance(value["values"], list) else None
    return _NOTHING if members is None else members


_READERS: dict[str, Callable[[object], object]] = {
    "stringValue": _read_text,
    "boolValue": lambda value: value if isinstance(value, bool) else _NOTHING,
    "intValue": _read_integer,
    "doubleValue": lambda value: value if type(value) in (int, float) else _NOTHING,
    "bytesValue": _read_text,
    "arrayValue": _read_list,
    "kvlistValue": _read_map,
}
