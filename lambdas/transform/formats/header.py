"""The header of a logger's line: what stands between its time and its message, in whatever order.

    [main] INFO  com.acme.Pay - …                 Logback, Log4j
    INFO 31 --- [shop] [main] c.acme.Pay     : …  Spring Boot
     - shop.pay - INFO - … · [INFO] shop.pay: …   Python's logging, by its documentation's formats
    | INFO     | shop.pay:charge:12 - …           loguru
    25746 INFO nova.compute [req-1 …] …           oslo.log
    INFO  [org.jboss.as] (main) …                 JBoss, Quarkus
    [INFO ][o.e.n.Node] [node] …                  Elasticsearch
    \tINFO\tshop.pay\tpay/pay.go:12\t…            zap's console
    INFO shop::pay: …                             Rust's tracing

https://logback.qos.ch/manual/layouts.html · https://logging.apache.org/log4j/2.x/manual/pattern-layout.html
https://docs.spring.io/spring-boot/reference/features/logging.html#features.logging.log-format
https://docs.python.org/3/howto/logging.html#changing-the-format-of-displayed-messages

A header without a level is none: then nothing is said, since its words may be prose. A word in lower case is a level
only in brackets, before a colon or between tabs. `WARN retry: declined` may begin a message, so a word and a colon name
the logger only when the word has a dot in it, as packages have, or a thread stands before it. Eight parts within 256
characters are read.

The lines of a program share few headers, so the reading of one (3 µs) is remembered by its text, up to the first ` - `
or `: ` after a level, at which all but a few of them end. Then a line costs a look-up; where every line has a header of
its own, such as a request's id, it costs the reading, and the look-up in vain.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from lambdas.transform.formats.found import read_integer
from lambdas.transform.levels import Severity, read_level

Header = tuple[dict[str, Any], Severity]
"""Attributes, shared between lines, and the severity."""

_LONGEST = 256
_MOST_PARTS = 8
_PART = re.compile(
    r"[ \t,]*(?:\[((?:[^\[\]]|\[[^\[\]]{0,40}\]){0,200})\]:?|[({]([^(){}]{1,80})[)}]|<([^<>]{1,16})>"
    r"|([^\s\[\](){}<>|]{1,120})|([|]))",
    re.ASCII,
)
_BRACKET, _ROUND, _ANGLE, _WORD, _BAR = range(1, 6)
_USUAL = re.compile(
    r"[ \t]*(?:\[([^\[\]=,:.]{1,120})\] +)?\[?([A-Z]{4,8}) ?\]? +(?:\[([^\[\]=,:.]{1,120})\] +)?"
    r"([A-Za-z_][\w.$]*)(?: +--? |: | +: )",
    re.ASCII,
)
"""Thread, level, thread and logger of most headers, at a third of what reading part by part costs."""
_PROSE = re.compile(r"[ \t][a-z][a-z']* (?![ \-|:\[(])", re.ASCII)
_SEPARATORS = frozenset(("-", "--", "---", ":", "|"))
_DOTTED = re.compile(r"[A-Za-z_$][\w$-]*(?:(?:\.|::|/)[\w$-]+)+", re.ASCII)
_PLACE = re.compile(r"([\w./$-]{1,80}\.[a-z]{1,5}):(\d{1,9})", re.ASCII)
_FUNCTION = re.compile(r"([\w.]{1,80}):([\w.<>]{1,80}):(\d{1,9})", re.ASCII)
_CLASS = re.compile(r"[a-z_]\w*(?:\.\w+)*\.[A-Z][\w$]*(?:\.\w+)?", re.ASCII)
_LOCATION = re.compile(r"(.{1,160}):([\w$]{1,80})@(\d{1,9})", re.ASCII)
_CORRELATION = re.compile(r"([0-9a-f]{32})-([0-9a-f]{16})", re.ASCII)
_SLEUTH = re.compile(r"([\w.-]{1,80}),([0-9a-f]{16,32}),([0-9a-f]{16})(?:,(?:true|false))?", re.ASCII)
_INSIDE: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (_CORRELATION, ("trace_id", "span_id")),
    (_SLEUTH, ("service.name", "trace_id", "span_id")),
    (_LOCATION, ("thread.name", "log.logger", "code.line.number")),
    (_PLACE, ("code.file.path", "code.line.number")),
)
_SERILOG = {"VRB": "trace", "INF": "info", "WRN": "warn", "ERR": "error", "FTL": "fatal"}


def read_header(text: str, start: int) -> Header | None:
    """Read the header that starts at `start`; None when no level is in it."""
    if text[start + 1 : start + 2].islower() and _PROSE.match(text, start):
        return None
    stop = start + _LONGEST
    dash = text.find(" - ", start + 1, stop)
    colon = text.find(": ", start, dash if dash >= 0 else stop)
    end = colon + 2 if colon >= 0 else dash + 3
    if end > 2 and (header := _remember(text[start:end])):  # noqa: PLR2004 - neither was found
        return header
    while dash >= 0 and colon < 0:  # ` - logger - LEVEL - `
        end = dash + 3
        dash = text.find(" - ", end - 1, stop)
        if dash >= 0 and (header := _remember(text[start : dash + 3])):
            return header
    return _read(text[start:stop])


@lru_cache(maxsize=4096)
def _remember(header: str) -> Header | None:
    return _read(header)


def _read(text: str) -> Header | None:
    if (usual := _USUAL.match(text)) and (severity := read_level(usual[2])):
        thread, logger = usual[1] or usual[3], usual[4]
        if not thread:
            is_prose = usual[0].endswith(": ") and _DOTTED.fullmatch(logger) is None
            return ({} if is_prose else {"log.logger": logger}), severity
        if not thread.strip().isdecimal() and not (usual[1] and usual[3]):
            return {"thread.name": thread.strip(), "log.logger": logger}, severity
    reader = _Reader()
    position = 0
    for _ in range(_MOST_PARTS):
        found = _PART.match(text, position)
        if found is None:
            break
        position = found.end()
        if not reader.take(found, text[position : position + 3]):
            break
    return (reader.attributes, reader.severity) if reader.severity else None


class _Reader:
    """What the parts read so far have said; one per header."""

    def __init__(self) -> None:
        self.attributes: dict[str, Any] = {}
        self.severity: Severity | None = None
        self.is_spring = False

    def take(self, part: re.Match[str], after: str) -> bool:
        """Take a part of the header in; False when it was the last, or is the first of the message."""
        kind = part.lastindex or 0
        text = part[kind]
        if kind == _BAR or text in _SEPARATORS:
            self.is_spring = self.is_spring or text == "---"
            return kind == _BAR or self.severity is None or "log.logger" not in self.attributes
        if kind == _WORD:
            return self._take_level(text, after) if self.severity is None else self._take_word(text, after)
        if self.severity is None and (severity := _read_inside(text)):
            self.severity = severity
            return True
        if kind == _ANGLE:
            return False
        return self._take_inside(text.strip(), part[0][-1] == ":", after)

    def _take_level(self, word: str, after: str) -> bool:
        name = word.rstrip(":")
        is_set_off = word != name or after[:1] == "\t" or after[:2] in ("  ", " |", " -")
        if name.isupper() or is_set_off:
            self.severity = _read_word(name)
            if self.severity:
                return True
        if name.isdecimal():
            return self._add_pid(name)
        if after.startswith((" - ", " | ", " [", " --")) and "log.logger" not in self.attributes:
            self.attributes["log.logger"] = name
            return True
        return False

    def _take_word(self, word: str, after: str) -> bool:
        if word.isdecimal():
            return (after[:2] in (" -", " [") or after[:1] == "\t") and self._add_pid(word)
        if found := _FUNCTION.fullmatch(word):
            self._add(("log.logger", "code.function.name", "code.line.number"), (found[1], found[2], int(found[3])))
            return False
        name = word.rstrip(":")
        if found := _PLACE.fullmatch(name):
            self._add(("code.file.path", "code.line.number"), (found[1], int(found[2])))
            return word == name
        is_named = "thread.name" in self.attributes or _DOTTED.fullmatch(name) is not None
        ends = (word != name and is_named) or after[:1] == "\t" or after[:1] == "]" or after[:2] in (" -", " :", " |")
        padded = after[:2] == "  " and (is_named or name.isupper())
        followed = after[:2] == " [" and is_named
        ends = ends or _CLASS.fullmatch(name) is not None
        if (ends or padded or followed) and name and "log.logger" not in self.attributes:
            self.attributes["log.logger"] = name
            return after[:1] == "\t" or padded
        return False

    def _take_inside(self, text: str, is_prefix: bool, after: str) -> bool:
        if is_prefix or ("log.logger" in self.attributes and "thread.name" in self.attributes):
            return False
        if self._take_known(text):
            return True
        if not text or "=" in text or "," in text or (self.severity is None and after == " - "):
            return True
        if text.isdecimal():
            return self._add_pid(text)
        if "." in text and _DOTTED.fullmatch(text) and "log.logger" not in self.attributes and self.severity:
            self.attributes["log.logger"] = text
        elif "thread.name" not in self.attributes:
            self.attributes["thread.name"] = text
        elif self.is_spring and "service.name" not in self.attributes:
            self._add(("service.name", "thread.name"), (self.attributes["thread.name"], text))
        return True

    def _take_known(self, text: str) -> bool:
        """Take what its form alone tells: a trace, a place in the code."""
        for pattern, names in _INSIDE:
            if found := pattern.fullmatch(text):
                self._add(names, found.groups())
                if "code.line.number" in names:
                    self.attributes["code.line.number"] = int(found[found.lastindex or 0])
                return True
        return False

    def _add_pid(self, digits: str) -> bool:
        number = read_integer(digits)
        if number is None or "process.pid" in self.attributes:
            return False
        self.attributes["process.pid"] = number
        return True

    def _add(self, names: tuple[str, ...], values: tuple[Any, ...]) -> None:
        self.attributes.update(zip(names, values, strict=True))


def _read_inside(text: str) -> Severity | None:
    """Read the level in brackets: `INFO `, `core:error`, celery's `INFO/MainProcess`."""
    return _read_word(text.strip()) or _read_word(text.rpartition(":")[2].partition("/")[0].strip())


def _read_word(word: str) -> Severity | None:
    return read_level(_SERILOG.get(word, word))
