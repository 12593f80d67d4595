import pytest

from loadtest.ledger import DuplicateKeyError, Ledger, Sent


def sent(n, text="line"):
    return Sent(source="c1", time_unix_nano=n, tag="t", text=text, client="docker", sent_at=1.5)


def test_a_file_tells_the_same_as_the_ledger_that_wrote_it(tmp_path):
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger:
        for n, text in enumerate(["plain", "caf\udce9 \u2028 日本", "with\nnewline"]):
            ledger.record(sent(n, text))
        ledger.acknowledge([("c1", 1)], at=2.5)

    again = Ledger.read(path)

    assert list(again) == list(ledger)
    assert [one.acknowledged_at for one in again] == [None, 2.5, None]


def test_a_file_is_appended_to(tmp_path):
    for n in range(2):
        with Ledger(tmp_path / "ledger.jsonl") as ledger:
            ledger.record(sent(n))

    assert len(Ledger.read(tmp_path / "ledger.jsonl")) == 2


def test_two_records_that_could_not_be_told_apart_are_refused():
    ledger = Ledger()
    ledger.record(sent(7))

    with pytest.raises(DuplicateKeyError, match="source c1 sent two records at 7 ns"):
        ledger.record(sent(7, "another"))
