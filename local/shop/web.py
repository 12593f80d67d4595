"""The shop's front: a WSGI application behind gunicorn, which asks the orders service.

Mechanism: gunicorn writes its access log to stdout in Apache's combined format and its error log to
stderr; nothing else is printed. Bound to 127.0.0.1.

Pages: `GET /`, `GET /products/<sku>`, `POST /buy?sku=&quantity=&customer=&coupon=`, `GET /health`.
"""

import html
import http.client
import json
import logging
import sys
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from local.shop.catalogue import BY_SKU, PRODUCTS

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

ORDER_TIMEOUT_SECONDS = 10
Page = tuple[HTTPStatus, str]
Shop = Callable[["WSGIEnvironment", "StartResponse"], Iterable[bytes]]

# gunicorn's own error log, where a WSGI application behind it reports.
log = logging.getLogger("gunicorn.error")


def web_command(port: int, orders_url: str) -> list[str]:
    """The argument list that starts the front on 127.0.0.1:`port`. It ends cleanly on SIGTERM.

    `orders_url` is the orders service's, `http://host:port`.
    """
    return [
        *(sys.executable, "-u", "-m", "gunicorn"),
        *("--bind", f"127.0.0.1:{port}", "--workers", "2", "--no-control-socket"),
        *("--access-logfile", "-", "--error-logfile", "-"),
        f"local.shop.web:create_shop({orders_url!r})",
    ]


def create_shop(orders_url: str) -> Shop:
    """The WSGI application."""
    orders = urlsplit(orders_url).netloc

    def shop(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if (method, path) == ("POST", "/buy"):
            status, page = buy(orders, parse_qs(environ["QUERY_STRING"]))
        else:
            status, page = browse(path)
        body = page.encode()
        headers = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))]
        start_response(f"{status.value} {status.phrase}", headers)
        return [body]

    return shop


def browse(path: str) -> Page:
    """A page that only shows something."""
    if path == "/health":
        return HTTPStatus.OK, "healthy"
    if path == "/":
        return HTTPStatus.OK, "".join(f"<li>{html.escape(product.name)}</li>" for product in PRODUCTS)
    product = BY_SKU.get(path.removeprefix("/products/"))
    if product is None:
        return HTTPStatus.NOT_FOUND, "no such page"
    return HTTPStatus.OK, f"<h1>{html.escape(product.name)}</h1> {product.cents / 100:.2f} EUR"


def buy(orders: str, query: dict[str, list[str]]) -> Page:
    """Place an order at the service; its refusals are ours, its failures a bad gateway."""
    try:
        order = {
            "sku": query["sku"][0],
            "quantity": int(query["quantity"][0]),
            "customer": query["customer"][0],
            "coupon": query.get("coupon", [None])[0],
        }
    except (KeyError, ValueError):
        return HTTPStatus.BAD_REQUEST, "an order needs sku, quantity and customer"
    connection = http.client.HTTPConnection(orders, timeout=ORDER_TIMEOUT_SECONDS)
    try:
        connection.request("POST", "/orders", json.dumps(order), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return HTTPStatus(answer.status), answer.read().decode()
    except (OSError, http.client.HTTPException):
        log.exception("the orders service at %s failed", orders)
        return HTTPStatus.BAD_GATEWAY, "the order could not be placed"
    finally:
        connection.close()
