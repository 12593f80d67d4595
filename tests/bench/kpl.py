"""How fast aggregates of the Kinesis Producer Library are taken apart, beside AWS's own library and the bare runtime.

All three are given the same aggregates: 600 members of 286 bytes, as much as the Go plugin makes of a chunk of a few
thousand lines, put together by aws_kinesis_agg. AWS's library gets them as
Firehose sends them, which is what it takes, and ours does too; the runtime only parses the message, without base64 and
MD5. They are measured in turn, so that a noisy moment of the machine falls on all of them, and the medians are told.
"""

import base64
import statistics
import time
from collections.abc import Callable
from typing import Any

from aws_kinesis_agg.aggregator import RecordAggregator
from aws_kinesis_agg.deaggregator import iter_deaggregate_records, messages_pb2
from rich.console import Console
from rich.table import Table

from lambdas.transform.decode import decode_data, unwrap

MEMBERS = 600
MEMBER_BYTES = 286
AGGREGATES = 40
ROUNDS = 9


def measure() -> dict[str, float]:
    """Members per second of processor time: `sluice`, `aws_kinesis_agg`, `protobuf`; and ours as ratios to them."""
    data = _aggregate()
    text = base64.b64encode(data).decode()
    record = {
        "recordId": "1",
        "data": text,
        "kinesisRecordMetadata": {
            "sequenceNumber": "1",
            "partitionKey": "1",
            "approximateArrivalTimestamp": 1,
            "shardId": "1",
        },
    }
    kinds: dict[str, Callable[[], list[Any]]] = {
        "sluice": lambda: list(unwrap(decode_data(text))),
        "aws_kinesis_agg": lambda: list(iter_deaggregate_records([record])),
        "protobuf": lambda: [member.data for member in _parse(data[4:-16])],
    }
    ours = kinds["sluice"]()[0].count(b"\n") + 1
    if not ours == len(kinds["aws_kinesis_agg"]()) == len(kinds["protobuf"]()) == MEMBERS:
        raise RuntimeError("a member was lost")
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(ROUNDS):
        for name, run in kinds.items():
            began = time.process_time()
            for _ in range(AGGREGATES):
                run()
            seconds[name].append(time.process_time() - began)
    rates = {name: AGGREGATES * MEMBERS / statistics.median(taken) for name, taken in seconds.items()}
    return rates | {
        "ratio_to_aws_kinesis_agg": rates["sluice"] / rates["aws_kinesis_agg"],
        "ratio_to_protobuf": rates["sluice"] / rates["protobuf"],
    }


def _parse(message: bytes) -> list[messages_pb2.Record]:
    aggregate = messages_pb2.AggregatedRecord()
    aggregate.ParseFromString(message)
    return aggregate.records


def _aggregate() -> bytes:
    aggregator = RecordAggregator()
    for number in range(MEMBERS):
        line = f'{{"container_name":"/ecs-shop-web-12-nginx-9eb1a6b8d9fdf3c3ab01","number":{number},"log":"'
        aggregator.add_user_record(f"key-{number % 8}", line + "x" * (MEMBER_BYTES - len(line) - 2) + '"}')
    return aggregator.clear_and_get().get_contents()[2]


def main() -> None:
    """Measure and show a table."""
    rates = measure()
    table = Table("", "members per CPU second", "sluice is faster by")
    for name in ("sluice", "aws_kinesis_agg", "protobuf"):
        table.add_row(name, f"{rates[name]:,.0f}", f"{rates['sluice'] / rates[name]:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
