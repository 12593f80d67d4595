"""Ctrl-C and SIGTERM: the first asks a running load to end, whatever comes else ends at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_NUMBERS: Final = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Whether somebody wants the load to end."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._gentle = False

    @property
    def asked(self) -> bool:
        """Whether the load is to end cleanly."""
        return self._asked.is_set()

    @contextmanager
    def gentle(self) -> Iterator[None]:
        """In this block the first one only asks."""
        self._gentle = True
        try:
            yield
        finally:
            self._gentle = False

    def __call__(self, *_: object) -> None:
        """What the signals call. Raises KeyboardInterrupt, unless it is the first one in a gentle block."""
        if not self._gentle or self.asked:
            raise KeyboardInterrupt
        self._asked.set()


@contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Take both signals for the time of the block. For the main thread."""
    taken = Interrupts()
    before = [signal.signal(number, taken) for number in _NUMBERS]
    try:
        yield taken
    finally:
        for number, handler in zip(_NUMBERS, before, strict=True):
            signal.signal(number, handler)
