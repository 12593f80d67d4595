"""The function: `{"do": "send"}` each minute, `{"do": "verify"}` each five; `time` is when the event was due, ISO 8601.

It answers what it did, so that a person who calls it by hand sees it. It fails, and Lambda counts that, when the bucket
cannot be used, or the event says something else.
"""

import os
import sys
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Protocol

import boto3

from loadtest.asking import poster
from loadtest.canary.kept import Kept
from loadtest.canary.looking import look
from loadtest.canary.sending import send
from loadtest.canary.settings import Settings, read_settings
from loadtest.canary.telling import lines

RESERVE_SECONDS: Final = 30.0
"""Left of Lambda's time for judging and telling, when reading ends."""


class Context(Protocol):
    """Of Lambda's context, what we use."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the function."""


def handler(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Do what the event says. Raises ValueError for one that says nothing of ours, and boto3's errors."""
    settings = read_settings(os.environ)
    client = boto3.client("s3")
    kept = Kept(client, settings.bucket)
    match event.get("do"):
        case "send":
            return _send(settings, kept, event.get("time"))
        case "verify":
            search = poster(*settings.search) if settings.search else None
            looked = look(
                settings,
                kept,
                client,
                search=search,
                has_time=lambda: context.get_remaining_time_in_millis() > RESERVE_SECONDS * 1000,
            )
            if looked is None:
                return {"told": False}
            told = list(lines(settings, looked))
            sys.stdout.write("".join(f"{line}\n" for line in told))
            sys.stdout.flush()
            return {
                "told": True,
                "routes": {
                    verdict.route.name: {
                        "delivered": verdict.delivered,
                        "lost": len(verdict.lost),
                        "failed": len(verdict.failed),
                        "late": verdict.late,
                        "duplicated": verdict.duplicated,
                        "notSent": len(verdict.unsent),
                        "unchecked": len(verdict.unchecked),
                        "latency": round(max(verdict.latencies, default=0.0), 3),
                    }
                    for verdict in looked.verdicts
                },
                "troubles": dict(looked.troubles),
            }
        case other:
            raise ValueError(f"the event says do: {other!r}; it is send or verify")


def _send(settings: Settings, kept: Kept, due: str | None) -> dict[str, Any]:
    at = time.time() if due is None else datetime.fromisoformat(due).timestamp()
    sent = send(settings, kept, minute=int(at // 60))
    if sent is None:
        return {"sent": False}
    routes = {name: {"sent": of.count, "acknowledged": len(of.acknowledged)} for name, of in sent.routes.items()}
    return {"sent": True, "routes": routes}
