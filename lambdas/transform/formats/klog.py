"""klog and glog, the loggers of Kubernetes and of Google's C++ programs, Android's logcat.

    I1121 02:36:00.123456       1 reflector.go:231] Listing and watching *v1.Endpoints
    I20261121 02:36:00.123456    31 server.cc:12] ready
    11-21 02:36:00.123  1702  2395 D WindowManager: …

https://github.com/kubernetes/klog/blob/main/klog.go (func formatHeader)
https://github.com/google/glog#log-line-prefix-format
https://developer.android.com/tools/logcat#outputFormat (threadtime)

The first two of them have no year, which is chosen by the time of reading. Their number is of a thread, except that
klog, which cannot know it, writes the process.
"""

from __future__ import annotations

import re

from lambdas.transform.formats.found import UNREADABLE, Found
from lambdas.transform.levels import read_level
from lambdas.transform.times import HOUR_LENGTH, add_fraction, utc_second

LEADS = (*(level + digit for level in "IWEF" for digit in "0123"), "0", "1")

_KLOG = re.compile(
    r"([IWEF])(\d{4})?(\d{4}) (\d\d:\d\d:\d\d)\.(\d{1,9}) +(\d{1,18}) ([^\s:\]]{1,256}):(\d{1,9})\] ?", re.ASCII
)
_LOGCAT = re.compile(
    r"(\d\d-\d\d \d\d:\d\d:\d\d)\.(\d{1,9}) +(\d{1,18}) +(\d{1,18}) ([VDIWEF]) ([^:\n]{0,128}?) *: ", re.ASCII
)
_LEVELS = {
    letter: read_level(word)
    for letter, word in (
        ("V", "trace"), ("D", "debug"), ("I", "info"), ("W", "warn"), ("E", "error"), ("F", "fatal")
    )
}  # fmt: skip


def read_klog(text: str, observed: str) -> Found | None:
    """Read a line of klog, glog or logcat."""
    if text[2:3] == "-":
        return _read_logcat(text, observed)
    found = _KLOG.match(text) if text[1:5].isdigit() else None
    if found is None:
        return None
    level, year, day, clock, digits, process, file, line = found.groups()
    if year:
        utc = utc_second(f"{year}-{day[:2]}-{day[2:]} {clock}")
    else:
        utc = utc_second(f"{day} {clock}", "", observed[:HOUR_LENGTH])
    attributes = {"process.pid": int(process), "code.file.path": file, "code.line.number": int(line)}
    return attributes, _LEVELS[level], add_fraction(utc, digits) if utc else UNREADABLE


def _read_logcat(text: str, observed: str) -> Found | None:
    found = _LOGCAT.match(text)
    if found is None:
        return None
    second, digits, process, thread, level, tag = found.groups()
    utc = utc_second(second, "", observed[:HOUR_LENGTH])
    attributes = {"process.pid": int(process), "thread.id": int(thread), "log.logger": tag}
    return attributes, _LEVELS[level], add_fraction(utc, digits) if utc else UNREADABLE
