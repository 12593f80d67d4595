"""Firehose's side of the contract, and a document to run a step on."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from lambdas.transform.document import Document, Resource, Source

ARRIVAL_MS = 1_795_228_590_123
OBSERVED = "2026-11-21T02:36:00.123456789Z"

Event = dict[str, Any]


@pytest.fixture(scope="session")
def make_event() -> Callable[..., Event]:
    """Wrap data as Firehose does: one record each, with ids as long as its own."""

    def make(*datas: bytes) -> Event:
        return {
            "invocationId": "a1b2c3d4-0000-4000-8000-000000000000",
            "deliveryStreamArn": "arn:aws:firehose:eu-central-1:111122223333:deliverystream/shop-prod-web",
            "region": "eu-central-1",
            "records": [
                {
                    "recordId": f"{49660:<050d}{number:06d}",
                    "approximateArrivalTimestamp": ARRIVAL_MS,
                    "data": base64.b64encode(data).decode(),
                }
                for number, data in enumerate(datas)
            ],
        }

    return make


@pytest.fixture(scope="session")
def make_document() -> Callable[..., Document]:
    """Make a document as parsing does, with this body and these attributes."""

    def make(body: Any, *, attributes: dict[str, Any] | None = None, tag: str | None = None) -> Document:
        source = Source(resource=Resource({}), tag=tag, attributes=attributes or {}, shared=b"")
        return Document(source, OBSERVED, body, "0" * 32)

    return make
