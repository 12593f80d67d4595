"""What happens behind the aggregator, as events: Firehose, the transformer, S3 and OpenSearch.

Every event here lasts for some seconds of a load and raises NeverStruckError if its fault hit nothing in them: a
fault that did not happen was not survived. What each kind of fault does is told in `edges` and `local.firehose.faults`.

Fluent Bit tries again after a random pause that grows up to 30 s (scheduler.cap); Firehose calls a function three more
times, after 1, 2 and 4 s, and a bulk for the 10 s that the local configuration has. So a fault is either short, and
everything is delivered in the end, or it outlasts the retries, and what it hit ends in the failure store with its
reason.
"""

import time
from typing import TYPE_CHECKING, Final, TypedDict, Unpack

from local.faults.edges import STRICT, STRICT_INDEX, Edge, Fault
from local.faults.event import Event, Need
from local.faults.stage import NeverStruckError
from local.firehose import Faults
from sluice import names
from sluice.destinations import OpenSearchDestination

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from local.faults.stage import Stage

# Twice the longest pause of Fluent Bit.
THROTTLED_SECONDS: Final = 60.0
# Longer than net.io_timeout, 30 s, after which Fluent Bit gives a call up.
HANGING_SECONDS: Final = 34.0
SHORT_SECONDS: Final = 4.0
# Longer than the retries of a function, and of a bulk, take.
LONG_SECONDS: Final = 14.0
# How much of a load there is before an event and after it, together.
AROUND_SECONDS: Final = 3.0


class _Bounds(TypedDict, total=False):
    may_lose_acknowledged: bool


def _firehose(
    name: str, says: str, faults: Faults, *, seconds: float, lasting: float = 0.0, **bounds: Unpack[_Bounds]
) -> Event:
    """An event of the API that Fluent Bit calls; `lasting` is how long it is felt, where that is longer."""

    def act(stage: "Stage") -> None:
        stage.firehose.inject(faults)
        try:
            time.sleep(seconds)
            struck = stage.firehose.struck
        finally:
            stage.firehose.inject(Faults())
        _require(name, struck)
        time.sleep(max(0.0, lasting - seconds))

    load = AROUND_SECONDS + max(lasting, seconds)
    return Event(name=f"firehose-{name}", group="Firehose", says=says, act=act, seconds=load, **bounds)


def _edge(
    edge: Edge, name: str, says: str, fault: Fault, *, seconds: float, group: str, needs: Need | None = None
) -> Event:
    """An event of something that Firehose calls."""

    def act(stage: "Stage") -> None:
        with stage.edges.fault(fault) as struck:
            time.sleep(seconds)
        _require(name, struck.times)

    full = f"{edge}-{name}"
    return Event(name=full, group=group, says=says, act=act, seconds=AROUND_SECONDS + seconds, needs=needs)


def _transformer(
    kind: str, says: str, *, seconds: float = SHORT_SECONDS, every: int = 1, hang: float = 0.0, name: str = ""
) -> Event:
    fault = Fault("lambda", kind, every=every, hang_seconds=hang)
    return _edge("lambda", name or kind, says, fault, seconds=seconds, group="Transformer")


def _s3(kind: str, says: str, *, seconds: float = SHORT_SECONDS, every: int = 1, hang: float = 0.0) -> Event:
    fault = Fault("s3", kind, every=every, hang_seconds=hang)
    return _edge("s3", kind, says, fault, seconds=seconds, group="S3")


def _search(kind: str, says: str, *, seconds: float = SHORT_SECONDS, every: int = 1, hang: float = 0.0) -> Event:
    fault = Fault("opensearch", kind, every=every, hang_seconds=hang)
    return _edge("opensearch", kind, says, fault, seconds=seconds, group="OpenSearch", needs="opensearch")


def _conflicts(kind: str, says: str, *, seconds: float) -> Event:
    """Documents that the mapping of a real index refuses."""

    def act(stage: "Stage") -> None:
        search = _opensearch(stage)
        search.indices.delete(index=STRICT, ignore_unavailable=True)
        search.indices.create(index=STRICT, body=STRICT_INDEX)
        try:
            with stage.edges.fault(Fault("opensearch", kind)) as struck:
                time.sleep(seconds)
            _require(kind, struck.times)
            taken = search.count(index=STRICT)["count"]
        finally:
            search.indices.delete(index=STRICT, ignore_unavailable=True)
        if taken:
            raise NeverStruckError(f"{kind}: the index that refuses everything took {taken} documents")

    load = AROUND_SECONDS + seconds
    return Event(name=f"opensearch-{kind}", group="OpenSearch", says=says, act=act, seconds=load, needs="opensearch")


def _full_disk() -> Event:
    """What OpenSearch does to its indices when 95 % of its disk are used."""

    def act(stage: "Stage") -> None:
        search = _opensearch(stage)
        routes = [route for route in stage.deployment.routes if isinstance(route.destination, OpenSearchDestination)]
        indices = ",".join(f"{names.index(stage.deployment, route)}*" for route in routes)

        def block(value: bool | None) -> None:
            search.indices.put_settings(index=indices, body={"index.blocks.read_only_allow_delete": value})

        block(True)
        try:
            with stage.edges.fault(Fault("opensearch", "slow")) as seen:
                time.sleep(SHORT_SECONDS)
        finally:
            block(None)
        _require("read-only", seen.times)

    says = "OpenSearch's disk is full and its indices take nothing (flood stage), for 4 s; for real"
    load = AROUND_SECONDS + SHORT_SECONDS
    return Event(name="opensearch-read-only", group="OpenSearch", says=says, act=act, seconds=load, needs="opensearch")


def _require(name: str, struck: int) -> None:
    if not struck:
        raise NeverStruckError(f"{name}: the fault hit no call, so nothing was tried")


def _opensearch(stage: "Stage") -> "OpenSearch":
    if stage.search is None:
        raise NeverStruckError("there is no OpenSearch to refuse anything")
    return stage.search


EVENTS: Final = (
    _firehose(
        "throttled",
        "Firehose answers every call 503 ServiceUnavailableException for 60 s, twice Fluent Bit's longest pause",
        Faults(throttle=True),
        seconds=THROTTLED_SECONDS,
    ),
    _firehose(
        "partial",
        "of all records put, Firehose refuses every 7th for 6 s; Fluent Bit then sends the whole chunk again",
        Faults(fail_every=7),
        seconds=6,
    ),
    _firehose("500", "Firehose answers every call 500 for 4 s", Faults(status=500), seconds=SHORT_SECONDS),
    _firehose(
        "taken-500",
        "for 2 s, Firehose takes every call and answers 500 all the same",
        Faults(status=500, taken=True),
        seconds=2,
    ),
    _firehose(
        "hangs",
        "the calls of 3 s are taken and answered after 34 s; Fluent Bit gives one up after 30 s",
        Faults(hang_seconds=HANGING_SECONDS),
        seconds=3,
        lasting=HANGING_SECONDS,
    ),
    _firehose(
        "empty-200",
        "for 2 s, something that is not Firehose answers 200 without a body and takes nothing; Fluent Bit counts that "
        "as delivered",
        Faults(empty=True),
        seconds=2,
        may_lose_acknowledged=True,
    ),
    _transformer("error", "the function raises at every second call, for 4 s", every=2),
    _transformer(
        "error", "the function raises at every call for 14 s, longer than it is retried", name="down", seconds=14
    ),
    _transformer("timeout", "every call takes 2 s and then the function's time is over, for 4 s", hang=2.0),
    _transformer("throttle", "every call is answered 429 TooManyRequestsException, for 4 s"),
    _transformer("no-answer", "the function runs, and its answer does not arrive, for 4 s"),
    _transformer("missing-ids", "the function leaves the first record of every second answer out, for 4 s", every=2),
    _transformer("wrong-ids", "the function answers with other ids than it was asked with, for 4 s"),
    _transformer("not-json", "the function answers half a document, for 4 s"),
    _transformer(
        "too-large", "the function answers over 6 MB, which Lambda refuses, at every second call for 4 s", every=2
    ),
    _s3("slow-down", "S3 answers every write 503 SlowDown, for 4 s"),
    _s3("error", "S3 answers every second write 500 InternalError, for 8 s", every=2, seconds=8),
    _s3("first-try", "S3 refuses the first write of every object, for 4 s"),
    _s3("slow", "every write takes 2 s longer, for 4 s", hang=2.0),
    _s3("applied", "every object is written, and S3 answers 500 all the same, for 4 s"),
    _search("too-many", "OpenSearch answers every bulk 429, for 4 s"),
    _search(
        "unavailable", "OpenSearch answers every bulk 503 for 14 s, longer than Firehose tries", seconds=LONG_SECONDS
    ),
    _search("refused", "nobody listens where OpenSearch was, for 4 s"),
    _search("slow", "every bulk takes 2 s longer, for 4 s", hang=2.0),
    _search("some-too-many", "of every bulk, the first document gets 429, for 4 s"),
    _search("applied", "every bulk is indexed, and the connection ends before the answer, for 4 s"),
    _conflicts("conflict", "an index whose mapping refuses every document, for 14 s; for real", seconds=LONG_SECONDS),
    _conflicts(
        "some-conflict", "one document of each bulk is refused by a mapping, for 4 s; for real", seconds=SHORT_SECONDS
    ),
    _full_disk(),
)
"""Every event at a destination, in the order in which a record would meet them."""
