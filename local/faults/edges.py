"""What the local Firehose calls, made to fail on request: the transformer, S3 and OpenSearch.

    edges = Edges(invoke=lambda_invoker(lambda_client), put_object=s3_writer(s3_client))
    firehose = Firehose(streams, invoke=edges.invoke, put_object=edges.put_object, post_bulk=edges.post_to)
    with edges.fault(Fault("s3", "slow-down", every=3)) as struck:
        ...
    struck.times  # how many calls it hit

A fault lasts as long as its block and counts what it hits, so that who injects one can tell a fault that was survived
from one that never happened. Several may be set at once; a call meets the first that wants it. What each kind does:

| edge | kind | a call that is hit |
|---|---|---|
| lambda | error | the function raised |
| | timeout | hangs for `hang_seconds`, then the function's time is over |
| | throttle | 429 TooManyRequestsException |
| | no-answer | the function ran, and its answer did not arrive |
| | missing-ids, wrong-ids | it answers, without the first record; every id is another one |
| | not-json, too-large | it answers half a document; with over 6 MB |
| s3 | error, slow-down | 500 InternalError; 503 SlowDown |
| | slow | takes `hang_seconds` longer |
| | first-try | 503 for each object's first write |
| | applied | the object is written and the answer is 500 |
| opensearch | too-many, unavailable | 429; 503 for the whole bulk |
| | refused | nobody listens |
| | slow | takes `hang_seconds` longer |
| | some-too-many | the first document of the bulk gets 429, the others are indexed |
| | applied | the bulk is indexed and the connection ends before the answer |
| | conflict, some-conflict | all documents, or the first, are sent to the index STRICT, whose mapping refuses them |

Faults of the API that clients call are `local.firehose.Faults`.

Cost: a lock and a look at a list for each call.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, Literal, TypeAlias

import orjson

from local.firehose import InvocationError, Invoke, PostBulk, PutObject, post_to
from local.firehose.limits import LAMBDA_PAYLOAD_BYTES

Edge: TypeAlias = Literal["lambda", "s3", "opensearch"]
PostTo: TypeAlias = Callable[[str], PostBulk]
Hang: TypeAlias = Callable[[float], None]

LAMBDA_KINDS: Final = (
    *("error", "timeout", "throttle", "no-answer"),
    *("missing-ids", "wrong-ids", "not-json", "too-large"),
)
S3_KINDS: Final = ("error", "slow-down", "slow", "first-try", "applied")
OPENSEARCH_KINDS: Final = (
    *("too-many", "unavailable", "refused", "slow", "some-too-many", "applied"),
    *("conflict", "some-conflict"),
)
STRICT: Final = "faults-strict"
STRICT_INDEX: Final = {"mappings": {"dynamic": "strict", "properties": {}}}
"""An index that a real OpenSearch lets nobody write to; who sets such a fault makes it first."""
_KINDS: Final[dict[Edge, tuple[str, ...]]] = {"lambda": LAMBDA_KINDS, "s3": S3_KINDS, "opensearch": OPENSEARCH_KINDS}

# In Firehose's words: https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-logs.html
_NO_ANSWERS: Final = {
    "error": ("Lambda.FunctionError", "The Lambda function was successfully invoked but it returned an error result."),
    "timeout": (
        "Lambda.FunctionTimedOut",
        "The Lambda function invocation timed out. Increase the Timeout setting in the Lambda function.",
    ),
    "throttle": (
        "Lambda.InvokeLimitExceeded",
        "The Lambda concurrent execution limit is exceeded. Increase the concurrent execution limit.",
    ),
    "no-answer": ("Lambda.FunctionRequestTimedOut", "Read timeout on endpoint"),
}
_S3_ERRORS: Final = {
    "error": "500 InternalError: We encountered an internal error. Please try again.",
    "slow-down": "503 SlowDown: Please reduce your request rate.",
    "first-try": "503 ServiceUnavailable: Service is unable to handle request.",
    "applied": "500 InternalError: We encountered an internal error. Please try again.",
}
_BULK_ERRORS: Final = {
    "too-many": (429, b'{"error":{"type":"circuit_breaking_exception","reason":"Data too large"},"status":429}'),
    "unavailable": (503, b'{"message":"Service Unavailable"}'),
}
_ITEM_REFUSED: Final = {
    "index": {
        "status": 429,
        "error": {"type": "rejected_execution_exception", "reason": "rejected execution of coordinating operation"},
    }
}


class S3Error(Exception):
    """What boto3 would raise for an answer other than 200."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with an edge: every `every`-th call is hit, `times` at most (None: any number).

    Raises ValueError for a kind that the edge does not have.
    """

    edge: Edge
    kind: str
    every: int = 1
    times: int | None = None
    hang_seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in _KINDS[self.edge]:
            raise ValueError(f"{self.edge} cannot be {self.kind!r}: it can be {', '.join(_KINDS[self.edge])}")
        if self.every < 1:
            raise ValueError("every counts from 1")


@dataclass
class Struck:
    """When a fault began and ended (Unix seconds), how many calls it saw, and how many it hit."""

    fault: Fault
    began: float
    ended: float | None = None
    calls: int = 0
    times: int = 0
    tried: set[str] = field(default_factory=set, repr=False)


class Edges:
    """The three calls of a Firehose, with whatever faults are set at the moment. Safe for threads.

    `hang` is what waits; it is cut short by nothing, so keep `hang_seconds` below what a test can bear.
    """

    def __init__(
        self, *, invoke: Invoke, put_object: PutObject, post_to: PostTo = post_to, hang: Hang = time.sleep
    ) -> None:
        self._invoke, self._put_object, self._post_to, self._hang = invoke, put_object, post_to, hang
        self._faults: list[Struck] = []
        self._lock = Lock()

    @contextmanager
    def fault(self, fault: Fault) -> Iterator[Struck]:
        """Set a fault for as long as the block lasts. Calls that are under way at its end are still hit."""
        struck = Struck(fault, began=time.time())
        with self._lock:
            self._faults.append(struck)
        try:
            yield struck
        finally:
            with self._lock:
                self._faults.remove(struck)
                struck.ended = time.time()

    def invoke(self, arn: str, event: bytes) -> bytes:
        """Call the function. Raises InvocationError, and what the real call raises."""
        fault = self._hit("lambda")
        match None if fault is None else fault.kind:
            case None:
                return self._invoke(arn, event)
            case "missing-ids" | "wrong-ids" | "not-json" | "too-large" as kind:
                return _malformed(kind, self._invoke(arn, event))
            case kind:
                if kind == "no-answer":
                    self._invoke(arn, event)
                self._hang_for(fault)
                raise InvocationError(*_NO_ANSWERS[str(kind)])

    def put_object(self, *, bucket: str, key: str, body: bytes, encoding: str | None) -> None:
        """Write an object. Raises S3Error, and what the real call raises."""
        fault = self._hit("s3", what=key)
        kind = None if fault is None else fault.kind
        self._hang_for(fault)
        if kind in {None, "slow", "applied"}:
            self._put_object(bucket=bucket, key=key, body=body, encoding=encoding)
        if kind in _S3_ERRORS:
            raise S3Error(_S3_ERRORS[str(kind)])

    def post_to(self, endpoint: str) -> PostBulk:
        """Return what posts bulks to an OpenSearch. It raises ConnectionError, and what the real call raises."""
        real = self._post_to(endpoint)

        def post(body: bytes) -> tuple[int, bytes]:
            fault = self._hit("opensearch")
            match None if fault is None else fault.kind:
                case None:
                    return real(body)
                case "refused":
                    raise ConnectionRefusedError(f"{endpoint}: connection refused")
                case "applied":
                    real(body)
                    raise ConnectionResetError(f"{endpoint}: connection reset by peer")
                case "slow":
                    self._hang_for(fault)
                    return real(body)
                case "conflict" | "some-conflict" as kind:
                    return real(_to_strict(body, only_first=kind == "some-conflict"))
                case "some-too-many":
                    return _without_first(body, real)
                case kind:
                    return _BULK_ERRORS[str(kind)]

        return post

    def _hit(self, edge: Edge, *, what: str = "") -> Fault | None:
        """The first fault that wants this call, counted; None if there is none."""
        with self._lock:
            for struck in self._faults:
                if struck.fault.edge == edge and _wants(struck, what):
                    struck.times += 1
                    return struck.fault
        return None

    def _hang_for(self, fault: Fault | None) -> None:
        if fault is not None and fault.hang_seconds:
            self._hang(fault.hang_seconds)


def _wants(struck: Struck, what: str) -> bool:
    fault = struck.fault
    struck.calls += 1
    if fault.times is not None and struck.times >= fault.times:
        return False
    if fault.kind == "first-try":
        if what in struck.tried:
            return False
        struck.tried.add(what)
        return True
    return struck.calls % fault.every == 0


def _malformed(kind: str, answer: bytes) -> bytes:
    records = orjson.loads(answer)["records"]
    match kind:
        case "missing-ids":
            return orjson.dumps({"records": records[1:]})
        case "wrong-ids":
            return orjson.dumps({"records": [{**record, "recordId": f"{n}"} for n, record in enumerate(records)]})
        case "not-json":
            return answer[: len(answer) // 2]
        case _:
            return answer + b" " * LAMBDA_PAYLOAD_BYTES


def _to_strict(body: bytes, *, only_first: bool) -> bytes:
    """The bulk with other indices: where a record's index was named, STRICT is."""
    lines = body.split(b"\n")
    actions = len(lines) // 2
    for number in range(1 if only_first else actions):
        lines[2 * number] = orjson.dumps({"index": {"_index": STRICT}})
    return b"\n".join(lines)


def _without_first(body: bytes, real: PostBulk) -> tuple[int, bytes]:
    """Refuse the bulk's first document and have the others indexed."""
    _action, _document, rest = body.split(b"\n", 2)
    status, answer = real(rest) if rest else (200, b'{"items":[]}')
    if status != 200:  # noqa: PLR2004 - OK
        return status, answer
    told = orjson.loads(answer)
    return status, orjson.dumps({**told, "errors": True, "items": [_ITEM_REFUSED, *told["items"]]})
