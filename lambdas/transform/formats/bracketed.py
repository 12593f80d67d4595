"""Lines of loggers that begin with a time, or a level, in brackets.

    [2026-11-21 02:36:00 +0000] [31] [INFO] Starting gunicorn 23.0.0      gunicorn
    [2026-11-21 02:36:00,123] INFO [Broker id=1] Ready (kafka.server)     Kafka, Airflow
    [2026-11-21T02:36:00,123][INFO ][o.e.n.Node] [node] started           Elasticsearch, OpenSearch
    [2026-11-21 02:36:00.123][1][info][main] [source/server.cc:12] ready  Envoy itself
    [2026-11-21T02:36:00Z INFO  shop::pay] paid                           Rust's env_logger
    [2026-11-21 02:36:00,123: INFO/MainProcess] ready                     Celery
    [02:36:00 INF] paid                                                   Serilog's console
    [INFO] [main] paid · [ERROR] refused                                  Maven and many others
    [INFO]\t2026-11-21T02:36:00.123Z\t8f5a…\tpaid                         AWS Lambda, Python

https://docs.gunicorn.org/en/stable/settings.html#logging · https://docs.rs/env_logger
https://docs.celeryq.dev/en/stable/userguide/configuration.html#worker-log-format
https://github.com/serilog/serilog-sinks-console#output-templates
https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
"""

from __future__ import annotations

import re

from lambdas.transform.formats.found import UNREADABLE, Found
from lambdas.transform.formats.header import read_header
from lambdas.transform.formats.stamped import AFTER_SECOND, read_rest
from lambdas.transform.levels import read_level
from lambdas.transform.times import HOUR_LENGTH, add_fraction, read_time, utc_second

LEADS = "["

_SECOND_END = len("[2026-11-21 02:36:00")
_CLOCK_END = len("[02:36:00")
_CELERY = re.compile(r": ([A-Z]{4,8})/([\w.-]{1,80})\] ", re.ASCII)
_LAMBDA = re.compile(r"\[([A-Z]{4,8})\]\t([\d:.TZ-]{20,30})\t([0-9a-f-]{36})\t", re.ASCII)
_LONGEST_LEVEL = 20


def read_bracketed(text: str, observed: str) -> Found | None:
    """Read a line that begins with a time or a level in brackets."""
    if text[1:2].isdigit():
        return _read_time(text, observed)
    end = text.find("]", 2, _LONGEST_LEVEL)
    if end < 0:
        return None
    if found := _LAMBDA.match(text):
        attributes = {"faas.invocation_id": found[3]}
        return attributes, read_level(found[1]), read_time(found[2]) or UNREADABLE
    header = read_header(text, 0) if read_level(text[1:end]) else None
    return (*header, None) if header else None


def _read_time(text: str, observed: str) -> Found | None:
    hour = ""
    end = _SECOND_END
    if text[3:4] == ":":
        hour, end = observed[:HOUR_LENGTH], _CLOCK_END
    elif text[5:6] not in ("-", "/"):
        return None
    after = AFTER_SECOND.match(text, end)
    if after is None:
        return None
    digits, zone, unknown_zone = after.groups()
    utc = utc_second(text[1:end], zone or "", hour)
    if utc is None:
        return None
    time = UNREADABLE if unknown_zone else add_fraction(utc, digits or "")
    start = after.end()
    if celery := _CELERY.match(text, start):
        return {"process.name": celery[2]}, read_level(celery[1]), time
    closes = text[start : start + 1] == "]"
    found = read_rest(text, start + closes, time)
    # A clock alone in brackets is no evidence.
    return None if hour and found[1] is None else found
