"""The same messages through a real Fluent Bit and through the gate become the same documents, by their event ids.

What the gate keeps and the aggregator does not is left out here, and looked at in test_lines: integers of 2^53 and
more, bytes that are not UTF-8 inside of nested values, keys that are not text, empty lists inside of others. Parts of
large records are named by their time, which the aggregator has as a double.
"""

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.aggregator import Aggregator
from local.fluent_bit import named

pytestmark = pytest.mark.fluent_bit

texts = st.one_of(
    st.text(max_size=20),
    st.binary(max_size=12).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
    st.sampled_from(["", "null", "\x00", '"\\', "\u2028", "é" * 30, "<&>", '{"a": null}', "\udced\udca0\udc80x"]),
)
plain_texts = st.text(st.characters(codec="utf-8"), max_size=10)
numbers = st.one_of(
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.sampled_from([0.5, -2.25, 0.1, float("nan"), float("inf"), -float("inf")]),
)
inner = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, plain_texts),
    lambda values: st.one_of(
        st.lists(values, min_size=1, max_size=3), st.dictionaries(plain_texts, values, max_size=3)
    ),
    max_leaves=6,
)
keys = plain_texts.filter(lambda key: key.lower() not in {"_tag", "_time"})
records = st.dictionaries(keys, st.one_of(texts, inner), max_size=5)
# Whole seconds are in `large`: equal records of one second are numbered as they are packed.
times = st.builds(
    lambda second, nano: msgpack.ExtType(0, struct.pack(">II", second, nano)),
    st.integers(1_600_000_000, 1_700_000_000),
    st.integers(1, 999_999_999),
)


class Both:
    """A gate and an aggregator, each before a Firehose of its own with the real transformer."""

    def __init__(self, gate: Any, aggregator: Aggregator, beside: Any) -> None:
        self.gate, self.aggregator, self.beside = gate, aggregator, beside

    def send(self, tag: str, entries: list[Any], pack: Callable[..., bytes]) -> None:
        """The same message to both, acknowledged by both."""
        message = pack([tag, b"".join(map(pack, entries)), {"chunk": "c"}])
        for port in (self.gate.gate.port, self.aggregator.port):
            with closing(socket.create_connection(("127.0.0.1", port), timeout=120)) as connection:
                connection.sendall(message)
                assert connection.recv(64) == b"\x81\xa3ack\xa1c"


@pytest.fixture(scope="module")
def both(
    here: Any, worlds: Callable[..., Any], fluent_bit_5: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Both]:
    gate, beside = worlds(here), worlds(here)
    with Aggregator(named(fluent_bit_5), here, folder=tmp_path_factory.mktemp("bit"), aws=beside.aws) as aggregator:
        yield Both(gate, aggregator, beside)


def ids(world: Any) -> list[str]:
    return sorted(document["event_id"] for document in world.documents())


def test_hostile_records_are_the_same_documents(both: Both, pack: Callable[..., bytes]) -> None:
    @given(st.lists(st.tuples(times, records), min_size=20, max_size=40), st.sampled_from(["frontend-web", "x", ""]))
    @settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def send(entries: list[Any], tag: str) -> None:
        both.send(tag, entries, pack)

    send()
    both.send("big", list(large()), pack)
    assert both.aggregator.stop() == 0
    assert ids(both.gate) == ids(both.beside)
    assert len(ids(both.gate)) >= 200


def large() -> Iterator[Any]:
    """Records that are cut, and some that only just are not."""
    time = msgpack.ExtType(0, struct.pack(">II", 1_650_000_000, 500_000_000))
    yield time, {"log": "a" * 1_200_000, "source": "stdout"}
    yield time, {"log": "é" * 90_000, "other": "kept"}
    yield time, {"log": "b" * 899_000}
    yield time, {"log": "\udcff" * 60_000}
    yield time, {"other": '"' * 500_000, "log": "short"}
    yield time, {"log": "<" * 149_000}
    yield 1_650_000_000, {"log": "of a whole second"}
