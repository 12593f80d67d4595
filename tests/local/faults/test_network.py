"""An event of the network that hit nothing has failed, and leaves the network good however it ends."""

import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from local.faults import network
from local.faults.proxy import GOOD, Link, Proxy
from local.faults.stage import NeverStruckError


@pytest.fixture
def stage() -> Iterator[Any]:
    with Proxy() as proxy:
        yield SimpleNamespace(network=proxy)


@pytest.mark.parametrize("fate", ["swallow", "cut"])
def test_a_fault_without_a_connection_to_hit_was_not_survived(stage: Any, fate: Any) -> None:
    event = network._linked("event", "", Link(fate=fate), seconds=0.01)
    with pytest.raises(NeverStruckError, match="event: no connection was hit"):
        event.act(stage)
    assert stage.network.link == GOOD


def test_resets_without_a_connection_were_not_survived(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "STRIKING_SECONDS", 0.01)
    monkeypatch.setattr(network, "RESET_EVERY_SECONDS", 0.01)
    with pytest.raises(NeverStruckError):
        network._resets("event", "").act(stage)


def test_a_slow_network_needs_to_hit_nobody(stage: Any) -> None:
    network._linked("event", "", network.SLOW, seconds=0.01).act(stage)
    assert stage.network.link == GOOD


def test_resets_end_connections_again_and_again(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "STRIKING_SECONDS", 0.5)
    monkeypatch.setattr(network, "RESET_EVERY_SECONDS", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = stage.network.lead_to(server.getsockname())
        with socket.create_connection(address, timeout=120) as client:
            served, _ = server.accept()
            with served:
                network._resets("event", "").act(stage)
                with pytest.raises(ConnectionResetError):
                    client.recv(1)
