import re
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from sluice import globs

GLOBS = st.text("ab*", max_size=5)
# Two letters and up to six of them: enough to tell any two globs of five characters apart.
TAGS = ["".join(letters) for length in range(7) for letters in product("ab", repeat=length)]


def taken(glob: str) -> set[str]:
    pattern = re.compile(".*".join(map(re.escape, glob.split("*"))), re.DOTALL)
    return {tag for tag in TAGS if pattern.fullmatch(tag)}


@given(GLOBS, GLOBS)
def test_overlaps_when_some_tag_is_taken_by_both(one: str, other: str) -> None:
    if taken(one) & taken(other):
        assert globs.overlaps(one, other)
    if globs.overlaps(one, other):
        assert globs.overlaps(other, one)


@given(GLOBS, GLOBS)
def test_covering_leaves_no_tag_out(general: str, special: str) -> None:
    if globs.covers(general, special):
        assert taken(special) <= taken(general)


def test_decisions() -> None:
    assert globs.covers("front*", "frontend*")
    assert globs.covers("*", "anything")
    assert globs.covers("a*c", "abc")
    assert globs.covers("*a*", "ba*")
    assert not globs.covers("frontend*", "front*")
    assert not globs.covers("a*c", "ac*")
    assert not globs.overlaps("frontend*", "backend*")
    assert globs.overlaps("*-web", "frontend*")
    assert not globs.overlaps("a*b", "a*c")


@given(GLOBS, st.text("ab", max_size=6))
def test_matches_what_the_glob_takes(glob: str, tag: str) -> None:
    assert globs.matches(glob, tag) == (tag in taken(glob))
