"""What a server may answer by HTTP, however it comes in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.drive.answers import HttpAnswers

TAKEN = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 201 Created\r\nServer: Fluent Bit\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 202 Accepted\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b'HTTP/1.1 200 OK\r\nContent-Length: 47\r\n\r\n{"partialSuccess": {"rejectedLogRecords": "0"}}',
)


@given(st.sampled_from(TAKEN), st.integers(1, 20))
def test_an_answer_counts_once_and_when_it_is_whole(answer: bytes, piece: int) -> None:
    answers = HttpAnswers()
    found = [answers.read(answer[at : at + piece]) for at in range(0, len(answer), piece)]
    assert found == [[]] * (len(found) - 1) + [[""]]
    assert answers.read(TAKEN[0]) == [""]


@pytest.mark.parametrize("status", ["400 Bad Request", "429 Too Many Requests", "503 Service Unavailable", "302 Found"])
def test_another_status_is_no_acknowledgement(status: str) -> None:
    with pytest.raises(ConnectionError, match=status[:3]):
        HttpAnswers().read(f"HTTP/1.1 {status}\r\nContent-Length: 4\r\n\r\nbusy".encode())


def test_a_request_of_which_a_record_was_rejected_is_not_acknowledged() -> None:
    body = b'{"partialSuccess":{"rejectedLogRecords":"1"}}'
    with pytest.raises(ConnectionError, match="rejectedLogRecords"):
        HttpAnswers().read(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


@given(st.binary(min_size=1))
def test_what_is_not_http_never_acknowledges(said: bytes) -> None:
    answers = HttpAnswers()
    try:
        assert answers.read(said + b"\r\n\r\n") == []
    except ConnectionError:
        return


def test_an_answer_without_end_is_refused() -> None:
    with pytest.raises(ConnectionError, match="longer than"):
        HttpAnswers().read(b"HTTP/1.1 200 OK\r\n" + b"x" * (1 << 21))
