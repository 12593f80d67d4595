"""The orders service: an HTTP backend that logs JSON to stdout, as a service in ECS does.

Mechanism: structlog writes one JSON object per line, flushed. Every `SNAPSHOT_EVERY` orders it logs its
whole inventory, a line of about 40 KB, which a container runtime cuts into parts. It has one real bug: an
order that costs nothing divides by zero in the loyalty points, so that the server's own traceback, plain
lines, goes to stderr and the customer's connection ends without an answer.

Endpoints: `GET /health`, `POST /orders` with {"customer", "sku", "quantity", "coupon"}.
"""

import argparse
import itertools
import json
import signal
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import structlog

from local.shop.catalogue import BY_SKU, FREE_COUPON, Product

SNAPSHOT_EVERY = 40
SHELVES = 500
DECLINED_ABOVE_CENTS = 25_000
SLOW_QUANTITY = 4

log = structlog.get_logger()
_order_numbers = itertools.count(1)


def orders_command(port: int) -> list[str]:
    """The argument list that starts the service on 127.0.0.1:`port`. It ends cleanly on SIGTERM."""
    return [sys.executable, "-u", "-m", "local.shop.orders", "--port", str(port)]


class OrdersHandler(BaseHTTPRequestHandler):
    """Answers with JSON; what goes wrong in it is the server's to report."""

    def do_GET(self) -> None:
        """Health."""
        known = self.path == "/health"
        self._answer(HTTPStatus.OK if known else HTTPStatus.NOT_FOUND, {"healthy": known})

    def do_POST(self) -> None:
        """Take an order."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, answer = take_order(asked)
        self._answer(status, answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's signature
        """The access log of a service whose front logs already."""
        log.debug("http", request=format % args, peer={"address": self.client_address[0]})

    def _answer(self, status: HTTPStatus, answer: dict[str, Any]) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def take_order(asked: dict[str, Any]) -> tuple[HTTPStatus, dict[str, Any]]:
    """Price an order, take or refuse it, and log what happened."""
    number = next(_order_numbers)
    order_log = log.bind(order_id=f"o-{number:06d}", customer={"name": asked["customer"], "vip": number % 7 == 0})
    if number % SNAPSHOT_EVERY == 0:
        log_inventory(number)
    product = BY_SKU.get(asked["sku"])
    if product is None:
        order_log.warning("unknown product", sku=asked["sku"])
        return HTTPStatus.UNPROCESSABLE_ENTITY, {"error": "unknown product"}
    total = price(product, quantity=asked["quantity"], coupon=asked["coupon"])
    points = loyalty_points(product, total)
    if total > DECLINED_ABOVE_CENTS:
        order_log.error("payment declined", amount=amount(total), reason={"code": "limit", "retry": False})
        return HTTPStatus.PAYMENT_REQUIRED, {"error": "payment declined"}
    if asked["quantity"] >= SLOW_QUANTITY:
        order_log.warning("stock is low", sku=product.sku, wanted=asked["quantity"], left=number % 5)
    order_log.info(
        "order taken", amount=amount(total), points=points, items=[{"sku": product.sku, "name": product.name}]
    )
    return HTTPStatus.CREATED, {"order": number, "cents": total}


def price(product: Product, *, quantity: int, coupon: str | None) -> int:
    """The total in cents."""
    return 0 if coupon == FREE_COUPON else product.cents * quantity


def loyalty_points(product: Product, total: int) -> int:
    """Points for an order: the bug lives here."""
    return 100 * product.cents // total


def amount(cents: int) -> dict[str, Any]:
    """An amount as it is logged."""
    return {"value": cents / 100, "currency": "EUR"}


def log_inventory(number: int) -> None:
    """The long line: every shelf of the warehouse."""
    products = itertools.cycle(BY_SKU.values())
    shelves = [
        {"shelf": f"{shelf:04d}", "sku": product.sku, "name": product.name, "left": (shelf * number) % 97}
        for shelf, product in zip(range(SHELVES), products, strict=False)
    ]
    log.info("inventory", shelves=shelves, after_order=number)


def configure_logging() -> None:
    """One JSON object per line on stdout, non-ASCII characters as they are."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(),
    )


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    configure_logging()
    server = ThreadingHTTPServer(("127.0.0.1", port), OrdersHandler)
    server.daemon_threads = False
    stop = threading.Thread(target=server.shutdown)
    signal.signal(signal.SIGTERM, lambda *_: stop.start())
    log.info("listening", port=port)
    server.serve_forever(poll_interval=0.05)
    server.server_close()
    log.info("stopped", orders=next(_order_numbers) - 1)


if __name__ == "__main__":
    main()
