"""`sluice transform` on real files: the handler's own answers, counted so that nothing goes missing."""

import base64
import gzip
import json
import math
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EVENT = ROOT / "tests" / "events" / "transform" / "docker_packed.json"
AS_DEPLOYED = """
import json, sys
from lambdas.transform.handler import handler
response = handler(json.load(open(sys.argv[1])), None)
print(json.dumps([answer.get("data") for answer in response["records"]]), file=sys.stderr)
"""


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def summary(result):
    return json.loads(result.stderr.splitlines()[-1])


def test_documents_are_the_handlers_own(sluice):
    """In a process of its own, that is told by its environment what the stack tells it."""
    rules = {"drop": [{"name": "health", "where": [{"field": "attributes.path", "equals": "/health"}]}]}
    rules |= {"redact": [{"pattern": "card"}]}
    environment = {"SLUICE_ROUTE": "web", "SLUICE_RULES": json.dumps(rules), "PYTHONPATH": str(ROOT)}
    told = subprocess.run(
        [sys.executable, "-c", AS_DEPLOYED, str(EVENT)], env=environment, capture_output=True, check=True
    ).stderr
    expected = b"".join(base64.b64decode(data) for data in json.loads(told.splitlines()[-1]) if data)

    result = sluice("transform", str(EVENT), "--route", "web")

    assert result.exit_code == 0, result.stderr
    assert result.stdout_bytes == expected


def test_a_routes_rules_apply_and_every_line_is_accounted_for(sluice):
    result = sluice("transform", "app.log", "--route", "web", "--json")

    documents, told = objects(result.stdout), summary(result)
    assert result.exit_code == 0
    assert "4111" not in result.stdout
    assert len(documents) == told["documents"] == 5
    assert (told["lines"], told["joined"], told["dropped"]) == (8, 2, {"health": 1})
    assert (told["redacted"], told["failed"], told["unaccounted"]) == ({"card": 1}, {}, 0)
    assert documents[0]["tag"] == "web"


def test_the_table_tells_the_same_on_standard_error(sluice):
    result = sluice("transform", "app.log", "--route", "web", width=80)

    assert re.search(r"^dropped +1 +health 1 *$", result.stderr, re.MULTILINE)
    assert re.search(r"^documents out +5 *$", result.stderr, re.MULTILINE)
    assert all(len(line) <= 80 for line in result.stderr.splitlines())
    assert len(objects(result.stdout)) == 5


@pytest.mark.parametrize(("options", "records"), [([], 8), (["--pack"], 1)], ids=["as the route says", "packed"])
def test_lines_are_packed_as_the_route_says_unless_told(sluice, options, records):
    assert summary(sluice("transform", "app.log", "--route", "bare", "--json", *options))["records"] == records


def test_a_batch_is_no_larger_than_the_route_gathers(sluice, tmp_path):
    (tmp_path / "many.log").write_text(("x" * 1000 + "\n") * 1000)

    told = summary(sluice("transform", "many.log", "--route", "bare", "--json"))

    assert told["records"] == told["lines"] == 1000
    each = told["bytes_in"] // 1000
    assert told["batches"] == math.ceil(1000 / (200_000 // each))


@pytest.mark.parametrize(("route", "resent"), [("searched", 5), ("folders", 4)])
@pytest.mark.parametrize("pack", ["--pack", "--no-pack"])
def test_what_is_sent_once_more_comes_back_and_is_written_once(sluice, route, resent, pack):
    result = sluice("transform", "app.log", "--route", route, "--json", pack)

    told = summary(result)
    packed = pack == "--pack"
    assert result.exit_code == 0
    assert len({each["event_id"] for each in objects(result.stdout)}) == len(objects(result.stdout))
    assert (told["lines"], told["documents"]) == (8, len(objects(result.stdout))) == (8, 6)
    assert (told["resent"], told["returned"]) == ((resent, resent) if packed else (0, 0))
    assert (told["batches"], told["records"], told["unaccounted"]) == (1, 1 if packed else 8, 0)


def test_a_route_to_opensearch_writes_what_opensearch_gets(sluice, tmp_path):
    (tmp_path / "told.log").write_text('{"msg": "slow", "took": 7, "queue.depth": "12"}\n')

    (document,) = objects(sluice("transform", "told.log", "--route", "searched").stdout)

    delay = document["attributes"]["log.record.delay"]
    assert document["numbers"] == {"took": 7, "queue.depth": 12, "log.record.delay": delay}
    assert document["attributes"]["queue.depth"] == "12"


def test_what_was_sent_once_more_and_the_folders_of_the_rest_are_in_the_table(sluice):
    result = sluice("transform", "app.log", "--route", "folders", "--pack")

    rows = dict(re.findall(r"^(\S.*?) {2,}([\d,]+) ", result.stderr, re.MULTILINE))
    assert (rows["sent once more"], rows["partition none"], rows["partition other"]) == ("4", "6", "1")


def test_hashes_need_no_aws_and_are_said_to_be_of_this_run(sluice):
    result = sluice("transform", "app.log", "--route", "hashed")

    assert "[redacted:card:" in result.stdout
    assert "throw-away key" in result.stderr


def test_failed_records_are_written_with_their_reasons_and_end_with_1(sluice, tmp_path):
    records = [{"recordId": "1", "data": "***"}, {"recordId": "2", "data": base64.b64encode(b"fine").decode()}]
    (tmp_path / "event.json").write_text(json.dumps({"records": records}))

    result = sluice("transform", "event.json", "--route", "web", "--failed", "failed.ndjson", "--json")

    assert result.exit_code == 1
    assert summary(result)["failed"] == {"not_base64": 1}
    (failed,) = objects((tmp_path / "failed.ndjson").read_text())
    assert (failed["recordId"], failed["reason"], failed["rawData"]) == ("1", "not_base64", "***")
    assert [each["body"] for each in objects(result.stdout)] == ["fine"]


def test_the_original_of_a_document_that_is_cut_is_in_a_folder(sluice, tmp_path):
    (tmp_path / "large.log").write_text(f"level=info msg={'x' * 700_000}\n")

    result = sluice("transform", "large.log", "--route", "web", "--at", "2026-11-21T02:36:00Z")

    (document,) = objects(result.stdout)
    assert len(result.stdout) <= 1_000_000
    key = document["attributes"]["log.record.original"].removeprefix("s3://")
    assert key.startswith("shop-dev-logs-")
    original = json.loads(gzip.decompress((tmp_path / ".sluice/transform" / key).read_bytes()))
    assert original["event_id"] == document["event_id"]
    assert "their originals are in .sluice/transform" in result.stderr


def test_a_line_beyond_a_firehose_record_comes_in_parts_and_whole(sluice, tmp_path):
    (tmp_path / "huge.log").write_text("a" * 1_100_000 + "\nnext\n")

    result = sluice("transform", "huge.log", "--route", "web", "--json")

    assert result.exit_code == 0
    assert summary(result)["lines"] == -(-1_100_000 // 16_384) + 1
    assert objects(result.stdout)[-1]["body"] == "next"
    assert "".join(each["body"] for each in objects(result.stdout)[:-1]).count("a") == 1_100_000


def test_output_goes_to_a_file_and_a_bad_one_is_told(sluice, tmp_path):
    assert sluice("transform", "app.log", "--route", "web", "--output", "out.ndjson").stdout == ""
    assert len(objects((tmp_path / "out.ndjson").read_text())) == 5

    result = sluice("transform", "app.log", "--route", "web", "--output", "nowhere/out.ndjson")
    assert result.exit_code == 2
    assert "name a file that can be written" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["app.log"], "--route"),
        (["app.log", "--route", "wob"], "there is no route 'wob'; there are web"),
        (["app.log", "--route", "web", "--env", "stage"], "there is no environment 'stage'; there are dev, prod"),
        (["nowhere.log", "--route", "web"], "name a file that can be read"),
    ],
)
def test_wrong_usage_ends_with_2(sluice, arguments, told):
    result = sluice("transform", *arguments)

    assert result.exit_code == 2
    assert told in result.stderr


def test_a_bad_configuration_is_told_with_its_line(sluice, tmp_path):
    (tmp_path / "sluice.yaml").write_text("name: shop\nenvironments: {dev: {}}\nroutes: [{name: a, match: 'x y'}]\n")
    result = sluice("transform", "app.log", "--route", "a")

    assert result.exit_code == 2
    assert "sluice.yaml:3: routes[0].match = 'x y'" in result.stderr


@pytest.mark.parametrize(
    "command",
    [["explain", "--limit", "1"], ["transform", "--route", "bare", "-o", "out"]],
    ids=["explain", "transform"],
)
def test_memory_does_not_grow_with_the_file(sluice, tmp_path, mixed, command):
    def peak(lines: int) -> int:
        (tmp_path / "many.log").write_text(mixed * (lines // 8))
        tracemalloc.start()
        assert sluice(*command, "many.log").exit_code == 0
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(8)
    assert peak(24_000) < 1.2 * peak(8_000)
