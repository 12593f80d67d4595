"""Stack traces in the lines of one source: where each begins and ends.

Every language prints what opens a trace, an optional message of several lines, frames, and what may come between and
after them. `_KINDS` says that per family as patterns, and one reader walks them all:

- Java, .NET, JavaScript, Ruby: an exception's name, or any line right before a frame; then `at …` or `from …:3:in …`,
  causes, `... 12 more`, ` ---> `, properties in braces
- Python: `Traceback (most recent call last):`; then indented lines, `|` and `+` of exception groups, the exception's
  line, chained tracebacks
- Go: `panic:`, `fatal error:`, `goroutine 1 [running]:`; then calls, each with `<tab>file.go:12 +0x1d`, `created by`,
  and further goroutines after a blank line
- Rust: `thread '…' panicked at`; then the message, `stack backtrace:`, `3: path`, `at …`, `note:`

The logger's line directly before a trace belongs to it when it speaks of an error. Where a message of several lines
ends cannot be known unless something of the trace follows it: then up to MAX_MESSAGE_LINES belong to it, otherwise
only what is indented. So a note on a Python exception, or the rest of its last message, stays on lines of its own.

Cost: a few anchored patterns for each line that could begin a trace, and a look at MAX_MESSAGE_LINES following ones for
each that does. Linear: no pattern can backtrack over what another part of it has taken.

Formats: https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/lang/Throwable.html#printStackTrace() ·
https://docs.python.org/3/library/traceback.html · https://pkg.go.dev/runtime/debug#SetTraceback ·
https://nodejs.org/api/errors.html · https://learn.microsoft.com/dotnet/api/system.exception.stacktrace ·
https://docs.ruby-lang.org/en/master/Exception.html#method-i-full_message ·
https://doc.rust-lang.org/std/backtrace/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

MAX_MESSAGE_LINES = 8
"""Lines of an exception's message after its first. Our own choice: it bounds what is looked at ahead of each line."""

Span = tuple[int, int]
"""The first line of a trace, and the one after its last."""


class _Kind(NamedTuple):
    """How a family of languages prints a trace; each pattern is tried at the start of a line."""

    opens: re.Pattern[str]
    frame: re.Pattern[str]
    more: re.Pattern[str]
    """Belongs directly after another line of the trace."""
    names: re.Pattern[str]
    """Names an exception, so that the lines after it may be its message."""
    resumes: re.Pattern[str]
    """Shows that what went before was a message."""
    bridges: re.Pattern[str]
    """The trace goes on after these: a line of it, a line feed, and the next one but a blank."""


_NEVER = re.compile(r"(?!)")
_EXCEPTION = (
    r"(?:Exception in thread \"[^\"]*+\" |Unhandled exception\. |Uncaught |Caused by: |\[)?"
    r"(?:[A-Za-z_$][\w$]*+[./])*+[A-Za-z_$][\w$]*+"
    r"(?:(?<=Exception)|(?<=Error)|(?<=Throwable))(?=[:\s\]]|\Z)"
)
_DOTTED = r"(?:Exception in thread \"[^\"]*+\" )?(?:[a-z_][\w$]*+\.){2,}+[A-Z][\w$]*+(?=:|\Z)"
_AT = r"[ \t]+at (?:async |new |get |set )?[^\s(.:/<\[]*+(?: \(| \[as |[(.:/<])"
_RUBY = r"[ \t]*+(?:from )?[^\s:]++:\d++:in [`']"
_GROUP = r"[ \t]*+[|+]"
_CHAIN = r"(?:During handling of the above exception|The above exception was the direct cause)"
_TRACEBACK = r"[ \t|+]*+(?:Exception Group )?Traceback \(most recent call last\):"
_GOROUTINE = r"goroutine \d++ [^\[]*+\[[^\]]*+\]:\Z"

_FRAMED = _Kind(
    opens=re.compile(rf"[ \t]*+(?:{_EXCEPTION}|{_DOTTED}|\S++:\d++:in [`'])"),
    frame=re.compile(rf"{_AT}|[ \t]+from [^\s:]++:\d++:in "),
    more=re.compile(
        r"[ \t]*+(?:Caused by: |Suppressed: |\.\.\. \d++ |\[CIRCULAR REFERENCE|---> |--- End of )"
        r"|[^\s:]++:\d++:in [`']"
    ),
    names=re.compile(r"[ \t]*+(?:Caused by: |Suppressed: |---> )"),
    resumes=re.compile(rf"{_AT}|[ \t]+from [^\s:]++:\d++:in |[ \t]*+---> "),
    bridges=re.compile(r"[^\n]*+\nNode\.js v\d"),
)
_PYTHON = _Kind(
    opens=re.compile(rf"{_TRACEBACK}|  File \"[^\"]++\", line \d"),
    frame=re.compile(rf"[ \t]+\S|{_GROUP}"),
    more=re.compile(_CHAIN),
    names=re.compile(r"(?:[ \t]*+\| )?[A-Za-z_][\w.<>]*+(?:: |:?\Z)"),
    resumes=re.compile(rf"{_CHAIN}|[ \t]+[|+][ -]"),
    bridges=re.compile(rf"[^\n]*+\n{_CHAIN}|{_CHAIN}[^\n]*+\n{_TRACEBACK}"),
)
_GO = _Kind(
    opens=re.compile(rf"panic: |fatal error: |{_GOROUTINE}"),
    frame=re.compile(r"\t\S[^\n]*:\d++(?: \+0x[0-9a-f]++)?\Z"),
    more=re.compile(
        rf"{_GOROUTINE}|created by |\.\.\.|\[signal |\[originating |\tpanic: |exit status \d++\Z|r[a-z0-9]++ +0x"
        r"|[^\s()]++(?:\(\*?[^\s()]++\)[^\s()]*+)?\([^\n]*\)\Z"
    ),
    names=re.compile(r"panic: |fatal error: |\tpanic: "),
    resumes=re.compile(rf"{_GOROUTINE}|runtime stack:"),
    bridges=re.compile(rf"[^\n]*+\n(?:{_GOROUTINE}|runtime stack:|r[a-z0-9]++ +0x)"),
)
_RUST = _Kind(
    opens=re.compile(r"thread '[^']*+' (?:\(\d++\) )?panicked at "),
    frame=re.compile(r"[ \t]+(?:\d++: |at )"),
    more=re.compile(r"stack backtrace:\Z|note: "),
    names=re.compile(r"thread '"),
    resumes=re.compile(r"stack backtrace:\Z|note: (?:run with|Some details)"),
    bridges=_NEVER,
)
_KINDS = (_PYTHON, _GO, _RUST, _FRAMED)
_OPENS = re.compile("|".join([*(kind.opens.pattern for kind in _KINDS), _FRAMED.frame.pattern]))
"""What any of them does, so that a line that opens nothing costs one look."""

_STARTS = re.compile(
    r"[ \t{\"\[(<]*+\d{2,4}[-/:.]\d|[\[(<]*+(?:TRACE|DEBUG|INFO|NOTICE|WARN|ERROR|FATAL|SEVERE|CRITICAL|"
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) |level=|time=|ts=|\d++>)|"
    r"[ \t]*+\{[^\n]*\}\s*\Z"
)
"""A logger's line begins here, so it is no part of a message."""
_INTRODUCES = re.compile(
    r"(?i)\b(?:error|warn(?:ing)?|fatal|severe|critical|panic(?:ked)?|exception|unhandled|uncaught)\b"
)
_HEAD = 512
_PYTHON_FRAME = re.compile(r"[ \t|]*+(?:File \"|\+)")
_SYNTAX_MARK = re.compile(r"[ \t]*+\^++\Z")
_LOCATION = re.compile(r"\S[^\n]*:\d++\Z")


def find_traces(texts: Sequence[str]) -> Iterator[Span]:
    """Find the traces in the lines of one source, in order and apart from each other; each has two lines or more."""
    at = free = 0
    while at < len(texts):
        kind = _opening(texts, at)
        end = _read(texts, at, kind) if kind else at
        if kind is None or end == at:
            at += 1
            continue
        start = _first(texts, at, kind, free=free)
        if end - start > 1:
            yield start, end
            free = end
        at = end


def _opening(texts: Sequence[str], at: int) -> _Kind | None:
    text = texts[at]
    if _OPENS.match(text) is None:
        return None
    return next((kind for kind in _KINDS if kind.opens.match(text)), _FRAMED)


def _read(texts: Sequence[str], at: int, kind: _Kind) -> int:
    """Where a trace ends that may open here: here, if it does not."""
    framed = kind.frame.match(texts[at]) is not None
    end, in_message, in_braces = at + 1, not framed, texts[at].endswith("] {")
    # Without this bound, a thousand lines that open a trace without a frame would each be read to their end.
    while end < len(texts) and (framed or end - at <= 2 * MAX_MESSAGE_LINES):
        text, after_frame = texts[end], not in_message
        if in_braces and text[:1] in (" ", "}"):
            framed, in_braces = True, text[:1] != "}"
        elif kind.frame.match(text):
            framed, in_message = True, kind is _PYTHON and _is_in_message(text, in_message)
            in_braces = in_braces or (kind is _FRAMED and text.endswith(" {"))
        elif kind.more.match(text) or (kind is _PYTHON and after_frame and kind.names.match(text)):
            in_message = kind.names.match(text) is not None
        elif in_message and (resumed := _past_message(texts, end, kind)):
            end = resumed
            continue
        else:
            past = end + 1 if text == "" else end
            if past == len(texts) or not kind.bridges.match(f"{texts[end - 1]}\n{texts[past]}"):
                break
            end, in_message = past, False
        end += 1
    if framed or (kind is _RUST and end > at + 1):
        return end
    # Without a backtrace Rust prints nothing but the message, which is a line at least.
    return min(at + 2, len(texts)) if kind is _RUST and texts[at].endswith(":") else at


def _is_in_message(text: str, before: bool) -> bool:
    """Whether an indented line of Python's names an exception, or stands below a line that does."""
    return _PYTHON.names.match(text) is not None or (before and not _PYTHON_FRAME.match(text))


def _past_message(texts: Sequence[str], at: int, kind: _Kind) -> int:
    """The line at which a trace goes on after a message of several lines; 0 when it does not."""
    for line in range(at, min(at + MAX_MESSAGE_LINES, len(texts))):
        if line > at and kind.resumes.match(texts[line]):
            return line
        if _STARTS.match(texts[line]) or _opening(texts, line):
            return 0
    past = at + MAX_MESSAGE_LINES
    return past if past < len(texts) and kind.resumes.match(texts[past]) else 0


def _first(texts: Sequence[str], at: int, kind: _Kind, *, free: int) -> int:
    """The first line of a trace that opens at a line: what introduces it, if that is not part of the one before."""
    opened = at
    headless = kind is _FRAMED and at > free and kind.frame.match(texts[at])
    if headless and texts[at - 1].strip() and not _STARTS.match(texts[at - 1]):
        opened = at - 1
    if opened - 4 >= free and not texts[opened - 1] and _SYNTAX_MARK.match(texts[opened - 2]):
        return opened - 4 if _LOCATION.match(texts[opened - 4]) else opened
    if opened > free and (before := texts[opened - 1]):
        introduces = _INTRODUCES.search(before[:_HEAD]) is not None and not before.lstrip().startswith("{")
        return opened - 1 if introduces else opened
    return opened
