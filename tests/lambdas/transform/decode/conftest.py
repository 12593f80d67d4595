"""Writers of what is decoded, and what comes out as plain values."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from aws_kinesis_agg.aggregator import RecordAggregator

from lambdas.transform.decode import Dropped, Record, decode_line, unwrap


@pytest.fixture(scope="session")
def aggregate() -> Callable[..., bytes]:
    """Put members into one aggregate, as AWS's own library does."""

    def make(members: Iterable[bytes], *, hash_key: str | None = None) -> bytes:
        aggregator = RecordAggregator()
        for number, member in enumerate(members):
            assert aggregator.add_user_record(f"key-{number % 3}", member, hash_key) is None
        return aggregator.clear_and_get().get_contents()[2]

    return make


@pytest.fixture(scope="session")
def seal() -> Callable[[bytes], bytes]:
    """Make an aggregate of a message, with the right MD5."""
    return lambda message: b"\xf3\x89\x9a\xc2" + message + hashlib.md5(message).digest()


@pytest.fixture(scope="session")
def members() -> Callable[[bytes], list[dict[str, Any]]]:
    """Decode data to the members of its records, and `{"dropped": rule}` for what a rule drops."""

    def read(data: bytes) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for block in unwrap(data):
            if isinstance(block, Dropped):
                found.append({"dropped": block.rule})
            elif isinstance(block, Record):
                found.append(block.members)
            else:
                found += [record.members for line in block.split(b"\n") for record in decode_line(line)]
        return found

    return read
