"""Metrics summed from the logs of functions."""

import json

import boto3
import pytest
from moto import mock_aws

from local.metrics import total

GROUP = "/aws/lambda/shop-web"


def blob(**metrics):
    return json.dumps({"_aws": {"CloudWatchMetrics": []}, **metrics})


@pytest.fixture
def logs(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield boto3.client("logs", region_name="us-east-1")


def write(logs, *messages):
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName="s")
    events = [{"timestamp": 1_795_228_590_000 + at, "message": text} for at, text in enumerate(messages)]
    logs.put_log_events(logGroupName=GROUP, logStreamName="s", logEvents=events)


def test_a_metric_is_summed_over_all_blobs_and_nothing_else(logs):
    write(logs, "START", blob(Dropped=[2.0]), blob(Failed=[7.0]), '{"Dropped": [9]}', "{broken", blob(Dropped=3))

    assert total(logs, group=GROUP, metric="Dropped") == 5


def test_a_function_that_never_ran_has_dropped_nothing(logs):
    assert total(logs, group=GROUP, metric="Dropped") == 0
