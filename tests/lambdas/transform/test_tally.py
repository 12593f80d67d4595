"""Nothing goes missing between the lines that came and what became of them."""

from lambdas.transform.tally import Counts


def test_every_line_of_a_record_is_accounted_for():
    counts = Counts(lines=10, documents=4, resent=2, joined=1)
    counts.drop("debug")
    counts.drop("debug")
    assert counts.unaccounted == 1
    counts.drop("health")
    assert counts.unaccounted == 0
    assert counts.dropped == {"debug": 2, "health": 1}


def test_documents_that_come_back_balance_those_that_were_sent_once_more():
    sent, back = Counts(lines=3, documents=1, resent=2), Counts(returned=2, documents=2)
    assert (sent.unaccounted, back.unaccounted) == (0, 0)
    sent.merge(back)
    assert (sent.lines, sent.documents, sent.unaccounted) == (3, 3, 0)


def test_records_add_up():
    batch = Counts(lines=1, documents=1, dropped={"a": 1}, redacted={"iban": 2})
    record = Counts(lines=2, returned=3, documents=4, resent=5, joined=6, parts=7, truncated=8)
    record.partition_none, record.partition_other = 9, 10
    record.drop("a")
    record.drop("b")
    record.redact("iban", 3)
    record.redact("jwt")
    batch.merge(record)
    assert batch == Counts(
        lines=3,
        returned=3,
        documents=5,
        resent=5,
        joined=6,
        parts=7,
        truncated=8,
        partition_none=9,
        partition_other=10,
        dropped={"a": 2, "b": 1},
        redacted={"iban": 5, "jwt": 1},
    )


def test_merging_changes_no_other_record():
    first, second = Counts(dropped={"a": 1}), Counts(dropped={"a": 1})
    batch = Counts()
    batch.merge(first)
    batch.merge(second)
    assert (first.dropped, second.dropped, batch.dropped) == ({"a": 1}, {"a": 1}, {"a": 2})
