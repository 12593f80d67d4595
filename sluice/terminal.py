"""How every command talks: problems on standard error with exit status 2, results on standard output."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from sluice.problems import ConfigError

FOUND_WRONG: Final = 1
USAGE: Final = 2


@contextmanager
def told(*, as_json: bool = False) -> Iterator[None]:
    """Configuration errors become text, or JSON for a machine, and exit status 2."""
    try:
        yield
    except ConfigError as error:
        if as_json:
            keys = ("file", "line", "key", "value", "message", "remedy")
            print_json({"problems": [{key: getattr(problem, key) for key in keys} for problem in error.problems]})
        else:
            err = Console(stderr=True, soft_wrap=True)
            for problem in error.problems:
                place, _, remedy = str(problem).partition("\n")
                err.print(f"[red]{escape(place)}[/red]\n[dim]{escape(remedy)}[/dim]", highlight=False)
            err.print(f"{len(error.problems)} problem{'s' if len(error.problems) > 1 else ''}; nothing was changed")
        raise typer.Exit(USAGE) from None


def refuse(message: str) -> NoReturn:
    """End with a message and exit status 2: the usage is wrong."""
    typer.echo(f"sluice: {message}", err=True)
    raise typer.Exit(USAGE)


def print_json(value: Any) -> None:  # noqa: ANN401 - whatever JSON can say
    """One JSON document on standard output."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
