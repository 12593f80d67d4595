"""Hand-written stand-ins for what a Firehose calls, and a Firehose on a clock that never waits."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from local.firehose import (
    BufferHints,
    Firehose,
    InvocationError,
    LambdaProcessor,
    ManualClock,
    S3Destination,
    StreamConfig,
)

FUNCTION = "arn:aws:lambda:eu-west-1:000000000000:function:transform"
DEFAULT_BATCH = BufferHints(size_bytes=1024 * 1024, interval_seconds=60)


@dataclass
class Bucket:
    """S3 as a dict; the first `refusals` writes fail."""

    refusals: int = 0
    objects: dict[str, bytes] = field(default_factory=dict)
    encodings: dict[str, str | None] = field(default_factory=dict)
    attempted: list[str] = field(default_factory=list)

    def put_object(self, *, bucket: str, key: str, body: bytes, encoding: str | None) -> None:
        assert bucket == "sluice-logs"
        self.attempted.append(key)
        if self.refusals:
            self.refusals -= 1
            raise ConnectionError("S3 is away")
        self.objects[key] = body
        self.encodings[key] = encoding

    def bodies(self, prefix: str) -> list[bytes]:
        found = [(key, body) for key, body in sorted(self.objects.items()) if key.startswith(prefix)]
        return [gzip.decompress(body) if self.encodings[key] == "gzip" else body for key, body in found]

    def delivered(self) -> bytes:
        return b"".join(self.bodies("logs/"))

    def errors(self) -> list[dict]:
        return [json.loads(line) for body in self.bodies("failed/") for line in body.splitlines()]


@dataclass
class Function:
    """A transformer: answers with `respond(event)`, or raises what that raises."""

    respond: Callable[[dict], object] | None = None
    events: list[dict] = field(default_factory=list)
    payloads: list[int] = field(default_factory=list)

    def invoke(self, arn: str, payload: bytes) -> bytes:
        assert arn == FUNCTION
        event = json.loads(payload)
        self.events.append(event)
        self.payloads.append(len(payload))
        answer = (self.respond or self.answer)(event)
        return answer if isinstance(answer, bytes) else json.dumps(answer).encode()

    def answer_in_turn(self, *responses: Callable[[dict], object]) -> None:
        """Respond to each call with the next of `responses`."""
        turns = iter(responses)

        def respond(event: dict) -> object:
            response = next(turns)
            return response(event)

        self.respond = respond

    @staticmethod
    def answer(event: dict, result: str = "Ok", **extra: object) -> dict:
        """Give every record the same result, and its own data back."""
        return {
            "records": [
                {"recordId": record["recordId"], "result": result, "data": record["data"], **extra}
                for record in event["records"]
            ]
        }

    @staticmethod
    def fail(_event: dict) -> object:
        raise InvocationError("Lambda.FunctionError", "it broke")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def function() -> Function:
    return Function()


@pytest.fixture
def stream():
    """A stream's configuration, with a transformer unless `hints` for one are None."""

    def build(
        *,
        name: str = "sluice-test-web",
        batch: BufferHints | None = DEFAULT_BATCH,
        retries: int = 3,
        **destination: object,
    ) -> StreamConfig:
        settings: dict = {
            "bucket": "sluice-logs",
            "prefix": "logs/!{timestamp:yyyy}/",
            "error_prefix": "failed/!{firehose:error-output-type}/",
            **destination,
        }
        return StreamConfig(
            name=name,
            arn=f"arn:aws:firehose:eu-west-1:000000000000:deliverystream/{name}",
            processor=batch and LambdaProcessor(FUNCTION, hints=batch, retries=retries),
            destination=S3Destination(**settings),
        )

    return build


@pytest.fixture
def firehose(stream, function, bucket, clock):
    """A Firehose of one stream on the manual clock, without workers."""

    def build(config: StreamConfig | None = None, **settings: object) -> Firehose:
        return Firehose(
            [config or stream()],
            invoke=function.invoke,
            put_object=bucket.put_object,
            clock=clock,
            **settings,
        )

    return build
