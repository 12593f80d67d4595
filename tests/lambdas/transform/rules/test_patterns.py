"""A hint fits wherever its pattern finds something, whatever stands around it: otherwise that would pass unread."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.transform.rules.hints import Hints
from lambdas.transform.rules.patterns import PATTERNS

SAMPLES = {
    "private-key": ["-----BEGIN RSA PRIVATE KEY-----\nMIIEvQ", "MIIE\n-----END PRIVATE KEY-----"],
    "jwt": ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "eyJhbGciOiJub25lIn0.e30."],
    "aws-secret": ["secretAccessKey=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"],
    "aws-key": ["AKIAIOSFODNN7EXAMPLE"],
    "iban": ["DE89370400440532013000", "NO93 8601 1117 947"],
    "card": [
        "4111111111111111",
        "4222222222222",
        "3782 822463 10005",
        "3000-000000-0004",
        "6759649826438453",
        "6304000000000000",
    ],
    "email": ["bob@example.com", "jürgen@müller.example"],
    "ipv6": ["::1", "fe80::", "2001:db8::8a2e:370:7334", "1:2:3:4:5:6:7:8", "::ffff:10.0.0.1"],
    "ipv4": ["10.0.0.1", "1.2.0.0", "0.0.1.0", "255.255.255.255"],
    "phone": ["+49 30 1234567", "(212) 555-0123", "212-555-0123", "212.555.0123", "+1 (415) 555-2671"],
}
NEIGHBOURS = [
    "",
    " ",
    "\n",
    "\t",
    "\x1b",
    "\x00",
    "\x7f",
    '"',
    "\\",
    "ü",
    "🙂",
    "=",
    "/",
    ":",
    "-",
    ".",
    "(",
    "\\n",
    "\\\\n",
    "_",
]
AROUND = st.builds("{}{}".format, st.text(max_size=8), st.sampled_from(NEIGHBOURS))

ALL = Hints({name: pattern.hint for name, pattern in PATTERNS.items()})


def hinted(value):
    return ALL.find([orjson.dumps(value)]).get(0, ())


def test_there_are_samples_of_every_pattern():
    assert SAMPLES.keys() == PATTERNS.keys()


@pytest.mark.parametrize(("name", "sample"), [(name, each) for name, samples in SAMPLES.items() for each in samples])
def test_the_hint_fits_wherever_the_pattern_finds_something(name, sample):
    @given(AROUND, st.builds("{}{}".format, st.sampled_from(NEIGHBOURS), st.text(max_size=8)))
    def whatever_stands_around_it(before, after):
        text = before + sample + after
        assert not list(PATTERNS[name].find(text)) or name in hinted([text, {}])
        # The same inside of JSON that nobody took apart.
        inner = orjson.dumps({"a": text}).decode()
        assert not list(PATTERNS[name].find(inner)) or name in hinted([inner, {}])

    assert list(PATTERNS[name].find(sample))
    assert name in hinted(["", {"key": sample}])
    whatever_stands_around_it()


@given(st.text(st.sampled_from("0123456789abcdefABC:.@+-() /_\\n\n\x1b=eyJkIA"), max_size=80))
def test_the_hint_fits_wherever_a_pattern_finds_something_in_noise(text):
    names = hinted([text, {}])
    for name, pattern in PATTERNS.items():
        assert name in names or not list(pattern.find(text))


@given(st.text(st.sampled_from("a1.@-:+ bc.example DE89"), max_size=60), st.sampled_from(sorted(SAMPLES)))
def test_values_are_found_from_left_to_right_without_overlap(noise, name):
    text = noise.join(SAMPLES[name] * 2)
    at = 0
    for start, end, canonical in PATTERNS[name].find(text):
        assert at <= start < end <= len(text)
        assert canonical
        at = end


@given(st.text(max_size=60))
def test_what_has_not_the_form_is_not_found(text):
    for sample in ("4111 1111 1111 1111", "::1", "a@b.cd", ""):
        for pattern in PATTERNS.values():
            assert pattern.form.search(text + sample) or not list(pattern.find(text + sample))


def test_a_text_is_found_among_others_by_its_place():
    clean = orjson.dumps(["2026-11-21 02:22:24,123 WARN stock of 7 is low", {}])
    texts = [clean, orjson.dumps("10.0.0.1"), clean, clean, orjson.dumps("a@example.com 10.0.0.1"), clean]
    assert ALL.find(texts) == {1: ("ipv4",), 4: ("email", "ipv4")}
    assert ALL.find([]) == {}
    # One that ends with its value is told from the next.
    assert ALL.find([b"4111111111111111", b"x", b"10.0.0.1"]) == {0: ("card",), 2: ("ipv4",)}
    assert ALL.find([b'"10.0.0.1"']) == {0: ("ipv4",)}


@pytest.mark.parametrize(
    "text",
    [
        '10:22:24 "GET /products/7?page=2 HTTP/1.1" 200 5316 "-" "Mozilla/5.0 (X11) Chrome/120.0.0.0 Safari/537.36"',
        "request 550e8400-e29b-41d4-a716-446655440000 took 0.123456789 s at 1763700000123456789",
        "2026-11-21T02:22:24.123456789Z std::vector at com.example.Shop@1b2c3d4e +0100 icon@2x.png",
        "arn:aws:ecs:eu-central-1:111122223333:task/shop/0123456789abcdef0123456789abcdef",
        "trace 4bf92f3577b34da6a3ce929d0e0e4736 span 00f067aa0ba902b7 v1.2.3 ",
    ],
)
def test_ordinary_lines_give_no_hint(text):
    assert set(hinted([text, {"k": text}])) <= {"email"}
