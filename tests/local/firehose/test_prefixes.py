import re
from datetime import UTC, datetime

import pytest

from local.firehose.prefixes import (
    MissingKeyError,
    PrefixError,
    complete_prefixes,
    evaluate_prefix,
    object_suffix,
)

AT = datetime(2018, 8, 7, 4, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "evaluated"),
    [
        ("plain/", "plain/"),
        ("!{timestamp:yyyy/MM/dd/HH/}", "2018/08/07/04/"),
        ("a/!{timestamp:yyyy}/b=!{timestamp:M}/!{timestamp:d-H-m-s}", "a/2018/b=8/7-4-3-2"),
        ("!{timestamp:'year='yyyy'/month='MM'/day='dd}", "year=2018/month=08/day=07"),
        ("!{timestamp:yy mm ss DDD}", "18 03 02 219"),
        ("!{timestamp:yyyy''MM}", "2018'08"),
        ("!{timestamp:'o''clock'HH}", "o'clock04"),
        ("e/!{firehose:error-output-type}/", "e/processing-failed/"),
    ],
)
def test_expressions_become_the_arrival_time_and_the_reason(expression, evaluated):
    assert evaluate_prefix(expression, at=AT, error_type="processing-failed") == evaluated


def test_each_random_string_is_eleven_characters_of_its_own():
    first, second = evaluate_prefix("!{firehose:random-string}/!{firehose:random-string}", at=AT).split("/")
    assert (len(first), len(second)) == (11, 11)
    assert first != second


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("!{timestamp:EEE}", "EEE"),
        ("!{timestamp:MMM}", "MMM"),
        ("!{timestamp:yyyy'open}", "quote"),
        ("!{partitionKeyFromLambda:x}", "partitionKeyFromLambda"),
        ("!{partitionKeyFromQuery:x}", "partitionKeyFromQuery"),
        ("!{firehose:nothing}", "firehose:nothing"),
        ("!{firehose:error-output-type}", "error-output-type"),
        ("a!{b/", "!{"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(expression, named):
    with pytest.raises(PrefixError, match=re.escape(named)):
        evaluate_prefix(expression, at=AT)


def test_a_prefix_may_evaluate_to_512_characters_and_not_one_more():
    assert len(evaluate_prefix("x" * 508 + "!{timestamp:yyyy}", at=AT)) == 512
    with pytest.raises(PrefixError, match="513"):
        evaluate_prefix("x" * 509 + "!{timestamp:yyyy}", at=AT)


@pytest.mark.parametrize(
    ("given", "complete"),
    [
        (("", ""), ("!{timestamp:yyyy/MM/dd/HH/}", "!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH/}")),
        (
            ("p/", ""),
            ("p/!{timestamp:yyyy/MM/dd/HH/}", "p/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH/}"),
        ),
        (
            ("p/!{timestamp:yyyy}/", "e/!{firehose:error-output-type}/"),
            ("p/!{timestamp:yyyy}/", "e/!{firehose:error-output-type}/"),
        ),
        (
            ("p/!{firehose:random-string}/", "e/!{firehose:error-output-type}/"),
            ("p/!{firehose:random-string}/!{timestamp:yyyy/MM/dd/HH/}", "e/!{firehose:error-output-type}/"),
        ),
    ],
)
def test_defaults_are_appended(given, complete):
    assert complete_prefixes(*given) == complete


@pytest.mark.parametrize(
    "prefixes",
    [
        ("p/!{firehose:error-output-type}/", ""),
        ("p/!{timestamp:yyyy}/", ""),
        ("p/", "errors/"),
        ("p/!{timestamp:EEE}/", "e/!{firehose:error-output-type}/"),
    ],
)
def test_prefixes_that_firehose_refuses_are_refused(prefixes):
    with pytest.raises(PrefixError):
        complete_prefixes(*prefixes)


ERRORS = "e/!{firehose:error-output-type}/"


def test_partition_keys_stand_where_they_are_named():
    evaluated = evaluate_prefix("t=!{partitionKeyFromLambda:t}/!{timestamp:HH}/", at=AT, keys={"t": "acme", "u": "x"})
    assert evaluated == "t=acme/04/"


@pytest.mark.parametrize("keys", [{}, {"u": "x"}, {"t": ""}])
def test_a_partition_key_that_is_missing_or_empty_is_told_from_other_errors(keys):
    with pytest.raises(MissingKeyError, match="'t'"):
        evaluate_prefix("t=!{partitionKeyFromLambda:t}/", at=AT, keys=keys)


def test_a_partitioned_prefix_gets_the_hour_too():
    assert complete_prefixes("t=!{partitionKeyFromLambda:t}/", ERRORS, partitioned=True) == (
        "t=!{partitionKeyFromLambda:t}/!{timestamp:yyyy/MM/dd/HH/}",
        ERRORS,
    )


@pytest.mark.parametrize(
    ("prefixes", "partitioned", "said"),
    [
        (("p/!{timestamp:yyyy}/", ERRORS), True, "should contain Dynamic Partitioning namespaces"),
        (("!{partitionKeyFromLambda:t}/", ERRORS), False, "only be part of a prefix expression when"),
        (("!{partitionKeyFromLambda:t}/", ""), True, "error prefix"),
        (("!{partitionKeyFromLambda:t}/!{firehose:random-string}/", ERRORS), True, "random-string"),
        (("!{partitionKeyFromLambda:t}/", ERRORS + "!{partitionKeyFromLambda:t}/"), True, "not understood"),
        (("!{partitionKeyFromLambda:t}/!{partitionKeyFromQuery:u}/", ERRORS), True, "partitionKeyFromQuery"),
    ],
)
def test_prefixes_and_dynamic_partitioning_must_fit(prefixes, partitioned, said):
    with pytest.raises(PrefixError, match=re.escape(said)):
        complete_prefixes(*prefixes, partitioned=partitioned)


def test_an_object_is_named_after_stream_version_time_and_chance():
    suffix = object_suffix("web", "3", at=AT, extension=".gz")
    assert re.fullmatch(r"web-3-2018-08-07-04-03-02-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.gz", suffix)
