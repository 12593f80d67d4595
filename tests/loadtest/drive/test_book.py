"""What a sending process says of itself."""

from pathlib import Path

from loadtest.drive.book import Book, ParentGoneError
from loadtest.drive.spec import Told
from loadtest.journal import Journal, JournalWriter


def book_of(folder: Path, told: list[Told]) -> Book:
    journal = JournalWriter(folder, run=1, process=0, began=5.0)
    return Book(journal, tell=lambda line: told.append(Told.model_validate_json(line)))


def test_neighbouring_acknowledgements_are_one_range_and_their_order_is_kept(tmp_path: Path) -> None:
    told: list[Told] = []
    book = book_of(tmp_path, told)
    book.sent(3, first=0, end=9, text_bytes=90)
    for first, end in ((0, 2), (2, 4), (7, 9), (4, 7)):
        book.acknowledged(3, first=first, end=end)
    book.write(behind=0.5)
    book.write(behind=0.0)
    book.end()
    journal = Journal.read(tmp_path)
    assert journal.acknowledged == {3: [(0, 4), (7, 9), (4, 7)]}
    assert [entry.sent for entry in journal.entries] == [{3: 9}, {}, {}]
    assert told[0] == Told(sent=9, acknowledged=9, bytes=90, behind=0.5)


def test_thousands_of_errors_are_counted(tmp_path: Path) -> None:
    told: list[Told] = []
    book = book_of(tmp_path, told)
    for number in range(4000):
        book.fail(f"source {number}")
    book.end()
    assert told[-1].errors == (*(f"source {number}" for number in range(20)), "and 3980 more errors like these")
    assert Journal.read(tmp_path).errors == ["; ".join(told[-1].errors)]


def test_the_journal_s_last_line_is_written_though_nobody_listens(tmp_path: Path) -> None:
    def nobody(_: str) -> None:
        raise ParentGoneError("gone")

    book = Book(JournalWriter(tmp_path, run=1, process=0, began=5.0), tell=nobody)
    book.sent(0, first=0, end=1, text_bytes=1)
    book.end()
    journal = Journal.read(tmp_path)
    assert (journal.sent, journal.unended) == ({0: 1}, 0)
