"""What was sent and acknowledged is told by files alone, however the process ended."""

from pathlib import Path

import pytest

from loadtest.journal import Entry, Journal, JournalWriter


def entry(at: float, sent: dict[int, int], acknowledged: dict[int, tuple[tuple[int, int], ...]]) -> Entry:
    return Entry(at=at, sent=sent, acknowledged=acknowledged, bytes=10, behind=0.5)


def test_two_processes_are_one_journal(tmp_path: Path) -> None:
    with JournalWriter(tmp_path, run=9, process=0, began=100.0) as first:
        first.write(entry(101, {0: 5}, {0: ((0, 3),)}))
        first.write(entry(103, {0: 9}, {0: ((4, 5),)}))
        first.end(at=104, error=None)
    with JournalWriter(tmp_path, run=9, process=1, began=99.0) as second:
        second.write(entry(102, {1: 2}, {}))
        second.end(at=104, error="2 records are unacknowledged")
    journal = Journal.read(tmp_path)
    assert (journal.run, journal.began) == (9, 99.0)
    assert journal.sent == {0: 9, 1: 2}
    assert journal.acknowledged == {0: [(0, 3), (4, 5)]}
    assert [each.at for each in journal.entries] == [101, 102, 103]
    assert journal.errors == ["2 records are unacknowledged"]
    assert journal.bytes == 20
    assert journal.unended == 0


def test_a_process_that_was_killed_has_not_ended_and_its_last_line_may_be_cut(tmp_path: Path) -> None:
    with JournalWriter(tmp_path, run=9, process=0, began=100.0) as writer:
        writer.write(entry(101, {0: 5}, {0: ((0, 3),)}))
    file = tmp_path / "sent-0.jsonl"
    file.write_bytes(file.read_bytes() + b'{"at": 102, "sent": {"0"')
    journal = Journal.read(tmp_path)
    assert journal.sent == {0: 5}
    assert journal.unended == 1


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    for run in (1, 2):
        JournalWriter(tmp_path, run=run, process=run, began=1.0).close()
    with pytest.raises(ValueError, match="a folder for each run"):
        Journal.read(tmp_path)


def test_no_journal_is_no_run(tmp_path: Path) -> None:
    assert Journal.read(tmp_path).run is None
