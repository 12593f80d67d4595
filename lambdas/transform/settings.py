"""What a deployed function is told by its environment, read once per process. Nothing need be set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lambdas.transform.steps import STEPS

ROUTE_VARIABLE = "SLUICE_ROUTE"
STEPS_VARIABLE = "SLUICE_STEPS"


class SettingsError(ValueError):
    """A variable of the environment has a value we cannot work with."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The route whose records these are, for logs and metrics, and the names of the steps they go through, in order."""

    route: str = ""
    steps: tuple[str, ...] = tuple(STEPS)


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings: SLUICE_ROUTE, and SLUICE_STEPS as names with commas (unset: all; empty: none)."""
    named = environment.get(STEPS_VARIABLE)
    if named is None:
        return Settings(route=environment.get(ROUTE_VARIABLE, ""))
    steps = tuple(name for part in named.split(",") if (name := part.strip()))
    unknown = [name for name in steps if name not in STEPS]
    if unknown:
        known = ", ".join(STEPS)
        raise SettingsError(f"{STEPS_VARIABLE}={named!r}: no step is called {', '.join(unknown)}; known are {known}")
    return Settings(route=environment.get(ROUTE_VARIABLE, ""), steps=steps)
