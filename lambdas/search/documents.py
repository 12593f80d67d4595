"""Comparing what is wanted with what OpenSearch says there is."""

from __future__ import annotations


def contains(there: object, wanted: object) -> bool:
    """Whether all that is wanted is there. OpenSearch returns what it was given, with defaults among it."""
    if isinstance(wanted, dict):
        return isinstance(there, dict) and all(key in there and contains(there[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return (
            isinstance(there, list)
            and len(there) == len(wanted)
            and all(contains(has, wants) for has, wants in zip(there, wanted, strict=True))
        )
    return there == wanted
