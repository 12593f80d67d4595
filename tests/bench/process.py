"""What a process of the transformer costs: its start, and its memory, each in fresh processes of their own."""

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import transformer

ROOT = Path(__file__).resolve().parents[2]
STARTS = 9
_START = """
import time; began = time.perf_counter()
import json, sys
from lambdas.transform.handler import handler
event = json.loads(EVENT)
handler(event, None)
print((time.perf_counter() - began) * 1000)
"""
_MEMORY = """
import json, sys
from lambdas.transform.handler import handler
payload = sys.stdin.buffer.read()
event = json.loads(payload)
size = len(payload)
del payload
handler(json.loads(EVENT), None)
def held(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(name))
with open("/proc/self/clear_refs", "w") as peak:
    peak.write("5")  # the peak begins anew
before = held("VmRSS")
response = handler(event, None)
assert all(answer["result"] == "Ok" for answer in response["records"])
print(json.dumps({"payload": size, "grown": held("VmHWM") - before}))
"""


def measure_start() -> dict[str, float]:
    """Milliseconds from the first import to the first answer."""
    small = repr(json.dumps(transformer.event(1, 10)))
    taken = [float(_run(_START.replace("EVENT", small), b"")) for _ in range(STARTS)]
    return {"median_ms": round(statistics.median(taken), 1), "slowest_ms": round(max(taken), 1)}


def measure_memory() -> dict[str, float]:
    """By how much a batch makes the process grow, in multiples of its event's JSON, which Lambda keeps anyway."""
    small = repr(json.dumps(transformer.event(1, 10)))
    found = {}
    for records, packed in ((60, 100), (5000, 1), (6, 1000)):
        payload = json.dumps(transformer.event(records, packed)).encode()
        told: dict[str, Any] = json.loads(_run(_MEMORY.replace("EVENT", small), payload))
        found[f"{records} records of {packed}"] = round(told["grown"] / told["payload"], 2)
    return found


def _run(program: str, data: bytes) -> str:
    done = subprocess.run([sys.executable, "-c", program], input=data, capture_output=True, cwd=ROOT, check=True)
    return done.stdout.decode().splitlines()[-1]
