"""The shop for real: two processes, requests over HTTP, and what they print."""

import json
import re
import subprocess
import time
import urllib.request

import pytest

from local.process import free_port
from local.shop.orders import orders_command
from local.shop.traffic import drive
from local.shop.web import web_command

REQUESTS = 300
PATIENCE_SECONDS = 120
COMBINED = re.compile(r'^127\.0\.0\.1 - - \[[^]]+\] "(GET|POST) \S+ HTTP/1\.1" \d{3} \d+ "[^"]*" ".*"$')


def wait_until_healthy(url: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"{url}/health").close()
            return
        except OSError:
            assert time.monotonic() < deadline, f"{url} did not answer"
            time.sleep(0.05)


class Shop:
    """A run of the shop, and what its processes printed until they ended."""

    def __init__(self, folder):
        ports = {"orders": free_port(), "web": free_port()}
        urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        commands = {
            "orders": orders_command(ports["orders"]),
            "web": web_command(ports["web"], urls["orders"]),
        }
        running = []
        try:
            for name, command in commands.items():
                with (folder / f"{name}.out").open("wb") as out, (folder / f"{name}.err").open("wb") as err:
                    running.append(subprocess.Popen(command, stdout=out, stderr=err))
                wait_until_healthy(urls[name])
            self.traffic = drive(urls["web"], requests=REQUESTS, rate=1_000)
        finally:
            for process in reversed(running):
                process.terminate()
            self.statuses = [process.wait(PATIENCE_SECONDS) for process in running]
        self.printed = {path.name: path.read_bytes() for path in folder.iterdir()}

    def lines(self, name):
        return self.printed[name].decode().splitlines()


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return Shop(tmp_path_factory.mktemp("shop"))


def test_customers_meet_every_kind_of_answer(shop):
    assert shop.traffic.requests == sum(shop.traffic.statuses.values()) == REQUESTS
    assert set(shop.traffic.statuses) == {200, 201, 402, 404, 502}


def test_the_front_logs_each_request_in_the_combined_format(shop):
    lines = [line for line in shop.lines("web.out") if "/health" not in line]

    assert len(lines) == REQUESTS
    assert [line for line in lines if not COMBINED.match(line)] == []


def test_the_backend_logs_json_with_levels_nesting_and_unicode(shop):
    records = [json.loads(line) for line in shop.lines("orders.out")]

    assert {record["level"] for record in records} == {"debug", "info", "warning", "error"}
    assert any(record.get("customer", {}).get("name") == "Aiko 愛子" for record in records)
    assert "愛子" in shop.printed["orders.out"].decode()


def test_some_lines_are_too_long_for_one_record_of_a_container_runtime(shop):
    lengths = [len(line) for line in shop.printed["orders.out"].split(b"\n")]

    assert 36_000 < max(lengths) < 48_000
    assert sum(length > 16_384 for length in lengths) > 1


def test_a_failing_order_leaves_tracebacks_on_both_stderrs(shop):
    failures = shop.traffic.statuses[502]

    assert shop.lines("orders.err").count("ZeroDivisionError: integer division or modulo by zero") == failures
    assert sum("RemoteDisconnected" in line for line in shop.lines("web.err")) >= failures


def test_both_end_cleanly_and_say_so(shop):
    assert shop.statuses == [0, 0]
    assert json.loads(shop.lines("orders.out")[-1])["event"] == "stopped"
    assert "Shutting down: Master" in shop.lines("web.err")[-1]
