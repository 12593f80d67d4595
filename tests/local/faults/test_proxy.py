"""What each state of the network does to real connections."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from local.faults.proxy import GOOD, Link, Proxy

PATIENCE_SECONDS = 120


class Echo:
    """A server that keeps what it gets and, unless told otherwise, sends it back."""

    def __init__(self, *, answers: bool = True) -> None:
        self.got = bytearray()
        self.ends: list[str] = []
        self._answers = answers
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = self._server.getsockname()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(65_536):
                    self.got += data
                    if self._answers:
                        connection.sendall(data)
                self.ends.append("end")
            except ConnectionResetError:
                self.ends.append("reset")

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as running:
        yield running


@pytest.fixture
def client(proxy: Proxy, echo: Echo) -> Iterator[socket.socket]:
    with socket.create_connection(proxy.lead_to(echo.address), timeout=PATIENCE_SECONDS) as connected:
        connected.sendall(b"hello")
        assert read(connected, 5) == b"hello"
        yield connected


def read(connection: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size and (data := connection.recv(size - len(got))):
        got += data
    return got


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_silent(connection: socket.socket, *, seconds: float = 0.3) -> bool:
    connection.settimeout(seconds)
    try:
        return connection.recv(1, socket.MSG_PEEK) is None
    except TimeoutError:
        return True
    finally:
        connection.settimeout(PATIENCE_SECONDS)


def test_a_good_network_passes_megabytes_both_ways_and_the_end_too(client: socket.socket, echo: Echo) -> None:
    sent = bytes(range(256)) * 8192
    threading.Thread(target=client.sendall, args=(sent,), daemon=True).start()
    assert read(client, len(sent)) == sent
    client.shutdown(socket.SHUT_WR)
    assert client.recv(1) == b""
    assert echo.ends == ["end"]


def test_a_half_closed_connection_still_has_its_answer(client: socket.socket) -> None:
    client.sendall(b"last words")
    client.shutdown(socket.SHUT_WR)
    assert read(client, 10) == b"last words"


def test_a_slow_network_is_late_each_way_and_keeps_the_order(client: socket.socket, proxy: Proxy) -> None:
    proxy.become(Link(delay_seconds=0.1, jitter_seconds=0.05))
    began = time.monotonic()
    for number in range(100):
        client.sendall(b"%03d" % number)
    assert read(client, 300) == b"".join(b"%03d" % number for number in range(100))
    assert time.monotonic() - began >= 0.2


def test_a_narrow_network_carries_no_more_than_it_says(client: socket.socket, proxy: Proxy, echo: Echo) -> None:
    proxy.become(Link(bytes_per_second=40_000))
    began = time.monotonic()
    client.sendall(bytes(20_000))
    until(lambda: len(echo.got) == 20_005)
    assert time.monotonic() - began >= 0.4


def test_a_narrow_network_presses_back(client: socket.socket, proxy: Proxy) -> None:
    """What is under way is bounded, so the client is stopped by its own socket."""
    proxy.become(Link(bytes_per_second=1000))
    client.settimeout(0.3)
    with pytest.raises(TimeoutError):
        client.sendall(bytes(100_000_000))
    assert proxy.pending <= 2 * 131_072


def test_what_waits_on_a_narrow_network_goes_on_when_it_is_good(
    client: socket.socket, proxy: Proxy, echo: Echo
) -> None:
    proxy.become(Link(bytes_per_second=10))
    client.sendall(bytes(10_000))
    assert is_silent(client)
    proxy.become(GOOD)
    until(lambda: len(echo.got) == 10_005)
    until(lambda: proxy.pending == 0)


def test_a_dead_network_passes_nothing_and_goes_on_where_it_stopped(
    client: socket.socket, proxy: Proxy, echo: Echo
) -> None:
    proxy.become(Link(fate="dead"))
    client.sendall(b" and on")
    assert is_silent(client)
    assert echo.got == b"hello"
    proxy.become(GOOD)
    assert read(client, 7) == b" and on"


def test_who_connects_to_a_dead_network_is_served_when_it_lives(proxy: Proxy, echo: Echo) -> None:
    address = proxy.lead_to(echo.address)
    proxy.become(Link(fate="dead"))
    with socket.create_connection(address, timeout=PATIENCE_SECONDS) as late:
        late.sendall(b"late")
        assert is_silent(late)
        proxy.become(GOOD)
        assert read(late, 4) == b"late"


def test_accepted_then_dropped_reaches_nobody_and_ends_the_connection(
    client: socket.socket, proxy: Proxy, echo: Echo
) -> None:
    proxy.become(Link(fate="swallow"))
    client.sendall(b"lost")
    assert ends(client)
    assert echo.got == b"hello"
    assert proxy.hit == 1


def test_an_answer_that_is_cut_off_is_to_what_arrived(client: socket.socket, proxy: Proxy, echo: Echo) -> None:
    proxy.become(Link(fate="cut"))
    client.sendall(b" there")
    assert ends(client)
    assert echo.got == b"hello there"
    assert proxy.hit == 1


def ends(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_a_reset_is_one_for_both_sides(client: socket.socket, proxy: Proxy, echo: Echo) -> None:
    assert proxy.reset() == 1
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    until(lambda: echo.ends == ["reset"])
    until(lambda: proxy.connections == 0)


def test_what_was_under_way_on_a_connection_that_ended_is_under_way_no_more(
    client: socket.socket, proxy: Proxy
) -> None:
    """Or who waits for it would wait for ever."""
    proxy.become(Link(bytes_per_second=100))
    client.sendall(bytes(50_000))
    until(lambda: proxy.pending > 0)
    proxy.reset()
    until(lambda: proxy.pending == 0)


def test_where_nobody_listens_the_client_is_reset(proxy: Proxy) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = proxy.lead_to(unused.getsockname())
        with pytest.raises(ConnectionResetError), socket.create_connection(address, timeout=PATIENCE_SECONDS) as client:
            client.recv(1)
