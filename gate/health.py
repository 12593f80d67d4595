"""`python -m gate.health [port] [status port]`: whether the gate works.

Healthy is a gate that takes a message and acknowledges it, or that says it is holding back: then Firehose is what does
not work, and no restart would mend it. The probe's tag goes nowhere.
"""

import json
import socket
import sys
from typing import Final

PATIENCE_SECONDS: Final = 4
# [tag, time 0, {"probe": "health"}, {"chunk": "health"}] and {"ack": "health"} in MessagePack
_PROBE: Final = b"\x94\xadsluice.health\x00\x81\xa5probe\xa6health\x81\xa5chunk\xa6health"
_ANSWER: Final = b"\x81\xa3ack\xa6health"


def acknowledges(port: int) -> bool:
    """Whether a message is acknowledged in time."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as connection:
            connection.sendall(_PROBE)
            answer = b""
            while len(answer) < len(_ANSWER) and (more := connection.recv(64)):
                answer += more
    except OSError:
        return False
    return answer == _ANSWER


def holds_back(port: int) -> bool:
    """Whether the gate says that it reads nothing, because too much waits."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as connection:
            told = b"".join(iter(lambda: connection.recv(4096), b""))
        return bool(json.loads(told)["paused"])
    except (OSError, ValueError, KeyError):
        return False


if __name__ == "__main__":
    ports = [int(each) for each in sys.argv[1:3]]
    sys.exit(not (acknowledges(ports[0]) or holds_back(ports[1])))
