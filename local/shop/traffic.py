"""Customers: real HTTP requests to the shop's front, a bounded number, at a rate, in a seeded mix.

Mechanism: requests are made one after another at their due times; the mix depends on the seed alone, so a
run can be repeated. Cost: a slow front delays the requests after it (this drives a demo and measures
nothing).
"""

import http.client
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from urllib.parse import urlencode, urlsplit

from local.shop.catalogue import CUSTOMERS, FREE_COUPON, PRODUCTS

# Of a hundred requests: look around, look at a product, buy, follow a dead link, buy for nothing.
MIX = {"home": 25, "product": 33, "buy": 32, "missing": 8, "free": 2}
USER_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1",
    'curl/8.5.0 "quoted"',
)
TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request of a customer."""

    method: str
    path: str
    user_agent: str
    referrer: str


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the front answered: how many requests, and how many per status."""

    requests: int
    statuses: dict[int, int]


def drive(
    front_url: str,
    *,
    requests: int,
    rate: float,
    seed: int = 0,
    progress: Callable[[int], None] = lambda _: None,
) -> Traffic:
    """Send `requests` requests at `rate` per second to the front (`http://host:port`).

    `progress` is told how many are done. Raises OSError when the front does not answer.
    """
    address = urlsplit(front_url).netloc
    statuses: Counter[int] = Counter()
    started = time.monotonic()
    for number, request in enumerate(islice(plan_requests(seed), requests)):
        time.sleep(max(0.0, started + number / rate - time.monotonic()))
        statuses[_ask(address, request)] += 1
        progress(number + 1)
    return Traffic(requests=requests, statuses=dict(sorted(statuses.items())))


def plan_requests(seed: int) -> Iterator[Request]:
    """The endless sequence of requests that belongs to a seed."""
    chance = random.Random(seed)  # noqa: S311 - a repeatable mix, not a secret
    while True:
        (kind,) = chance.choices(list(MIX), weights=list(MIX.values()))
        product, customer = chance.choice(PRODUCTS), chance.choice(CUSTOMERS)
        order = {"sku": product.sku, "quantity": chance.randint(1, 5), "customer": customer}
        method, path = {
            "home": ("GET", "/"),
            "product": ("GET", f"/products/{product.sku}"),
            "buy": ("POST", f"/buy?{urlencode(order)}"),
            "missing": ("GET", f"/wp-admin/{chance.randint(1, 999)}.php"),
            "free": ("POST", f"/buy?{urlencode({**order, 'coupon': FREE_COUPON})}"),
        }[kind]
        yield Request(
            method=method,
            path=path,
            user_agent=chance.choice(USER_AGENTS),
            referrer=chance.choice(("-", "https://shop.example/", "https://search.example/?q=tea")),
        )


def _ask(address: str, request: Request) -> int:
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT_SECONDS)
    try:
        headers = {"User-Agent": request.user_agent, "Referer": request.referrer}
        connection.request(request.method, request.path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()
