"""The API over TLS on loopback, the way SDKs and Fluent Bit insist on reaching it.

Fluent Bit's kinesis_firehose output always verifies: the certificate is for 127.0.0.1 and localhost,
made by an authority that exists for this run only and whose certificate is written to `ca_file`
(`tls.ca_file` there, `verify=` in boto3). Connections are kept alive; each call occupies one of a fixed
number of threads, so that many hanging calls exhaust the server as they would exhaust a client's pool.

A client that is told one address for all of AWS sends calls of Kinesis here too; they are handed on as they came.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from threading import Thread
from typing import Any

import trustme
import urllib3
from cheroot.ssl.builtin import BuiltinSSLAdapter
from cheroot.wsgi import Server as WSGIServer

from local.firehose.engine import Firehose
from local.firehose.wire import CONTENT_TYPE, Response, answer

HOST = "127.0.0.1"
_THREADS = 16
# A call's 4 MiB take a third more in base64, and the names around each record; beyond is no client's doing.
_BODY_BYTES = 16 * 1024 * 1024
_KINESIS = "Kinesis_"
_HANDED_ON = ("Authorization", "X-Amz-Date", "X-Amz-Target", "X-Amz-Security-Token")
_PASSED_SECONDS = 30
_GONE = "peer dropped the TLS connection"


@dataclass(frozen=True)
class Certificate:
    """A server certificate and the authority that vouches for it, as PEM files."""

    ca_file: Path
    chain_file: Path
    key_file: Path


@dataclass(frozen=True)
class Server:
    """A server that is running."""

    host: str
    port: int
    ca_file: Path

    @property
    def url(self) -> str:
        """What AWS_ENDPOINT_URL_FIREHOSE is to be."""
        return f"https://{self.host}:{self.port}"


def make_certificate(directory: Path) -> Certificate:
    """Make a certificate for this machine's loopback and write it to `directory`."""
    certificate = Certificate(
        ca_file=directory / "ca.pem", chain_file=directory / "server.pem", key_file=directory / "server.key"
    )
    authority = trustme.CA()
    issued = authority.issue_cert(HOST, "localhost")
    directory.mkdir(parents=True, exist_ok=True)
    authority.cert_pem.write_to_path(certificate.ca_file)
    certificate.chain_file.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    certificate.key_file.touch(mode=0o600)
    issued.private_key_pem.write_to_path(certificate.key_file)
    return certificate


@contextmanager
def serve(
    firehose: Firehose, *, certificate: Certificate, port: int = 0, kinesis: str | None = None
) -> Iterator[Server]:
    """Serve `firehose` on `port` of loopback (0: a free one) and stop at the end of the block.

    `kinesis` is the URL of who answers calls of Kinesis Data Streams. Raises OSError if the port is taken.
    """
    server = _Server((HOST, port), _application(firehose, kinesis), numthreads=_THREADS, max=_THREADS)
    server.max_request_body_size = _BODY_BYTES
    server.ssl_adapter = BuiltinSSLAdapter(str(certificate.chain_file), str(certificate.key_file))
    server.prepare()
    thread = Thread(target=server.serve, name="firehose server", daemon=True)
    thread.start()
    try:
        yield Server(HOST, server.bind_addr[1], certificate.ca_file)
    finally:
        server.stop()
        thread.join()


class _Server(WSGIServer):
    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        """What went wrong, on standard error; a client that goes away in the middle of a handshake is nothing wrong."""
        if _GONE not in msg:
            super().error_log(msg, level, traceback)


def _application(firehose: Firehose, kinesis: str | None) -> Callable[..., Iterable[bytes]]:
    pool = urllib3.PoolManager(maxsize=_THREADS)

    def application(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        target, body = environ.get("HTTP_X_AMZ_TARGET", ""), environ["wsgi.input"].read()
        if kinesis is not None and target.startswith(_KINESIS):
            told = {name: environ.get(f"HTTP_{name.upper().replace('-', '_')}", "") for name in _HANDED_ON}
            kept = {"Content-Type": environ.get("CONTENT_TYPE", ""), **told}
            passed = pool.request("POST", kinesis, body=body, headers=kept, retries=False, timeout=_PASSED_SECONDS)
            response = Response(passed.status, passed.data)
        else:
            response = answer(firehose, target=target, body=body)
        status = HTTPStatus(response.status)
        headers = [
            ("Content-Type", CONTENT_TYPE),
            ("Content-Length", str(len(response.body))),
            ("x-amzn-RequestId", str(uuid.uuid4())),
        ]
        start_response(f"{status.value} {status.phrase}", headers)
        return [response.body]

    return application
