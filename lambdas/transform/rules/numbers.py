"""Numbers that carry a checksum or a plan: payment cards, IBANs, telephone numbers.

A candidate is found by its form, and is one only if the checksum says so. What is next to a letter or digit is part
of something longer, an identifier most often, and is left alone. Every expression is bounded, so the time is linear.

- Cards: 13 to 19 digits, together or in the groups they are printed in (4-4-4-4 and up to 3 more, 4-6-5, 4-6-4) with
  one kind of separator, a prefix that an issuer has, and Luhn's digit.
  https://en.wikipedia.org/wiki/Payment_card_number
- IBANs: upper case, together or with single spaces, the country's length, remainder 1 modulo 97.
  https://www.swift.com/standards/data-standards/iban-international-bank-account-number
- Telephone numbers: E.164 with its plus, and the North American forms 212-555-0123, 212.555.0123, (212) 555-0123.
  https://www.itu.int/rec/T-REC-E.164 A number without either is a number like any other, and stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache

Span = tuple[int, int, str]
"""Start and end in the text, and the canonical form, equal for all spellings of one value."""

BEGUN = r"(?:(?<![0-9A-Za-z].)|(?<=\\[bfnrt].))"
"""Stands behind the first character, which has to be outside of a word: so Python looks for that character first, and
only then behind it. The letter of a literal `\\n`, in JSON that was never taken apart, is no part of a word."""
END = r"(?![0-9A-Za-z])"

CARD = re.compile(
    rf"[2-6]{BEGUN}(?:[0-9]{{12,18}}|[0-9]{{3}}([ -])[0-9]{{4}}\1[0-9]{{4}}\1[0-9]{{4}}(?:\1[0-9]{{1,3}})?"
    rf"|(?<=3)[0-9]{{3}}([ -])[0-9]{{6}}\2[0-9]{{4,5}}){END}"
)
_CARD_GROUPS = re.compile(r"[0-9]{4}[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]{4}")
_ISSUERS: tuple[tuple[int, int, tuple[int, ...]], ...] = (
    (4, 4, (13, 16, 19)),
    (51, 55, (16,)),
    (2221, 2720, (16,)),
    (34, 34, (15,)),
    (37, 37, (15,)),
    (300, 305, (14, 16, 19)),
    (3095, 3095, (14, 16, 19)),
    (36, 36, (14, 16, 19)),
    (38, 39, (14, 16, 19)),
    (6011, 6011, (16, 19)),
    (644, 659, (16, 19)),
    (3528, 3589, (16, 19)),
    (62, 62, (16, 17, 18, 19)),
    (2200, 2204, (16, 19)),
    *((number, number, tuple(range(13, 20))) for number in (5018, 5020, 5038, 5893, 6304, 6759, 6761, 6762, 6763)),
)
"""First and last prefix, and the lengths: Visa, Mastercard twice, American Express twice, Diners four times, Discover
twice, JCB, UnionPay, Mir, Maestro."""
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)

IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK", 21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip
IBAN = re.compile(rf"[A-Z]{BEGUN}[A-Z][0-9]{{2}}(?= ?[0-9A-Z])")

PHONE = re.compile(
    rf"[+(2-9]{BEGUN}(?:(?<=\+)(?<!\+.)[1-9](?:[ ./()-]{{0,2}}[0-9]){{7,14}}{END}"
    rf"|(?<=\()[2-9][0-9]{{2}}\) ?[0-9]{{3}}[-. ][0-9]{{4}}{END}"
    r"|(?<=[2-9])(?<![-.].)[0-9]{2}([-.])[0-9]{3}\1[0-9]{4}(?![-.]?[0-9A-Za-z]))",
    re.DOTALL,
)
_NOT_DIGITS = re.compile(r"[^0-9]+")


def find_cards(text: str) -> Iterator[Span]:
    """Find payment card numbers; the canonical form is the digits."""
    return _checked(CARD, text, _card_end)


def find_ibans(text: str) -> Iterator[Span]:
    """Find international bank account numbers; the canonical form has no spaces."""
    return _checked(IBAN, text, _iban_end)


def find_phones(text: str) -> Iterator[Span]:
    """Find telephone numbers; the canonical form is the digits, with the country's where they are given."""
    return _checked(PHONE, text, _phone_end)


def _checked(
    form: re.Pattern[str], text: str, check: Callable[[re.Match[str]], tuple[int, str] | None]
) -> Iterator[Span]:
    """What has the form and stands the check. A candidate that does not may hide one that begins inside it."""
    at = 0
    while candidate := form.search(text, at):
        if found := check(candidate):
            end, canonical = found
            yield candidate.start(), end, canonical
            at = end
        else:
            at = candidate.start() + 1


def _card_end(candidate: re.Match[str]) -> tuple[int, str] | None:
    digits = _NOT_DIGITS.sub("", candidate[0])
    if _is_card(digits):
        return candidate.end(), digits
    # What follows sixteen digits after a space may be another number: the card's code, an amount.
    sixteen = _CARD_GROUPS.match(candidate[0])
    if sixteen and _is_card(digits := _NOT_DIGITS.sub("", sixteen[0])):
        return candidate.start() + sixteen.end(), digits
    return None


def _is_card(digits: str) -> bool:
    return _has_issuer(digits) and luhn(digits)


def _has_issuer(digits: str) -> bool:
    size = len(digits)
    return any(first <= int(digits[: len(str(first))]) <= last for first, last, lengths in _ISSUERS if size in lengths)


def luhn(digits: str) -> bool:
    """Say whether the last digit is the one that Luhn's formula makes of the others (ISO/IEC 7812-1, annex B)."""
    odd, even = digits[-1::-2], digits[-2::-2]
    return (sum(map(int, odd)) + sum(_DOUBLED[int(digit)] for digit in even)) % 10 == 0


def _iban_end(candidate: re.Match[str]) -> tuple[int, str] | None:
    length = IBAN_LENGTHS.get(candidate[0][:2])
    whole = _iban_form(length).match(candidate.string, candidate.start()) if length else None
    if not whole:
        return None
    compact = whole[0].replace(" ", "")
    return (whole.end(), compact) if mod97(compact) == 1 else None


@cache
def _iban_form(length: int) -> re.Pattern[str]:
    return re.compile(rf"[A-Z]{{2}}[0-9]{{2}}(?: ?[0-9A-Z]){{{length - 4}}}" + END)


def mod97(compact: str) -> int:
    """Compute the remainder of an IBAN without spaces as ISO 7064 does: 1 when its check digits are right."""
    return int("".join(str(int(character, 36)) for character in compact[4:] + compact[:4])) % 97


def _phone_end(candidate: re.Match[str]) -> tuple[int, str] | None:
    digits = _NOT_DIGITS.sub("", candidate[0])
    # `+1100` begins no number in North America, but is a clock's offset where a time has no colon in it.
    if candidate[0].startswith("+1") and digits[1] in "01":
        return None
    return candidate.end(), digits
