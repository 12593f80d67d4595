"""Where is sent to, and that what is sent is signed as AWS checks it."""

import hashlib
import ssl
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace

import pytest
import trustme
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lambdas.search.client import EndpointError, open_client

KEY, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI", "session-token"


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)


@pytest.fixture
def tls(tmp_path):
    """A server with a certificate that nobody trusts yet, which keeps what it is asked."""
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_any(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            requests.append(SimpleNamespace(method=self.command, target=self.path, headers=self.headers, body=body))
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_PUT = do_POST = do_any  # noqa: N815 - http.server's names

        def log_message(self, *_):
            pass

    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    url = f"https://127.0.0.1:{server.server_port}"
    yield SimpleNamespace(url=url, requests=requests, ca=str(tmp_path / "ca.pem"))
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://localhost:9200",
        "http://10.0.0.1:9200",
        "http://search.example.com",
        "http://127.0.0.1.example.com:9200",
        "http://127.0.0.1@example.com",
        "ftp://127.0.0.1",
        "https://",
        "https://search.example.com/path",
        "search.example.com",
        "",
    ],
)
def test_only_https_and_this_machine_are_sent_to(endpoint):
    with pytest.raises(EndpointError, match="neither"):
        open_client(endpoint, "es")


def test_this_machine_is_sent_to_unsigned(domain):
    open_client(domain.url, "es").transport.perform_request("GET", "/_plugins/_ism/policies/x", ignore=[404])
    assert "authorization" not in domain.headers
    assert KEY not in str(domain.headers)


@pytest.mark.parametrize("service", ["es", "aoss"])
@pytest.mark.parametrize(
    ("method", "path", "params", "body"),
    [
        ("GET", "/", None, None),
        ("PUT", "/_index_template/sluice-prod-web", None, {"index_patterns": ["sluice-prod-web-*"]}),
        ("GET", "/_cat/indices/a-*,b-*", {"format": "json", "h": "index"}, None),
        ("POST", "/_dashboards/api/saved_objects/_import", {"overwrite": "true"}, "é\r\n"),
    ],
)
def test_request_is_signed_as_aws_checks_it(  # noqa: PLR0917 - parameters
    tls, monkeypatch, service, method, path, params, body
):
    monkeypatch.setenv("SSL_CERT_FILE", tls.ca)
    open_client(tls.url, service).transport.perform_request(method, path, params=params, body=body)
    (sent,) = tls.requests
    assert sent.headers["x-amz-security-token"] == TOKEN
    assert sent.headers["x-amz-content-sha256"] == hashlib.sha256(sent.body).hexdigest()
    assert f"/eu-central-1/{service}/aws4_request" in sent.headers["authorization"]
    assert sent.headers["authorization"] == _signature(sent, service)


def _signature(sent, service):
    """What botocore signs the request with that the server got."""
    url = f"https://{sent.headers['host']}{urllib.parse.unquote(sent.target)}"
    request = AWSRequest(method=sent.method, url=url, data=sent.body or None)
    signer = SigV4Auth(Credentials(KEY, SECRET, TOKEN), service, "eu-central-1")
    request.headers["X-Amz-Date"] = sent.headers["x-amz-date"]
    request.headers["X-Amz-Security-Token"] = TOKEN
    request.context["timestamp"] = sent.headers["x-amz-date"]
    canonical = signer.canonical_request(request)
    string = signer.string_to_sign(request, canonical)
    signed = signer.signed_headers(signer.headers_to_sign(request))
    return (
        f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={signed}, "
        f"Signature={signer.signature(string, request)}"
    )


def test_server_that_is_not_who_it_says_is_not_sent_to(tls):
    with pytest.raises(Exception, match="certificate verify failed"):
        open_client(tls.url, "es").transport.perform_request("GET", "/")
    assert tls.requests == []
