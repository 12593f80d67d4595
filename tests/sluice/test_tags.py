"""A tag that takes a route takes it, and there is one whenever there is one."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice import globs
from sluice.tags import tag_for

GLOBS = st.text("ab*", min_size=1, max_size=6)


@pytest.mark.parametrize(
    ("match", "tag"),
    [
        ("backend*", "backend-sluice-canary"),
        ("*", "sluice-canary"),
        ("tenant.*", "tenant.sluice-canary"),
        ("*.log", "sluice-canary.log"),
        ("a*b*c", "a-sluice-canarybc"),
        ("exact", "exact"),
    ],
)
def test_a_tag_is_one_that_people_know(match, tag):
    assert tag_for(match, earlier=["sluice.*"]) == tag


def test_a_tag_that_an_earlier_route_takes_is_not_taken():
    assert tag_for("web*", earlier=["*canary"]) == "web"
    found = tag_for("web*", earlier=["*canary", "web", "web-*", "webc*"])
    assert found is not None
    assert globs.matches("web*", found)
    assert not any(globs.matches(glob, found) for glob in ("*canary", "web", "web-*", "webc*"))


def test_a_tag_that_leads_back_to_where_the_search_began():
    assert tag_for("*", earlier=["*a*"]) == "c"


def test_a_route_that_earlier_ones_take_together_has_none():
    """No single one of them covers it, which is all that validation looks for."""
    assert tag_for("ab", earlier=["a*", "*b"]) is None
    assert tag_for("a*", earlier=["a", "aa*", "a*"]) is None


@settings(max_examples=300, deadline=None)
@given(match=GLOBS, earlier=st.lists(GLOBS, max_size=3))
def test_what_is_found_is_right_and_nothing_short_is_missed(match, earlier):
    found = tag_for(match, earlier=earlier)
    if found is not None:
        assert found
        assert globs.matches(match, found)
        assert not any(globs.matches(glob, found) for glob in earlier)
        return
    for length in range(1, 6):
        for letters in product("abc", repeat=length):
            tag = "".join(letters)
            assert not globs.matches(match, tag) or any(globs.matches(glob, tag) for glob in earlier), tag


def test_many_interleaved_globs_end():
    earlier = [f"*{letter}*{other}*" for letter in "abcdefgh" for other in "abcdefgh"]
    tag_for("*a*b*c*d*", earlier=earlier)
