"""How a load test that cannot be run ends: one line that says what to do, and exit status 2."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import typer

from loadtest.drive import DriverError
from loadtest.tally import ReportVersionError
from loadtest.tally.readers import UnreadableObjectError
from local.deploy import DeployError
from local.firehose import UnsupportedFeatureError
from local.fluent_bit import FluentBitMissingError
from local.load.edits import SettingError
from local.load.folder import NoRunError
from local.opensearch import OpenSearchMissingError
from local.process import ProcessError
from query.documents import UnreachableError
from sluice.terminal import USAGE, told

INTERRUPTED: Final = 130  # as a shell counts SIGINT
# What can go wrong before there is anything to account for, each saying by itself what to do.
FAILURES: Final = (
    DeployError,
    DriverError,
    FluentBitMissingError,
    NoRunError,
    OpenSearchMissingError,
    ReportVersionError,
    SettingError,
    UnreachableError,
    UnreadableObjectError,
    UnsupportedFeatureError,
)
_REFUSED: Final = re.compile(r"(Fluent Bit \S+) does not take ")
_ERROR: Final = re.compile(r"\[ *error\] (?:\[[^\]]*\] )?(.*)")


@contextmanager
def ending(*, as_json: bool = False) -> Iterator[None]:
    """What goes wrong in the block becomes a message and status 2; an interruption 130."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - `sluice --help` need not load it
    from opensearchpy.exceptions import OpenSearchException  # noqa: PLC0415

    with told(as_json=as_json):
        try:
            yield
        except FAILURES as error:
            _say(str(error))
        except ProcessError as error:
            _say(of_fluent_bit(str(error)))
        except (BotoCoreError, ClientError, OpenSearchException) as error:
            _say(f"what arrived cannot be read: {error}: are there credentials for that account and region?")
        except KeyboardInterrupt:
            typer.echo("sluice: ended at once; everything that was started is stopped", err=True)
            raise typer.Exit(INTERRUPTED) from None


def of_fluent_bit(message: str) -> str:
    """What a refused configuration means for the caller: Fluent Bit's own first error, on one line."""
    refused, error = _REFUSED.search(message), _ERROR.search(message)
    if refused is None or error is None:
        return message
    return f"{refused[1]} does not take these settings: {error[1]}"


def _say(message: str) -> None:
    typer.echo(f"sluice: {message}", err=True)
    raise typer.Exit(USAGE) from None
