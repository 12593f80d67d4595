"""What happens to connections, as events: between clients and balancer, and between aggregators and Firehose."""

import time
from collections.abc import Callable
from typing import Final

from local.faults.event import Event
from local.faults.proxy import GOOD, Link, Proxy
from local.faults.stage import NeverStruckError, Stage

GROUP: Final = "Network"
DEAD_SECONDS: Final = 20.0
SLOW_SECONDS: Final = 10.0
STRIKING_SECONDS: Final = 6.0
RESET_EVERY_SECONDS: Final = 0.7
SLOW: Final = Link(delay_seconds=0.2, jitter_seconds=0.1)
NARROW: Final = Link(bytes_per_second=8_000)
_AROUND_SECONDS: Final = 5.0


def _clients_side(stage: Stage) -> Proxy:
    return stage.network


def _firehose_side(stage: Stage) -> Proxy:
    return stage.upstream


def _linked(
    name: str, says: str, link: Link, *, seconds: float, side: Callable[[Stage], Proxy] = _clients_side
) -> Event:
    """An event in which a side of the network is like that for so many seconds."""

    def act(stage: Stage) -> None:
        proxy = side(stage)
        before = proxy.hit
        proxy.become(link)
        try:
            time.sleep(seconds)
        finally:
            proxy.become(GOOD)
        if link.fate in {"swallow", "cut"} and proxy.hit == before:
            raise NeverStruckError(f"{name}: no connection was hit, so nothing was tried")

    return Event(name=name, group=GROUP, says=says, act=act, seconds=_AROUND_SECONDS + seconds)


def _resets(name: str, says: str, *, side: Callable[[Stage], Proxy] = _clients_side) -> Event:
    def act(stage: Stage) -> None:
        until = time.monotonic() + STRIKING_SECONDS
        struck = 0
        while time.monotonic() < until:
            struck += side(stage).reset()
            time.sleep(RESET_EVERY_SECONDS)
        if not struck:
            raise NeverStruckError(f"{name}: no connection was hit, so nothing was tried")

    return Event(name=name, group=GROUP, says=says, act=act, seconds=_AROUND_SECONDS + STRIKING_SECONDS)


EVENTS: Final = (
    _linked(
        "slow-network",
        "everything between clients and balancer takes 200 to 300 ms longer, each way, for 10 s",
        SLOW,
        seconds=SLOW_SECONDS,
    ),
    _linked("narrow-network", "every connection of a client carries 8 kB/s, for 10 s", NARROW, seconds=SLOW_SECONDS),
    _linked(
        "dead-network",
        "nothing passes between clients and balancer for 20 s, no connection ends, and it goes on where it stopped",
        Link(fate="dead"),
        seconds=DEAD_SECONDS,
    ),
    _linked(
        "accepted-then-dropped",
        "for 6 s connections are accepted, what comes is thrown away, and they are closed",
        Link(fate="swallow"),
        seconds=STRIKING_SECONDS,
    ),
    _linked(
        "acknowledgements-cut-off",
        "for 6 s everything arrives, and every connection is closed before the first acknowledgement comes back",
        Link(fate="cut"),
        seconds=STRIKING_SECONDS,
    ),
    _resets("connections-reset", "every connection of a client is reset (RST) every 0.7 s, for 6 s"),
    _linked(
        "dead-network-to-firehose",
        "nothing passes between aggregators and Firehose for 20 s, and no connection ends",
        Link(fate="dead"),
        seconds=DEAD_SECONDS,
        side=_firehose_side,
    ),
    _linked(
        "answers-of-firehose-cut-off",
        "for 6 s Firehose takes what comes on open connections, and they are closed before its answer comes back",
        Link(fate="cut"),
        seconds=STRIKING_SECONDS,
        side=_firehose_side,
    ),
    _resets(
        "connections-to-firehose-reset",
        "every connection to Firehose is reset (RST) every 0.7 s, for 6 s",
        side=_firehose_side,
    ),
)
