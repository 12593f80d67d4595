"""The rendered configuration, run by a real Fluent Bit."""

import re
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from sluice import fluent_bit
from sluice.model import Deployment

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.fluent_bit

HEALTHCHECK = ROOT / "fluentbit-image" / "healthcheck.sh"
ACKNOWLEDGED = b"\x81\xa3ack\xa3one"


def test_dry_run_takes_the_committed_configuration(fluent_bit_5: str, here: Deployment, tmp_path: Path) -> None:
    places = fluent_bit.Places(home=str(ROOT / "fluentbit-image"), buffer=str(tmp_path))
    config = tmp_path / "fluent-bit.yaml"
    config.write_text(fluent_bit.as_yaml(fluent_bit.sections(here, places, fluent_bit.Abilities())))
    told = subprocess.run(
        [fluent_bit_5, "-c", str(config), "--dry-run"],
        env={"AWS_REGION": "us-east-1", **fluent_bit.environment(here)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
    assert "configuration test is successful" in told.stderr + told.stdout


TAGS = {
    b"frontend": "frontend",
    b"frontend-web": "frontend",
    b"frontend\nweb": "frontend",
    b"frontend\xff": "frontend",
    b"backend-firelens-0123": "backend",
    b"Backend": "catch-all",
    b"xfrontend": "catch-all",
    b"\nfrontend": "catch-all",
    b"\xff\xfe": "catch-all",
    b"\xe2": "catch-all",
    b"\xe2\x82": "catch-all",
    b"web\xe2": "catch-all",
    b"\x80": "catch-all",
    b"\xf0\x9f\x99": "catch-all",
    b"\xc3\xa4\xf0": "catch-all",
    b"nul\x00nul": "catch-all",
    b"": "catch-all",
    b"\x00": "catch-all",
    b"\x00frontend": "catch-all",
    b"in.frontend": "catch-all",
    "größe".encode(): "catch-all",
    b"two words": "catch-all",
    b"a\nb\nc": "catch-all",
    b"*": "catch-all",
    b"x" * 2000: "catch-all",
    b"sluice.health": "",
}


def test_every_acknowledged_tag_has_exactly_one_route(start) -> None:
    """An acknowledged record whose tag no output matches would be dropped in silence."""
    aggregator = start()
    for number, tag in enumerate(TAGS):
        assert aggregator.send(tag, {"number": number}) == ACKNOWLEDGED
    written = aggregator.written()
    where = {record["number"]: route for route, records in written.items() for record in records}
    assert where == {number: route for number, route in enumerate(TAGS.values()) if route}
    assert sum(len(records) for records in written.values()) == len(where)


RECORDS: list[dict[str, object]] = [
    {"log": "plain", "container_id": "c" * 64},
    {"log": 'größe 🙂 \x01 " \\ /', "empty": ""},
    {"list": [], "map": {}, "nested": {"list": [1, [2, {"three": 3}]], "none": None}},
    {"none": None, "yes": True, "no": False, "negative": -5, "half": 0.5},
    {"zero": 0, "exact": 2**53 - 1},
]


def test_records_come_out_as_they_went_in_with_their_tag(start) -> None:
    aggregator = start()
    spoofed = [{**record, "_tag": "another", "_time": "another"} for record in RECORDS]
    aggregator.send(b"backend-orders", *RECORDS, *spoofed)
    expected = [{**record, "_tag": "backend-orders"} for record in RECORDS]
    assert aggregator.written()["backend"] == [*expected, *expected]


def test_each_record_gets_its_own_tag_whoever_sent_before_it(start) -> None:
    aggregator = start()
    tags = ["backend-one", "backend-two", "backend-one", "backend"]
    for tag in tags:
        aggregator.send(tag.encode(), {"log": tag}, {"log": tag})
    written = aggregator.written()["backend"]
    assert len(written) == 2 * len(tags)
    assert all(record["_tag"] == record["log"] for record in written)


ODD_BYTES = [
    b"caf\xe9 \xff\xfe",
    b"\xc0\xafz \xe0\x80\xaf \xf8\x88\x80\x80\x80",
    b"\xed\xa0\x80 surrogate \xf4\x90\x80\x80 \xf5",
    "größe 🙂 日本".encode() + b"\x80",
    "cut 🙂".encode()[:-1],
    "cut 🙂".encode()[-1:],
    b"\xe2\x82\xe2\x82\xac\xc3",
    "\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff".encode(),
]


def test_bytes_that_are_not_utf8_are_spelled_and_not_left_out(start) -> None:
    """JSON cannot carry them: Fluent Bit would leave them out, or put U+FFFD in their place."""
    aggregator = start()
    aggregator.send(b"backend", *[{"log": line} for line in ODD_BYTES])
    written = [record["log"] for record in aggregator.written()["backend"]]
    assert written == [line.decode("utf-8", "backslashreplace") for line in ODD_BYTES]


HARD_TO_HOLD = [2**53, 2**53 + 1, 2**63 - 1, 2**64 - 1, -(2**53) - 1, {"deep": [2**60 + 1]}]


def test_a_number_that_lua_cannot_hold_goes_before_the_tag(start) -> None:
    aggregator = start()
    records = [{"log": "big", "value": value} for value in HARD_TO_HOLD]
    aggregator.send(b"backend-orders", *records)
    assert aggregator.written()["backend"] == records


@pytest.mark.parametrize("forged", [{"_tag": "another"}, {"_time": "another"}, {"_tag": None}], ids=str)
def test_our_own_names_go_before_the_last_digits_of_such_a_number(start, forged: dict[str, object]) -> None:
    """No client may pass for another one, and none but it loses by that."""
    aggregator = start()
    aggregator.send(b"backend-orders", *[{"log": "big", "value": value, **forged} for value in HARD_TO_HOLD])
    written = aggregator.written()["backend"]
    assert [record["_tag"] for record in written] == ["backend-orders"] * len(HARD_TO_HOLD)
    assert all(set(record) == {"log", "value", "_tag"} for record in written)
    rounded = [2**53, 2**53, "beyond 2^63", "beyond 2^63", -(2**53), {"deep": [2**60]}]
    assert [record["value"] for record in written] == rounded


def test_a_number_among_our_names_is_no_reason_to_pass_a_record_on_untouched(start) -> None:
    aggregator = start()
    aggregator.send(b"backend-orders", {"log": "mine", "exact": 7, "_time": 2**60, "_tag": {"deep": 2**60}})
    assert aggregator.written()["backend"] == [{"log": "mine", "exact": 7, "_tag": "backend-orders"}]


def test_a_number_as_a_key_neither_costs_other_keys_nor_fills_the_memory(start) -> None:
    """To Fluent Bit a Lua table with such a key is a list, with a null for every number that is not there."""
    aggregator = start()
    values: list[object] = [{1: "one", "two": 2}, {10**9: "far"}, {3: "three"}, [1, [2, {"three": 3}]]]
    records = [{"log": "map", "value": value} for value in values]
    aggregator.send(b"backend", *records, *[{**record, "_tag": "another"} for record in records], {1: "top", "log": ""})
    told = [{"1": "one", "two": 2}, {"1000000000": "far"}, {"3": "three"}, [1, [2, {"three": 3}]]]
    expected = [{"log": "map", "value": value, "_tag": "backend"} for value in told]
    assert aggregator.written()["backend"] == [*expected, *expected, {"1": "top", "log": "", "_tag": "backend"}]


def test_numbers_that_json_does_not_have_are_written_by_name(start) -> None:
    aggregator = start()
    odd = {"log": "odd", "top": float("nan"), "deep": [float("inf"), {"deeper": float("-inf")}]}
    named = {"log": "odd", "top": "NaN", "deep": ["Infinity", {"deeper": "-Infinity"}], "_tag": "backend"}
    aggregator.send(b"backend", odd, {**odd, "_tag": "another"}, {**odd, "_tag": "another", "big": 2**60})
    assert aggregator.written()["backend"] == [named, named, {**named, "big": 2**60}]


@pytest.mark.parametrize("length", [*range(18), 31, 32, 33, 900, 901])
def test_an_odd_byte_is_found_wherever_it_stands(start, length: int) -> None:
    """Strings are looked through sixteen bytes at a time, and what is left over byte by byte."""
    aggregator = start()
    texts = [b"x" * at + b"\xff" + b"x" * (length - at) for at in range(min(length, 40) + 1)]
    aggregator.send(b"backend", *[{"log": text} for text in (*texts, b"x" * length, b"\x00\x7f" * length)])
    written = [str(record["log"]).encode() for record in aggregator.written()["backend"]]
    assert written == [*(text.replace(b"\xff", b"\\xff") for text in texts), b"x" * length, b"\x00\x7f" * length]


@pytest.mark.parametrize(
    "text",
    ["a" * 1_200_000, "\x01" * 400_000, "x" + "ä" * 400_000, "xyz" + "🙂" * 300_000, '"' * 700_000],
    ids=["ascii", "control", "two-byte", "four-byte", "quotes"],
)
def test_a_record_that_firehose_could_not_take_is_split(start, text: str) -> None:
    """The output would acknowledge it and drop it: Firehose takes 1,024,000 bytes of JSON."""
    aggregator = start()
    aggregator.send(b"backend", {"log": text, "container_id": "c1"}, {"log": "short"})
    *parts, short = aggregator.written()["backend"]
    assert short == {"log": "short", "_tag": "backend"}
    assert "".join(str(part["log"]) for part in parts) == text
    assert [part["partial_ordinal"] for part in parts] == [str(n + 1) for n in range(len(parts))]
    assert [part["partial_last"] for part in parts] == ["false"] * (len(parts) - 1) + ["true"]
    assert {(part["partial_message"], part["partial_id"], part["container_id"]) for part in parts} == {
        ("true", parts[0]["partial_id"], "c1")
    }


@pytest.mark.parametrize("nanoseconds", [True, False], ids=["carry", "carry_with_time"])
def test_its_parts_have_an_id_by_which_the_transformer_knows_them(start, nanoseconds: bool) -> None:
    """The time and the length: what `lambdas/transform/partial.py` takes for cut here, and puts together again."""
    aggregator = start(nanoseconds=nanoseconds)
    aggregator.send(b"backend", {"log": "a" * 1_200_000})
    ids = {part["partial_id"] for part in aggregator.written()["backend"]}
    assert len(ids) == 1
    assert re.fullmatch(r"\d+\.\d{9}-1200000", str(ids.pop()))


def test_a_long_record_that_fits_stays_whole(start) -> None:
    aggregator = start()
    aggregator.send(b"backend", {"log": "a" * 800_000})
    assert aggregator.written()["backend"] == [{"log": "a" * 800_000, "_tag": "backend"}]


def healthy(port: int, metrics_port: int) -> bool:
    command = [str(HEALTHCHECK), str(port), str(metrics_port)]
    return subprocess.run(command, check=False, capture_output=True, timeout=120).returncode == 0


def test_health_is_a_record_taken_and_nobody_receives_it(start) -> None:
    aggregator = start()
    assert healthy(aggregator.port, aggregator.metrics_port)
    aggregator.send(b"other", {"log": "mine"})
    assert aggregator.written() == {"catch-all": [{"log": "mine", "_tag": "other"}]}


def test_a_wedged_or_missing_aggregator_is_not_healthy(start) -> None:
    aggregator = start()
    aggregator.process.send_signal(signal.SIGSTOP)  # it still has its sockets, as a wedged one has
    while psutil.Process(aggregator.process.pid).status() != psutil.STATUS_STOPPED:
        time.sleep(0.01)
    assert not healthy(aggregator.port, aggregator.metrics_port)
    aggregator.process.send_signal(signal.SIGCONT)
    assert healthy(aggregator.port, aggregator.metrics_port)
    aggregator.stop()
    assert not healthy(aggregator.port, aggregator.metrics_port)


def test_an_aggregator_that_holds_back_is_healthy(start) -> None:
    """It is full of logs that Firehose does not take: to replace it would lose them."""
    aggregator = start(chunks=2, blocked=True)
    acknowledged = 0
    for _ in range(200):
        try:
            answer = aggregator.send(b"backend", *[{"log": "x" * 10_000}] * 90, patience=10)
        except OSError:
            answer = b""
        if answer != ACKNOWLEDGED:
            break
        acknowledged += 1
        time.sleep(0.05)
    assert 0 < acknowledged < 200
    assert healthy(aggregator.port, aggregator.metrics_port)
