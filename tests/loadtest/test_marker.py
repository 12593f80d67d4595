"""A marker survives wherever text survives, and nothing else is taken for one."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.marker import LAST_RUN, LAST_SEQUENCE, LAST_SOURCE, LENGTH, Marker, find, letters, number

MARKERS = st.builds(
    Marker,
    st.integers(0, LAST_RUN),
    st.integers(0, LAST_SOURCE),
    st.integers(0, LAST_SEQUENCE),
    st.integers(0, 2**64 - 1),
)


@given(st.lists(MARKERS, max_size=5), st.binary(max_size=40))
def test_markers_are_found_between_whatever_stands_there(markers: list[Marker], between: bytes) -> None:
    # Letters right behind a marker's head could be taken for its first ones: payloads have none of it.
    between = between.replace(b"slt", b"")
    data = between + b" ".join(marker.encode() + b"|" + between for marker in markers)
    assert list(find(data)) == markers


@given(MARKERS)
def test_a_marker_has_one_length_and_letters_only(marker: Marker) -> None:
    written = marker.encode()
    assert len(written) == LENGTH
    assert re.fullmatch(rb"[a-z]+", written)
    assert json.dumps({"m": written.decode()}).encode().count(written) == 1


@pytest.mark.parametrize(
    "marker",
    [
        Marker(LAST_RUN + 1, 0, 0, 0),
        Marker(0, LAST_SOURCE + 1, 0, 0),
        Marker(0, 0, LAST_SEQUENCE + 1, 0),
        Marker(0, 0, 0, 2**64),
        Marker(0, 0, -1, 0),
    ],
)
def test_what_does_not_fit_is_refused(marker: Marker) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        marker.encode()


def test_letters_are_hexadecimal_digits_from_a_to_p() -> None:
    assert letters(0x0123, 4) == b"abcd"
    assert letters(0xFEDC, 4) == b"ponm"
    assert number(b"ponm") == 0xFEDC


@pytest.mark.parametrize("cut", range(1, LENGTH))
def test_half_a_marker_is_none(cut: int) -> None:
    assert list(find(Marker(1, 2, 3, 4).encode()[:cut])) == []
