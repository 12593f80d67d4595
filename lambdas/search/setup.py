"""The custom resource that makes OpenSearch what the plan says: templates, policies, indices, roles, dashboards.

CloudFormation invokes it for Create, Update and Delete of the resource, asynchronously, and waits for an answer at an
address of its own (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-custom-resources.html). So:

- It always answers: with the reason when something fails, and before Lambda would end it. When the address does not
  take the answer it raises, and Lambda invokes it again.
- All it does can be done twice, also after it was ended between two steps: each step looks at what is there.
- The resource's id never changes, so that no update ends in a Delete. A rollback is an update with both plans swapped.
- Delete takes away what the plan put there, never an index, and succeeds also when the domain is gone.

| Property | Holds |
|---|---|
| Endpoint | https://HOST, or http://127.0.0.1:PORT |
| Service | es: a domain; aoss: a serverless collection |
| Plan | JSON, see sluice/search/plan.py; large parts may be packed |
| Lenient | "true": plugins that are not there are reported and passed over; for a server of this machine alone |

Attributes: Prefix, the installation; Skipped, what was passed over and why.
"""

from __future__ import annotations

import base64
import gzip
import json
import signal
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Protocol

from aws_lambda_powertools.logging import Logger

from lambdas.search.answer import Answer, send
from lambdas.search.client import is_loopback, open_client
from lambdas.search.cluster import Cluster, Deadline
from lambdas.search.steps import remove, replace

RESERVE_SECONDS: Final = 30.0
"""Left of Lambda's time for the answer."""
FORBIDDEN_SECONDS: Final = 300.0
"""A domain that was just made knows by then who may do what."""
DELETE_SECONDS: Final = 60.0
"""For a Delete: what is not there by then is gone."""
KEYS: Final = ("templates", "policies", "indices", "roles", "role_mappings", "saved_objects")
_NOTHING: Final[Mapping[str, Any]] = {key: {} for key in KEYS}


class RequestError(ValueError):
    """The resource's properties make no sense; says which and why."""


class OutOfTimeError(BaseException):
    """Lambda's time is nearly over. No Exception, so that nothing takes it for one of its own and waits on."""


class Context(Protocol):
    """Of Lambda's context, what we use."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the function."""


@dataclass(frozen=True, slots=True)
class Properties:
    """The resource's properties, read."""

    endpoint: str
    service: str
    plan: Mapping[str, Any]
    lenient: bool


def handler(event: Mapping[str, Any], context: Context) -> None:
    """Do what CloudFormation asks for, and answer. Raises AnswerError alone."""
    seconds = context.get_remaining_time_in_millis() / 1000
    reserve = min(RESERVE_SECONDS, seconds / 4)
    deadline = Deadline(time.monotonic() + seconds - reserve)
    answer = _answer(event, deadline, grace=reserve / 5)
    _log().info("answered", extra={"request": event.get("RequestType"), "reason": answer.reason, **answer.data})
    send(event, answer)


def _answer(event: Mapping[str, Any], deadline: Deadline, *, grace: float) -> Answer:
    deleting = event.get("RequestType") == "Delete"
    physical_id = _physical_id(event)
    try:
        with _ended_after(deadline.remaining + grace):
            data = _delete(event, deadline) if deleting else _put(event, deadline)
    except (Exception, OutOfTimeError) as error:
        _log().exception("failed")
        told = f"{type(error).__name__}: {error}"
        if deleting:  # What could not be removed must not keep a stack from being deleted.
            return Answer(physical_id, {"Skipped": told})
        return Answer(physical_id, reason=told)
    return Answer(physical_id, data)


def _put(event: Mapping[str, Any], deadline: Deadline) -> dict[str, str]:
    properties = _read(event["ResourceProperties"])
    client = open_client(properties.endpoint, properties.service)
    cluster = Cluster(client, deadline=deadline, forbidden_seconds=FORBIDDEN_SECONDS)
    skipped = replace(
        cluster,
        plan=properties.plan,
        old=_old(event, properties),
        service=properties.service,
        lenient=properties.lenient,
    )
    return {"Prefix": str(properties.plan.get("prefix", "")), "Skipped": "; ".join(skipped)}


def _delete(event: Mapping[str, Any], deadline: Deadline) -> dict[str, str]:
    properties = _read(event["ResourceProperties"])
    soon = Deadline(min(deadline.at, time.monotonic() + DELETE_SECONDS))
    cluster = Cluster(open_client(properties.endpoint, properties.service), deadline=soon, forbidden_seconds=0)
    left = remove(cluster, properties.plan, service=properties.service)
    return {"Prefix": str(properties.plan.get("prefix", "")), "Skipped": "; ".join(left)}


def _old(event: Mapping[str, Any], now: Properties) -> Mapping[str, Any]:
    """The plan before an update; none where it was for another domain, or cannot be read."""
    try:
        old = _read(event["OldResourceProperties"])
    except (KeyError, RequestError):
        return _NOTHING
    return old.plan if old.endpoint == now.endpoint else _NOTHING


def _read(properties: Mapping[str, Any]) -> Properties:
    try:
        plan = _unpacked(json.loads(properties["Plan"]))
        endpoint, service = str(properties["Endpoint"]), str(properties["Service"])
    except (KeyError, TypeError, ValueError, OSError, EOFError, zlib.error) as error:
        raise RequestError(f"the resource's properties are not complete: {type(error).__name__}: {error}") from None
    missing = [key for key in KEYS if not isinstance(plan, dict) or key not in plan]
    if missing:
        raise RequestError(f"property Plan has no {', '.join(missing)}")
    lenient = properties.get("Lenient") == "true"
    if lenient and not is_loopback(endpoint):
        raise RequestError("property Lenient is for a server of this machine alone")
    return Properties(endpoint=endpoint, service=service, plan=plan, lenient=lenient)


def _unpacked(plan: Any) -> Any:  # noqa: ANN401 - JSON
    if not isinstance(plan, dict) or "packed" not in plan:
        return plan
    return {**plan, **json.loads(gzip.decompress(base64.b64decode(plan["packed"])))}


def _physical_id(event: Mapping[str, Any]) -> str:
    """The id the resource has; a new one is named after the resource, so that a second delivery names it alike."""
    return str(event.get("PhysicalResourceId") or f"sluice-search-{event['LogicalResourceId']}")


@contextmanager
def _ended_after(seconds: float) -> Iterator[None]:
    """Raise OutOfTimeError here after so long, whatever is being waited for. Lambda runs us in the main thread."""

    def end(_signal: int, _frame: object) -> None:
        raise OutOfTimeError("Lambda's time is nearly over, and OpenSearch has not answered")

    before: Callable[[int, Any], Any] | int | None
    try:
        before = signal.signal(signal.SIGALRM, end)
    except ValueError:  # Another thread: then every request's own time limit has to do.
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@cache
def _log() -> Logger:
    return Logger(service="search-setup")
