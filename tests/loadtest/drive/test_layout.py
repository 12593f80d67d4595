"""What goes over the wire says what `text_of` says, whoever sends it."""

import json
from functools import lru_cache

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.drive.layout import Ring
from loadtest.drive.records import Names, ring_of
from loadtest.marker import Marker, find
from loadtest.messages import pool_of, text_of
from loadtest.plan import Plan, make_plan
from loadtest.profile import Profile

FORMATS = ["text", "access", "json", "multiline", "split", "hostile"]
BEGAN = 1_763_690_840_738_355_123


def plan_of(**load: object) -> Plan:
    said = {"name": "web", "tag": "web", "messages_per_second": 100, "connections": 300} | load
    return make_plan(Profile.model_validate({"name": "test", "seconds": 10, "loads": [said]}), run=0xABCDEF01)


@lru_cache
def laid_out(client: str, kind: str) -> tuple[Plan, Ring]:
    plan = plan_of(client=client, formats={kind: 1}, size={"median": 120, "sigma": 1})
    return plan, ring_of(plan, plan.profile.loads[0])


def unpacked(data: bytes) -> list[tuple[int, dict[str, str]]]:
    unpacker = msgpack.Unpacker(unicode_errors="surrogateescape")
    unpacker.feed(data)
    return [(int.from_bytes(at.data[:4], "big") * 10**9 + int.from_bytes(at.data[4:], "big"), r) for at, r in unpacker]


def due(count: int, step: int) -> np.ndarray:
    return BEGAN + np.arange(count, dtype=np.int64) * step


@pytest.mark.parametrize("client", ["docker", "firelens", "agent"])
@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=8, deadline=None)
@given(
    number=st.integers(0, 299),
    first=st.integers(0, 2**31),
    count=st.integers(1, 400),
    step=st.integers(1, 3 * 10**9),
)
def test_a_chunk_decodes_to_what_text_of_says(
    *, client: str, kind: str, number: int, first: int, count: int, step: int
) -> None:
    plan, ring = laid_out(client, kind)
    source, times = plan.sources[number], due(count, step)

    data = ring.write(number, first, times, head=b"head")

    assert data.startswith(b"head")
    entries = unpacked(data[4:])
    expected = [text_of(plan, source, first + index, at) for index, at in enumerate(times.tolist())]
    assert [record["log"] for _, record in entries] == expected
    assert [at for at, _ in entries] == times.tolist()
    assert list(find(data)) == [Marker(plan.run, number, first + i, at) for i, at in enumerate(times.tolist())]
    sizes = sum(len(text.encode("utf-8", "surrogateescape")) for text in expected)
    assert ring.text_bytes(number, first, first + count) == sizes
    bounds = ring.bounds(number, first, first + count)
    assert unpacked(data[4:][bounds[-2] : bounds[-1]]) == entries[-1:]


@pytest.mark.parametrize("client", ["docker", "firelens", "agent"])
def test_records_name_the_source_s_own_container_and_task(client: str) -> None:
    plan = plan_of(client=client)
    load = plan.profile.loads[0]
    ring = ring_of(plan, load)
    names = Names.of(plan, load).numbered(299)
    ((_, record),) = unpacked(ring.write(299, 5, due(1, 1)))
    assert record["container_id"] == names.container_id
    assert record["container_name"] == names.container
    assert names.container_id.endswith("abcdef01012b")
    assert len(names.container_id) == 64
    assert record.get("ecs_task_arn") == (names.task_arn if client == "firelens" else None)
    assert ("ec2_instance_id" in record) is (client == "agent")
    assert list(record)[:4] == ["container_id", "container_name", "source", "log"]


def test_a_cut_line_s_parts_share_an_id_that_no_other_line_has() -> None:
    plan = plan_of(client="docker", formats={"split": 1})
    ring = ring_of(plan, plan.profile.loads[0])
    rounds = 2 * len(pool_of(1, plan.profile.loads[0]).texts)
    seen: set[str] = set()
    for number in (0, 7):
        lines: dict[str, list[int]] = {}
        for _, record in unpacked(ring.write(number, 0, due(rounds, 1))):
            assert record["partial_message"] == "true"
            ordinals = lines.setdefault(record["partial_id"], [])
            ordinals.append(int(record["partial_ordinal"]))
            assert len(record["partial_id"]) == 64
        assert all(ordinals == list(range(1, len(ordinals) + 1)) for ordinals in lines.values())
        assert not seen & lines.keys()
        seen |= lines.keys()
        # However the chunks are cut, the parts keep their id.
        again = [r["partial_id"] for n in range(rounds) for _, r in unpacked(ring.write(number, n, due(1, 1)))]
        assert list(dict.fromkeys(again)) == list(lines)


@pytest.mark.parametrize("kind", FORMATS)
def test_requests_of_otlp_decode_to_what_text_of_says(kind: str) -> None:
    plan, ring = laid_out("otlp", kind)
    source, times = plan.sources[3], due(3000, 1_234_567)
    data = ring.write(3, 17, times)
    records = json.loads(b"[" + bytes(data).removesuffix(b",") + b"]")
    assert [each["body"]["stringValue"] for each in records] == [
        text_of(plan, source, 17 + index, at) for index, at in enumerate(times.tolist())
    ]
    assert [int(each["timeUnixNano"]) for each in records] == times.tolist()


@given(first=st.integers(0, 10**6), most=st.integers(1, 3_000_000))
@settings(max_examples=50, deadline=None)
def test_a_chunk_is_as_large_as_fits_and_holds_at_least_one(first: int, most: int) -> None:
    _, ring = laid_out("firelens", "text")
    end = ring.reach(1, first, most_bytes=most)
    assert ring.bounds(1, first, end)[-1] <= most or end == first + 1
    assert ring.bounds(1, first, end + 1)[-1] > most
