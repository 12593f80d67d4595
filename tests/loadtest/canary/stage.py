"""Two routes to S3 and one to OpenSearch, a bucket, and what a document of a tracer looks like."""

import base64
import gzip
import json
import time

from loadtest.canary.settings import Route, Settings

BUCKET = "shop-logs"
WEB = Route(name="web", tag="web-c", kind="s3", place="logs/route=web/", expected=10, found_after=5)
REST = Route(name="catch-all", tag="rest", kind="s3", place="logs/route=catch-all/", expected=10, found_after=5)
FOUND = Route(name="found", tag="found-c", kind="search", place="shop-prod-found", expected=20, found_after=15)


def settings_of(*routes, **other):
    told = {
        "system": "shop-prod",
        "bucket": BUCKET,
        "search": None,
        "run": 0xABCDEF01,
        "host": "127.0.0.1",
        "ports": (24224,),
        "per_minute": 2,
        "margin": 5,
        "read_bytes": 1024 * 1024,
    }
    return Settings(**{**told, **other}, routes=routes)


SETTINGS = settings_of(WEB, REST)


def document(route, sequence, *, due, event_id="0123456789abcdef", settings=SETTINGS, **other):
    marker = settings.marker(route, sequence, due).decode()
    return {"tag": route.tag, "body": f"tracer {marker}", "event_id": event_id, **other}


class Bucket:
    """What the tests put where Firehose would."""

    def __init__(self, client):
        self.client = client

    def deliver(self, route, *documents, name="one", at=None, raw=None):
        lines = "".join(f"{json.dumps(each)}\n" for each in documents).encode()
        folder = time.strftime("year=%Y/month=%m/day=%d/hour=%H/", time.gmtime(at))
        self.put(f"{route.place}{folder}{name}", gzip.compress(lines) if raw is None else raw)

    def fail(self, route, data, *, reason="processing-failed"):
        folder = time.strftime("year=%Y/month=%m/day=%d/hour=%H/", time.gmtime())
        line = json.dumps({"rawData": base64.b64encode(data).decode(), "errorCode": "x"}).encode()
        self.put(f"failed/route={route.name}/reason={reason}/{folder}one", line)

    def put(self, key, body):
        self.client.put_object(Bucket=BUCKET, Key=key, Body=body)
