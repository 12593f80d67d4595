"""What is refused is put again, by itself; calls gather what comes while another is on its way."""

import asyncio

import pytest

from gate import stream as module
from gate.aws import PutError
from gate.chunks import Block, Chunk
from gate.counters import Counters
from gate.settings import Route
from gate.stream import Stream


class Firehose:
    """Answers calls as it is told: True or False for each record, or an exception."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.calls = []

    async def put(self, puts):
        self.calls.append([put.data for put in puts])
        answer = self.answers.pop(0) if self.answers else True
        if isinstance(answer, Exception):
            raise answer
        if callable(answer):
            await answer()
            return [True] * len(puts)
        return answer if isinstance(answer, list) else [answer] * len(puts)


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    monkeypatch.setattr(module, "LINGER_SECONDS", 0.005)
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.002)
    monkeypatch.setattr(module, "LONGEST_PAUSE_SECONDS", 0.01)


def run(firehose, *messages, form="single", then=None):
    """What was acknowledged after these messages, each a list of lines, were offered."""
    done, counters, log = [], Counters(), []

    async def main():
        stream = Stream(Route(match="*", stream="s", form=form), put=firehose.put, counters=counters, log=log.append)
        chunks = []
        for number, lines in enumerate(messages):
            size = len(lines) if form == "single" else 1
            chunk = Chunk(pieces=size, size=1, done=lambda _chunk, number=number: done.append(number))
            chunks.append(chunk)
            stream.offer([Block(lines, 10, chunk)])
        if then:
            await then(chunks)
        for _ in range(300):
            if len(done) == len(messages):
                break
            await asyncio.sleep(0.01)

    asyncio.run(main())
    return done, counters, log


def test_only_what_was_refused_is_put_again():
    firehose = Firehose([True, False, True, False], [False, True], True)
    done, counters, _ = run(firehose, [b"a", b"b"], [b"c", b"d"])
    assert firehose.calls == [[b"a", b"b", b"c", b"d"], [b"b", b"d"], [b"b"]]
    assert sorted(done) == [0, 1]
    assert counters.retried == 3


def test_a_message_is_acknowledged_when_all_of_it_was_taken():
    firehose = Firehose([True, False], False, False, True)
    assert run(firehose, [b"a", b"b"])[0] == [0]
    assert len(firehose.calls) == 4


def test_whatever_a_call_raises_is_tried_again_and_told():
    firehose = Firehose(PutError("503 ServiceUnavailableException"), OSError("reset"), True)
    done, _, log = run(firehose, [b"a"])
    assert done == [0]
    assert log == ["s: 503 ServiceUnavailableException", "s: reset"]


def test_nobody_waits_so_it_is_put_no_more():
    firehose = Firehose(*[False] * 50)

    async def leave(chunks):
        await asyncio.sleep(0.01)
        chunks[0].wanted = False

    done, _, _ = run(firehose, [b"a"], then=leave)
    assert done == [0]
    assert len(firehose.calls) < 50


def test_a_call_that_hangs_holds_up_nobody_for_long():
    async def hang():
        await asyncio.Event().wait()

    firehose = Firehose(hang)

    async def called(times):
        while len(firehose.calls) < times:
            await asyncio.sleep(0.005)

    async def main():
        stream = Stream(Route(match="*", stream="s"), put=firehose.put, counters=Counters(), log=pytest.fail)
        for number, line in enumerate((b"a", b"b"), start=1):
            stream.offer([Block([line], 1, Chunk(pieces=1, size=1, done=lambda _: None))])
            await asyncio.wait_for(called(number), timeout=60)

    asyncio.run(main())
    assert firehose.calls == [[b"a\n"], [b"b\n"]]
