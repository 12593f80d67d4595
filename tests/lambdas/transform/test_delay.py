"""How long a document was on its way, told in OpenSearch and nowhere else."""

import base64
import json

import pytest

from lambdas.transform.batch import transform_batch
from lambdas.transform.delay import DELAY, make_delay
from lambdas.transform.pipeline import make_pipeline
from lambdas.transform.settings import Settings

NOW = "2026-11-21T10:00:00.000000000Z"
READ = 1_795_255_170.123  # 2026-11-21T09:59:30.123Z


@pytest.mark.parametrize(("clock", "delay"), [(READ + 12.5, 12.5), (READ, 0.0), (READ - 60, 0.0)])
def test_delay_is_from_read_to_transformed_and_never_negative(clock, delay, make_document):
    document = make_document("line")
    document.observed = "2026-11-21T09:59:30.123999999Z"
    make_delay(lambda: clock)([document])
    assert document.attributes[DELAY] == pytest.approx(delay, abs=0.0011)


def test_only_the_search_shape_tells_it():
    told = {}
    for shape in ("stored", "search"):
        record = json.dumps({"log": "x", "_time": "2020-01-01T00:00:00.000000000Z"}).encode()
        event = {"records": [{"recordId": "1", "data": base64.b64encode(record).decode()}]}
        response, _ = transform_batch(event, pipeline=make_pipeline(Settings(shape=shape)), now=NOW)
        told[shape] = json.loads(base64.b64decode(response["records"][0]["data"]))
    assert DELAY not in told["stored"].get("attributes", {})
    assert told["search"]["numbers"][DELAY] == told["search"]["attributes"][DELAY] > 5 * 365 * 86_400
