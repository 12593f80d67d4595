"""The steps a route can run on each document, by the names they have in sluice.yaml.

A step is one function in a module here and one line in STEPS. It changes the document it is given. It does not fail
for what a document may hold: an exception fails the whole Firehose record, which is then kept as it came.
"""

from __future__ import annotations

from collections.abc import Callable

from lambdas.transform.document import Document
from lambdas.transform.steps.json_body import lift_json_body
from lambdas.transform.steps.service import name_service
from lambdas.transform.steps.severity import find_severity

Step = Callable[[Document], None]

STEPS: dict[str, Step] = {
    "json": lift_json_body,
    "severity": find_severity,
    "service": name_service,
}
"""Every step by name, in the order they run by default."""
