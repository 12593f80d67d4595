"""PutRecordBatch and PutRecords over HTTPS, as few copies as can be.

botocore gives credentials (of the task's role, renewed by itself), the endpoint and the signature. The body is put
together here: botocore's own client takes several times as long over it (decision 0018). A call blocks, so it is made
in a thread; hashing and TLS leave Python's lock to others.

https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
"""

from collections.abc import Sequence
from typing import Any, Final, Literal

import botocore.session
import orjson
import pybase64
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import NoRegionError

from gate.packing import Put

CONNECT_SECONDS: Final = 5
# A stuck connection must not hold a message for ever; as in the aggregator.
READ_SECONDS: Final = 30
_TARGETS: Final = {"firehose": "Firehose_20150804.PutRecordBatch", "kinesis": "Kinesis_20131202.PutRecords"}
_OK: Final = 200

Service = Literal["firehose", "kinesis"]


class PutError(Exception):
    """A call of which nothing is known to be taken; says why, and nothing of what was put."""


class Aws:
    """The two services. May be used by many threads."""

    def __init__(self, services: set[Service], *, region: str | None, connections: int) -> None:
        """Finds the endpoints, in the region that is named or that botocore is configured for.

        Raises botocore's NoRegionError where there is none.
        """
        session = botocore.session.get_session()
        region = region or session.get_config_variable("region")
        if not region:
            raise NoRegionError
        self._session = session
        self._endpoints = {each: session.create_client(each, region).meta.endpoint_url for each in services}
        self._region = region
        self._pool = urllib3.PoolManager(
            maxsize=connections,
            ca_certs=session.get_config_variable("ca_bundle"),
            retries=False,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        )

    def put(self, service: Service, stream: str, puts: Sequence[Put]) -> list[bool]:
        """Put records to a stream: which of them were taken. Raises PutError."""
        body = _firehose(stream, puts) if service == "firehose" else _kinesis(stream, puts)
        try:
            request = self._signed(service, body)
            answer = self._pool.request("POST", request.url, body=body, headers=dict(request.headers.items()))
        except Exception as error:
            raise PutError(type(error).__name__) from error
        if answer.status != _OK:
            raise PutError(f"{answer.status} {_code(answer.data)}")
        return _taken(answer.data, len(puts), "RequestResponses" if service == "firehose" else "Records")

    def _signed(self, service: Service, body: bytes) -> Any:  # noqa: ANN401 - botocore's request
        credentials = self._session.get_credentials()
        if credentials is None:
            raise PutError("no credentials")
        headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": _TARGETS[service]}
        request = AWSRequest(method="POST", url=f"{self._endpoints[service]}/", data=body, headers=headers)
        SigV4Auth(credentials.get_frozen_credentials(), service, self._region).add_auth(request)
        return request


def _firehose(stream: str, puts: Sequence[Put]) -> bytes:
    parts = [b'{"DeliveryStreamName":', orjson.dumps(stream), b',"Records":[']
    before = b'{"Data":"'
    for put in puts:
        parts += (before, pybase64.b64encode(put.data))
        before = b'"},{"Data":"'
    parts.append(b'"}]}')
    return b"".join(parts)


def _kinesis(stream: str, puts: Sequence[Put]) -> bytes:
    parts = [b'{"StreamName":', orjson.dumps(stream), b',"Records":[']
    before = b'{"PartitionKey":'
    for put in puts:
        parts += (before, orjson.dumps(put.key), b',"Data":"', pybase64.b64encode(put.data))
        before = b'"},{"PartitionKey":'
    parts.append(b'"}]}')
    return b"".join(parts)


def _taken(body: bytes, count: int, key: str) -> list[bool]:
    """Read which records were taken. An answer that does not tell of each has told nothing."""
    try:
        results = orjson.loads(body)[key]
        taken = [
            not each.get("ErrorCode") and bool(each.get("RecordId") or each.get("SequenceNumber")) for each in results
        ]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise PutError("an answer that does not tell what was taken") from error
    if len(taken) != count:
        raise PutError("an answer that does not tell of every record")
    return taken


def _code(body: bytes) -> str:
    try:
        return str(orjson.loads(body).get("__type", "")).rpartition("#")[2][:80]
    except (ValueError, AttributeError):
        return ""
