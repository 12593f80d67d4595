"""What became of a load: the tally accounts for every message, in bounded memory, and gives a result."""

from loadtest.tally.content import TextOf
from loadtest.tally.from_rows import account_from_rows
from loadtest.tally.result import (
    Account,
    Breach,
    Example,
    LoadAccount,
    Mark,
    MarkAccount,
    Observation,
    Percentiles,
    ReportVersionError,
    Result,
    RouteAccount,
    Series,
)
from loadtest.tally.tally import Tally

__all__ = [
    "Account",
    "Breach",
    "Example",
    "LoadAccount",
    "Mark",
    "MarkAccount",
    "Observation",
    "Percentiles",
    "ReportVersionError",
    "Result",
    "RouteAccount",
    "Series",
    "Tally",
    "TextOf",
    "account_from_rows",
]
