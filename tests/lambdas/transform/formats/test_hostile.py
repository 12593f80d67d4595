"""No text makes a parser raise, and none costs more than its length."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.transform.formats import PARSERS, detect
from lambdas.transform.formats.logfmt import read_logfmt
from lambdas.transform.times import doubt, read_time
from tests.cost import times_longer
from tests.lambdas.transform.formats.test_formats import _FILES, _OBSERVED, _read

_REAL = [line for name in _FILES for line, _ in _read(name)]
_PIECES = ["2026-11-21", "T", " ", "02:36:00", ".123", "Z", "+0000", "[", "]", '"', "\\", "=", "<34>", "1 ", "-", ":"]
_PIECES += ["INFO", "main", "21/Nov/2026:02:36:00", "GET / HTTP/1.1", "200", "a=", "I1121 ", "Nov 21 ", "|", "(", "\t"]
_texts = st.one_of(
    st.text(max_size=200),
    st.lists(st.sampled_from(_PIECES), max_size=25).map("".join),
    st.tuples(st.sampled_from(_REAL), st.integers(0, 400), st.text(max_size=5), st.integers(0, 10)).map(
        lambda cut: cut[0][: cut[1]] + cut[2] + cut[0][cut[1] + cut[3] :]
    ),
)


@given(_texts)
def test_every_parser_takes_or_leaves_any_text(text):
    for read in PARSERS.values():
        found = read(text, _OBSERVED) if text else None
        if found:
            attributes, severity, when = found
            orjson.dumps(attributes)
            assert severity is None or 1 <= severity.number <= 24
            assert when is None or when == "" or read_time(when) == when


@given(_texts)
def test_detection_is_the_same_every_time(text):
    assert detect(text, _OBSERVED) == detect(text, _OBSERVED)


_members = st.dictionaries(
    st.from_regex(r"x[!#-<>-\[\]-~]{0,20}", fullmatch=True),
    st.text(st.characters(codec="utf-8"), max_size=30),
    min_size=2,
    max_size=6,
)


@given(_members)
def test_what_logfmt_writes_is_read_as_it_was(members):
    escaped = {key: value.replace("\\", "\\\\").replace('"', '\\"') for key, value in members.items()}
    line = " ".join(f'{key}="{value}"' for key, value in escaped.items())

    assert read_logfmt(line, _OBSERVED) == (members, None, None)


@given(
    st.lists(
        st.sampled_from(["a", "b=", "=", '="', '" ', '"', " ", "x y", 'a"x"', ' e="f g"', "\t", "\x01", ' h="="']),
        max_size=9,
    )
)
def test_quick_reading_of_logfmt_says_what_the_exact_one_says(pieces):
    """A backslash makes a line one for the exact reading; it is taken back out of what that says."""
    line = "k=" + "".join(pieces)
    exact = read_logfmt(line + ' z="\\\\"', _OBSERVED)
    quick = read_logfmt(line + ' z="-"', _OBSERVED)

    assert (quick and {**quick[0], "z": "\\"}) == (exact and exact[0])


_HOSTILE = {
    "quotes": lambda size: '203.0.113.9 - - [21/Nov/2026:02:36:00 +0000] "' + '"' * size,
    "escapes": lambda size: '203.0.113.9 - - [21/Nov/2026:02:36:00 +0000] "GET /' + '\\"' * (size // 2),
    "spaces": lambda size: "203.0.113.9" + " " * size,
    "pairs": lambda size: "a=1 " * (size // 4),
    "same keys": lambda size: "a=1 " * (size // 4) + "a=2",
    "quoted pairs": lambda size: 'a="\\n" ' * (size // 7),
    "unclosed": lambda size: 'a="' + "\\" * size,
    "digits": lambda size: "2026-11-21 02:36:00." + "1" * size,
    "brackets": lambda size: "2026-11-21 02:36:00.123 " + "[" * size,
    "pairs of brackets": lambda size: "2026-11-21 02:36:00.123 " + "[]" * (size // 2),
    "dashes": lambda size: "2026-11-21 02:36:00.123 " + " - " * (size // 3),
    "colons": lambda size: "2026-11-21 02:36:00.123 " + ": " * (size // 2),
    "structured data": lambda size: "<34>1 - - - - - [a " + 'b="\\\\" ' * (size // 7),
    "unclosed data": lambda size: '<34>1 - - - - - [a b="' + "\\\\" * (size // 2),
    "tag": lambda size: "Nov 21 02:36:00 " + "a" * size,
    "klog": lambda size: "I1121 02:36:00.123456 " + " " * size,
    "marks": lambda size: "2026/11/21 02:36:00 [error] 1#1: *1 x" + ", client: " * (size // 10),
    "timers": lambda size: "203.0.113.9:1 [21/Nov/2026:02:36:00.1] a b/c " + "1/" * (size // 2),
    "report": lambda size: "REPORT RequestId: 8f5a6b7c-0d1e-4f2a-8b3c-4d5e6f7a8b9c\t" + "Duration: " * (size // 10),
    "level": lambda size: "INFO " + "a." * (size // 2),
    "balancer": lambda size: "https " + "a " * (size // 2) + '"',
    "postgres": lambda size: "2026-11-21 02:36:00 UTC:" + "a" * size + ":  ",
}


@pytest.mark.parametrize("make", _HOSTILE.values(), ids=_HOSTILE.keys())
def test_cost_grows_no_faster_than_the_line(make):
    """Four times the text would cost sixteen times as much if it were quadratic; the floor is for what is too quick."""
    small, large = make(50_000), make(200_000)

    longer = times_longer(lambda: detect(large, _OBSERVED), lambda: detect(small, _OBSERVED), below=9, floor=0.0005)
    assert longer < 9


@given(st.text(max_size=60))
def test_any_text_is_a_time_or_none(text):
    when = read_time(text, observed=_OBSERVED)

    assert when is None or read_time(when) == when
    assert when is None or doubt(when, observed=_OBSERVED) in (None, "before_2000", "after_observed")
