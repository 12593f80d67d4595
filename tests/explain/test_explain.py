"""`sluice explain` on real files: what it says is what the transformer did."""

import base64
import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import cramjam
import pytest
from aws_kinesis_agg.aggregator import RecordAggregator

EVENTS = Path(__file__).parents[1] / "events" / "decode"
LINE = '{"log":"WARN: disk","source":"stdout","container_name":"/x","_time":"2026-11-21T02:36:00.123456789Z"}\n'


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def explained(sluice, *arguments, data=None):
    result = sluice("explain", *arguments, "--json", data=data)
    assert result.exit_code == 0, result.output
    return objects(result.stdout)


def test_each_line_is_told_with_the_format_that_took_it(sluice):
    told = explained(sluice, "app.log")

    assert [(each["line"], each["lines"], each["format"]) for each in told] == [
        (1, 1, "access"),
        (2, 1, "json"),
        (3, 1, "logfmt"),
        (4, 3, None),
        (7, 1, None),
        (8, 1, "json"),
    ]
    access = told[0]
    assert access["attributes"]["http.response.status_code"] == 200
    assert access["time"] == {"value": "2026-11-21T02:36:00.000000000Z", "from": "text", "doubt": None}
    assert told[1]["severity"] == {"text": "ERROR", "number": 17, "from": "json"}


def test_a_line_is_given_whole_with_the_document_that_is_stored(sluice, mixed):
    for each, text in zip(explained(sluice, "app.log")[:3], mixed.splitlines(), strict=False):
        (document,) = each["documents"]
        assert each["text"] == text
        assert document["attributes"].items() >= each["attributes"].items()
        assert document["@timestamp"] == each["time"]["value"]


def test_it_is_said_why_a_time_is_not_believed(sluice):
    last = explained(sluice, "app.log", "--at", "2026-11-21T02:36:31Z")[-1]

    assert last["time"] == {"value": "2026-11-21T02:36:31.000008000Z", "from": None, "doubt": "before_2000"}
    assert "its own is before 2000" in sluice("explain", "app.log").stdout


def test_a_routes_rules_are_seen_at_the_lines_they_are_about(sluice):
    told = explained(sluice, "app.log", "--route", "web")

    assert [each["dropped_by"] for each in told] == [None, None, "health", None, None, None]
    assert told[2]["documents"] == []
    assert [each["redacted"] for each in told][1] == {"card": 1}
    assert told[1]["attributes"]["card"] == "[redacted:card]"
    assert "4111" not in json.dumps(told[1]["documents"])
    shown = sluice("explain", "app.log", "--route", "web").stdout
    assert "by health, so it is not stored" in shown


def test_a_documents_folder_is_told_where_a_route_has_folders(sluice, mixed):
    """In the order of the file, whatever groups a packed record would be sent in."""
    told = explained(sluice, "app.log", "--route", "folders")

    assert [each["text"] in mixed for each in told] == [True] * 6
    assert [(each["partition"]["level"], each["partition"]["method"]) for each in told] == [
        ("none", "other"),
        ("ERROR", "none"),
        ("INFO", "none"),
        ("none", "none"),
        ("none", "none"),
        ("WARN", "none"),
    ]
    assert all("partition" not in each for each in explained(sluice, "app.log", "--route", "searched"))
    shown = sluice("explain", "app.log", "--route", "folders").stdout
    assert re.search(r"^ +partition +level=none  method=other *$", shown, re.MULTILINE)


def test_a_route_to_opensearch_is_shown_with_what_opensearch_gets(sluice, tmp_path):
    (tmp_path / "told.log").write_text('{"msg": "slow", "took": 7, "queue.depth": "12"}\n')

    (told,) = explained(sluice, "told.log", "--route", "searched")

    assert told["documents"][0]["numbers"] == {"took": 7, "queue.depth": 12}
    assert '"numbers"' in sluice("explain", "told.log", "--route", "searched", "--full").stdout


def test_a_document_in_parts_is_told_with_all_of_them(sluice, tmp_path):
    text = (tmp_path / "sluice.yaml").read_text()
    (tmp_path / "sluice.yaml").write_text(text.replace("match: folders", "match: folders\n    oversize: split"))
    (tmp_path / "large.log").write_text(f"first\n{'x' * 1_000_000}\nlast\n")

    told = explained(sluice, "large.log", "--route", "folders")

    assert [len(each["documents"]) for each in told] == [1, 2, 1]
    assert [each["text"][:5] for each in told] == ["first", "xxxxx", "last"]


def test_a_route_without_steps_takes_no_format(sluice):
    told = explained(sluice, "app.log", "--route", "bare")

    assert [each["format"] for each in told] == [None] * 8


def test_a_person_is_shown_lines_in_blocks_and_formats_in_a_table(sluice):
    shown = sluice("explain", "app.log", width=80).stdout

    assert all(len(line) <= 80 for line in shown.splitlines())
    assert "format      access" in shown
    assert "3 lines of one stack trace" in shown
    assert "1 line matched no format" in shown
    assert "  Listening on port eight thousand\n" in shown
    assert re.search(r"^stack trace +3 +38%", shown, re.MULTILINE)
    assert "joined: 2 lines into the document of an earlier one" in shown


def test_the_limit_bounds_what_is_shown_and_not_what_is_counted(sluice):
    shown = sluice("explain", "app.log", "--limit", "1").stdout

    assert shown.count("severity ") == 1
    assert "and 5 more" in shown
    assert re.search(r"^json +2 +25%", shown, re.MULTILINE)


def test_full_cuts_nothing_and_shows_the_document(sluice, tmp_path):
    value = "x" * 300
    (tmp_path / "long.log").write_text(f"level=info msg={value}\n")

    cut, full = (sluice("explain", "long.log", *options, width=400).stdout for options in ([], ["--full"]))

    assert value not in cut.split("Format")[0].replace(f"level=info msg={value}", "")
    assert f"msg={value}" in full
    assert '"observedTimestamp"' in full


@pytest.mark.parametrize(
    "compress", [gzip.compress, lambda data: bytes(cramjam.zstd.compress(data))], ids=["gzip", "zstd"]
)
def test_a_compressed_file_of_lines_is_opened(sluice, tmp_path, mixed, compress):
    (tmp_path / "app.log.1").write_bytes(compress(mixed.encode()))

    assert [each["text"] for each in explained(sluice, "app.log.1")] == [
        each["text"] for each in explained(sluice, "app.log")
    ]


def test_standard_input_is_read(sluice):
    assert [each["text"] for each in explained(sluice, "-", data=b"one\ntwo")] == ["one", "two"]


def test_an_aggregate_is_taken_apart_and_said_to_be_one(sluice, tmp_path):
    aggregator = RecordAggregator()
    for _ in range(3):
        aggregator.add_user_record("key", gzip.compress(LINE.encode()))
    (tmp_path / "aggregate").write_bytes(aggregator.clear_and_get().get_contents()[2])

    told = explained(sluice, "aggregate")

    assert [each["decoders"] for each in told] == [["kpl", "gzip", "packed lines"]] * 3
    assert told[0]["text"] == "WARN: disk"


def test_records_of_a_shipper_are_taken_as_they_are(sluice, tmp_path):
    (tmp_path / "records.ndjson").write_text(LINE * 2)
    (tmp_path / "record.gz").write_bytes(gzip.compress(LINE.encode()))

    (first, _), (packed,) = explained(sluice, "records.ndjson"), explained(sluice, "record.gz")

    assert first["text"] == packed["text"] == "WARN: disk"
    assert first["documents"][0]["resource"]["container"]["name"] == "x"
    assert (first["decoders"], packed["decoders"]) == (["packed lines"], ["gzip", "plain line"])


def test_what_a_file_holds_can_be_said(sluice, tmp_path):
    (tmp_path / "records.ndjson").write_text(LINE)

    assert explained(sluice, "records.ndjson", "--as", "lines")[0]["format"] == "json → levelled"
    (array,) = {tuple(each["decoders"]) for each in explained(sluice, "-", "--as", "data", data=b'[{"a":1},{"b":2}]')}
    assert array == ("json array",)


@pytest.mark.parametrize(
    ("name", "decoders"),
    [
        ("go_kinesis_zlib_kpl", ["kpl", "zlib", "packed lines"]),
        ("fluent_bit_snappy_agg", ["snappy", "packed lines"]),
        ("fluent_bit_zstd", ["zstd", "plain line"]),
        ("cloudwatch_logs", ["gzip", "cloudwatch"]),
    ],
)
def test_events_are_told_with_what_their_records_were_wrapped_in(sluice, name, decoders):
    assert decoders in [each["decoders"] for each in explained(sluice, str(EVENTS / f"{name}.json"))]


def test_a_record_that_fails_is_told_and_ends_with_1(sluice, tmp_path):
    good = base64.b64encode(b"fine\n").decode()
    records = [{"recordId": "1", "data": "***"}, {"recordId": "2", "data": good}]
    (tmp_path / "event.json").write_text(json.dumps({"records": records}))

    as_json, shown = (sluice("explain", "event.json", *options) for options in (["--json"], []))

    assert (as_json.exit_code, shown.exit_code) == (1, 1)
    told = objects(as_json.stdout)
    assert [(each["record"], each["failed"]) for each in told] == [("2", None), ("1", "not_base64")]
    assert "records that failed: not_base64 1" in shown.stdout


@pytest.mark.parametrize("options", [[], ["--full"]], ids=["cut", "full"])
def test_markup_and_control_characters_of_a_line_are_shown_and_not_obeyed(sluice, tmp_path, options):
    odd = "[red]this[/red] \x1b[31mis odd\x07 [/]"
    (tmp_path / "odd.log").write_text(odd + "\n" + json.dumps({"msg": odd, odd: odd}) + "\n")

    result = sluice("explain", "odd.log", *options)

    assert result.exit_code == 0
    assert "[red]this[/red]" in result.stdout
    assert "\x1b" not in result.stdout
    assert "\x07" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere.log"], "nowhere.log: No such file or directory: name a file that can be read"),
        (["."], "Is a directory"),
        (["app.log", "--route", "wob"], "there is no route 'wob'; there are web (web.*), hashed (hashed), bare"),
        (["app.log", "--route", "web", "--config", "other.yaml"], "there is no such file"),
        (["app.log", "--at", "noon"], "--at noon is no time, as in 2026-"),
        (["app.log", "--as", "event"], "is no event of Firehose"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_to_do(sluice, arguments, told):
    result = sluice("explain", *arguments)

    assert result.exit_code == 2
    assert told in result.stderr


def test_a_damaged_file_is_explained_up_to_the_damage(sluice, tmp_path):
    whole = gzip.compress(b"".join(b"line %d %d\n" % (number, number**7) for number in range(50_000)))
    (tmp_path / "cut.gz").write_bytes(whole[: len(whole) // 2])

    result = sluice("explain", "cut.gz", "--limit", "1")

    assert result.exit_code == 1
    assert "could not be read to its end" in result.stderr
    assert "line 0 0" in result.stdout


@pytest.mark.parametrize("command", [["explain", "--limit", "0"], ["transform", "--route", "web"]], ids=lambda c: c[0])
@pytest.mark.usefixtures("sluice")
def test_a_reader_that_has_seen_enough_is_no_error_of_the_file(tmp_path, command):
    (tmp_path / "many.log").write_text("level=info msg=x\n" * 20_000)
    program = str(Path(sys.executable).with_name("sluice"))

    with subprocess.Popen([program, *command, "many.log"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


def test_wide_characters_do_not_break_the_rows(sluice, tmp_path):
    (tmp_path / "wide.log").write_text("注文を受け付けました" * 20 + "\n")
    first, second, *_ = sluice("explain", "wide.log", width=80).stdout.splitlines()

    assert first.rstrip().endswith("…")
    assert second.split() == ["format", "plain", "text"]


def test_an_empty_file_is_no_error(sluice, tmp_path):
    (tmp_path / "empty").touch()
    result = sluice("explain", "empty")

    assert (result.exit_code, result.stdout.strip()) == (0, "there is no line in it")
