"""What is told of a batch, as CloudWatch reads it."""

import json
from collections import Counter

import pytest

from lambdas.transform.limits import MAX_METRIC_NAME
from lambdas.transform.tally import Counts, Failure, Tally
from lambdas.transform.telemetry import LOGGED_FAILURES, report


def failures(count, reason="not_base64"):
    return [Failure(f"record-{number}", reason, "0" * 64, 12) for number in range(count)]


@pytest.fixture
def told(capsys):
    """Report a tally and give the metrics as one mapping of names to values."""

    def tell(tally, **also):
        report(tally, **{"route": "web", "milliseconds": 12.5, **also})
        blobs = [blob for blob in map(json.loads, capsys.readouterr().out.splitlines()) if "_aws" in blob]
        told = {}
        for blob in blobs:
            [group] = blob["_aws"]["CloudWatchMetrics"]
            assert group["Namespace"] == "Sluice"
            assert group["Dimensions"] == [["route", "service"]]
            assert (blob["route"], blob["service"]) == ("web", "transform")
            told |= {metric["Name"]: blob[metric["Name"]] for metric in group["Metrics"]}
        assert all(len(values) == 1 for values in told.values())
        return {name: values[0] for name, values in told.items()}

    return tell


def test_every_count_is_a_metric(told):
    counts = Counts(
        lines=100,
        returned=7,
        documents=80,
        resent=9,
        joined=8,
        parts=3,
        truncated=2,
        partition_none=21,
        partition_other=22,
        dropped={"debug": 6, "health": 4},
        redacted={"iban": 5},
    )
    tally = Tally(
        records=14,
        delivered=10,
        bytes_in=1000,
        bytes_out=2000,
        dropped=Counter(empty=1),
        failures=[*failures(2), *failures(1, "depth")],
        counts=counts,
    )
    assert told(tally, reasons_stored=True) == {
        "Records": 14,
        "Delivered": 10,
        "Failed": 3,
        "Failed.not_base64": 2,
        "Failed.depth": 1,
        "DroppedRecords": 1,
        "DroppedRecords.empty": 1,
        "Lines": 100,
        "Returned": 7,
        "Documents": 80,
        "Resent": 9,
        "Joined": 8,
        "PartitionNone": 21,
        "PartitionOther": 22,
        "Parts": 3,
        "Truncated": 2,
        "Dropped": 10,
        "Dropped.debug": 6,
        "Dropped.health": 4,
        "Redacted": 5,
        "Redacted.iban": 5,
        "Unaccounted": 0,
        "ReasonsNotStored": 0,
        "BytesIn": 1000,
        "BytesOut": 2000,
        "Duration": 12.5,
    }


@pytest.mark.filterwarnings("error")
def test_without_a_route_there_is_no_such_dimension(capsys):
    report(Tally(), route="", milliseconds=1.0)
    blob = json.loads(capsys.readouterr().out)
    assert blob["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]


def test_quiet_batch_tells_zeros_and_no_names(told):
    """An alarm on a count that is missing would not know whether nothing failed or nothing ran."""
    metrics = told(Tally())
    assert (metrics["Failed"], metrics["Unaccounted"], metrics["ReasonsNotStored"]) == (0, 0, 0)
    assert not any("." in name for name in metrics)
    assert metrics.keys().isdisjoint({"Returned", "Resent", "Parts", "Truncated"})  # each name is billed


def test_line_that_nobody_accounts_for_is_seen(told):
    assert told(Tally(counts=Counts(lines=2, documents=1)))["Unaccounted"] == 1


def test_more_names_than_one_blob_takes_are_all_told(told):
    metrics = told(Tally(counts=Counts(dropped={f"rule-{number}": number for number in range(1, 251)})))
    assert all(metrics[f"Dropped.rule-{number}"] == number for number in range(1, 251))


def test_name_at_the_limit_is_told_whole_and_one_past_it_is_cut(told):
    most = MAX_METRIC_NAME - len("Dropped.")
    metrics = told(Tally(counts=Counts(dropped={"a" * most: 1, "b" * (most + 1): 2})))
    assert metrics[f"Dropped.{'a' * most}"] == 1
    assert metrics[f"Dropped.{'b' * most}"] == 2


def test_every_failure_is_logged_where_nobody_else_tells_its_reason(told, caplog):
    count = LOGGED_FAILURES + 5
    assert told(Tally(failures=failures(count)))["ReasonsNotStored"] == count
    assert [record.record_id for record in caplog.records] == [f"record-{number}" for number in range(count)]
    assert {(record.reason, record.route) for record in caplog.records} == {("not_base64", "web")}


def test_first_failures_are_logged_where_the_store_has_them_all(told, caplog):
    told(Tally(failures=failures(LOGGED_FAILURES)), reasons_stored=True)
    assert len(caplog.records) == LOGGED_FAILURES
    caplog.clear()
    told(Tally(failures=failures(LOGGED_FAILURES + 1)), reasons_stored=True)
    assert len(caplog.records) == LOGGED_FAILURES + 1
    assert (caplog.records[-1].getMessage(), caplog.records[-1].records) == ("more records failed", 1)
