"""Addresses: e-mail, IPv4, IPv6.

- E-mail: the unquoted form of https://www.rfc-editor.org/rfc/rfc5321 with a dotted domain; letters of any alphabet.
  `logo@2x.png` is a picture.
- IPv4: dotted decimal without leading zeros. What ends in `.0.0.0` is no host but the version of a browser, most often.
- IPv6: whatever Python's ipaddress takes (https://www.rfc-editor.org/rfc/rfc4291), with a digit or three groups in it:
  `a::b` is a name in a programme.

Each expression can begin only where a run of its characters begins, so no run is read twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv6Address

from lambdas.transform.rules.numbers import BEGUN, Span

EMAIL = re.compile(r"@(?![1-9]x\.)(?:[\w-]+\.)+[^\W\d_]{2,}")
"""From the sign on: the name before it is read from there, so a text without the sign costs next to nothing."""
_IN_NAME = "_.%+-"
IPV4 = re.compile(rf"[0-9]{BEGUN}(?<![0-9]\.[0-9])[0-9]{{0,2}}(?:\.[0-9]{{1,3}}){{3}}(?![0-9A-Za-z]|\.[0-9])")
IPV6 = re.compile(r"(?:(?<![0-9A-Za-z_:.])|(?<=\\[bfnrt]))[0-9A-Fa-f:.]{3,47}+(?![0-9A-Za-z_])")
_OCTETS = frozenset(map(str, range(256)))
_ZEROS = ["0", "0", "0"]
_LEAST_GROUPS = 3
_MOST_COLONS = 7


def find_emails(text: str) -> Iterator[Span]:
    """Find e-mail addresses; the canonical form is lower case."""
    last = 0
    for found in EMAIL.finditer(text):
        start = found.start()
        while start > last and (text[start - 1].isalnum() or text[start - 1] in _IN_NAME):
            start -= 1
        if start < found.start():
            last = found.end()
            yield start, last, text[start:last].lower()


def find_ipv4s(text: str) -> Iterator[Span]:
    """Find IPv4 addresses."""
    for found in IPV4.finditer(text):
        octets = found[0].split(".")
        if octets[1:] != _ZEROS and _OCTETS.issuperset(octets):
            yield found.start(), found.end(), found[0]


def find_ipv6s(text: str) -> Iterator[Span]:
    """Find IPv6 addresses, with an IPv4 address at their end or not; the canonical form is the shortest."""
    if "::" not in text and text.count(":") < _MOST_COLONS:
        return
    for found in IPV6.finditer(text):
        spelled = found[0].rstrip(".")
        # The colon of a sentence, behind an address that may itself end in two.
        if spelled.endswith(":::") or (spelled.endswith(":") and not spelled.endswith("::")):
            spelled = spelled[:-1]
        if canonical := _canonical(spelled):
            yield found.start(), found.start() + len(spelled), canonical


def _canonical(spelled: str) -> str | None:
    if not any(character in "0123456789" for character in spelled):
        groups = [group for group in spelled.split(":") if group]
        if len(groups) < _LEAST_GROUPS:
            return None
    try:
        return IPv6Address(spelled).compressed
    except AddressValueError:
        return None
