"""What a gate counts, once a minute as a line that CloudWatch makes metrics of. Nothing of what it carries is in it.

Format: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
import time
from dataclasses import asdict, dataclass
from typing import Final

NAMESPACE: Final = "Sluice"
_UNITS: Final = {
    "records": "Count",
    "bytes": "Bytes",
    "acknowledged": "Count",
    "retried": "Count",
    "refused": "Count",
    "waiting_bytes": "Bytes",
    "oldest_seconds": "Seconds",
    "connections": "Count",
    "paused": "Count",
}


@dataclass
class Counters:
    """Counts since the last line: lines and their bytes, messages acknowledged, records put again, and connections that
    were closed because of what they sent.
    """

    records: int = 0
    bytes: int = 0
    acknowledged: int = 0
    retried: int = 0
    refused: int = 0

    def line(self, name: str, *, waiting: "Waiting") -> str:
        """The counts and what waits as one line; counting begins anew."""
        values = {**asdict(self), **asdict(waiting)}
        self.records = self.bytes = self.acknowledged = self.retried = self.refused = 0
        metrics = [{"Name": f"Gate.{key}", "Unit": unit} for key, unit in _UNITS.items()]
        directive = {"Namespace": NAMESPACE, "Dimensions": [["gate"]], "Metrics": metrics}
        return json.dumps(
            {
                "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
                "gate": name,
                **{f"Gate.{key}": values[key] for key in _UNITS},
            },
            separators=(",", ":"),
        )


@dataclass(frozen=True)
class Waiting:
    """What is here at a moment. `paused` is 1 while nothing is read, because too much waits."""

    waiting_bytes: int
    oldest_seconds: float
    connections: int
    paused: int
