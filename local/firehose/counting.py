"""Firehose in its fast counting mode: what is put is decoded, counted and forgotten.

    with counting(certificate, folder=folder, markers=True) as firehose:
        ...  # clients use firehose.host, .port and .ca_file
        firehose.counts().lines
        for taken in firehose.poll():  # live: the markers of everything that was accepted since
            tally.accept(taken.data, route=route_of(taken.stream), readable_at=taken.at)

For measuring what stands before Firehose: no stream has to be there, nothing is transformed or delivered, and a call is
answered as soon as it is read. Its limits are Firehose's. It runs in a process of its own, so that it does not disturb
who measures.

Cost: 0.4 of a core at 100 MB/s (see `counting_worker`); with `markers`, 39 bytes of disk for a message until
they are polled. What it answered is remembered by nobody: it is no place for logs.
"""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from local.firehose.counting_worker import BLOCK, BOARD_FILE, Board, segment
from local.firehose.server import HOST, Certificate, Server

_MODULE: Final = "local.firehose.counting_worker"
_BACKLOG: Final = 128
_END_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Counted:
    """What was put so far: answered calls, calls that were refused (throttled ones too), and what the former held.

    `bytes` are of the records before base64; `lines` are line ends in them.
    """

    calls: int
    refused: int
    records: int
    bytes: int
    lines: int


@dataclass(frozen=True, slots=True)
class Taken:
    """The markers of one call, a line each, and when it was answered (Unix seconds)."""

    stream: str
    at: float
    data: bytes


@dataclass(frozen=True)
class CountingServer(Server):
    """A counting Firehose that is running, or was."""

    folder: Path
    pid: int
    _board: Board
    _place: list[int]

    def counts(self) -> Counted:
        """What was put so far."""
        return Counted(*self._board.read())

    def block(self) -> None:
        """Throttle every call from now on: 503 ServiceUnavailableException, and nothing is taken."""
        self._board.blocked = True

    def unblock(self) -> None:
        """Take calls again."""
        self._board.blocked = False

    def poll(self) -> Iterator[Taken]:
        """What was taken since the last poll, each call once, in the order of the answers.

        It ends, and can be repeated, after the end of the block too; for one thread. Nothing comes where `markers`
        were not asked for.
        """
        while True:
            number, offset = self._place
            file = segment(self.folder, number)
            # Looked for before the file is read: what is written to this segment is then complete.
            is_full = segment(self.folder, number + 1).exists()
            if not file.exists():
                return
            with file.open("rb") as blocks:
                blocks.seek(offset)
                while (taken := _read(blocks.read(BLOCK.size), blocks)) is not None:
                    self._place[1] = blocks.tell()
                    yield taken
            if not is_full:
                return
            file.unlink()
            self._place[:] = number + 1, 0


def _read(head: bytes, blocks: BinaryIO) -> Taken | None:
    """The block that follows, None where it is not there as a whole yet."""
    if len(head) < BLOCK.size:
        return None
    at, named, length = BLOCK.unpack(head)
    rest = blocks.read(named + length)
    return Taken(rest[:named].decode(), at, rest[named:]) if len(rest) == named + length else None


@contextmanager
def counting(
    certificate: Certificate, *, folder: Path, port: int = 0, markers: bool = False
) -> Iterator[CountingServer]:
    """Run one on `port` of loopback (0: a free one) until the end of the block; it takes puts to every stream.

    `folder` is for its counters and markers, and has to be a new one or empty. Raises OSError if the port is taken,
    FileExistsError if the folder has been used.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / BOARD_FILE).exists():
        raise FileExistsError(f"{folder} holds the counts of another run: take a folder for each")
    board = Board(folder)
    with socket.create_server((HOST, port), backlog=_BACKLOG) as listening:
        listening.set_inheritable(True)
        chosen, descriptor = listening.getsockname()[1], listening.fileno()
        # The socket listens already, so that whoever connects waits for the process instead of being refused.
        process = subprocess.Popen(  # noqa: S603 - our own module
            [
                *(sys.executable, "-m", _MODULE, str(descriptor), str(folder)),
                *(str(certificate.chain_file), str(certificate.key_file), "markers" if markers else "none"),
            ],
            cwd=Path(__file__).parents[2],
            pass_fds=[descriptor],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
    try:
        yield CountingServer(HOST, chosen, certificate.ca_file, folder, process.pid, board, [0, 0])
    finally:
        try:
            process.communicate(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
