"""A stand-in for the API of Kinesis Data Streams over TLS: it keeps what is put, and refuses what it is told to."""

import base64
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aws_kinesis_agg.deaggregator import deaggregate_records
from cheroot.ssl.builtin import BuiltinSSLAdapter
from cheroot.wsgi import Server

from local.firehose import make_certificate


class KinesisStandIn:
    """What was put, by stream: the data of each record, aggregates and all."""

    def __init__(self) -> None:
        self.records: dict[str, list[bytes]] = {}
        self.calls = 0
        self.throttled = False
        self.fail_every = 0
        self._lock = threading.Lock()
        self.port = 0
        self.ca_file = Path()

    def members(self, stream: str) -> list[dict[str, Any]]:
        """The lines of a stream, parsed: aggregates taken apart, packed lines too."""
        records = [
            {
                "kinesis": {
                    "data": base64.b64encode(data).decode(),
                    "partitionKey": "p",
                    "sequenceNumber": "1",
                    "approximateArrivalTimestamp": 1,
                    "kinesisSchemaVersion": "1.0",
                },
                "eventID": "e",
                "eventSource": "s",
                "eventVersion": "v",
                "eventName": "n",
                "invokeIdentityArn": "i",
                "awsRegion": "r",
                "eventSourceARN": "a",
            }
            for data in self.records.get(stream, [])
        ]
        members = [base64.b64decode(record["kinesis"]["data"]) for record in deaggregate_records(records)]
        return [json.loads(line) for member in members for line in member.split(b"\n") if line]

    @contextmanager
    def serve(self, folder: Path) -> Iterator["KinesisStandIn"]:
        certificate = make_certificate(folder)
        self.ca_file = certificate.ca_file
        server = Server(("127.0.0.1", 0), self._answer)
        server.max_request_body_size = 16 * 1024 * 1024
        server.ssl_adapter = BuiltinSSLAdapter(str(certificate.chain_file), str(certificate.key_file))
        server.prepare()
        self.port = server.bind_addr[1]
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.stop()
            thread.join()

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        request = json.loads(environ["wsgi.input"].read())
        assert environ["HTTP_X_AMZ_TARGET"] == "Kinesis_20131202.PutRecords"
        with self._lock:
            self.calls += 1
            status, answer = self._put(request)
        body = json.dumps(answer).encode()
        headers = [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(body)))]
        start_response(status, headers)
        return [body]

    def _put(self, request: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        if self.throttled:
            return "400 Bad Request", {"__type": "ProvisionedThroughputExceededException", "message": "Slow down"}
        kept = self.records.setdefault(request["StreamName"], [])
        answers, failed = [], 0
        for number, record in enumerate(request["Records"], start=1):
            if self.fail_every and self.calls % 2 and number % self.fail_every == 0:
                answers.append({"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Slow down"})
                failed += 1
            else:
                kept.append(base64.b64decode(record["Data"]))
                answers.append({"SequenceNumber": str(len(kept)), "ShardId": "shardId-000000000000"})
        return "200 OK", {"FailedRecordCount": failed, "Records": answers}
