"""The steps a route can run on each document, by the names they have in sluice.yaml.

A step is one function of the documents of a block, and one line in make_steps. It changes the documents it is given.
It does not fail for what a document may hold: an exception fails the whole Firehose record, which is then kept as it
came. A step for all lines is a third quicker than all steps for a line: the interpreter keeps to one piece of code.

`multiline` is no such step: it makes one document of several, before the others run (see multiline and partial).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from lambdas.transform.document import Document
from lambdas.transform.formats import ALL, plan_trials
from lambdas.transform.formats.json_logs import lift_json_bodies
from lambdas.transform.steps.service import name_services
from lambdas.transform.steps.severity import find_severities
from lambdas.transform.steps.text import make_text_step
from lambdas.transform.steps.trace import take_traces

Step = Callable[[Sequence[Document]], None]

MULTILINE = "multiline"


def make_steps(names: Iterable[str], *, formats: Iterable[str] | None = None) -> tuple[Step, ...]:
    """Make the steps of a route, in its order; `formats` names the text formats to try, None for all of them.

    KeyError when there is no such step or format.
    """
    known: dict[str, Step] = {
        "json": lift_json_bodies,
        "text": make_text_step(ALL if formats is None else plan_trials(formats)),
        "trace": take_traces,
        "severity": find_severities,
        "service": name_services,
    }
    return tuple(known[name] for name in names if name != MULTILINE)
