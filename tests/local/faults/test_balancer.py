"""Who gets connections and who keeps them, asked of a real HAProxy."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local import making
from local.faults import balancer
from local.faults.balancer import Balancer, BalancerError


@contextmanager
def target(name: bytes) -> Iterator[int]:
    """A port that says its name, and again for each byte it gets."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with connection:
            connection.sendall(name)
            while connection.recv(1):
                connection.sendall(name)

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


@pytest.fixture
def running(haproxy: Path, tmp_path: Path) -> Iterator[Balancer]:
    with Balancer(haproxy, fronts=["forward"], folder=tmp_path) as started:
        yield started


def connect(running: Balancer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", running.ports["forward"]), timeout=120)


def test_connections_are_spread_over_those_that_are_registered(running: Balancer) -> None:
    with target(b"a") as a, target(b"b") as b:
        running.register({"forward": a})
        running.register({"forward": b})
        with connect(running) as one, connect(running) as other:
            assert {one.recv(1), other.recv(1)} == {b"a", b"b"}
            assert running.connections("forward", a) == running.connections("forward", b) == 1


def test_who_is_deregistered_keeps_its_connections_and_gets_no_more(running: Balancer) -> None:
    with target(b"a") as a, target(b"b") as b:
        running.register({"forward": a})
        with connect(running) as old:
            assert old.recv(1) == b"a"
            running.register({"forward": b})
            running.deregister({"forward": a})
            for _ in range(3):
                with connect(running) as new:
                    assert new.recv(1) == b"b"
            old.sendall(b"?")
            assert old.recv(1) == b"a"


def test_the_end_of_the_delay_ends_the_connections(running: Balancer) -> None:
    with target(b"a") as a:
        running.register({"forward": a})
        with connect(running) as old:
            assert old.recv(1) == b"a"
            running.deregister({"forward": a})
            running.terminate({"forward": a})
            assert old.recv(1) == b""
            running.terminate({"forward": a})  # and once more is nothing


def test_a_target_that_does_not_listen_is_not_in_service(running: Balancer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balancer, "_HEALTHY_SECONDS", 0.6)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(BalancerError, match="no target became healthy"):
            running.register({"forward": closed.getsockname()[1]})


def test_more_targets_than_there_are_places_come_and_go(running: Balancer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balancer, "_SLOTS", 2)
    with target(b"a") as a:
        for _ in range(3):
            running.register({"forward": a})
            running.terminate({"forward": a})


def test_what_haproxy_does_not_know_is_an_error(running: Balancer) -> None:
    with pytest.raises(BalancerError, match="No such server"):
        running._tell("set server forward/nobody state drain")


def test_without_haproxy_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(balancer, "_PROGRAM", "no-such-haproxy")
    monkeypatch.setattr(making, "may_install", lambda: False)
    with pytest.raises(BalancerError, match="apt-get install"):
        balancer.find(log=tmp_path / "log")
