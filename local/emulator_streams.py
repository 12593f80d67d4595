"""What MiniStack's Kinesis and Firehose lack for `local.firehose`, which reads its shards and its descriptions.

The other half of `emulator_shim`, which runs it by path: see there. Nothing of ours is imported here either.
"""

import json
from collections.abc import Callable
from typing import Any, Final

# MiniStack ships no types.
from ministack.services import firehose, kinesis  # type: ignore[import-untyped]

Answer = tuple[int, dict[str, str], bytes | str]
"""What MiniStack's own functions answer: a status, headers and a body."""

_OK: Final = 200
_ENDING: Final = "ending_sequence_number"
"""The key, of our own, under which a closed shard keeps its last sequence number."""


def patch_search_descriptions() -> None:
    """DescribeDeliveryStream of an OpenSearch destination, under AWS's names; botocore drops what has others."""
    describe = firehose._dest_description
    names = {
        "AmazonOpenSearch": "AmazonopensearchserviceDestinationDescription",
        "AmazonOpenSearchServerless": "AmazonOpenSearchServerlessDestinationDescription",
    }
    described = {"S3Configuration": "S3DestinationDescription", "VpcConfiguration": "VpcConfigurationDescription"}

    def describe_search(destination: dict[str, Any]) -> dict[str, Any]:
        name = names.get(destination["type"])
        if name is None:
            return dict(describe(destination))
        inside = {described.get(key, key): value for key, value in destination["config"].items()}
        return {"DestinationId": destination["id"], name: inside}

    firehose._dest_description = describe_search


def patch_fan_out() -> None:
    """Kinesis pushes nothing to MiniStack's own Firehose: `local.firehose` reads the shards, or records come twice."""
    firehose.ingest_from_kinesis_source = lambda _stream_arn, _records: None


def patch_closed_shards() -> None:
    """A shard that was split or merged stays, closed, and is read to its end; MiniStack's own deletes it.

    https://docs.aws.amazon.com/streams/latest/dev/kinesis-using-sdk-java-after-resharding.html. UpdateShardCount is as
    it was: it still deletes what the shards hold.
    """
    route, out, get_records = kinesis._route_to_shard, kinesis._shard_out, kinesis._get_records

    def route_to_open(hash_key: int, stream: dict[str, Any]) -> str:
        open_shards = {name: shard for name, shard in stream["shards"].items() if _ENDING not in shard}
        return str(route(hash_key, {**stream, "shards": open_shards}))

    def out_with_end(name: str, shard: dict[str, Any]) -> dict[str, Any]:
        told = dict(out(name, shard))
        if _ENDING in shard:
            told["SequenceNumberRange"] = {**told["SequenceNumberRange"], "EndingSequenceNumber": shard[_ENDING]}
        return told

    def get_to_the_end(data: dict[str, Any]) -> Answer:
        answer: Answer = get_records(data)
        at = kinesis._shard_iterators.get(data.get("ShardIterator"))
        shard = kinesis._streams[at["stream"]]["shards"].get(at["shard_id"], {}) if at and answer[0] == _OK else {}
        if _ENDING not in shard:
            return answer
        told = json.loads(answer[2])
        if at["position"] + len(told["Records"]) >= len(shard["records"]):
            del told["NextShardIterator"]
        return answer[0], answer[1], json.dumps(told).encode()

    kinesis._route_to_shard, kinesis._shard_out, kinesis._get_records = route_to_open, out_with_end, get_to_the_end
    kinesis._split_shard = _closing(kinesis._split_shard, ("ShardToSplit",))
    kinesis._merge_shards = _closing(kinesis._merge_shards, ("ShardToMerge", "AdjacentShardToMerge"))


def _closing(change: Callable[[dict[str, Any]], Answer], parameters: tuple[str, ...]) -> Callable[..., Answer]:
    """`change`, which takes the shards named by `parameters` away, with these put back as closed."""

    def close(data: dict[str, Any]) -> Answer:
        _name, stream = kinesis._resolve_stream(data)
        parents = {data.get(key): stream["shards"].get(data.get(key)) for key in parameters} if stream else {}
        if any(parent is not None and _ENDING in parent for parent in parents.values()):
            message = (
                f"{' and '.join(map(str, parents))}: already merged or split, not eligible for merging or splitting."
            )
            told = {"__type": "InvalidArgumentException", "message": message}
            return 400, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(told).encode()
        end = kinesis._next_sequence_number()
        answer = change(data)
        if stream is not None and answer[0] == _OK:
            closed = {name: {**parent, _ENDING: end} for name, parent in parents.items() if parent is not None}
            stream["shards"] = {**closed, **stream["shards"]}
        return answer

    return close


PATCHES: tuple[Callable[[], None], ...] = (patch_search_descriptions, patch_fan_out, patch_closed_shards)
