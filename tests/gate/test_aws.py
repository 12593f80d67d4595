"""An answer is an acceptance only if it tells so of each record."""

import orjson
import pytest

from gate.aws import PutError, _firehose, _kinesis, _taken
from gate.packing import Put

PUTS = [Put(b"\x00one", 'key "1"', ()), Put(b"two\xff", "2", ())]


def answer(*results, key="RequestResponses"):
    return orjson.dumps({"FailedPutCount": 0, key: list(results)})


def test_which_records_were_taken():
    refused = {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}
    assert _taken(answer({"RecordId": "1"}, refused), 2, "RequestResponses") == [True, False]
    told = answer({"SequenceNumber": "1", "ShardId": "s"}, refused, key="Records")
    assert _taken(told, 2, "Records") == [True, False]


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"null", b"<html>", answer(), answer({"RecordId": "1"}), answer(None, None), answer("", "")],
    ids=repr,
)
def test_an_answer_that_does_not_tell_of_every_record_is_none(body):
    with pytest.raises(PutError):
        _taken(body, 2, "RequestResponses")


def test_a_record_without_an_id_was_not_taken():
    assert _taken(answer({}, {"RecordId": ""}), 2, "RequestResponses") == [False, False]


def test_bodies_are_the_json_that_the_api_wants():
    assert orjson.loads(_firehose('s"', PUTS)) == {
        "DeliveryStreamName": 's"',
        "Records": [{"Data": "AG9uZQ=="}, {"Data": "dHdv/w=="}],
    }
    assert orjson.loads(_kinesis("s", PUTS)) == {
        "StreamName": "s",
        "Records": [
            {"PartitionKey": 'key "1"', "Data": "AG9uZQ=="},
            {"PartitionKey": "2", "Data": "dHdv/w=="},
        ],
    }
