"""A record's members, told apart: what Docker, FireLens and our Fluent Bit put there, and everything else.

| Member | Becomes |
|---|---|
| `_time` | observedTimestamp, and the time until a step finds the line's own |
| `_tag` | tag |
| `log` | body |
| `source` | attributes, `log.iostream` |
| container_id, container_name, ecs_*, ec2_instance_id | resource, see ecs |
| any other | attributes, as it is |

A member we know whose value is not the text we expect is like one we do not know: nothing is dropped for being odd. The
record is taken apart in place, which spares a copy of what remains.
"""

from __future__ import annotations

from lambdas.transform.decode import Record
from lambdas.transform.document import TIME_DOUBT, Document
from lambdas.transform.event_id import Arrival, derive_event_id
from lambdas.transform.parse.ecs import take_origin
from lambdas.transform.times import doubt, read_time

_STREAM = "log.iostream"
"""OpenTelemetry's name, https://opentelemetry.io/docs/specs/semconv/general/logs/#io-stream"""


def parse(record: Record, *, arrival: Arrival) -> Document:
    """Make a document of a record that came in a Firehose record with this arrival."""
    members = record.members
    carried = members.pop("_time", None)
    time = read_time(carried) if isinstance(carried, str) else None
    doubted = doubt(time, observed=arrival.time) if time else "unparsable"
    observed = time if time and not doubted else arrival.time
    origin = take_origin(members)
    stream = members.pop("source", None)
    body = members.pop("log", None)
    document = Document(
        time=observed,
        observed=observed,
        body=body,
        resource=origin.resource,
        attributes=members,
        tag=origin.tag,
        event_id=derive_event_id(record.canonical, time=time, arrival=arrival),
        rewritten=record.rewritten,
    )
    if stream is not None:
        document.keep(_STREAM if isinstance(stream, str) else "source", stream)
    if doubted and carried is not None:
        document.keep("_time", carried)
        document.keep(TIME_DOUBT, doubted)
    return document
