"""Lines as applications write them: plain ones, access logs, structured ones, stack traces, and ones that are too long.

Each function makes the texts of one line or trace, in the order in which they are sent. A line is exactly as long as is
asked for, or as its format needs at least: 39 bytes more than its words for the marker, some 200 for an access log line
and 330 for a structured one. Lines of a trace and parts of a long line have lengths of their own.
"""

import json
from random import Random
from typing import Final

from loadtest.lines import PART_BYTES
from loadtest.messages.text import ACCESS_CLOCK, ISO_CLOCK, MARK, Prose, Text

_LEVELS: Final = ("DEBUG", "INFO", "INFO", "INFO", "INFO", "INFO", "WARN", "ERROR", "FATAL")
_LOGGERS: Final = ("shop.orders", "shop.cart", "shop.payments", "shop.search", "stock.sync", "http.access")
_METHODS: Final = ("GET", "GET", "GET", "GET", "POST", "PUT", "DELETE", "HEAD")
_STATUSES: Final = (200, 200, 200, 200, 200, 201, 204, 301, 304, 400, 401, 404, 429, 500, 502, 503)
_PATHS: Final = ("/", "/shop/cart", "/shop/items", "/api/v2/orders", "/search", "/static/app.js", "/health")
_REFERERS: Final = ("-", "https://shop.example/", "https://search.example/?q=tea+pots")
_AGENTS: Final = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "curl/8.8.0",
    "ELB-HealthChecker/2.0",
)
_FRAMES: Final = (3, 12)
_MOST_PARTS: Final = 4
_LEAST_REST: Final = 256


def text(random: Random, prose: Prose, size: int) -> list[Text]:
    """A line of words behind its level."""
    head = f"{random.choice(_LEVELS)} ".encode()
    room = size - len(MARK) - len(head) - 2
    before = random.randrange(room)
    return [Text(head + prose.cut(before) + b" " + MARK + b" " + prose.cut(room - before))]


def access(random: Random, prose: Prose, size: int) -> list[Text]:
    """A line of nginx's or Apache's combined log; what is missing from the size is a search in its query.

    https://httpd.apache.org/docs/current/mod/mod_log_config.html#formats
    """
    address = random.choice(("192.0.2", "198.51.100", "203.0.113"))
    user = random.choice(("-", "-", "-", "mia"))
    head = f"{address}.{random.randrange(256)} - {user} [{ACCESS_CLOCK.decode()} +0000] "
    request = f'"{random.choice(_METHODS)} {random.choice(_PATHS)}?trace={MARK.decode()}'
    status = random.choice(_STATUSES)
    length = 0 if status in {204, 304} else random.randrange(100_000)
    tail = f' HTTP/1.1" {status} {length} "{random.choice(_REFERERS)}" "{random.choice(_AGENTS)}"'
    query = b""
    if (room := size - len(head) - len(request) - len(tail)) >= len("&q=x"):
        query = b"&q=" + prose.cut(room - len("&q=")).replace(b" ", b"+")
    return [Text(head.encode() + request.encode() + query + tail.encode())]


def structured(random: Random, prose: Prose, size: int) -> list[Text]:
    """A JSON object as a logging library writes it: nested values, lists, numbers, null, and text beyond ASCII."""
    line = {
        "time": ISO_CLOCK.decode(),
        "level": random.choice(_LEVELS).lower(),
        "logger": random.choice(_LOGGERS),
        "message": prose.cut(random.randrange(10, 40)).decode().strip() or "-",
        "marker": MARK.decode(),
        "http": {
            "method": random.choice(_METHODS),
            "status": random.choice(_STATUSES),
            "path": random.choice(_PATHS),
            "duration_ms": random.randrange(1, 30_000) / 8,
        },
        "user": {
            "id": random.randrange(1_000_000),
            "roles": random.sample(["buyer", "seller", "café"], 2),
            "org": None,
        },
        "retry": random.choice((True, False)),
        "detail": "",
    }
    data = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode()
    detail = prose.cut(size - len(data))
    return [Text(data.removesuffix(b'"}') + detail + b'"}')]


def trace(random: Random, prose: Prose, size: int) -> list[Text]:  # noqa: ARG001 - a trace has a size of its own
    """A stack trace: one record for each of its lines, as a container runtime sends it."""
    start, frame = random.choice(
        (
            (
                "java.lang.IllegalStateException: {words} {mark}",
                "\tat com.example.shop.Orders.{mark}(Orders.java:{line})",
            ),
            ("TypeError: {words} {mark}", "    at Orders.{mark} (/app/shop/orders.js:{line}:12)"),
            (
                "System.InvalidOperationException: {words} {mark}",
                "   at Shop.Orders.{mark}(Order order) in /src/Orders.cs:line {line}",
            ),
        )
    )
    words = prose.cut(random.randrange(10, 60)).decode().strip()
    lines = [start, *[frame] * random.randrange(*_FRAMES)]
    written = [line.format(words=words, mark=MARK.decode(), line=random.randrange(1, 900)) for line in lines]
    return [Text(line.encode(), stream="stderr") for line in written]


def split(random: Random, prose: Prose, size: int) -> list[Text]:  # noqa: ARG001 - it is as long as its parts
    """A line of more than 16 KiB, plain or JSON, in the parts that Docker makes of it, all ASCII."""
    count = random.randrange(2, _MOST_PARTS + 1)
    head, tail = random.choice(((b"report ", b""), (b'{"level":"info","message":"report","rows":"', b'"}')))
    lengths = [PART_BYTES] * (count - 1) + [random.randrange(_LEAST_REST, PART_BYTES)]
    parts: list[Text] = []
    for ordinal, length in enumerate(lengths, start=1):
        before, after = head if ordinal == 1 else b"", tail if ordinal == count else b""
        room = length - len(before) - len(after) - len(MARK) - 2
        cut = random.randrange(room)
        data = before + prose.cut(cut) + b" " + MARK + b" " + prose.cut(room - cut) + after
        parts.append(Text(data, part=(ordinal, count)))
    return parts
