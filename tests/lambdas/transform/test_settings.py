"""What the environment may say."""

import json

import pytest

from lambdas.transform.settings import STEP_NAMES, Settings, SettingsError, read_settings
from lambdas.transform.spec import PartitionKey, Redaction


@pytest.mark.parametrize(
    ("environment", "settings"),
    [
        ({}, Settings(route="", steps=("multiline", "json", "text", "trace", "severity", "service"))),
        ({"SLUICE_ROUTE": "web"}, Settings(route="web", steps=STEP_NAMES)),
        ({"SLUICE_STEPS": " service, json ,"}, Settings(steps=("service", "json"))),
        ({"SLUICE_STEPS": "", "SLUICE_ROUTE": "raw"}, Settings(route="raw", steps=())),
        ({"SLUICE_RULES": ""}, Settings()),
        (
            {"SLUICE_RULES": '{"formats":["logfmt"],"oversize":"split"}'},
            Settings(formats=("logfmt",), oversize="split"),
        ),
        (
            {
                "SLUICE_RULES": '{"redact":[{"pattern":"card","action":"hash"}]}',
                "SLUICE_REDACTION_KEY": "arn:aws:secretsmanager:eu-central-1:111122223333:secret:key-AbCdEf",
            },
            Settings(
                redact=(Redaction("card", "pattern", "card", "hash"),),
                redaction_key="arn:aws:secretsmanager:eu-central-1:111122223333:secret:key-AbCdEf",
            ),
        ),
    ],
)
def test_everything_has_a_default_and_is_read_as_it_is_named(environment, settings):
    assert read_settings(environment) == settings


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("SLUICE_STEPS", "json,acces", "no step is called acces; known are multiline, json, text, trace, severity"),
        ("SLUICE_RULES", "{", "is not JSON; deploy the route again"),
        ("SLUICE_RULES", '{"redact":[{"pattern":"crad"}]}', "'crad'"),
        ("SLUICE_RULES", json.dumps({"drop": [{"name": "x", "where": [{}]}]}), "one test"),
    ],
)
def test_what_makes_no_sense_is_refused_with_variable_value_and_remedy(variable, value, told):
    with pytest.raises(SettingsError) as refused:
        read_settings({variable: value})
    assert str(refused.value).startswith(f"{variable}={value!r}: ")
    assert told in str(refused.value)


def test_a_rule_that_hashes_needs_a_key():
    with pytest.raises(SettingsError, match="SLUICE_REDACTION_KEY='': there is nothing to hash with"):
        read_settings({"SLUICE_RULES": '{"redact":[{"pattern":"card","action":"hash"}]}'})


def test_bucket_and_sending_once_more_are_off_unless_said():
    assert (read_settings({}).bucket, read_settings({}).resends) == ("", False)
    said = read_settings({"SLUICE_BUCKET": "shop-dev-logs", "SLUICE_SPREAD": "1", "SLUICE_REDACTION_KEY": "arn"})
    assert (said.bucket, said.resends) == ("shop-dev-logs", True)
    assert read_settings({"SLUICE_SPREAD": "0"}).resends is False


def test_the_shape_of_documents_and_what_divides_them_are_told():
    search = read_settings({"SLUICE_RULES": '{"shape":"search","numbers":["took"]}'})
    assert (search.shape, search.numbers, search.partition_by) == ("search", ("took",), ())
    rules = '{"partition_by":[{"name":"tag","field":"tag"}]}'
    told = {"SLUICE_RULES": rules, "SLUICE_SPREAD": "1", "SLUICE_REDACTION_KEY": "arn"}
    assert read_settings(told).partition_by == (PartitionKey("tag", "tag"),)


def test_documents_of_a_record_can_have_different_keys_so_some_must_be_sent_once_more():
    with pytest.raises(SettingsError, match="SLUICE_SPREAD='': documents of one record can have different"):
        read_settings({"SLUICE_RULES": '{"partition_by":[{"name":"tag","field":"tag"}]}'})


def test_sending_once_more_needs_a_key():
    with pytest.raises(SettingsError, match="SLUICE_REDACTION_KEY='': SLUICE_SPREAD=1 needs a key"):
        read_settings({"SLUICE_SPREAD": "1"})
