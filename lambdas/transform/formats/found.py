"""What a parser of lines answers, and the small readings that several of them need.

A parser is a function of a line and the time it was read, and its LEADS: what its lines can start with, which is
one or two characters or one of DATES. It never raises and takes nothing away: the line stays the body, whole.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any

from lambdas.transform.levels import Severity

Found = tuple[dict[str, Any], Severity | None, str | None]
"""Attributes, which may be shared between lines and are not to be changed in place; the severity that the line states;
and its time, or None when it states none, or UNREADABLE."""

Parser = Callable[[str, str], Found | None]
"""From (text, observed) to what was found, or None: the line is not of this format."""

UNREADABLE = ""
"""The time of a line whose format has one in this place, and what stands there is no time."""

DIGITS = string.digits
LETTERS = string.ascii_letters
DATES = ("-T", "- ", "/ ")
"""Leads of a line that starts with a date and a time: the characters after the year and after the day."""
_LONGEST_INTEGER = 18
"""Digits that fit 64 bits whatever they are."""


def read_integer(digits: str) -> int | None:
    """Read a number of up to 18 digits, else None."""
    return int(digits) if digits.isdecimal() and len(digits) <= _LONGEST_INTEGER else None


def add_address(attributes: dict[str, Any], name: str, text: str, *, has_port: bool = False) -> None:
    """Add `203.0.113.9:50010` or `[2001:db8::1]:50010` as `name.address` and `name.port`; without a port as it is.

    `has_port` says that there always is one, as in `2001:db8::1:50010`, which could be an address too.
    """
    address, colon, port = text.rpartition(":")
    is_certain = has_port or ":" not in address or address[:1] == "["
    if colon and port.isdecimal() and len(port) <= len("65535") and is_certain:
        attributes[f"{name}.address"] = address.strip("[]")
        attributes[f"{name}.port"] = int(port)
    elif text not in ("", "-"):
        attributes[f"{name}.address"] = text


def add_text(attributes: dict[str, Any], name: str, text: str) -> None:
    """Add a text unless it is empty or the `-` that servers write for nothing."""
    if text not in ("", "-"):
        attributes[name] = text
