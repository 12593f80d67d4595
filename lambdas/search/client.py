"""The one way to OpenSearch: signed over https, plain to this machine and to nowhere else.

What is signed is what AWS asks for (https://docs.aws.amazon.com/opensearch-service/latest/developerguide/request-signing.html):
Signature Version 4 by the credentials of the function, for service `es` (a domain) or `aoss` (a serverless collection).
Retries are the caller's: it knows how long it may wait.
"""

from __future__ import annotations

import logging
import os
from typing import Any, Final, Literal, cast
from urllib.parse import urlsplit

import boto3
from opensearchpy import OpenSearch, Urllib3AWSV4SignerAuth

Service = Literal["es", "aoss"]

SECONDS: Final = 30
"""After so long without a byte a request has failed."""
_LOOPBACK: Final = "127.0.0.1"


class EndpointError(ValueError):
    """An endpoint that we do not send to; says which are right."""


def is_loopback(endpoint: str) -> bool:
    """Whether the endpoint is a server of this machine, which has neither TLS nor users."""
    parts = urlsplit(endpoint)
    return parts.scheme == "http" and parts.hostname == _LOOPBACK


def open_client(endpoint: str, service: str) -> OpenSearch:
    """Return a client. It makes no call. EndpointError for anything but https and http on 127.0.0.1.

    Args:
        endpoint: as `https://search-logs-….es.amazonaws.com`; a path is not taken.
        service: es or aoss.
    """
    parts = urlsplit(endpoint)
    secure = parts.scheme == "https"
    if service not in ("es", "aoss"):
        raise EndpointError(f"service {service!r} is neither es nor aoss")
    if not parts.hostname or parts.path.strip("/") or not (secure or is_loopback(endpoint)):
        raise EndpointError(f"endpoint {endpoint!r} is neither https://HOST nor http://{_LOOPBACK}:PORT")
    # It would warn of every 404, and most of what we ask for need not be there.
    logging.getLogger("opensearch").setLevel(logging.ERROR)
    port = parts.port or (443 if secure else 80)
    return OpenSearch(
        hosts=[{"host": parts.hostname, "port": port}],
        use_ssl=secure,
        verify_certs=secure,
        http_auth=_signer(service) if secure else None,
        timeout=SECONDS,
        max_retries=0,
    )


def _signer(service: str) -> Any:  # noqa: ANN401 - opensearch-py says no more of what it takes
    session = boto3.Session()
    region = os.environ.get("AWS_REGION") or session.region_name
    return cast(Any, Urllib3AWSV4SignerAuth)(session.get_credentials(), region, service)
