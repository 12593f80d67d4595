"""Real logs for the demo: a web server and an application at work, and what they printed, sent on.

The shop's front (gunicorn, access log on stdout) is shipped as Docker's fluentd driver would, its backend
(JSON lines and tracebacks) as a FireLens sidecar would, and the log of this run's own deployment as a file, under a
tag that no named route takes. Every record goes into the ledger before it is sent.

Cost: three threads beside the driver of the requests; the ledger is held in memory.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

from loadtest.clients import Container, DockerDriver, FireLensSidecar, Task
from loadtest.files import FileSender
from loadtest.forward import ForwardClient
from loadtest.ledger import Ledger
from local.process import Process, free_port, port_answers, start_piped
from local.shop.orders import orders_command
from local.shop.traffic import Traffic, drive
from local.shop.web import web_command

READY_SECONDS: Final = 90
REQUESTS_PER_SECOND: Final = 60
WEB_TAG: Final = "frontend-web"
BACKEND: Final = "backend-orders"
FILE_TAG: Final = "host.deployment"
_WINDOW: Final = 32
_TASK: Final = "arn:aws:ecs:us-east-1:000000000000:task/shop/5f1a0c7d9b3e4f2a8c6d0e1b2a3c4d5e"


def run(
    *, port: int, ledger: Ledger, requests: int, file: Path, work: Path, progress: Callable[[int], None]
) -> Traffic:
    """Serve `requests` requests and ship every line that was printed, and `file`, to the aggregator at `port`.

    Returns what was answered, once everything is acknowledged. Raises UnacknowledgedError when nobody does that.
    """
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    orders_port, web_port = free_port(), free_port()
    orders_url = f"http://127.0.0.1:{orders_port}"
    with (
        _shipped("orders", orders_command(orders_port), _sidecar(port, ledger), work, environment) as orders,
        _shipped("web", web_command(web_port, orders_url), _docker(port, ledger), work, environment) as web,
    ):
        for process, its_port in ((orders, orders_port), (web, web_port)):
            process.wait_ready(partial(port_answers, its_port), timeout_seconds=READY_SECONDS, what="answering")
        traffic = drive(f"http://127.0.0.1:{web_port}", requests=requests, rate=REQUESTS_PER_SECOND, progress=progress)
    with closing(ForwardClient("127.0.0.1", port, window=_WINDOW)) as client, file.open("rb") as lines:
        sender = FileSender(client, container=Container.new(file.name), tag=FILE_TAG, ledger=ledger)
        sender.send(lines)
    return traffic


Follow = Callable[[BinaryIO, BinaryIO], int]


class _Shipping(threading.Thread):
    """Follows one application's pipes to their end."""

    def __init__(self, follow: Follow, out: BinaryIO, err: BinaryIO) -> None:
        super().__init__(daemon=True)
        self._follow = follow
        self._pipes = (out, err)
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._follow(*self._pipes)
        except BaseException as error:
            self._error = error

    def result(self) -> None:
        """Wait for the end; raises what ended it early."""
        self.join()
        if self._error is not None:
            raise self._error


@contextmanager
def _shipped(
    name: str, command: list[str], follow: Follow, work: Path, environment: dict[str, str]
) -> Iterator[Process]:
    with start_piped(command, name=name, log=work / f"{name}.log", environment=environment) as (process, out, err):
        shipping = _Shipping(follow, out, err)
        shipping.start()
        yield process
        process.stop()
        shipping.result()


def _docker(port: int, ledger: Ledger) -> Follow:
    def follow(out: BinaryIO, err: BinaryIO) -> int:
        container = Container.new("ecs-shop-web-7-web-d492a08f9480c2fcca01")
        with closing(ForwardClient("127.0.0.1", port)) as client:
            return DockerDriver(client, container=container, tag=WEB_TAG, ledger=ledger).follow(out, err)

    return follow


def _sidecar(port: int, ledger: Ledger) -> Follow:
    def follow(out: BinaryIO, err: BinaryIO) -> int:
        container = Container.new("ecs-shop-orders-3-backend-orders-e6d6b2a1f0c4d8e9a701")
        task = Task(cluster="shop", arn=_TASK, definition="shop-orders:3", container=BACKEND)
        with closing(ForwardClient("127.0.0.1", port, window=_WINDOW)) as client:
            return FireLensSidecar(client, container=container, task=task, ledger=ledger).follow(out, err)

    return follow
