"""Cards, IBANs and telephone numbers: what has the checksum is found, what has not is not, and nothing else changes."""

import string
from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lambdas.transform.rules.numbers import IBAN_LENGTHS, find_cards, find_ibans, find_phones, luhn, mod97

DIGITS = "0123456789"
# What issuers' numbers start with, and how long they are: by hand, not from the code's own table.
ISSUED = [("4", 13), ("4", 16), ("4", 19), ("51", 16), ("2221", 16), ("2720", 16), ("34", 15), ("37", 15)]
ISSUED += [("300", 14), ("36", 14), ("38", 14), ("6011", 16), ("65", 16), ("3528", 16), ("62", 19), ("6759", 13)]

# Anything may stand around a number but a letter or digit next to it, and no digits that look like its continuation.
AROUND = st.text(st.characters(codec="utf-8", exclude_characters=DIGITS), max_size=30)


def check_digit(body: str) -> str:
    """By trying: the code computes it another way."""
    return next(digit for digit in DIGITS if luhn(body + digit))


@st.composite
def cards(draw: st.DrawFn) -> str:
    prefix, size = draw(st.sampled_from(ISSUED))
    body = prefix + draw(st.text(DIGITS, min_size=size - len(prefix) - 1, max_size=size - len(prefix) - 1))
    return body + check_digit(body)


def grouped(digits: str, separator: str) -> str:
    sizes = {14: (4, 6, 4), 15: (4, 6, 5), 16: (4, 4, 4, 4), 19: (4, 4, 4, 4, 3)}.get(len(digits), (len(digits),))
    starts = [sum(sizes[:at]) for at in range(len(sizes))]
    return separator.join(digits[start : start + size] for start, size in zip(starts, sizes, strict=True))


def apart(before: str, after: str) -> bool:
    return not (before[-1:].isascii() and before[-1:].isalnum()) and not (after[:1].isascii() and after[:1].isalnum())


@given(cards(), st.sampled_from(["", " ", "-"]), AROUND, AROUND)
def test_a_card_is_found_in_whatever_stands_around_it(digits, separator, before, after):
    spelled = grouped(digits, separator) if len(digits) != 13 or separator == "" else digits
    if not apart(before, after):
        before, after = before + " ", " " + after
    text = before + spelled + after
    assert list(find_cards(text)) == [(len(before), len(before) + len(spelled), digits)]


@given(cards(), st.integers(1, 9), AROUND, AROUND)
def test_a_card_with_another_check_digit_is_not_one(digits, added, before, after):
    wrong = digits[:-1] + str((int(digits[-1]) + added) % 10)
    assert list(find_cards(f"{before} {wrong} {after}")) == []


@pytest.mark.parametrize("body", ["331111111111111", "4111111111111", "599999999999999", "2720990000000000"[:14]])
def test_a_number_of_no_issuer_is_no_card_whatever_its_check_digit(body):
    assert list(find_cards(body + check_digit(body))) == []


def test_luhn_knows_the_numbers_that_issuers_publish_for_tests():
    for number in ("4111111111111111", "378282246310005", "5555555555554444", "6011111111111117", "3530111333300000"):
        assert luhn(number)
        assert [found[2] for found in find_cards(number)] == [number]


@pytest.mark.parametrize(
    "text",
    [
        "1763700000123",  # milliseconds
        "17637000001234567",
        "0000000000000000",
        "9111111111111111",
        "x4111111111111111",
        "4111111111111111a",
        "41111111111111111111",
        "4111 1111-1111 1111",
        "4111  1111 1111 1111",
        "request 8d4111111111111111f0",
    ],
)
def test_what_only_looks_like_a_card_is_none(text):
    assert list(find_cards(text)) == []


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("4111 1111 1111 1111 123", "4111111111111111"),
        ("2345 4111 1111 1111 1111", "4111111111111111"),
        ("12 4111111111111111 5", "4111111111111111"),
        (r"paid\n4111111111111111\n", "4111111111111111"),
    ],
)
def test_a_card_is_told_from_the_number_beside_it(text, digits):
    assert [found[2] for found in find_cards(text)] == [digits]


@st.composite
def ibans(draw: st.DrawFn) -> str:
    country, length = draw(st.sampled_from(sorted(IBAN_LENGTHS.items())))
    account = draw(st.text(string.ascii_uppercase + DIGITS, min_size=length - 4, max_size=length - 4))
    return next(
        f"{country}{check:02}{account}" for check in range(2, 99) if mod97(f"{country}{check:02}{account}") == 1
    )


@given(ibans(), st.booleans(), AROUND, AROUND)
def test_an_iban_is_found_in_whatever_stands_around_it(iban, spaced, before, after):
    spelled = " ".join(iban[at : at + 4] for at in range(0, len(iban), 4)) if spaced else iban
    text = f"{before}:{spelled}.{after}"
    assert (len(before) + 1, len(before) + 1 + len(spelled), iban) in list(find_ibans(text))


@given(ibans(), st.integers(1, 96), AROUND)
def test_an_iban_with_other_check_digits_is_not_one(iban, added, around):
    wrong = f"{iban[:2]}{(int(iban[2:4]) + added) % 97:02}{iban[4:]}"
    assume(mod97(wrong) != 1)  # 00 and 97, 01 and 98 are the same
    assert list(find_ibans(f"{around} {wrong}")) == []


@pytest.mark.parametrize(
    "iban", ["DE89370400440532013000", "GB29NWBK60161331926819", "NO9386011117947", "MT84MALT011000012345MTLCAST001S"]
)
def test_examples_of_the_registry_are_ibans(iban):
    assert [found[2] for found in find_ibans(f"to {iban}, today")] == [iban]


def test_an_iban_ends_with_its_countrys_length_and_not_with_the_next_word():
    assert list(find_ibans("DE89 3704 0044 0532 0130 00 PAID")) == [(0, 27, "DE89370400440532013000")]


@pytest.mark.parametrize("text", ["DE8937040044053201300", "de89370400440532013000", "XX89370400440532013000", "DE89"])
def test_what_only_looks_like_an_iban_is_none(text):
    assert list(find_ibans(text)) == []


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("call +49 30 1234567 now", "49301234567"),
        ("+14155552671", "14155552671"),
        ("tel:+1-415-555-2671", "14155552671"),
        ("+1 (415) 555-2671", "14155552671"),
        ("(212) 555-0123", "2125550123"),
        ("212-555-0123", "2125550123"),
        ("212.555.0123", "2125550123"),
    ],
)
def test_telephone_numbers(text, digits):
    assert [found[2] for found in find_phones(text)] == [digits]


@pytest.mark.parametrize(
    "text",
    [
        "[21/Nov/2026:02:22:24 +0000] 200",
        "2026-11-21 02:22:24 +1100 12345678",
        "2026-11-21T02:36:00.123456789Z",
        "200 531 1234",
        "a1+12345678",
        "2125550123",
        "192.168.100.1000",
        "1.212.555.0123.4",
        "550e8400-e29b-41d4-a716-446655440000",
    ],
)
def test_what_only_looks_like_a_telephone_number_is_none(text):
    assert list(find_phones(text)) == []


@pytest.mark.parametrize("find", [find_cards, find_ibans, find_phones])
def test_time_grows_with_the_length_and_not_faster(find, growth):
    for piece in ("4111 ", "4" * 40, "DE89", "DE89 ", "+4 9", "(212", "212-555-", "3000-", "\\n4"):
        assert growth(find, piece) < 4


def test_every_pair_of_neighbours_is_found():
    for separator in (" ", ",", "\n", "/"):
        assert len(list(find_cards(separator.join(["4111111111111111"] * 5)))) == 5
    for one, other in product(["DE89370400440532013000", "NO9386011117947"], repeat=2):
        assert [found[2] for found in find_ibans(f"{one},{other}")] == [one, other]
