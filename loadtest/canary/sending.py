"""One minute's tracers: a message each, with an acknowledgement, through every route and every listener in turn.

Mechanism: the minute is claimed first, so that a second invocation for it sends nothing. An invocation that dies after
that has sent what nobody knows of: it is told as not sent, and what arrives of it is found all the same. All messages
of a listener go over one connection, and a new one each minute, so that in time every aggregator is met.

Cost: some tenths of a second; up to `GIVE_UP_SECONDS` for each listener that does not answer.
"""

import contextlib
import json
import time
from collections.abc import Callable
from typing import Final

from loadtest.canary.kept import Kept, SentMinute, SentRoute
from loadtest.canary.settings import Route, Settings, first_of
from loadtest.chunk import Chunk, encode_message
from loadtest.forward import ForwardClient, UnacknowledgedError

GIVE_UP_SECONDS: Final = 20
ACK_SECONDS: Final = 5
CONTAINER: Final = "sluice-canary"


def send(settings: Settings, kept: Kept, *, minute: int, clock: Callable[[], float] = time.time) -> SentMinute | None:
    """Send a minute's tracers, and keep which of them were acknowledged; None if another invocation does.

    Raises botocore's errors if the bucket cannot be written: then nothing was sent.
    """
    if not kept.claim(minute, at=clock()):
        return None
    acknowledged: dict[str, set[int]] = {route.name: set() for route in settings.routes}
    numbers = range(first_of(minute), first_of(minute) + settings.per_minute)
    for at, port in enumerate(settings.ports):
        mine = [number for number in numbers if number % len(settings.ports) == at]
        _send_to(settings, port, mine, acknowledged)
    sent = SentMinute(
        clock(),
        {name: SentRoute(settings.per_minute, frozenset(found)) for name, found in acknowledged.items()},
    )
    kept.tell_sent(minute, sent)
    return sent


def _send_to(settings: Settings, port: int, numbers: list[int], acknowledged: dict[str, set[int]]) -> None:
    client = ForwardClient(
        settings.host,
        port,
        window=max(1, len(numbers) * len(settings.routes)),
        ack_timeout=ACK_SECONDS,
        give_up_after=GIVE_UP_SECONDS,
    )
    # What is not acknowledged in time is not sent, and told as that: no other listener has to suffer from it.
    with contextlib.suppress(UnacknowledgedError, OSError), client:
        for number in numbers:
            for route in settings.routes:

                def note(name: str = route.name, number: int = number) -> None:
                    acknowledged[name].add(number)

                client.send(_message(settings, route, number), acknowledged=note)


def _message(settings: Settings, route: Route, number: int) -> Chunk:
    due = time.time_ns()
    marker = settings.marker(route, number, due).decode()
    # A severity, so that no rule about records below one takes it for less than it is.
    line = json.dumps({"level": "info", "message": f"tracer {marker}"})
    record = {"container_id": CONTAINER, "container_name": f"/{CONTAINER}", "source": "stdout", "log": line}
    return encode_message(tag=route.tag, time_unix_nano=due, record=record, ack=True, sub_second=True)
