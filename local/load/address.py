"""HOST:PORT, and whether somebody listens there."""

import socket
from typing import Final

from loadtest.drive import Address
from query.documents import UnreachableError

ANSWER_SECONDS: Final = 5
LAST_PORT: Final = 65_535


def parse_address(to: str) -> Address:
    """The two parts. Raises UnreachableError when it has others."""
    host, _, port = to.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) <= LAST_PORT:
        raise UnreachableError(f"--to {to} is not HOST:PORT, for example 127.0.0.1:24224")
    return host.strip("[]"), int(port)


def check_listens(address: Address) -> None:
    """Raise UnreachableError when nobody accepts a connection there."""
    host, port = address
    try:
        socket.create_connection(address, timeout=ANSWER_SECONDS).close()
    except OSError as error:
        raise UnreachableError(
            f"nothing listens at {host}:{port} ({error.strerror or error}): leave --to out to test on this machine, "
            "start a pipeline with `sluice demo --keep`, or name your aggregator"
        ) from error
