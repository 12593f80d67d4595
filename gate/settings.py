"""What a gate is told, in one variable: a JSON object that is written by `sluice.gate`.

    {"routes": [{"match": "frontend*", "stream": "shop-prod-frontend", "to": "firehose", "form": "packed", "key": ""}],
     "ports": [24225], "status_port": 2021, "waiting_bytes": 268435456}

Routes are in the order in which they are tried; the last one takes every tag. `listen` is where: every address of the
container, when it is left out.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal

VARIABLE: Final = "SLUICE_GATE"
Form = Literal["packed", "single", "kpl"]
"""What a record of the stream is: many lines, one line, or a KPL aggregate of lines."""


class SettingsError(Exception):
    """The variable is missing or says what cannot be run; the text says what."""


@dataclass(frozen=True, kw_only=True)
class Route:
    """A stream and the tags that go there, `*` standing for anything.

    `key` is the record's key whose value chooses the shard of a KPL aggregate, `a->b` for a nested one.
    """

    match: str
    stream: str
    to: Literal["firehose", "kinesis"] = "firehose"
    form: Form = "packed"
    key: str = ""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything but credentials and region, which botocore finds.

    `waiting_bytes` is how much may wait for Firehose before nothing more is read from any connection.
    """

    routes: tuple[Route, ...]
    ports: tuple[int, ...]
    status_port: int
    waiting_bytes: int
    listen: str = "0.0.0.0"  # noqa: S104 - a container's own address is not known before it runs
    name: str = field(default="gate", compare=False)


def read(environ: Mapping[str, str]) -> Settings:
    """The settings in a process's environment. Raises SettingsError."""
    try:
        told: dict[str, Any] = json.loads(environ[VARIABLE])
        routes = tuple(Route(**_known(each, Route)) for each in told.pop("routes"))
        settings = Settings(routes=routes, **_known({**told, "ports": tuple(told["ports"])}, Settings))
    except KeyError as error:
        raise SettingsError(f"{VARIABLE} is not set, or lacks {error}: it is what `sluice.gate` writes") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise SettingsError(f"{VARIABLE} is not what `sluice.gate` writes: {error}") from error
    if not settings.routes or settings.routes[-1].match != "*":
        raise SettingsError(f"the last route of {VARIABLE} does not take every tag")
    return settings


def _known(told: dict[str, Any], model: type[Any]) -> dict[str, Any]:
    unknown = told.keys() - {each.name for each in fields(model)}
    if unknown:
        raise TypeError(f"there is no {', '.join(sorted(unknown))}")
    return told
