"""Values of a description, checked one by one: what AWS's API reference allows, and what is understood here."""

from collections.abc import Collection, Mapping
from typing import Any

from local.firehose.errors import UnsupportedFeatureError

# What AWS calls a description is JSON of any depth; it is checked key by key where it is read.
Description = Mapping[str, Any]


def in_range(stream: str, name: str, value: float | str, allowed: tuple[float, float]) -> float:
    """Return `value` as a number; UnsupportedFeatureError if it is out of its range."""
    least, most = allowed
    number = float(value)
    if not least <= number <= most:
        raise UnsupportedFeatureError(stream, f"{name} {value}", f"use {least} to {most}")
    return number


def is_enabled(configuration: Description) -> bool:
    """Whether a configuration that is there is switched on, which it is unless it says otherwise."""
    return configuration.get("Enabled", True) in (True, "true")


def refuse_unknown(stream: str, properties: Description, *, known: Collection[str]) -> None:
    """Raise UnsupportedFeatureError for the first property that is none of `known`."""
    for unknown in sorted(set(properties) - set(known)):
        raise UnsupportedFeatureError(stream, unknown, "remove it")
