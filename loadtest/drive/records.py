"""The records of each kind of client, around a pool's texts.

| Client | Keys |
|---|---|
| docker | container_id, container_name, source, log; of a part of a cut line four more, partial_* |
| firelens | the same and ecs_cluster, ecs_task_arn, ecs_task_definition |
| agent | the same as docker and ec2_instance_id, az: Fluent Bit as a daemon, with its aws filter |
| otlp | timeUnixNano, severityNumber, body.stringValue; the container is in the resource. It knows no parts |

Sources: https://docs.docker.com/engine/logging/drivers/fluentd/,
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/firelens-taskdef.html,
https://docs.fluentbit.io/manual/data-pipeline/filters/aws-metadata and
https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Final

from loadtest.chunk import encode_entry
from loadtest.drive.layout import PART_DIGITS, SOURCE_DIGITS, Entry, Ring
from loadtest.lines import Part
from loadtest.marker import Marker
from loadtest.messages import pool_of
from loadtest.messages.text import MARK, Text
from loadtest.plan import Plan
from loadtest.profile import Load

CLUSTER: Final = "load"
ACCOUNT: Final = "123456789012"
_EVENT_TIME_AT: Final = 3
"""An entry is an array of two, and its time an extension of eight bytes behind its type: 92 d7 00."""
_OPEN: Final = "0" * SOURCE_DIGITS
_SEVERITY: Final = 9
_OTLP_TIME: Final = '{"timeUnixNano":"'


@dataclass(frozen=True)
class Names:
    """What a load's containers are called. Each ends with where the source's number goes: four hexadecimal digits."""

    container_id: str
    container: str
    task_arn: str
    partial_id: str

    @classmethod
    def of(cls, plan: Plan, load: Load) -> "Names":
        """The names follow from the seed, the load and the run."""
        digest = blake2b(f"{plan.profile.seed}:{load.name}".encode(), digest_size=32).hexdigest()
        return cls(
            container_id=digest[:52] + plan.run_name + _OPEN,
            container=f"/ecs-load-7-{load.name}-{digest[52:56]}{plan.run_name}{_OPEN}",
            task_arn=f"arn:aws:ecs:eu-west-1:{ACCOUNT}:task/{CLUSTER}/{digest[:20]}{plan.run_name}{_OPEN}",
            partial_id=digest[:44] + plan.run_name + _OPEN,
        )

    def numbered(self, source: int) -> "Names":
        """The names with the source's number in its place."""
        number = f"{source:04x}"
        return Names(*(name[: -len(_OPEN)] + number for name in vars(self).values()))


def ring_of(plan: Plan, load: Load) -> Ring:
    """The load's texts as its clients send them, with the run in their markers."""
    pool = pool_of(plan.profile.seed, load)
    marker = Marker(plan.run, 0, 0, 0).encode()
    texts = [replace(text, data=text.data.replace(MARK, marker)) for text in pool.texts]
    if load.client == "otlp":
        return Ring(pool, [_otlp_entry(text, marker) for text in texts], decimal=True)
    names = Names.of(plan, load)
    extra = _metadata(load, names)
    return Ring(pool, [_forward_entry(text, marker, names, extra) for text in texts], decimal=False)


def _metadata(load: Load, names: Names) -> dict[str, str]:
    """What a kind of client adds to Docker's four keys."""
    match load.client:
        case "firelens":
            return {
                "ecs_cluster": CLUSTER,
                "ecs_task_arn": names.task_arn,
                "ecs_task_definition": f"{CLUSTER}:7",
            }
        case "agent":
            return {"ec2_instance_id": "i-0a1b2c3d4e5f67890", "az": "eu-west-1a"}
        case _:
            return {}


def _forward_entry(text: Text, marker: bytes, names: Names, extra: Mapping[str, str]) -> Entry:
    record = {
        "container_id": names.container_id,
        "container_name": names.container,
        "source": text.stream,
        "log": text.data.decode("utf-8", "surrogateescape"),
        **extra,
    }
    if text.part is not None:
        ordinal, count = text.part
        record |= Part(names.partial_id + "0" * PART_DIGITS, ordinal, last=ordinal == count).fields()
    data = encode_entry(time_unix_nano=0, record=record)

    def end_of(name: str) -> int:
        return data.index(name.encode()) + len(name) - SOURCE_DIGITS

    named = (names.container_id, names.container, names.task_arn)
    return Entry(
        data=data,
        marker=data.index(marker),
        sources=tuple(end_of(name) for name in named if name in record.values()),
        time=_EVENT_TIME_AT,
        part=None if text.part is None else end_of(names.partial_id),
    )


def _otlp_entry(text: Text, marker: bytes) -> Entry:
    record = {
        "severityNumber": _SEVERITY,
        "attributes": [{"key": "log.iostream", "value": {"stringValue": text.stream}}],
        "body": {"stringValue": text.data.decode()},
    }
    written = json.dumps(record, ensure_ascii=False, separators=(",", ":")).removeprefix("{")
    data = f'{_OTLP_TIME}{"0" * 19}",{written},'.encode()
    return Entry(data=data, marker=data.index(marker), sources=(), time=len(_OTLP_TIME))


def otlp_frame(names: Names) -> tuple[bytes, bytes]:
    """What stands before and after the log records of a request; the last record's comma is not sent."""
    said = {
        "container.id": names.container_id,
        "container.name": names.container,
        "service.name": CLUSTER,
    }
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in said.items()]
    frame: dict[str, Any] = {
        "resourceLogs": [
            {"resource": {"attributes": attributes}, "scopeLogs": [{"scope": {"name": CLUSTER}, "logRecords": []}]}
        ]
    }
    before, _, after = json.dumps(frame, separators=(",", ":")).encode().partition(b'"logRecords":[]')
    return before + b'"logRecords":[', b"]" + after
