"""logfmt: a line of nothing but `key=value`, two pairs at least, as logrus, go-kit, slog and Heroku write it.

    time=2026-11-21T02:36:00.123Z level=info msg="paid in full" user=31

https://brandur.org/logfmt · https://pkg.go.dev/github.com/kr/logfmt · https://pkg.go.dev/log/slog#TextHandler

Keys become attributes as they are, and values text, without their quotes. A level and a time are taken for the
severity and the time if they can be read, and are no attributes then. A key that comes twice has its last value, and
the others as `key#1`, `key#2`. One word of prose anywhere makes the line prose.

A line without escapes is made JSON, whose reader is written in C, and takes a third of what a regular expression would.
The rest is read by one that is linear, since at each place a single way of going on is possible.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from lambdas.transform.formats.found import LETTERS, Found
from lambdas.transform.levels import read_level
from lambdas.transform.times import read_time

LEADS = (*LETTERS, "_", "@")

_LONGEST_KEY = 64
_FEWEST_PAIRS = 2
_GAP = "\x01"
"""Stands where a quoted value is left out. Where the line itself has one, it is read pair by pair."""
_LEVEL_KEYS = ("level", "lvl", "severity")
_TIME_KEYS = ("time", "ts", "timestamp", "t")
_PAIR = re.compile(r'(?:"([^"\\]{1,64})"|([^\s="]+))=(?:"([^"\\]*(?:\\.[^"\\]*)*)"|([^\s"]*))(?:\s+|\Z)', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_SURROGATES = range(0xD800, 0xE000)


def read_logfmt(text: str, observed: str) -> Found | None:
    """Read a line of logfmt."""
    end = text.find("=", 1, _LONGEST_KEY)
    if end < 0 or text.find(" ", 0, end) >= 0:
        return None
    is_plain = '"' not in text and "\\" not in text
    members = (_load(text.replace("=", '":"').replace(" ", '","')) if is_plain else _join(text)) or _scan(text)
    if members is None:
        return None
    severity = time = None
    for key in _LEVEL_KEYS:
        if key in members and (severity := read_level(members[key])):
            del members[key]
            break
    for key in _TIME_KEYS:
        if key in members and (time := read_time(members[key], observed=observed)):
            del members[key]
            break
    return members, severity, time


def _load(json: str) -> dict[str, Any] | None:
    """Read what has JSON's signs for each equals sign and space; where they do not alternate, it is no JSON."""
    try:
        members: dict[str, Any] = orjson.loads(f'{{"{json}"}}')
    except ValueError:  # a word without an equals sign, a value with one, two spaces
        return None
    # No value holds a quote, so these are the pairs; of a key that comes twice only one is left.
    return members if len(members) == json.count('":"') >= _FEWEST_PAIRS and "" not in members else None


def _join(text: str) -> dict[str, Any] | None:
    """Read a line with quoted values, which stay as they are; None when it is better read pair by pair."""
    pieces = text.split('"')
    if "\\" in text or _GAP in text or len(pieces) % 2 == 0:
        return None
    quoted = pieces[1::2]
    signs = _GAP.join(pieces[::2]).replace("=", '":"').replace(" ", '","')
    if signs.count(f'":"{_GAP}","') + signs.endswith(f'":"{_GAP}') != len(quoted):
        return None
    if len(quoted) == 1:
        return _load(signs.replace(_GAP, quoted[0]))
    pieces[::2] = signs.split(_GAP)
    return _load("".join(pieces))


def _scan(text: str) -> dict[str, Any] | None:
    """Read a line pair by pair, or say with None that it is no logfmt."""
    members: dict[str, Any] = {}
    numbers: dict[str, int] = {}
    position = count = 0
    text = text.rstrip()
    while position < len(text):
        found = _PAIR.match(text, position)
        if found is None:
            return None
        quoted_name, bare_name, quoted, bare = found.groups()
        name = quoted_name or bare_name
        if name in members:
            # Numbers are remembered, since counting anew for every repetition would take time quadratic in the line.
            number = numbers.get(name, 0) + 1
            while f"{name}#{number}" in members:
                number += 1
            numbers[name] = number
            members[f"{name}#{number}"] = members[name]
        members[name] = bare if quoted is None else _unescape(quoted)
        position = found.end()
        count += 1
    return members if count >= _FEWEST_PAIRS else None


def _unescape(quoted: str) -> str:
    return _ESCAPE.sub(_character, quoted) if "\\" in quoted else quoted


def _character(found: re.Match[str]) -> str:
    byte, point, letter = found.groups()
    if letter is not None:
        return _ESCAPES.get(letter, letter if letter in '"\\' else found[0])
    number = int(byte or point, 16)
    return found[0] if number in _SURROGATES else chr(number)
