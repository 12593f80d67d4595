import os
import signal

import pytest

from local.load.interrupts import interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_one_asks_the_second_ends(number: signal.Signals):
    with interrupts() as taken, taken.gentle():
        assert not taken.asked
        os.kill(os.getpid(), number)
        assert taken.asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)


def test_before_a_load_the_first_one_ends():
    with interrupts() as taken, pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)
    assert not taken.asked


def test_after_a_load_too():
    with interrupts() as taken:
        with taken.gentle():
            pass
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_what_was_there_before_is_there_again():
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with interrupts():
        assert signal.getsignal(signal.SIGTERM) is not before[0]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
