"""Levels of severity: every common word and number to one short text and OpenTelemetry's number.

Numbers and the mapping of syslog's and the loggers' words follow
https://opentelemetry.io/docs/specs/otel/logs/data-model-appendix/#appendix-b-severitynumber-example-mappings

A word says the same everywhere. A number does not, so each scheme has a reader of its own, and whoever reads a record
decides by its other members which scheme it is in:

| Scheme | trace | debug | info | notice | warn | error | critical | alert | fatal |
|---|---|---|---|---|---|---|---|---|---|
| OpenTelemetry's SeverityNumber | 1-4 | 5-8 | 9, 11, 12 | 10 | 13-16 | 17, 20 | 18 | 19 | 21-24 |
| bunyan, pino | 10 | 20 | 30 | | 40 | 50 | | | 60 |
| Python's levelno | 5 (loguru) | 10 | 20 | | 30 | 40 | 50 | | |
| syslog (RFC 5424), GELF, journald | | 7 | 6 | 5 | 4 | 3 | 2 | 1 | 0 |
| Google Cloud's LogSeverity | | 100 | 200 | 300 | 400 | 500 | 600 | 700 | 800 |

https://github.com/trentm/node-bunyan#levels · https://docs.python.org/3/library/logging.html#logging-levels
https://datatracker.ietf.org/doc/html/rfc5424#section-6.2.1
https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#LogSeverity

Reading is a look-up; what is returned is shared by all documents of that severity.
"""

from __future__ import annotations

from dataclasses import dataclass, field

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
    "TRACE": ("trace", "trc", "verbose", "finest", "silly"),
    "DEBUG": ("debug", "dbg", "dbug", "fine", "finer"),
    "INFO": ("info", "information", "informational", "inf", "success"),
    "NOTICE": ("notice",),
    "WARN": ("warn", "warning", "wrn"),
    "ERROR": ("error", "err", "eror", "severe"),
    "CRITICAL": ("critical", "crit", "dpanic"),
    "ALERT": ("alert",),
    "FATAL": ("fatal", "panic", "emerg", "emergency", "ftl"),
}


@dataclass(frozen=True, slots=True)
class Severity:
    """A severity: its text, its number (1 to 24), and both as the member of a document, with a comma after it."""

    text: str
    number: int
    json: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "json", f'"severity":{{"text":"{self.text}","number":{self.number}}},')


def _name_number(number: int) -> str:
    """The text of an OpenTelemetry number: its own, or that of the four it belongs to (11 is INFO3)."""
    own = {value: text for text, value in _NUMBERS.items()}
    return own.get(number) or own[number - (number - 1) % 4]


_BY_NUMBER = {number: Severity(_name_number(number), number) for number in range(1, 25)}
_BY_TEXT = {text: _BY_NUMBER[number] for text, number in _NUMBERS.items()}
_BY_WORD = {word: _BY_TEXT[text] for text, words in _WORDS.items() for word in words}
_LONGEST_WORD = max(map(len, _BY_WORD))
_SLOG_ZERO = _NUMBERS["INFO"]
# The common spellings, which need no folding.
_BY_SPELLING = {spelling: level for word, level in _BY_WORD.items() for spelling in (word, word.upper(), word.title())}


def _number(scheme: dict[int, str]) -> dict[int, Severity]:
    return {number: _BY_TEXT[text] for number, text in scheme.items()}


_SLOG = {"debug": -4, "info": 0, "warn": 4, "error": 8}
_BUNYAN = _number({10: "TRACE", 20: "DEBUG", 30: "INFO", 40: "WARN", 50: "ERROR", 60: "FATAL"})
_PYTHON = _number({5: "TRACE", 10: "DEBUG", 20: "INFO", 30: "WARN", 40: "ERROR", 50: "CRITICAL"})
_SYSLOG = _number(
    dict(enumerate(("FATAL", "ALERT", "CRITICAL", "ERROR", "WARN", "NOTICE", "INFO", "DEBUG"))),
)
_GOOGLE = _number(
    {100: "DEBUG", 200: "INFO", 300: "NOTICE", 400: "WARN", 500: "ERROR", 600: "CRITICAL", 700: "ALERT", 800: "FATAL"}
)


def read_level(value: object) -> Severity | None:
    """Read a level written as a word, in any case and with spaces around it; None when it is none.

    `INFO+2` and `DEBUG-4` are how Go's slog writes what lies between its levels, https://pkg.go.dev/log/slog#Level
    """
    if type(value) is not str:
        return None
    if level := _BY_SPELLING.get(value):
        return level
    if len(value) > _LONGEST_WORD + 2:
        return None
    word = value.strip().lower()
    return _BY_WORD.get(word) or _read_slog(word)


def _read_slog(word: str) -> Severity | None:
    for sign in "+-":
        name, found, steps = word.partition(sign)
        if found and steps.isascii() and steps.isdecimal() and name in _SLOG:
            return _BY_NUMBER[min(max(_SLOG_ZERO + _SLOG[name] + int(sign + steps), 1), 24)]
    return None


def read_bunyan(value: object) -> Severity | None:
    """Read bunyan's and pino's numbers, 10 to 60."""
    return _look_up(_BUNYAN, value)


def read_python(value: object) -> Severity | None:
    """Read Python's levelno, 10 to 50."""
    return _look_up(_PYTHON, value)


def read_google(value: object) -> Severity | None:
    """Read Google Cloud's LogSeverity, 100 to 800."""
    return _look_up(_GOOGLE, value)


def from_syslog(value: object) -> Severity | None:
    """Read syslog's numbers, 0 (emergency) to 7 (debug), as numbers or, as journald writes them, as a digit."""
    return _look_up(_SYSLOG, value)


def from_otel(value: object) -> Severity | None:
    """Read OpenTelemetry's SeverityNumber, 1 to 24, which is kept as it is; as protobuf's JSON also a numeral."""
    return _look_up(_BY_NUMBER, value)


def _look_up(scheme: dict[int, Severity], value: object) -> Severity | None:
    if type(value) is int:
        return scheme.get(value)
    # Numbers have three digits at most; True and 30.0 are no levels though they equal some.
    if type(value) is str and len(value) <= 3 and value.isascii() and value.isdecimal():  # noqa: PLR2004
        return scheme.get(int(value))
    return None
