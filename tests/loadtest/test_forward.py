"""The client against a fake aggregator that misbehaves in every way the protocol leaves room for."""

import socket
import time
from functools import partial
from types import SimpleNamespace

import msgpack
import pytest

from loadtest.chunk import encode_message
from loadtest.forward import ForwardClient, UnacknowledgedError

# Long enough never to matter, unless a test is about to wait for it.
PATIENT = {"ack_timeout": 60.0, "give_up_after": 60.0, "max_backoff": 0.05}


def ack(chunk):
    return msgpack.packb({"ack": chunk})


def chunk(n=0, *, acked=True, size=10):
    record = {"log": f"{n:0{size}}"}
    return encode_message(tag="t", time_unix_nano=n, record=record, ack=acked, sub_second=True)


@pytest.fixture
def connect():
    clients = []

    def client(server, **options):
        clients.append(ForwardClient("127.0.0.1", server.port, **PATIENT | options))
        return clients[-1]

    yield client
    for client_ in clients:
        client_.close()


def test_an_acknowledged_chunk_is_reported_once_and_not_sent_again(aggregator, connect):
    server, acknowledged = aggregator(), []
    client = connect(server)

    for n in range(3):
        client.send(chunk(n), acknowledged=partial(acknowledged.append, n))
    client.flush()

    assert acknowledged == [0, 1, 2]
    assert len(server.received) == 3


def test_a_window_of_one_waits_for_each_acknowledgement(aggregator, connect):
    acknowledged = []
    client = connect(aggregator(), window=1)

    client.send(chunk(), acknowledged=partial(acknowledged.append, "now"))

    assert acknowledged == ["now"]


def test_acknowledgements_are_matched_by_chunk_in_any_order(aggregator, connect):
    pending = []

    def backwards(received):
        pending.append(received.chunk)
        return b"".join(ack(identity) for identity in reversed(pending)) if len(pending) == 4 else b""

    acknowledged = []
    client = connect(aggregator(backwards), window=8)
    for n in range(4):
        client.send(chunk(n), acknowledged=partial(acknowledged.append, n))
    client.flush()

    assert acknowledged == [3, 2, 1, 0]


def test_no_more_chunks_are_in_flight_than_the_window_holds(aggregator, connect):
    """The server answers only when it has three: with a window of two, sending the third needs an answer first."""
    pending = []

    def in_threes(received):
        pending.append(received.chunk)
        return b"".join(map(ack, pending)) if len(pending) >= 3 else b""

    server = aggregator(in_threes)
    client = connect(server, window=2, give_up_after=0.2)
    client.send(chunk(0))

    with pytest.raises(UnacknowledgedError, match="2 records"):
        client.send(chunk(1))


def test_an_acknowledgement_of_an_unknown_chunk_is_counted_and_changes_nothing(aggregator, connect):
    acknowledged = []
    client = connect(aggregator(lambda received: ack("never sent") + ack(received.chunk)))

    client.send(chunk(), acknowledged=partial(acknowledged.append, "known"))

    assert acknowledged == ["known"]
    assert client.unknown_acks == 1


def test_after_a_reset_in_the_middle_of_a_chunk_the_same_bytes_are_sent_again(aggregator, connect):
    server = aggregator(reset_after=100_000)
    sent = chunk(size=30_000_000)

    with connect(server) as client:
        client.send(sent)

    assert server.connections == 2
    assert [received.data for received in server.received] == [sent.data]


def test_what_was_unacknowledged_when_the_server_closed_is_sent_again_in_order(aggregator, connect):
    def close_at_the_third(received):
        if received.connection == 1:
            return None if len(server.received) == 3 else b""
        return ack(received.chunk)

    server, acknowledged = aggregator(close_at_the_third), []
    sent = [chunk(n) for n in range(5)]
    with connect(server, window=8) as client:
        for n, one in enumerate(sent):
            client.send(one, acknowledged=partial(acknowledged.append, n))

    assert acknowledged == [0, 1, 2, 3, 4]
    again = [received.data for received in server.received if received.connection == 2]
    assert again == [one.data for one in sent]


def test_a_missing_acknowledgement_makes_the_client_reconnect_and_send_the_same_chunk(aggregator, connect):
    server = aggregator(lambda received: b"" if received.connection == 1 else ack(received.chunk))
    sent = chunk()

    with connect(server, ack_timeout=2.0) as client:
        client.send(sent)

    assert [(received.connection, received.data) for received in server.received] == [
        (1, sent.data),
        (2, sent.data),
    ]


def test_an_answer_that_is_no_acknowledgement_is_a_broken_connection(aggregator, connect):
    server = aggregator(lambda received: b"\xc1" if received.connection == 1 else ack(received.chunk))

    with connect(server) as client:
        client.send(chunk())

    assert server.connections == 2


def test_when_nothing_is_ever_acknowledged_the_error_says_how_many_records(aggregator, connect):
    server = aggregator(lambda _: b"")
    client = connect(server, window=8, ack_timeout=1.0, give_up_after=4.0)
    for n in range(3):
        client.send(chunk(n))

    with pytest.raises(UnacknowledgedError, match=r"3 records \(3 chunks\) are unacknowledged by 127") as caught:
        client.flush()

    assert (caught.value.records, caught.value.chunks) == (3, 3)
    assert {received.chunk for received in server.received if received.connection > 1} == {
        received.chunk for received in server.received if received.connection == 1
    }


def test_a_server_that_accepts_and_closes_does_not_hold_the_client_for_ever(aggregator, connect):
    client = connect(aggregator(lambda _: None), give_up_after=0.2)

    with pytest.raises(UnacknowledgedError, match="1 records"):
        client.send(chunk())


def test_a_server_that_stops_reading_does_not_hold_the_client_for_ever(connect):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = SimpleNamespace(port=silent.getsockname()[1])
        client = connect(server, ack_timeout=0.05, give_up_after=0.2)

        with pytest.raises(UnacknowledgedError, match="1 records"):
            client.send(chunk(size=20_000_000))


def test_a_write_that_makes_no_progress_is_given_up_for_another_connection(aggregator, connect):
    server, sent = aggregator(stall_first=True), chunk(size=30_000_000)

    with connect(server, ack_timeout=3.0) as client:
        client.send(sent)

    assert server.received[0].data == sent.data


def test_without_a_chunk_id_nothing_is_waited_for(aggregator, connect):
    server = aggregator(lambda _: b"")

    with connect(server) as client:
        for n in range(3):
            client.send(chunk(n, acked=False))

    assert len(server.wait_for(3)) == 3


def test_poll_reads_what_has_come_and_waits_for_nothing(aggregator, connect):
    """The server answers the first chunk when it has the second: poll must return before, and read it after."""
    held, acknowledged = [], []

    def one_late(received):
        held.append(received.chunk)
        return ack(held[-2]) if len(held) > 1 else b""

    client = connect(aggregator(one_late), window=8)
    client.send(chunk(0), acknowledged=partial(acknowledged.append, 0))
    client.poll()
    assert acknowledged == []

    client.send(chunk(1))
    deadline = time.monotonic() + 60
    while not acknowledged and time.monotonic() < deadline:
        client.poll()
    assert acknowledged == [0]


def test_connecting_where_nothing_listens_fails_at_once():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            ForwardClient("127.0.0.1", unused.getsockname()[1]).connect()


def test_a_server_that_starts_late_gets_everything(aggregator, connect):
    server = aggregator()
    acknowledged = []
    client = connect(server)
    client.send(chunk(0), acknowledged=partial(acknowledged.append, 0))
    client.close()

    client.send(chunk(1), acknowledged=partial(acknowledged.append, 1))

    assert acknowledged == [0, 1]
    assert server.connections == 2
