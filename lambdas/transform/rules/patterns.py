"""The built-in patterns by the names they have in sluice.yaml, and a hint for each that costs next to nothing.

A pattern is what finds its values in a text, exactly. Its hint is an RE2 expression over the JSON of a document that
fits wherever there is something to find, and almost nowhere else: all hints together are one automaton, which goes over
the documents of a Firehose record once, at 1.6 ns a byte. The JSON is orjson's, so a control character before a value
is one of its escapes, and nothing else is escaped that a hint looks for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from lambdas.transform.rules.addresses import EMAIL, IPV4, IPV6, find_emails, find_ipv4s, find_ipv6s
from lambdas.transform.rules.numbers import (
    CARD,
    IBAN,
    IBAN_LENGTHS,
    PHONE,
    Span,
    find_cards,
    find_ibans,
    find_phones,
)
from lambdas.transform.rules.secrets import (
    AWS_KEY,
    AWS_SECRET,
    JWT,
    PRIVATE_KEY,
    find_aws_keys,
    find_aws_secrets,
    find_jwts,
    find_private_keys,
)

_ESCAPES = r"\\[bfnrt]|\\u00[0-9a-f]{2}"
_START = rf"(?:^|[^0-9A-Za-z]|{_ESCAPES})"
_END = r"(?:$|[^0-9A-Za-z])"
_HEX = "[0-9A-Fa-f]"
_OCTET = "[0-9]{1,3}"
_NOT_NONE = "[1-9][0-9]{0,2}"
# Which lengths an issuer's numbers have: most long numbers in logs are identifiers, and few of those fit.
_CARDS = (
    "4[0-9]{12}|4[0-9]{15}|4[0-9]{18}|3[47][0-9]{13}|3[0689][0-9]{12}|(?:50|58|63|67)[0-9]{11,13}"
    "|(?:2[2-7]|3[05689]|5[0-9]|6[0-9])[0-9]{14}|(?:2[2-7]|3[05689]|5[08]|6[0-9])[0-9]{15,17}"
)


class Pattern(NamedTuple):
    """Finds the values in a text, from left to right without overlap; what is found nowhere else; and the hint."""

    find: Callable[[str], Iterator[Span]]
    form: re.Pattern[str]
    hint: str


PATTERNS: dict[str, Pattern] = {
    "private-key": Pattern(find_private_keys, PRIVATE_KEY, r"-----(?:BEGIN|END) [0-9A-Z ]{0,24}PRIVATE KEY"),
    "jwt": Pattern(find_jwts, JWT, r"eyJ[0-9A-Za-z_-]{5,}\.[0-9A-Za-z_-]*\."),
    "aws-secret": Pattern(
        find_aws_secrets,
        AWS_SECRET,
        r"(?i:secret[ _.-]?(?:access[ _.-]?)?key|aws[ _.-]?secret)|(?:AKIA|ASIA)[0-9A-Z]{16}",
    ),
    "aws-key": Pattern(find_aws_keys, AWS_KEY, rf"{_START}(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{{16}}{_END}"),
    "iban": Pattern(find_ibans, IBAN, rf"{_START}(?:{'|'.join(IBAN_LENGTHS)})[0-9]{{2}}(?: ?[0-9A-Z]){{11}}"),
    "card": Pattern(
        find_cards,
        CARD,
        rf"{_START}(?:{_CARDS}|[2-6][0-9]{{3}}(?:[ -][0-9]{{4}}){{3}}|3[0-9]{{3}}[ -][0-9]{{6}}[ -][0-9]{{4,5}}){_END}",
    ),
    "email": Pattern(
        find_emails,
        EMAIL,
        r"[0-9A-Za-z_.%+\x80-\xff-]@(?:[0-9A-Za-z_\x80-\xff-]+\.)+[A-Za-z\x80-\xff][A-Za-z\x80-\xff]",
    ),
    "ipv6": Pattern(
        find_ipv6s,
        IPV6,
        rf"(?:^|[^0-9A-Za-z_:.]|{_ESCAPES})(?:::{_HEX}|(?:{_HEX}{{1,4}}:){{1,6}}:|(?:{_HEX}{{1,4}}:){{7}})",
    ),
    "ipv4": Pattern(
        find_ipv4s,
        IPV4,
        rf"{_START}{_OCTET}\.(?:{_NOT_NONE}\.{_OCTET}\.[0-9]|{_OCTET}\.{_NOT_NONE}\.[0-9]|{_OCTET}\.{_OCTET}\.[1-9])",
    ),
    "phone": Pattern(
        find_phones,
        PHONE,
        rf"\+[1-9](?:[ ./()-]{{0,2}}[0-9]){{7}}|{_START}(?:[2-9][0-9]{{2}}(?:-[0-9]{{3}}-|\.[0-9]{{3}}\.)[0-9]{{4}}"
        r"|\([2-9][0-9]{2}\) ?[0-9]{3}[-. ][0-9]{4})",
    ),
}
"""In the order in which they are applied: what another pattern would find a part of comes before that."""
