"""Sources over real sockets, against a server that misbehaves: nothing is lost, nothing is made up."""

import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from loadtest.journal import Journal
from loadtest.marker import find
from loadtest.messages import text_of
from loadtest.plan import Plan, make_plan
from loadtest.profile import Profile

CLIENTS = ["docker", "firelens", "agent"]


def plan_of(seconds: float = 0.5, **load: object) -> Plan:
    said = {"name": "web", "tag": "web", "messages_per_second": 400, "size": {"median": 200}} | load
    return make_plan(Profile.model_validate({"name": "test", "seconds": seconds, "loads": [said]}), run=0x5A5A5A5A)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "waited 120 s"
        time.sleep(0.005)


def numbers(entries: list[tuple[int, dict[str, str]]]) -> Counter[tuple[int, int]]:
    """How often each (source, number) came."""
    return Counter(
        (marker.source, marker.sequence)
        for _, record in entries
        for marker in find(record["log"].encode("utf-8", "surrogateescape"))
    )


def everything(plan: Plan) -> set[tuple[int, int]]:
    return {(source.number, number) for source in plan for number in range(plan.count(source))}


def acknowledged(journal: Journal) -> Counter[tuple[int, int]]:
    return Counter(
        (source, number)
        for source, ranges in journal.acknowledged.items()
        for first, end in ranges
        for number in range(first, end)
    )


def sent(journal: Journal) -> set[tuple[int, int]]:
    return {(source, number) for source, count in journal.sent.items() for number in range(count)}


@pytest.mark.parametrize(
    ("client", "ack", "compress"),
    [
        ("docker", True, False),
        ("docker", False, False),
        ("firelens", True, False),
        ("firelens", True, True),
        ("firelens", False, False),
        ("agent", True, False),
        ("agent", False, True),
    ],
)
def test_every_message_arrives_once_and_as_the_plan_says(
    sending: Any, server: Any, *, client: str, ack: bool, compress: bool
) -> None:
    plan = plan_of(client=client, ack=ack, compress=compress, connections=3, formats={"json": 2, "hostile": 1})
    with server() as target:
        journal = sending(plan, {"web": target.address}).wait()
        until(lambda: len(target.entries) >= len(everything(plan)))
        assert numbers(target.entries) == Counter(everything(plan))
        assert target.connections == 3
    assert all(at <= received.at * 1e9 for received in target.received for at, _ in received.entries)
    for at, record in target.entries:
        (marker,) = find(record["log"].encode("utf-8", "surrogateescape"))
        assert marker.due_unix_nano == at
        assert record["log"] == text_of(plan, plan.sources[marker.source], marker.sequence, at)
    for source in plan:
        times = [at for at, record in target.entries if record["container_id"].endswith(f"{source.number:04x}")]
        assert all(one < other for one, other in pairwise(times))
    assert sent(journal) == everything(plan)
    assert acknowledged(journal) == (Counter(everything(plan)) if ack else Counter())
    assert (journal.errors, journal.unended) == ([], 0)
    texts = [record["log"].encode("utf-8", "surrogateescape") for _, record in target.entries]
    assert journal.entries[-1].bytes == sum(map(len, texts))


@pytest.mark.parametrize("client", CLIENTS)
def test_what_was_cut_off_is_sent_again_with_the_same_id_and_bytes(sending: Any, server: Any, client: str) -> None:
    plan = plan_of(client=client, size={"median": 3000})
    with server(cut_after=20_000) as target:
        load = sending(plan, {"web": target.address})
        journal = load.wait()
        assert target.connections > 1
    # However often it was sent, it counts once.
    assert load.told[-1].sent == load.told[-1].acknowledged == len(everything(plan))
    assert load.told[-1].bytes == 3000 * len(everything(plan))
    assert set(numbers(target.entries)) == everything(plan)
    assert acknowledged(journal) == Counter(everything(plan))
    by_chunk: dict[str, set[bytes]] = {}
    for received in target.received:
        by_chunk.setdefault(received.chunk, set()).add(received.data)
    assert all(len(copies) == 1 for copies in by_chunk.values())
    assert len(by_chunk) == len({received.data for received in target.received})


@pytest.mark.parametrize("client", CLIENTS)
def test_a_chunk_that_nobody_acknowledges_is_sent_again_the_same(
    sending: Any, server: Any, answer: Any, client: str
) -> None:
    seen: Counter[str] = Counter()

    def respond(received: Any) -> bytes:
        seen[received.chunk] += 1
        return answer(received.chunk) if seen[received.chunk] > 1 or len(seen) > 3 else b""

    plan = plan_of(seconds=0.02, client=client, messages_per_second=2000)
    with server(respond) as target:
        journal = sending(plan, {"web": target.address}, ack_timeout=0.1).wait()
    first, second, *_ = target.received
    assert (first.data, first.chunk) == (second.data, second.chunk)
    assert first.connection != second.connection
    assert acknowledged(journal) == Counter(everything(plan))
    assert set(numbers(target.entries)) == everything(plan)


def test_an_acknowledgement_of_another_chunk_acknowledges_nothing(sending: Any, server: Any, answer: Any) -> None:
    plan = plan_of(seconds=0.02, client="docker")
    with server(lambda _: answer("bm9ib2R5IHNlbnQgdGhpcw==")) as target:
        journal = sending(plan, {"web": target.address}, ack_timeout=0.1, give_up_after=3).wait()
    assert sent(journal) == {(0, 0)}
    assert acknowledged(journal) == Counter()
    assert "1 messages in 1 chunks are unacknowledged" in journal.errors[0]
    assert set(numbers(target.entries)) == {(0, 0)}


def test_an_answer_that_is_no_acknowledgement_ends_the_connection(sending: Any, server: Any, answer: Any) -> None:
    plan = plan_of(seconds=0.02, client="docker")
    broken = iter([b"\xc1", b"\xa2no", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
    with server(lambda received: next(broken, None) or answer(received.chunk)) as target:
        journal = sending(plan, {"web": target.address}).wait()
        assert target.connections == 4
    assert acknowledged(journal) == Counter(everything(plan))


@pytest.mark.parametrize("client", CLIENTS)
def test_a_server_that_closes_after_each_chunk_gets_everything(
    sending: Any, server: Any, answer: Any, client: str
) -> None:
    plan = plan_of(seconds=0.02, client=client, messages_per_second=2000)
    closing: set[str] = set()

    def respond(received: Any) -> bytes | None:
        closing.add(received.chunk)
        return None

    target = server(respond)
    with target:
        load = sending(plan, {"web": target.address})
        until(lambda: closing)
        target.respond = lambda received: answer(received.chunk)
        journal = load.wait()
    assert acknowledged(journal) == Counter(everything(plan))
    assert set(numbers(target.entries)) == everything(plan)


def test_docker_s_driver_waits_for_each_acknowledgement_and_says_by_how_much_it_is_late(
    sending: Any, server: Any, answer: Any
) -> None:
    held: list[Any] = []

    def respond(received: Any) -> bytes:
        held.append(received)
        return b"" if len(held) == 1 else answer(received.chunk)

    plan = plan_of(client="docker")
    with server(respond) as target:
        load = sending(plan, {"web": target.address}, ack_timeout=0.7)
        journal = load.wait()
    assert [marker.sequence for received in held[:2] for marker in find(received.data)] == [0, 0]
    assert acknowledged(journal) == Counter(everything(plan))
    assert max(entry.behind for entry in journal.entries) > 0.3


def test_a_batch_is_bounded_and_so_is_the_window(sending: Any, server: Any) -> None:
    plan = plan_of(client="firelens", messages_per_second=30_000, size={"median": 900})
    with server(lambda _: b"") as target:
        load = sending(plan, {"web": target.address}, ack_timeout=60)
        until(lambda: len(target.received) >= 8)
        load.forsake()
        journal = load.wait()
    assert len(target.received) == 8
    assert all(len(received.data) < 520_000 for received in target.received)
    assert sent(journal) == set(numbers(target.entries)) < everything(plan)


def test_a_sidecar_takes_another_connection_after_a_hundred_chunks(sending: Any, server: Any) -> None:
    plan = plan_of(seconds=0.3, client="firelens", messages_per_second=1500, size={"median": 250_000})
    with server() as target:
        journal = sending(plan, {"web": target.address}).wait()
        per_connection = Counter(received.connection for received in target.received)
        assert max(per_connection.values()) == 100
        assert target.connections >= len(target.received) // 100
    assert numbers(target.entries) == Counter(everything(plan))
    assert acknowledged(journal) == Counter(everything(plan))


def test_without_acknowledgements_nothing_is_asked_for_and_nothing_is_acknowledged(sending: Any, server: Any) -> None:
    plan = plan_of(client="firelens", ack=False)
    with server() as target:
        journal = sending(plan, {"web": target.address}).wait()
    assert all("chunk" not in received.message[-1] for received in target.received)
    assert journal.acknowledged == {}


def test_nobody_there_is_an_error_after_a_while_and_nothing_was_sent(sending: Any, server: Any) -> None:
    with server() as target:
        nobody = target.address
    plan = plan_of(client="docker", connections=2)
    journal = sending(plan, {"web": nobody}, give_up_after=0.3).wait()
    assert journal.sent == {}
    assert "web, source 0: gave up after 0.3 s" in journal.errors[0]
    assert "source 1" in journal.errors[0]
    assert "refused" in journal.errors[0]


def test_one_source_that_gives_up_does_not_end_the_others(sending: Any, server: Any, answer: Any) -> None:
    def respond(received: Any) -> bytes:
        (marker,) = find(received.data)
        return b"" if marker.source == 0 else answer(received.chunk)

    plan = plan_of(client="docker", connections=2, messages_per_second=50)
    with server(respond) as target:
        load = sending(plan, {"web": target.address}, ack_timeout=1, give_up_after=3)
        journal = load.wait()
    assert "source 0" in journal.errors[0]
    assert "source 1" not in journal.errors[0]
    assert acknowledged(journal) == Counter(key for key in everything(plan) if key[0] == 1)
    assert load.told[-1].errors


@pytest.mark.parametrize("client", CLIENTS)
def test_a_stop_finishes_what_is_in_flight_and_begins_nothing(
    sending: Any, server: Any, answer: Callable[[str], bytes], client: str
) -> None:
    # The second message is due before the first is sent again.
    plan = plan_of(seconds=3600, client=client, messages_per_second=0.5)
    seen: Counter[str] = Counter()

    def respond(received: Any) -> bytes:
        seen[received.chunk] += 1
        load.stop.set()
        return answer(received.chunk) if seen[received.chunk] > 1 else b""

    with server(respond) as target:
        load = sending(plan, {"web": target.address}, ack_timeout=2.5)
        journal = load.wait()
    assert sent(journal) == set(numbers(target.entries)) == set(acknowledged(journal))
    assert len(seen) == 1
    assert (journal.errors, journal.unended) == ([], 0)


def test_a_load_whose_parent_is_gone_ends_at_once_and_says_what_it_sent(sending: Any, server: Any) -> None:
    plan = plan_of(seconds=3600, client="docker")
    with server(lambda _: b"") as target:
        load = sending(plan, {"web": target.address})
        until(lambda: target.received)
        load.forsake()
        journal = load.wait()
    assert sent(journal) == {(0, 0)}
    assert journal.acknowledged == {}
    assert "the process that started it" in journal.errors[0]


def test_what_it_tells_only_grows_and_ends_with_all_of_it(sending: Any, server: Any) -> None:
    plan = plan_of(client="docker", connections=2)
    with server() as target:
        load = sending(plan, {"web": target.address})
        load.wait()
    counts = [told.sent for told in load.told]
    assert counts == sorted(counts)
    assert load.told[-1].sent == load.told[-1].acknowledged == len(everything(plan))


def test_a_server_that_takes_nothing_is_not_hammered(sending: Any, server: Any) -> None:
    plan = plan_of(seconds=0.02, client="docker")
    with server(lambda _: None) as target:
        sending(plan, {"web": target.address}, give_up_after=3).wait()
        # After 0.05, 0.1, 0.2, 0.4, 0.8, 1.6 and 3.2 s, each at least half of it.
        assert 2 <= target.connections <= 8
    assert len({received.data for received in target.received}) == 1
