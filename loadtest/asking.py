"""A domain or a collection, asked: signed as AWS wants it, with what boto3 brings along.

Signature Version 4, https://docs.aws.amazon.com/opensearch-service/latest/developerguide/request-signing.html; plain to
this machine and to nowhere else. A collection wants the body's hash as a header besides.
https://docs.aws.amazon.com/opensearch-service/latest/developerguide/serverless-clients.html#serverless-signing
"""

import hashlib
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session

SECONDS: Final = 30

Post = Callable[[str, bytes], tuple[int, bytes]]
"""Sends a body of JSON to a path: the status and the answer. Raises OSError or botocore's errors."""


class SearchError(Exception):
    """OpenSearch did not answer a query; says how it answered."""


def poster(endpoint: str, service: str) -> Post:
    """What sends to a domain (`es`), a collection (`aoss`) or, unsigned, to http://127.0.0.1."""
    parts = urlsplit(endpoint)
    is_local = parts.scheme == "http" and parts.hostname == "127.0.0.1"
    if parts.scheme != "https" and not is_local:
        raise ValueError(f"{endpoint!r} is neither https://HOST nor http://127.0.0.1:PORT")
    session = boto3.Session()
    http = URLLib3Session(timeout=SECONDS)

    def post(path: str, body: bytes) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json", "X-Amz-Content-SHA256": hashlib.sha256(body).hexdigest()}
        request = AWSRequest("POST", endpoint + path, data=body, headers=headers)
        if not is_local:
            credentials = session.get_credentials()
            if credentials is None:
                raise SearchError("there are no credentials to sign with")
            SigV4Auth(credentials, service, session.region_name).add_auth(request)
        answer = http.send(request.prepare())
        return answer.status_code, answer.content

    return post
