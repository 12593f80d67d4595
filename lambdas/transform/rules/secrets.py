"""Credentials, by their form: private keys, tokens, AWS keys.

- Private keys: PEM (https://www.rfc-editor.org/rfc/rfc7468) and OpenPGP's armour, with line ends or the literal `\\n`
  of JSON inside JSON. One that was cut off ends with the text; the rest of one, without its beginning, begins after
  the last space.
- JSON Web Tokens (https://www.rfc-editor.org/rfc/rfc7519): dots between base64url, and a header that is a JSON object.
- AWS: access key ids by their prefix, and secret keys, which are nothing but 40 characters of base64, by what stands
  before them: a name such as `aws_secret_access_key`, or an access key id.
  https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-prefixes

Each expression can begin only where a run of its characters begins, so no run is read twice.
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64
from collections.abc import Iterator

import orjson

from lambdas.transform.rules.numbers import BEGUN, END, Span

_PEM_BEGIN = re.compile(r"-----BEGIN [0-9A-Z ]{0,24}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(r"-----END [0-9A-Z ]{0,24}PRIVATE KEY(?: BLOCK)?-----")
_PEM_BODY = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\r\n\\"
PRIVATE_KEY = re.compile("PRIVATE KEY")
JWT = re.compile(
    r"eyJ(?:(?<![0-9A-Za-z_-]eyJ)|(?<=\\[bfnrt]eyJ))([0-9A-Za-z_-]{5,}+)\.[0-9A-Za-z_-]*+\.[0-9A-Za-z_-]*+"
    r"(?:\.[0-9A-Za-z_-]*+){0,2}"
)
_MAX_JWT_HEADER = 8192
AWS_KEY = re.compile(rf"A{BEGUN}(?:KIA|SIA|BIA|CCA)[0-9A-Z]{{16}}{END}")
_NAME = r"(?i:secret[ _.-]?(?:access[ _.-]?)?key|aws[ _.-]?secret)"
_FORTY = r"(?:[0-9A-Za-z+]|\\?/){40}(?![0-9A-Za-z/+=])"
AWS_SECRET = re.compile(rf"(?:{_NAME}|(?:AKIA|ASIA)[0-9A-Z]{{16}})[^0-9A-Za-z/+]{{1,40}}({_FORTY})")
_NAMES_SECRET = re.compile(_NAME)
_IS_SECRET = re.compile(_FORTY)


def find_private_keys(text: str) -> Iterator[Span]:
    """Find private keys, markers and all; one without an end goes to the end of the text."""
    at = 0
    while begin := _PEM_BEGIN.search(text, at):
        yield from _tails(text, at, begin.start())
        end = _PEM_END.search(text, begin.end())
        stop = end.end() if end else len(text)
        yield begin.start(), stop, text[begin.start() : stop]
        at = stop
    yield from _tails(text, at, len(text))


def _tails(text: str, start: int, stop: int) -> Iterator[Span]:
    """Ends of keys whose beginnings are not in the text."""
    while end := _PEM_END.search(text, start, stop):
        begin = len(text[start : end.start()].rstrip(_PEM_BODY)) + start
        yield begin, end.end(), text[begin : end.end()]
        start = end.end()


def find_jwts(text: str) -> Iterator[Span]:
    """Find JSON Web Tokens, signed (three parts) and encrypted (five)."""
    for found in JWT.finditer(text):
        if _is_header("eyJ" + found[1]):
            yield found.start(), found.end(), found[0]


def _is_header(part: str) -> bool:
    if len(part) > _MAX_JWT_HEADER:
        return False
    try:
        header = a2b_base64(part.translate({45: 43, 95: 47}) + "=" * (-len(part) % 4))
        return isinstance(orjson.loads(header), dict)
    except (Error, orjson.JSONDecodeError):
        return False


def find_aws_keys(text: str) -> Iterator[Span]:
    """Find ids of AWS access keys."""
    for found in AWS_KEY.finditer(text):
        yield found.start(), found.end(), found[0]


def find_aws_secrets(text: str) -> Iterator[Span]:
    """Find AWS secret access keys; the name before one stays."""
    for found in AWS_SECRET.finditer(text):
        yield found.start(1), found.end(1), found[1].replace("\\", "")


def is_aws_secret(name: str, value: str) -> bool:
    """Say whether a member with this name and value is an AWS secret access key."""
    return _NAMES_SECRET.search(name) is not None and _IS_SECRET.fullmatch(value) is not None
