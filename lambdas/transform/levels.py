"""Levels of severity: every common word and number to one short text and OpenTelemetry's number.

Numbers and the mapping of syslog's and the loggers' words follow
https://opentelemetry.io/docs/specs/otel/logs/data-model-appendix/#appendix-b-severitynumber-example-mappings
"""

from __future__ import annotations

from collections.abc import Mapping

Severity = Mapping[str, str | int]
"""`{"text": "INFO", "number": 9}`, shared by all documents of that severity."""

_NUMBERS = {
    "TRACE": 1,
    "DEBUG": 5,
    "INFO": 9,
    "NOTICE": 10,
    "WARN": 13,
    "ERROR": 17,
    "CRITICAL": 18,
    "ALERT": 19,
    "FATAL": 21,
}
_WORDS = {
    "TRACE": ("trace", "verbose", "finest", "silly"),
    "DEBUG": ("debug", "dbg", "fine", "finer"),
    "INFO": ("info", "information", "informational", "inf"),
    "NOTICE": ("notice",),
    "WARN": ("warn", "warning", "wrn"),
    "ERROR": ("error", "err", "eror", "severe"),
    "CRITICAL": ("critical", "crit", "dpanic"),
    "ALERT": ("alert",),
    "FATAL": ("fatal", "panic", "emerg", "emergency", "ftl"),
}
_SEVERITIES: dict[str, Severity] = {text: {"text": text, "number": number} for text, number in _NUMBERS.items()}
_BY_WORD = {word: _SEVERITIES[text] for text, words in _WORDS.items() for word in words}
_BY_TENS = {
    number: _SEVERITIES[text]
    for number, text in zip(range(10, 70, 10), ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"), strict=True)
}
_LONGEST_WORD = max(map(len, _BY_WORD))


def read_level(value: object) -> Severity | None:
    """Read a level as a structured logger writes it: a word in any case, or bunyan's and pino's tens (30 is info)."""
    if isinstance(value, str):
        return _BY_WORD.get(value.strip().lower()) if len(value) <= _LONGEST_WORD + 2 else None
    if isinstance(value, int):
        return _BY_TENS.get(value)
    return None
