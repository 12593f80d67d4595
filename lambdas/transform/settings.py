"""What a deployed function is told by its environment, read once per process. Nothing need be set.

| Variable | Holds |
|---|---|
| SLUICE_ROUTE | the route's name, for logs and metrics |
| SLUICE_STEPS | names of the steps with commas, in order; unset: all, empty: none |
| SLUICE_RULES | JSON: formats, redact, drop, sample, oversize, shape, numbers, partition_by, see spec |
| SLUICE_BUCKET | name of the bucket for originals and reasons, see store; unset: none is kept |
| SLUICE_SPREAD | 1: a record is answered with a part of its documents and the others are sent once more, see resend |
| SLUICE_REDACTION_KEY | ARN of the secret that hashes are made with, and what is sent once more is known by |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from lambdas.transform.spec import (
    Drop,
    Oversize,
    PartitionKey,
    Redaction,
    Sample,
    Shape,
    Spec,
    SpecError,
    read_spec,
)

ROUTE_VARIABLE: Final = "SLUICE_ROUTE"
STEPS_VARIABLE: Final = "SLUICE_STEPS"
RULES_VARIABLE: Final = "SLUICE_RULES"
BUCKET_VARIABLE: Final = "SLUICE_BUCKET"
SPREAD_VARIABLE: Final = "SLUICE_SPREAD"
KEY_VARIABLE: Final = "SLUICE_REDACTION_KEY"

STEP_NAMES: Final = ("multiline", "json", "text", "trace", "severity", "service")
"""Every step by the name it has in sluice.yaml, in the order they run by default."""
_REMEDY: Final = "deploy the route again with `cdk deploy`, which writes it from sluice.yaml"


class SettingsError(ValueError):
    """A variable of the environment has a value we cannot work with."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the environment says.

    `formats` names the text parsers to try, None for all of them. `resends`: a record is answered with the documents
    that have the same partition keys, or, on a route that has none, with one; its other documents are sent once more.
    """

    route: str = ""
    steps: tuple[str, ...] = STEP_NAMES
    formats: tuple[str, ...] | None = None
    redact: tuple[Redaction, ...] = ()
    drop: tuple[Drop, ...] = ()
    sample: tuple[Sample, ...] = ()
    oversize: Oversize = "truncate"
    redaction_key: str = ""
    bucket: str = ""
    resends: bool = False
    shape: Shape = "stored"
    numbers: tuple[str, ...] = ()
    partition_by: tuple[PartitionKey, ...] = ()


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings. SettingsError, which names variable, value and remedy, when one makes no sense."""
    spec = _spec(environment.get(RULES_VARIABLE))
    key = environment.get(KEY_VARIABLE, "")
    if not key and any(rule.action == "hash" for rule in spec.redact):
        raise SettingsError(f"{KEY_VARIABLE}='': there is nothing to hash with, and a rule says hash; {_REMEDY}")
    resends = environment.get(SPREAD_VARIABLE) == "1"
    if spec.partition_by and not resends:
        raise SettingsError(
            f"{SPREAD_VARIABLE}='': documents of one record can have different partition keys; {_REMEDY}"
        )
    if not key and resends:
        raise SettingsError(
            f"{KEY_VARIABLE}='': {SPREAD_VARIABLE}=1 needs a key to know its own documents by; {_REMEDY}"
        )
    return Settings(
        route=environment.get(ROUTE_VARIABLE, ""),
        steps=_steps(environment.get(STEPS_VARIABLE)),
        formats=spec.formats,
        redact=spec.redact,
        drop=spec.drop,
        sample=spec.sample,
        oversize=spec.oversize,
        redaction_key=key,
        bucket=environment.get(BUCKET_VARIABLE, ""),
        resends=resends,
        shape=spec.shape,
        numbers=spec.numbers,
        partition_by=spec.partition_by,
    )


def _steps(named: str | None) -> tuple[str, ...]:
    if named is None:
        return STEP_NAMES
    steps = tuple(name for part in named.split(",") if (name := part.strip()))
    unknown = [name for name in steps if name not in STEP_NAMES]
    if unknown:
        known = ", ".join(STEP_NAMES)
        raise SettingsError(f"{STEPS_VARIABLE}={named!r}: no step is called {', '.join(unknown)}; known are {known}")
    return steps


def _spec(text: str | None) -> Spec:
    if not text:
        return Spec()
    try:
        return read_spec(orjson.loads(text))
    except orjson.JSONDecodeError:
        told = "is not JSON"
    except SpecError as error:
        told = str(error)
    raise SettingsError(f"{RULES_VARIABLE}={text!r}: {told}; {_REMEDY}")
