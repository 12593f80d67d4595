"""The steps a route can run on each document, by the names they have in sluice.yaml.

A step is one function and one line in make_steps. It changes the document it is given. It does not fail for what a
document may hold: an exception fails the whole Firehose record, which is then kept as it came.

`multiline` is no such step: it makes one document of several, before the others run (see multiline and partial).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lambdas.transform.document import Document
from lambdas.transform.formats import ALL, plan_trials
from lambdas.transform.formats.json_logs import lift_json_body
from lambdas.transform.steps.service import name_service
from lambdas.transform.steps.severity import find_severity
from lambdas.transform.steps.text import make_text_step
from lambdas.transform.steps.trace import take_trace

Step = Callable[[Document], None]

MULTILINE = "multiline"


def make_steps(names: Iterable[str], *, formats: Iterable[str] | None = None) -> tuple[Step, ...]:
    """Make the steps of a route, in its order; `formats` names the text formats to try, None for all of them.

    KeyError when there is no such step or format.
    """
    known: dict[str, Step] = {
        "json": lift_json_body,
        "text": make_text_step(ALL if formats is None else plan_trials(formats)),
        "trace": take_trace,
        "severity": find_severity,
        "service": name_service,
    }
    return tuple(known[name] for name in names if name != MULTILINE)
