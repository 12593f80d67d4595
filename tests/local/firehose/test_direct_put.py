import pytest

from local.firehose import Accepted, ApiError, Faults, Quotas, Refused

NAME = "sluice-test-web"


def outcomes(results) -> list[type]:
    return [type(result) for result in results]


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ([b"x"] * 500, None),
        ([b"x"] * 501, "ValidationException"),
        ([], "ValidationException"),
        ([b"x" * 1_024_000], None),
        ([b"x" * 1_024_001], "ValidationException"),
        ([b"x" * 1_024_000] * 4 + [b"x" * 98_304], None),
        ([b"x" * 1_024_000] * 4 + [b"x" * 98_305], "InvalidArgumentException"),
        ([b""], None),
    ],
    ids=["500", "501", "none", "1000 KiB", "1000 KiB + 1", "4 MiB", "4 MiB + 1", "empty record"],
)
def test_a_call_is_taken_at_the_limit_and_refused_as_a_whole_one_past_it(firehose, records, code):
    running = firehose()
    if code is None:
        assert outcomes(running.put(NAME, records)) == [Accepted] * len(records)
        return
    with pytest.raises(ApiError) as refused:
        running.put(NAME, records)
    assert (refused.value.code, refused.value.status) == (code, 400)
    assert running.counts()[NAME].incoming == 0


def test_a_stream_that_is_not_there_is_named(firehose):
    with pytest.raises(ApiError, match="nobody") as refused:
        firehose().put("nobody", [b"x"])
    assert refused.value.code == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("quotas", "records", "taken"),
    [
        (Quotas(records_per_second=3, requests_per_second=9, bytes_per_second=99), [b"x"] * 4, 3),
        (Quotas(records_per_second=9, requests_per_second=9, bytes_per_second=10), [b"12345"] * 3, 2),
    ],
    ids=["records", "bytes"],
)
def test_records_past_a_quota_fail_one_by_one_and_a_second_later_they_fit(firehose, clock, quotas, records, taken):
    running = firehose(quotas=quotas)

    assert outcomes(running.put(NAME, records)) == [Accepted] * taken + [Refused] * (len(records) - taken)
    clock.advance(1)
    assert outcomes(running.put(NAME, records[taken:])) == [Accepted] * (len(records) - taken)
    assert running.counts()[NAME].incoming == len(records)


def test_a_record_that_is_refused_costs_none_of_the_quotas(firehose):
    running = firehose(quotas=Quotas(records_per_second=2, requests_per_second=9, bytes_per_second=10))
    assert outcomes(running.put(NAME, [b"123456", b"123456", b"1"])) == [Accepted, Refused, Accepted]


def test_a_request_past_the_quota_takes_nothing(firehose):
    running = firehose(quotas=Quotas(records_per_second=9, requests_per_second=1, bytes_per_second=9))

    assert outcomes(running.put(NAME, [b"a"])) == [Accepted]
    assert outcomes(running.put(NAME, [b"b", b"c"])) == [Refused, Refused]


def test_every_nth_record_fails_counted_over_calls(firehose):
    running = firehose()
    running.inject(Faults(fail_every=3))

    assert outcomes(running.put(NAME, [b"x"] * 4)) == [Accepted, Accepted, Refused, Accepted]
    assert outcomes(running.put(NAME, [b"x"] * 2)) == [Accepted, Refused]
    assert running.counts()[NAME].incoming == 4


def test_records_are_refused_when_too_much_is_pending_and_taken_again_when_it_is_not(firehose):
    running = firehose(max_pending_bytes=10)

    assert outcomes(running.put(NAME, [b"x" * 6, b"x" * 4, b"x"])) == [Accepted, Accepted, Refused]
    running.drain()
    assert outcomes(running.put(NAME, [b"x"])) == [Accepted]


def test_faults_end_when_their_time_is_over(firehose, clock):
    running = firehose()
    running.inject(Faults(fail_every=1), seconds=10)

    assert outcomes(running.put(NAME, [b"x"])) == [Refused]
    clock.advance(10)
    assert outcomes(running.put(NAME, [b"x"])) == [Accepted]
