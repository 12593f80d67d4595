"""The two kinds of stream that a document can be put into once more: the route's own, wherever it is fed.

| The route's Firehose stream reads | A record is put by | A call takes |
|---|---|---|
| what is put to it | PutRecordBatch, to the Firehose stream | 500 records, 4 MiB |
| a Kinesis data stream | PutRecords, to that data stream | 500 records, 5 MiB with their partition keys |

A Firehose stream that reads a data stream takes no PutRecordBatch. An event says which it is: one from a data stream
has `sourceKinesisStreamArn` besides `deliveryStreamArn`. Partition keys are random, so that records spread over all
shards, and one that a busy shard refused goes to another when it is tried again. Whoever else reads the data stream
reads what is put there too.

https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html

Cost: nothing until the first call, which loads boto3 (0.4 s); then a round trip each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from secrets import token_hex
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from lambdas.transform.limits import MAX_KINESIS_PUT_BYTES, MAX_PUT_BYTES

if TYPE_CHECKING:
    from botocore.config import Config
    from mypy_boto3_firehose import FirehoseClient
    from mypy_boto3_kinesis import KinesisClient

CONNECT_SECONDS = 1
READ_SECONDS = 5
_KEY_BYTES = 16
_ARN = r"arn:[a-z-]{3,20}:%s:([a-z0-9-]{1,32}):\d{12}:%s/([a-zA-Z0-9_.-]{1,%d})"
_DELIVERY_STREAM = re.compile(_ARN % ("firehose", "deliverystream", 64))
_DATA_STREAM = re.compile(_ARN % ("kinesis", "stream", 128))


class Stream(Protocol):
    """Where records are put. A call takes `most_bytes`, of which each record takes `beside` more than its data."""

    @property
    def name(self) -> str:
        """What it is called, for the log."""

    @property
    def most_bytes(self) -> int:
        """Bytes that a call takes."""

    @property
    def beside(self) -> int:
        """Bytes that a record takes besides its data."""

    def put(self, records: Sequence[bytes]) -> list[bytes]:
        """Put what one call takes. Return the records that were not accepted, in their order; raises as boto3 does."""


@dataclass(frozen=True, slots=True)
class Clients:
    """How clients are made, by region; the process's own unless told otherwise."""

    firehose: Callable[[str], FirehoseClient]
    kinesis: Callable[[str], KinesisClient]


@dataclass(frozen=True, slots=True)
class DeliveryStream:
    """A Firehose stream that is put to."""

    region: str
    name: str
    client: Callable[[str], FirehoseClient]
    most_bytes: ClassVar[int] = MAX_PUT_BYTES
    beside: ClassVar[int] = 0

    def put(self, records: Sequence[bytes]) -> list[bytes]:
        """Put records by PutRecordBatch."""
        told = self.client(self.region).put_record_batch(
            DeliveryStreamName=self.name, Records=[{"Data": record} for record in records]
        )
        return _refused(records, told["RequestResponses"]) if told["FailedPutCount"] else []


@dataclass(frozen=True, slots=True)
class DataStream:
    """The Kinesis data stream that a Firehose stream reads."""

    region: str
    name: str
    client: Callable[[str], KinesisClient]
    most_bytes: ClassVar[int] = MAX_KINESIS_PUT_BYTES
    beside: ClassVar[int] = 2 * _KEY_BYTES

    def put(self, records: Sequence[bytes]) -> list[bytes]:
        """Put records by PutRecords, each to a shard that chance chooses."""
        told = self.client(self.region).put_records(
            StreamName=self.name,
            Records=[{"Data": record, "PartitionKey": token_hex(_KEY_BYTES)} for record in records],
        )
        return _refused(records, told["Records"]) if told["FailedRecordCount"] else []


def _refused(records: Sequence[bytes], answers: Iterable[Mapping[str, Any]]) -> list[bytes]:
    return [record for record, answer in zip(records, answers, strict=True) if answer.get("ErrorCode")]


@cache
def firehose_client(region: str) -> FirehoseClient:
    """Return the process's client; what fails is tried again by its caller and not in it."""
    import boto3  # noqa: PLC0415 - most processes never need it, and it would double a cold start

    return boto3.client("firehose", region_name=region, config=_config())


@cache
def kinesis_client(region: str) -> KinesisClient:
    """Return the process's client, made as firehose_client is."""
    import boto3  # noqa: PLC0415 - see firehose_client

    return boto3.client("kinesis", region_name=region, config=_config())


def _config() -> Config:
    from botocore.config import Config  # noqa: PLC0415 - see firehose_client

    retries = {"mode": "standard", "total_max_attempts": 1}
    return Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries=retries)  # type: ignore[arg-type]


OWN = Clients(firehose=firehose_client, kinesis=kinesis_client)


def find_stream(event: Mapping[str, Any], *, clients: Clients = OWN) -> Stream | None:
    """Find where to put what an event's records hold once more; None when the event does not say. It makes no call."""
    source = event.get("sourceKinesisStreamArn")
    if source:
        found = _DATA_STREAM.fullmatch(str(source))
        return DataStream(found[1], found[2], clients.kinesis) if found else None
    found = _DELIVERY_STREAM.fullmatch(str(event.get("deliveryStreamArn")))
    return DeliveryStream(found[1], found[2], clients.firehose) if found else None
